"""systemd's watchdog: a real notification socket, and pings that stop when the guard does."""

from __future__ import annotations

import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.process.guard_rig import DEADLINE_S, make_config, running


@contextmanager
def listening(address: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[socket.socket]:
    """Listen on a socket as systemd would, and name it as systemd names it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(address))
        heard.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        yield heard


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[socket.socket]:
    """The socket on which systemd would listen."""
    with listening(tmp_path / "notify", monkeypatch) as heard:
        yield heard


def drain(manager: socket.socket) -> None:
    """Read what was sent before now."""
    manager.settimeout(0)
    try:
        while True:
            manager.recv(64)
    except BlockingIOError:
        manager.settimeout(DEADLINE_S)


def test_a_guard_is_ready_pings_with_its_beats_and_says_that_it_stops(
    tmp_path: Path, manager: socket.socket
) -> None:
    """READY=1, then WATCHDOG=1 with every earned beat, STOPPING=1 at the end, on a real socket."""
    (tmp_path / "state").mkdir()
    with running(make_config(tmp_path / "state")) as world:
        heard = [manager.recv(64) for _ in range(5)]
        assert b"READY=1" in heard
        assert heard.count(b"WATCHDOG=1") >= 3
        before = world.status()["guard"]["loop"]["beats"]
        drain(manager)
        assert [manager.recv(64) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        assert world.status()["guard"]["loop"]["beats"] >= before + 5
        assert world.guard.process is not None
        world.guard.process.terminate()
        while manager.recv(64) != b"STOPPING=1":
            pass
        assert world.guard.wait() == 0


def test_a_stopped_guard_does_not_ping(tmp_path: Path, manager: socket.socket) -> None:
    """P3: SIGSTOP ends pings as it ends beats, so systemd's deadline can fall due."""
    (tmp_path / "state").mkdir()
    with running(make_config(tmp_path / "state")) as world:
        assert world.guard.process is not None
        world.guard.process.send_signal(signal.SIGSTOP)
        world.until_code("STALE")
        drain(manager)
        manager.settimeout(0.5)
        with pytest.raises(TimeoutError):
            manager.recv(64)
        world.guard.process.send_signal(signal.SIGCONT)
        manager.settimeout(DEADLINE_S)
        assert manager.recv(64) == b"WATCHDOG=1"
