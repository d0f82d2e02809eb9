"""P11: a flood of quotes costs quotes alone: no fill, no error, no halt, no hole unmarked."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any, Self

import pytest

from edgeguard.gate import Permit
from edgeguard.reporter import Reporter
from tests.process.guard_rig import CLOCK, DEADLINE_S, World, make_config, running, until

FLOOD_NS = 3_000_000_000
QUEUE_MAX = 200
FILLS = 150
"""Sent while the flood lasts, one after each answer of the guard to the one before."""


class Flood:
    """Publishes quotes from threads as fast as it can, until told to stop."""

    def __init__(self, world: World, threads: int = 2) -> None:
        self._stop = threading.Event()
        self._reporters = [
            Reporter(world.paths.run_dir, "A", f"flood{number}", queue_max=QUEUE_MAX)
            for number in range(threads)
        ]
        for reporter in self._reporters:
            assert reporter.wait_ready(DEADLINE_S)
        self._threads = [
            threading.Thread(target=self._run, args=(reporter,), daemon=True)
            for reporter in self._reporters
        ]
        self.sent = 0

    def _run(self, reporter: Reporter) -> None:
        price = 0
        while not self._stop.is_set():
            price += 1
            reporter.ticks([("EURUSD", f"1.{price % 1000:05d}", f"1.{price % 1000 + 1:05d}", None)])
            self.sent += 1

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.conflated = sum(reporter.conflated for reporter in self._reporters)
        self.dropped = sum(reporter.dropped for reporter in self._reporters)
        for reporter in self._reporters:
            reporter.close(0.0)


def seen(world: World) -> dict[str, Any]:
    """Return what the guard's engine has seen of the account, by kind of message."""
    return world.status()["accounts"][0]["seen"]


def deal(reporter: Reporter, number: int) -> bool:
    """Publish one fill."""
    return reporter.fill(
        deal=number,
        position=number,
        symbol="EURUSD",
        side="buy",
        entry="in",
        volume="0.01",
        price="1.1",
    )


@pytest.mark.timeout(90)
def test_flood_of_quotes_loses_nothing_else(tmp_path: Path) -> None:
    """P11, I5: under more quotes than the guard takes: all fills, errors and snapshots, no halt."""
    with running(make_config(tmp_path)) as world, Reporter(world.paths.run_dir, "A") as engine:
        assert engine.wait_ready(DEADLINE_S)
        before = world.status()["guard"]["frames"]
        end_ns = CLOCK.boot_ns() + FLOOD_NS
        sent = 0
        with Flood(world) as flood:
            while sent < FILLS or CLOCK.boot_ns() < end_ns:
                sent += 1
                assert deal(engine, sent)
                assert engine.error("timeout", order=sent)
                until(lambda: seen(world)["fill"] == sent)  # noqa: B023  # judged at once
            # Control is answered all the while, and so are the broker's reads.
            assert world.command("pause", reason="under fire")[-1].stage == "done"
            assert world.command("resume", pause="1")[-1].stage == "done"
        until(lambda: seen(world)["error"] == sent)
        assert engine.dropped == flood.dropped == 0
        taken = world.status()["guard"]["frames"] - before
        print(f"\nflood: {flood.sent} quotes, {taken} frames, {flood.conflated} conflated")  # noqa: T201
        codes = {(event.action, event.code) for event in world.observer.events}
        assert not [code for code in codes if code[0] == "halt"]
        assert ("pause", "HOLE") not in codes
        until(lambda: isinstance(world.gate.check(), Permit), lambda: str(world.gate.check()))


@pytest.mark.timeout(90)
def test_what_overload_does_lose_is_a_marked_hole(tmp_path: Path) -> None:
    """P11, P9, I3: errors that found no room at a stopped guard are a hole, until a read."""
    with running(make_config(tmp_path)) as world:
        with Reporter(world.paths.run_dir, "A", queue_max=10) as engine:
            assert engine.wait_ready(DEADLINE_S)
            assert engine.error("timeout")
            until(lambda: seen(world)["error"] == 1)
            assert world.guard.process is not None
            world.guard.process.send_signal(signal.SIGSTOP)
            while not engine.dropped:
                engine.error("timeout", text="x" * 500)
            world.guard.process.send_signal(signal.SIGCONT)
            until(lambda: seen(world)["error"] > 1)
            until(lambda: engine.error("timeout"))
            until(lambda: ("pause", "HOLE") in {(e.action, e.code) for e in world.observer.events})
        until(lambda: isinstance(world.gate.check(), Permit), lambda: str(world.gate.check()))
        assert not [event for event in world.observer.events if event.action == "halt"]
