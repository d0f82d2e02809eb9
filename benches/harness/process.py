"""Child processes that stay on their core and never outlive the benchmark."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CORES: Final = sorted(os.sched_getaffinity(0))
PINGER: Final = CORES[0]
"""The core of whoever loads and measures."""
SUBJECT: Final = CORES[-1]
"""The core of whoever is measured."""
READY_S: Final = 20.0
END_S: Final = 5.0

Arguments = Sequence[str | Path]


class ChildError(Exception):
    """A child ended as it must not; the text has its last words."""


def python(*arguments: str | Path) -> list[str]:
    """Return the command line that runs this interpreter."""
    return [sys.executable, *map(str, arguments)]


def yielding(arguments: Arguments) -> list[str | Path]:
    """Return the command line that lets whoever measures on the same core go first, at once.

    By a nice value alone it would still finish its turn, milliseconds that the measured latency
    would have of the pinger's core and not of the guard.
    """
    return ["chrt", "--idle", "0", *arguments]


def run(
    arguments: Arguments,
    *,
    core: int | None = None,
    timeout_s: float = 300.0,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a child on a core to its end and return what it printed.

    Raises:
        ChildError: it failed or took too long.
    """
    try:
        done = subprocess.run(  # noqa: S603
            _pinned(arguments, core),
            cwd=ROOT,
            env=_environment(env),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"{arguments[0]} must end within {timeout_s} s, did not") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise ChildError(f"{arguments[0]} must end with 0, was {done.returncode}: {words}")
    return done.stdout


@contextlib.contextmanager
def running(
    arguments: Arguments,
    *,
    core: int | None = None,
    ready: str | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Generator[subprocess.Popen[str]]:
    """Run a child for the length of the block; wait for its line `ready` first.

    Raises:
        ChildError: the line did not come.
    """
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(log.open("w")) if log else subprocess.DEVNULL
        child = subprocess.Popen(  # noqa: S603
            _pinned(arguments, core),
            cwd=ROOT,
            env=_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if ready else sink,
            stderr=sink,
            text=True,
        )
        try:
            if ready:
                _await_line(child, ready)
            yield child
        finally:
            end(child)


def end(child: subprocess.Popen[str]) -> int:
    """Ask a child to end, then make it."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdout is not None:
        child.stdout.close()
    return child.returncode


def await_true(what: str, holds: Callable[[], bool], limit_s: float = READY_S) -> None:
    """Poll a function until it is true.

    Raises:
        ChildError: it was not in time.
    """
    until = time.perf_counter() + limit_s
    while not holds():
        if time.perf_counter() > until:
            raise ChildError(f"{what} must come within {limit_s} s, did not")
        time.sleep(0.02)


def _pinned(arguments: Arguments, core: int | None) -> list[str]:
    command = [str(one) for one in arguments]
    return command if core is None else ["taskset", "-c", str(core), *command]


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}


def _await_line(child: subprocess.Popen[str], wanted: str) -> None:
    assert child.stdout is not None
    until = time.perf_counter() + READY_S
    while time.perf_counter() < until:
        if not select.select([child.stdout], [], [], 0.1)[0]:
            continue
        line = child.stdout.readline()
        if wanted in line:
            return
        if not line:
            break
    raise ChildError(f"{child.args!r} must say {wanted!r} within {READY_S} s, did not")
