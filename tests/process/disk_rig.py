"""Disks that fail: strace makes chosen system calls of a running guard fail, wait or kill it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.process.guard_rig import CLOCK, World, until

STRACE = shutil.which("strace")
NEEDS_STRACE = pytest.mark.skipif(
    STRACE is None, reason="strace is needed (Debian package strace) to make system calls fail"
)
BOTH, LATCH, JOURNAL = "both", "latch", "journal"
WRITES = "pwrite64,fdatasync,fsync"
TRACER_S = 10.0
"""How long a tracer that was told to end may take to let go."""


def files_of(world: World, target: str) -> list[Path]:
    """Return the files of one copy of the latch, or of both."""
    path = world.paths.journal
    journal, latch = [path, path.with_name(path.name + "-wal")], [world.paths.latch]
    return {BOTH: [*journal, *latch], LATCH: latch, JOURNAL: journal}[target]


@contextmanager
def failing(
    pid: int, inject: str, files: list[Path], *, calls: str = WRITES
) -> Generator[subprocess.Popen[str]]:
    """Make `calls` of a process on some files do what `inject` says (`man strace`, TAMPERING).

    An empty `inject` traces and changes nothing: what the tracing itself costs.
    """
    assert STRACE is not None
    words = ["-f", "-o", "/dev/null", "-p", str(pid), "-e", f"trace={calls}"]
    words += ["-e", f"inject={calls}:{inject}"] if inject else []
    words += [word for file in files for word in ("-P", str(file))]
    with subprocess.Popen(  # noqa: S603  # strace from the path
        [STRACE, *words],
        stderr=subprocess.PIPE,
        text=True,
    ) as tracer:
        try:
            until(lambda: tracer.poll() is not None or _is_traced(pid))
            if tracer.poll() is not None:
                assert tracer.stderr is not None
                pytest.skip(f"strace cannot attach here: {tracer.stderr.read().strip()}")
            yield tracer
        finally:
            tracer.terminate()
            try:
                tracer.communicate(timeout=TRACER_S)
            except subprocess.TimeoutExpired:
                # It now and then waits for ever for a thread of a process that was killed under it.
                tracer.kill()


def _is_traced(pid: int) -> bool:
    """Return whether every thread of a process has a tracer."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        if "\nTracerPid:\t0\n" in status:
            return False
    return True


class Halted:
    """What a halt came to: its stages in order, and when each was heard, ms after the command."""

    def __init__(self, world: World, timeout_s: float, *awaited: str) -> None:
        """Halt and listen for so long, or with awaited stages until they have been heard."""
        begun_ns = CLOCK.boot_ns()
        self.stages: dict[str, float] = {}
        self.text = ""
        for reply in world.replies("halt", timeout=str(timeout_s)):
            self.stages.setdefault(reply.stage, (CLOCK.boot_ns() - begun_ns) / 1e6)
            self.text = reply.text
            if awaited and self.stages.keys() >= set(awaited):
                self.text = world.last_word_on_halt()
                return
        assert not awaited, f"a halt must come to {awaited}, came to {list(self.stages)}"
