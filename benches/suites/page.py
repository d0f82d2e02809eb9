"""From a decision to a closed gate in another process."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benches.harness import cpu, native, process, result
from benches.harness.bench import Bench
from edgeguard import halt_page
from edgeguard.clock import SystemClock

if TYPE_CHECKING:
    from edgeguard._core import PageWriter

GROUP = "page"
LEASE_NS = halt_page.LEASE_NS_MAX
PERIOD_NS = 200_000
STATES = ((2, 0, 0, 0, 1), (4, 1, 0, 0, 1))


def visible(bench: Bench) -> Iterator[result.Figure]:
    """Measure from the call that writes the page to a busy reader in another process."""
    count = bench.sized(20_000, 4_000)
    place = bench.fresh("v")
    path, writer = open_page(place)
    command = [native.build("floors"), "watch", path, str(count), place / "seen"]
    with process.running(command, core=process.SUBJECT, ready="ready") as child:
        meter = cpu.CpuMeter([child.pid])
        written = _write_states(writer, count)
        child.wait(process.END_S)
        others = meter.others()
    seen = struct.unpack(f"<{count}Q", (place / "seen").read_bytes())
    pairs = zip(written, seen, strict=True)
    # A change that the reader slept through was never seen: only a reader that runs tells.
    samples = [(end - begin) / 1000 for begin, end in pairs if end]
    yield result.figure(
        GROUP,
        "decision to page visible in another process, p99",
        "us",
        samples,
        percent=99.0,
        note="busy reader in C; from before the guard's call",
        dirty=int(others > cpu.DIRTY_ABOVE),
    )


def open_page(place: Path) -> tuple[Path, PageWriter]:
    """Return an open page of account A and its writer."""
    clock = SystemClock()
    path = place / "halt.A"
    writer = halt_page.writer(path, "A", LEASE_NS, clock.wall_ns())
    writer.set_state(STATES[0], "")
    for _ in range(halt_page.STREAK_MIN):
        writer.beat(clock.boot_ns())
    return path, writer


def _write_states(writer: PageWriter, count: int) -> list[int]:
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
            written.append(time.perf_counter_ns())
            writer.set_state(word, "H1")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return written


PARTS = (visible,)
