"""A guard as a user runs it: ``edgeguard up`` in processes of its own, and commands against it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.transport.client import Client

PAPER = Path(__file__).parents[2] / "config" / "paper.toml"
PATIENCE_S = 30.0
"""How long anything may take on a loaded machine; nothing is claimed about the time itself."""


def edgeguard(*arguments: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "edgeguard", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def processes_with(*words: bytes) -> set[int]:
    """Return the processes whose command line has all the words, as the kernel lists them."""
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (folder / "cmdline").read_bytes()
            if all(word in line for word in words):
                found.add(int(folder.name))
    return found


def end_what_stays(state_dir: Path) -> None:
    """Kill what a test has left behind: a broker that a command started belongs to nobody."""
    for pid in processes_with(b"edgeguard", os.fsencode(state_dir)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Running:
    """A guard and a broker under one supervisor."""

    def __init__(self, process: subprocess.Popen[str], paths: Paths) -> None:
        self.process = process
        self.paths = paths
        self.client = Client(paths.control)

    def status(self) -> Mapping[str, Any]:
        """Return the status, {} while no guard answers."""
        command_id = self.client.command("status", operator="test", reason="")
        replies = list(self.client.replies(command_id, 0.5))
        return json.loads(replies[-1].body) if replies else {}

    def until(self, holds: Callable[[Mapping[str, Any]], object]) -> Mapping[str, Any]:
        """Ask for the status until something holds of it; fail when it never does."""
        clock = SystemClock()
        end_ns = clock.boot_ns() + int(PATIENCE_S * NS_PER_S)
        status: Mapping[str, Any] = {}
        while clock.boot_ns() < end_ns:
            status = self.status()
            if status and holds(status):
                return status
        raise AssertionError(f"the guard came to {status.get('state')}: {status.get('gate')}")

    def pid_of(self, role: str) -> int:
        """Return the process id of the guard or the broker, as the kernel lists them."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if role.encode() in line and str(self.paths.state_dir).encode() in line:
                return int(folder.name)
        raise AssertionError(f"no {role} runs on {self.paths.state_dir}")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command against this guard."""
        return edgeguard(
            *arguments, "--config", str(PAPER), "--state-dir", str(self.paths.state_dir)
        )


@contextmanager
def running(folder: Path) -> Generator[Running]:
    """Run ``edgeguard up`` on the shipped paper configuration until the block ends."""
    config, _ = load_config(PAPER)
    paths = Paths(config, folder / "state")
    with (folder / "up.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "edgeguard", "up", "--no-ops"),
                *("--config", str(PAPER), "--state-dir", str(paths.state_dir)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            env=dict(os.environ),
        )
    guard = Running(process, paths)
    try:
        guard.until(lambda status: status["state"] == "ACTIVE")
        yield guard
    finally:
        guard.client.close()
        process.terminate()
        code = process.wait(timeout=PATIENCE_S)
        end_what_stays(paths.state_dir)
        shutil.rmtree(paths.run_dir, ignore_errors=True)
    assert code == 0
