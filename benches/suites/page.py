"""From a decision to a closed gate in another process."""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benches.harness import cpu, native, pairs, process, result, stats
from benches.harness.bench import Bench
from edgeguard import halt_page
from edgeguard.clock import SystemClock

if TYPE_CHECKING:
    from edgeguard._core import PageWriter

GROUP = "page"
LEASE_NS = halt_page.LEASE_NS_MAX
PERIOD_NS = 200_000
PAGE = "halt.A"
Write = Callable[[Path, "PageWriter", int], list[int]]
STATES = ((2, 0, 0, 0, 1), (4, 1, 0, 0, 1))


def visible(bench: Bench) -> Iterator[result.Figure]:
    """Measure from a decision, and from the bare store, to a busy reader in another process.

    The first counts from before the guard's call out of Python; the second is a store in C, which
    is what the machine and its cores' caches take.
    """
    count = bench.sized(20_000, 6_000) // bench.pairs
    found = pairs.run_pairs(
        lambda: _watched(bench, count, _write_states),
        lambda: _watched(bench, count, _store_natively),
        bench.pairs,
    )
    note = f"busy reader in C; from before the guard's call; {count} changes a run"
    call = result.figure(
        GROUP,
        "decision to page visible in another process, p99",
        "us",
        found.pooled(),
        percent=99.0,
        note=f"{note}; {found.ratio(99.0):.2f} x the bare store (median of pairs)",
        dirty=found.dirty,
        is_upper=True,
    )
    yield msgspec.structs.replace(
        call, discarded=found.discarded, null=found.null(99.0), curves=_curves(found)
    )
    name, note = (
        "from the store to visible, p99",
        "the machine's own: a store in C, nothing before it",
    )
    floor = found.pooled_floor()
    yield result.figure(
        GROUP, name, "us", floor, percent=99.0, note=note, dirty=found.dirty, is_upper=True
    )


def _curves(found: pairs.Pairs) -> list[result.Curve]:
    ours, floor = stats.ecdf(found.pooled()), stats.ecdf(found.pooled_floor())
    return [result.Curve("from before the guard's call", ours), result.Curve("bare store", floor)]


def _watched(bench: Bench, count: int, write: Write) -> tuple[list[float], float]:
    """Return how long each change took to be seen, us, and who else was busy."""
    place = bench.fresh("v")
    path, writer = open_page(place)
    command = [native.build("floors"), "watch", path, str(count), place / "seen"]
    with process.running(command, core=process.SUBJECT, ready="ready") as child:
        meter = cpu.CpuMeter()
        written = write(place, writer, count)
        child.wait(process.END_S)
        others = meter.others()
    seen = _words(place / "seen")
    # A change that the reader slept through was never seen: only a reader that runs tells.
    both = zip(written, seen, strict=True)
    return [(end - begin) / 1000 for begin, end in both if end], others


def _words(path: Path) -> list[int]:
    found = array("Q")
    found.frombytes(path.read_bytes())
    return found.tolist()


def open_page(place: Path) -> tuple[Path, PageWriter]:
    """Return an open page of account A and its writer."""
    clock = SystemClock()
    path = place / PAGE
    writer = halt_page.writer(path, "A", LEASE_NS, clock.wall_ns())
    writer.set_state(STATES[0], "")
    for _ in range(halt_page.STREAK_MIN):
        writer.beat(clock.boot_ns())
    return path, writer


def _store_natively(place: Path, writer: PageWriter, count: int) -> list[int]:
    """Have a program in C make the changes; return when each began."""
    out = place / "stored"
    command = [native.build("floors"), "store", place / PAGE, str(count), out]
    process.run(command, core=process.PINGER)
    assert writer.is_whole()
    return _words(out)


def _write_states(_: Path, writer: PageWriter, count: int) -> list[int]:
    """Write alternating states 200 us apart from the pinger's core; return when each began.

    It waits by spinning: whoever decides has been running when it writes; a thread that has just
    slept would be measured with its caches gone.
    """
    written: list[int] = []

    def work() -> None:
        os.sched_setaffinity(0, {process.PINGER})
        for at in range(count):
            word = (*STATES[(at + 1) % 2][:4], at + 2)
            due = time.perf_counter_ns() + PERIOD_NS
            while time.perf_counter_ns() < due:
                pass
            begun = time.perf_counter_ns()
            writer.set_state(word, "H1")
            # Behind the call: a list that grows takes new memory, which is no part of a decision.
            written.append(begun)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return written


PARTS = (visible,)
