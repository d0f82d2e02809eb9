"""From trip to closed gate, page and remote: `python -m benches.trip [--trips N]`.

One guard with N accounts and one halting tick for each. Beside it an engine with both gates asks as
fast as it can, and notes when each refuses first. A *trip* is the time that the halt itself
carries: when the guard took the tick. A page is read at every check; a remote gate is told by a
push, and its thread waits for the interpreter's lock, which an engine that asks without a pause
gives up every 5 ms. The machine's load is printed, not judged.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Final

import zmq

from benches.harness import guarding, process, stats
from benches.harness.process import ROOT
from edgeguard.clock import SystemClock
from edgeguard.codec.native import decode, encode
from edgeguard.gate import Gate
from edgeguard.messages import HaltEvent, Tick, TickBatch

CHECKS: Final = 2000
ROUNDS: Final = 50
PATIENCE_S: Final = 20.0
CLOCK: Final = SystemClock()


def main() -> None:
    """Trip every account once and print the three figures of each gate."""
    parser = argparse.ArgumentParser(prog="python -m benches.trip", description=__doc__)
    parser.add_argument(
        "--trips", type=int, default=64, metavar="N", help="accounts, one trip each"
    )
    trips: int = parser.parse_args().trips
    (ROOT / "var").mkdir(exist_ok=True)
    closed: dict[str, list[float]] = {"page": [], "remote": []}
    with (
        tempfile.TemporaryDirectory(prefix="egt-", dir=ROOT / "var") as place,
        guarding.guard(Path(place), guarding.Shape(accounts=trips)) as guarded,
    ):
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        feed, halts = context.socket(zmq.XPUB), context.socket(zmq.SUB)
        feed.connect(guarded.paths.feeds_bind)
        assert feed.poll(int(PATIENCE_S * 1000)), "the guard must subscribe to its feeds"
        halts.subscribe(b"halt.")
        halts.connect(guarded.paths.halts_pub)
        costs: list[float] = []
        for name in guarding.account_names(trips):
            page = Gate(guarded.paths.run_dir, name)
            remote = Gate(guarded.paths.gate_router, name)
            for gate in (page, remote):
                process.await_true("the gate", functools.partial(is_open, gate))
            costs.append(cost(remote.check))
            times = trip(name, page, remote, feed)
            tripped_ns = halt_of(name, halts)
            for kind, at_ns in times.items():
                closed[kind].append((at_ns - tripped_ns) / 1000)
            page.close()
            remote.close()
        context.destroy(linger=0)
    print(f"{trips} trips; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for kind, samples in closed.items():
        ordered = sorted(samples)
        marks = [f"{stats.percentile(ordered, p):,.0f}" for p in (50, 99)]
        print(f"trip -> closed, {kind}: p50 {marks[0]} p99 {marks[1]} max {ordered[-1]:,.0f} us")
    print(f"remote gate check: {min(costs):,.0f} ns (fastest), {stats.median(costs):,.0f} (median)")


def trip(name: str, page: Gate, remote: Gate, feed: zmq.Socket[bytes]) -> dict[str, int]:
    """Send the tick that halts; return when each gate refused first, wall ns."""
    tick = Tick("EURUSD", 1.34694, 1.34705)
    batch = TickBatch(name, "market", CLOCK.wall_ns(), None, CLOCK.wall_ns(), (tick,))
    feed.send_multipart((b"probe", encode(batch)))
    times: dict[str, int] = {}
    end_ns = CLOCK.boot_ns() + int(PATIENCE_S * 1e9)
    while len(times) < 2:
        if "page" not in times and not page.check():
            times["page"] = CLOCK.wall_ns()
        if "remote" not in times and not remote.check():
            times["remote"] = CLOCK.wall_ns()
        assert CLOCK.boot_ns() < end_ns, f"both gates of {name} must close, did: {times}"
    return times


def is_open(gate: Gate) -> bool:
    """Return whether a gate lets new risk through."""
    return bool(gate.check())


def halt_of(name: str, halts: zmq.Socket[bytes]) -> int:
    """Return when the guard took the tick that halted an account, wall ns."""
    while halts.poll(int(PATIENCE_S * 1000)):
        event = decode(halts.recv_multipart()[-1])
        if isinstance(event, HaltEvent) and event.account == name and event.action == "halt":
            return event.t_ns
    raise AssertionError(f"the halt of {name} must be published")


def cost(check: Callable[[], object]) -> float:
    """Return the fastest of some rounds of checks, ns each."""
    found: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        for _ in repeat(None, CHECKS):
            check()
        found.append((time.perf_counter_ns() - begun) / CHECKS)
    return min(found)


if __name__ == "__main__":
    main()
