"""A required feed that falls silent: gates close, the guard lives on, and nothing is halted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from edgeguard.config.model import FeedConfig
from edgeguard.gate import Gate
from edgeguard.messages import Heartbeat
from tests.process.guard_rig import CLOCK, World, make_config, until
from tests.process.test_guard_watchdog import drain, listening

SILENCE_MS = 1500


class Feed:
    """A feed that beats every 100 ms while it is told to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seq = 0
        self.speaks = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.speaks.set()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            if self.speaks.is_set():
                self._seq += 1
                beat = Heartbeat("", "feed:main", 1, self._seq, CLOCK.wall_ns())
                self._world.publish(beat)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[socket.socket]:
    """The socket on which systemd would listen."""
    with listening(tmp_path / "notify", monkeypatch) as heard:
        yield heard


@pytest.fixture
def world(tmp_path: Path, manager: socket.socket) -> Generator[World]:
    """A guard that requires a feed with heartbeats, told of nothing yet."""
    assert manager
    (tmp_path / "state").mkdir()
    base = make_config(tmp_path / "state")
    config = msgspec.structs.replace(
        base,
        guard=msgspec.structs.replace(base.guard, feed_silence_max_ms=SILENCE_MS),
        feed=(FeedConfig(name="main", heartbeat=True),),
    )
    world = World(config, "real")
    try:
        world.start()
        until(world.has_spoken)
        yield world
    finally:
        world.close()


@pytest.fixture
def feed(world: World) -> Generator[Feed]:
    """The feed that it requires."""
    feed = Feed(world)
    try:
        yield feed
    finally:
        feed.close()


def test_silent_feed_takes_the_gates_beats_and_not_the_watchdogs(
    world: World, feed: Feed, manager: socket.socket
) -> None:
    """P3, P9: page and remote gate close without a halt, systemd hears pings on, all reopens."""
    world.until_open()
    with Gate(world.paths.gate_router, "A") as remote:
        until(lambda: bool(remote.check()))
        feed.speaks.clear()
        until(lambda: "FEED_SILENT" in world.observer.beats[-1].pauses)
        # The pause closes at once; a lease later neither gate has heard anything new.
        world.until_code("STALE")
        until(lambda: "STALE" in str(remote.check()))
        # A stall of the machine makes a page stale as well.
        until(lambda: world.status()["guard"]["loop"]["beats_withheld_for_feeds"] > 0)
        status = world.status()
        assert status["halt"] is None
        assert "FEED_SILENT" in status["gate"]["why"]
        drain(manager)
        assert [manager.recv(64) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        feed.speaks.set()
        world.until_open()
        until(lambda: bool(remote.check()))
        assert world.status()["halt"] is None
