"""Floors without a socket: a gate in C, a raw durable append."""

from __future__ import annotations

from collections.abc import Iterator

from benches.harness import native, process, result
from benches.harness.bench import Bench
from benches.suites.page import open_page

GROUP = "floors"
APPENDS = 400
ROUNDS = 100


def gate(bench: Bench) -> Iterator[result.Figure]:
    """Measure halt word, beat and lease as C reads them."""
    path, writer = open_page(bench.fresh("w"))
    command = [native.build("floors"), "gate", path, str(ROUNDS)]
    rounds = process.run(command, core=process.SUBJECT).split()
    assert writer.is_whole()
    samples = [float(one) for one in rounds]
    yield result.figure(GROUP, "gate check in C", "ns", samples, note="no latch, no attach check")


def appends(bench: Bench) -> Iterator[result.Figure]:
    """Measure a write of 256 bytes that is on disk when it returns."""
    for name, room in (("O_DSYNC append of 256 bytes", 0), ("... preallocated", 256 * APPENDS)):
        path = bench.fresh("a") / "file"
        command = [native.build("floors"), "append", path, str(APPENDS), str(room)]
        lines = process.run(command, core=process.SUBJECT).split()
        yield result.figure(GROUP, name, "us", [int(one) / 1000 for one in lines])


PARTS = (gate, appends)
