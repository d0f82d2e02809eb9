"""Earned heartbeats: each part that stands still stops beat and watchdog, on a real socket."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from edgeguard.clock import NS_PER_MS, NS_PER_S, ManualClock
from edgeguard.guard.accounts import GuardedAccount
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.heart import PROGRESS_NS, Heart
from edgeguard.guard.notify import SystemdNotifier
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Pipeline
from edgeguard.guard.watch import ManualWatch

LEASE_MS = 1000
BEAT_NS = 100 * NS_PER_MS


class Body:
    """A heart without accounts, in a body whose parts stand still when told to."""

    def __init__(self, address: Path) -> None:
        self.clock = ManualClock(0, NS_PER_S)
        self.still: set[str] = set()
        self.silent: tuple[str, int] | None = None
        self.journal_ns = 0
        self.turns = 0
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(address))
        self.manager.settimeout(0)
        self.notifier = SystemdNotifier(str(address))
        parts = SimpleNamespace(
            config=SimpleNamespace(
                guard=SimpleNamespace(lease_ms=LEASE_MS, feed_silence_max_ms=5000)
            ),
            accounts={},
            engine=SimpleNamespace(silent_feed=self._silent_feed),
            now=lambda: (self.clock.wall_ns(), self.clock.boot_ns()),
            storage=SimpleNamespace(progress_boot_ns=lambda: self.journal_ns),
        )
        self.heart = Heart(
            cast("Parts", parts),
            cast("Pipeline", SimpleNamespace(advance=lambda: None)),
            cast("Actuators", SimpleNamespace()),
            cast("ManualWatch", SimpleNamespace(look_at_words=lambda: None)),
        )
        self.heart.turns = lambda: self.turns
        self.heart.on_earned = lambda: self.notifier.send("WATCHDOG=1")

    def _silent_feed(self, *_: object) -> tuple[str, int] | None:
        return self.silent

    def pings(self, beats: int) -> int:
        """Let the guard live for so many beats; return the pings that reached the manager."""
        for _ in range(beats):
            self.clock.advance(BEAT_NS)
            if "journal" not in self.still:
                self.journal_ns = self.clock.boot_ns()
            if "drain" not in self.still:
                self.turns += 1
            if "engine" not in self.still:
                self.heart.step()
            if "loop" not in self.still:
                self.heart.beat()
        heard = 0
        try:
            while self.manager.recv(64) == b"WATCHDOG=1":
                heard += 1
        except BlockingIOError:
            return heard
        raise AssertionError("nothing but pings may arrive")

    def close(self) -> None:
        self.notifier.close()
        self.manager.close()


@pytest.mark.parametrize("part", ["engine", "journal", "drain", "loop"])
def test_a_part_that_stands_still_stops_beat_and_watchdog(tmp_path: Path, part: str) -> None:
    """P3: pings with every beat; none later than 200 ms after a part stopped; then again."""
    body = Body(tmp_path / "notify")
    try:
        assert body.pings(10) == 10
        body.still = {part}
        allowed = 0 if part == "loop" else PROGRESS_NS // BEAT_NS
        assert body.pings(20) == allowed
        assert body.heart.withheld == (0 if part == "loop" else 20 - allowed)
        body.still = set()
        assert body.pings(10) == 10
        # A loop that stood still for a lease sees that it did, and pauses what it guards.
        assert body.heart.away == (1 if part == "loop" else 0)
    finally:
        body.close()


def test_an_echo_between_two_rare_beats_is_earned(tmp_path: Path) -> None:
    """Beats may be a second apart; a gate that asks in between hears of what turns meanwhile."""
    body = Body(tmp_path / "notify")
    try:
        body.pings(10)
        body.still = {"loop"}
        body.pings(5)
        assert body.heart.is_earned(body.clock.boot_ns())
        body.still = {"loop", "drain"}
        body.pings(3)
        assert not body.heart.is_earned(body.clock.boot_ns())
    finally:
        body.close()


def test_an_echo_asks_the_feeds_anew(tmp_path: Path) -> None:
    """P9: a feed that fell silent since the last beat holds back the very next echo."""
    body = Body(tmp_path / "notify")
    try:
        body.pings(10)
        account = cast("GuardedAccount", SimpleNamespace(id="A"))
        assert body.heart.may_open(account, body.clock.boot_ns())
        body.silent = ("main", 5_000_000_001)
        assert not body.heart.may_open(account, body.clock.boot_ns())
    finally:
        body.close()


def test_a_manager_that_does_not_listen_changes_nothing(tmp_path: Path) -> None:
    """Neither a missing socket nor none at all disturbs the guard; an abstract name is reached."""
    for address in ("", str(tmp_path / "none")):
        silent = SystemdNotifier(address)
        silent.send("READY=1")
        silent.close()
    name = f"edgeguard-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        notifier = SystemdNotifier("@" + name)
        notifier.send("READY=1")
        assert manager.recv(64) == b"READY=1"
        notifier.close()
