"""Every bound of the suite, by group and figure: the one place where they are written.

A row without a figure (its group broke, was not asked for, lacks a program) still stands in the
report, as not judged and with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from benches.harness.result import Figure, Verdict, unjudged


class Bound(NamedTuple):
    """What a figure must keep."""

    value: float
    unit: str
    at_least: bool = False


BOUNDS: Final[Mapping[str, Mapping[str, Bound]]] = {
    "core": {
        "core step, all triggers": Bound(20.0, "ns/tick"),
        "core step with decoding / bare loop without": Bound(1.5, "x"),
        "core step / bare loop, both from frames": Bound(1.5, "x"),
        "growth from 1 to 10,000 positions": Bound(1.5, "x"),
        "growth from 1 to 1,000 symbols": Bound(1.5, "x"),
        "through Python / core, frames of 128": Bound(1.25, "x"),
        "through Python, one tick per frame / core in batches": Bound(3.0, "x"),
        "single-tick frames as the guard takes them / core in batches": Bound(3.0, "x"),
        "plain Python guard / EdgeGuard in batches": Bound(40.0, "x", at_least=True),
        "gate check from Python, no arguments": Bound(60.0, "ns"),
        "gate check from Python, scope and permit": Bound(150.0, "ns"),
        "gate check from Rust": Bound(10.0, "ns"),
    },
    "page": {
        "decision to page visible in another process, p99": Bound(1.0, "us"),
    },
    "wire": {
        "tick to pause, ipc: guard / native echo, p50": Bound(1.2, "x"),
        "tick to pause, ipc: guard / native echo, p99": Bound(1.4, "x"),
        "tick to pause, tcp: guard / native echo, p50": Bound(1.25, "x"),
        "tick to pause, tcp: guard / native echo, p99": Bound(1.4, "x"),
        "tick to halt, ipc: guard / native echo, p50": Bound(1.2, "x"),
        "tick to halt, ipc: guard / native echo, p99": Bound(1.4, "x"),
        "tick to pause, tcp with CURVE: guard / native echo, p50": Bound(1.25, "x"),
        "tick to pause, tcp with CURVE: guard / native echo, p99": Bound(1.4, "x"),
    },
    "rates": {
        "300,000 single-tick messages/s: lag p50": Bound(100.0, "us"),
        "300,000 single-tick messages/s: lag until taken, p50": Bound(100.0, "us"),
        "300,000 single-tick messages/s: lost": Bound(0.0, "messages"),
        "4,000,000 ticks/s in batches of 128: lost": Bound(0.0, "messages"),
    },
    "load": {
        "tick to pause under load / idle, p99": Bound(1.3, "x"),
    },
    "life": {
        "guard idle, share of a core": Bound(1.0, "%"),
        "engine, 1,000 symbols, full baselines": Bound(80.0, "MiB"),
        "guard, 1,000 symbols, full baselines": Bound(128.0, "MiB"),
        "guard after an hour's worth of ticks": Bound(128.0, "MiB"),
        "edgeguard halt: imports to first byte": Bound(40.0, "ms"),
        "edgeguard halt: start to first confirmation": Bound(100.0, "ms"),
        "emergency_shutdown: start to first confirmation": Bound(100.0, "ms"),
        "kill_switch: start to first confirmation": Bound(100.0, "ms"),
        "fsyncs of the loop between tick and halt": Bound(0.0, "calls"),
    },
    # Most that a flatten may take, in necessary requests times c.
    "flatten": {
        f"flatten of {count}, c = {cost_ms} ms": Bound(1.15, "x N x c")
        for count, cost_ms in ((60, 5), (60, 20), (60, 50), (10, 20), (200, 20))
    },
}


def bounded(figure: Figure) -> Figure:
    """Return the figure with its bound, if there is one for its name."""
    bound = BOUNDS.get(figure.group, {}).get(figure.name)
    if bound is None:
        return figure
    return msgspec.structs.replace(figure, bound=bound.value, at_least=bound.at_least)


def missing(figures: Iterable[Figure], group: str, why: str) -> Iterator[Figure]:
    """Yield a row, not judged and with the reason, for each bound of a group without a figure."""
    there = {one.name for one in figures if one.group == group}
    for name, bound in BOUNDS.get(group, {}).items():
        if name not in there:
            yield bounded(unjudged(group, name, why, unit=bound.unit))


def tally(figures: Iterable[Figure]) -> str:
    """Return how many bounds were met, missed and not judged."""
    found: list[Verdict] = [one.verdict for one in figures if one.bound is not None]
    counts = {verdict: found.count(verdict) for verdict in ("met", "missed", "not judged")}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
