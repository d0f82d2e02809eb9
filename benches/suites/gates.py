"""From a trip to a closed gate, by the page and over the wire; and what a remote check costs.

A *trip* is the time that the halt itself carries: when the guard took the tick. Beside the guard an
engine with both gates asks as fast as it can and notes when each refuses first. A page is read at
every check; a remote gate is told by a push, at the latest by its
next echo, and its thread waits for the interpreter's lock, which an engine that asks without a
pause gives up every 5 ms.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Generator, Iterator
from itertools import repeat
from typing import Final

import zmq

from benches.harness import cpu, guarding, process, result
from benches.harness.bench import Bench
from benches.harness.result import Figure
from edgeguard.clock import SystemClock
from edgeguard.codec.native import decode, encode
from edgeguard.gate import Gate
from edgeguard.messages import HaltEvent, Tick, TickBatch

GROUP: Final = "gates"
CHECKS: Final = 2000
ROUNDS: Final = 100
PATIENCE_S: Final = 20.0
CLOCK: Final = SystemClock()


def trips(bench: Bench) -> Iterator[Figure]:
    """Trip one account after the other; measure how long both its gates stayed open."""
    accounts = bench.sized(100, 24)
    closed: dict[str, list[float]] = {"page": [], "remote": []}
    costs: list[float] = []
    with (
        guarding.guard(bench.fresh("t"), guarding.Shape(accounts=accounts)) as guarded,
        _wired(guarded) as (feed, halts),
    ):
        meter = cpu.CpuMeter()
        for name in guarding.account_names(accounts):
            page = Gate(guarded.paths.run_dir, name)
            remote = Gate(guarded.paths.gate_router, name)
            for gate in (page, remote):
                process.await_true("the gate", functools.partial(_is_open, gate))
            costs = costs or _costs(remote.check)
            times = _trip(name, page, remote, feed)
            tripped_ns = _halt_of(name, halts)
            for kind, at_ns in times.items():
                closed[kind].append((at_ns - tripped_ns) / 1000)
            page.close()
            remote.close()
        dirty = int(meter.others() > cpu.DIRTY_ABOVE)
    for kind, samples in closed.items():
        note = f"{accounts} trips, max {max(samples):,.0f} us; both gates asked in one busy loop"
        name = f"trip to closed, {kind} gate: p50"
        yield result.figure(GROUP, name, "us", samples, note=note, dirty=dirty)
    name, note = "gate check from Python, remote", f"live guard; fastest {min(costs):,.0f} ns"
    yield result.figure(GROUP, name, "ns", costs, note=note, dirty=dirty)


@contextlib.contextmanager
def _wired(guarded: guarding.Guarded) -> Generator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """Stay on the pinger's core for the block, with a socket for ticks and one for halts."""
    cores = os.sched_getaffinity(0)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        os.sched_setaffinity(0, {process.PINGER})
        feed, halts = context.socket(zmq.XPUB), context.socket(zmq.SUB)
        feed.connect(guarded.paths.feeds_bind)
        assert feed.poll(int(PATIENCE_S * 1000)), "the guard must subscribe to its feeds"
        halts.subscribe(b"halt.")
        halts.connect(guarded.paths.halts_pub)
        yield feed, halts
    finally:
        os.sched_setaffinity(0, cores)
        context.destroy(linger=0)


def _trip(name: str, page: Gate, remote: Gate, feed: zmq.Socket[bytes]) -> dict[str, int]:
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


def _is_open(gate: Gate) -> bool:
    return bool(gate.check())


def _halt_of(name: str, halts: zmq.Socket[bytes]) -> int:
    """Return when the guard took the tick that halted an account, wall ns."""
    while halts.poll(int(PATIENCE_S * 1000)):
        event = decode(halts.recv_multipart()[-1])
        if isinstance(event, HaltEvent) and event.account == name and event.action == "halt":
            return event.t_ns
    raise AssertionError(f"the halt of {name} must be published")


def _costs(check: Callable[[], object]) -> list[float]:
    """Return what a check costs in each of some rounds, ns."""
    found: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        for _ in repeat(None, CHECKS):
            check()
        found.append((time.perf_counter_ns() - begun) / CHECKS)
    return found


PARTS = (trips,)
