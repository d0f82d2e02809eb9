"""What the host runs out of, and what it watches over: descriptors, and systemd's watchdog."""

from __future__ import annotations

import os
import resource
import signal
import socket
from pathlib import Path

import pytest

from edgeguard.gate import Permit
from tests.process.guard_rig import CLOCK, DEADLINE_S, make_config, running, until


def test_no_descriptors_left_halts_nothing_open(tmp_path: Path) -> None:
    """H5: without a descriptor left the guard may end, closed; it comes back halted."""
    with running(make_config(tmp_path)) as world:
        assert world.guard.process is not None
        pid = world.guard.process.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # names alone
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, limits[1]))
        strangers = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for stranger in strangers:
            stranger.setblocking(False)  # noqa: FBT003  # a socket's own word
            try:
                stranger.connect(world.paths.control.removeprefix("ipc://"))
            except OSError:
                continue
        # A halt by hand needs nothing of the guard but a look at a file.
        world.paths.halt_file.write_text("no descriptors\n")
        until(lambda: not world.gate.check())
        for stranger in strangers:
            stranger.close()
        if world.guard.process.poll() is None:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        if world.guard.process.poll() is not None:
            assert world.guard.wait() != 0
            print(f"stderr: {world.guard.stderr[-600:]}")  # noqa: T201  # shown where it fails
            world.start()
        until(world.is_halted)
        world.until_code("HALTED")


def test_watchdog_is_fed_by_earned_beats_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H11: systemd hears READY, then WATCHDOG while beats are earned, and nothing while stopped."""
    address = tmp_path / "notify"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(address))
    manager.settimeout(DEADLINE_S)
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    with running(make_config(tmp_path / "state")) as world:
        words = [manager.recv(100)]
        while words[-1] != b"READY=1":
            words.append(manager.recv(100))
        assert manager.recv(100) == b"WATCHDOG=1"
        assert world.guard.process is not None
        world.guard.process.send_signal(signal.SIGSTOP)
        world.until_code("STALE")
        manager.setblocking(False)  # noqa: FBT003  # a socket's own word
        try:
            while manager.recv(100):
                pass
        except BlockingIOError:
            pass
        quiet_until_ns = CLOCK.boot_ns() + 500_000_000
        until(lambda: CLOCK.boot_ns() > quiet_until_ns)
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        world.guard.process.send_signal(signal.SIGCONT)
        until(lambda: isinstance(world.gate.check(), Permit), lambda: str(world.gate.check()))
        assert manager.recv(100) == b"WATCHDOG=1"
    manager.close()
