"""The market side of the guard over an engine that notes what it is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from edgeguard.guard.actuators import Actuators
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Pipeline

NOW = (5_000, 1_000)


class NotingEngine:
    """Takes every payload; has one deadline, which `advance` meets."""

    def __init__(self, due_ns: int) -> None:
        self.due_ns: int | None = due_ns
        self.calls: list[str] = []

    def register_source(self, _name: str) -> int:
        return 1

    def on_ticks(self, payloads: list[bytes], begin: int, _t_ns: int, _boot_ns: int) -> int:
        self.calls.append("ticks")
        return (begin + len(payloads[begin:])) << 8

    def next_deadline_ns(self) -> int | None:
        return self.due_ns

    def advance(self, _t_ns: int, _boot_ns: int, _source: int, _line: int) -> int:
        self.calls.append("advance")
        self.due_ns = None
        return 0


@pytest.mark.parametrize(
    ("due_ns", "calls", "asked"),
    [
        (NOW[1] - 1, ["ticks", "advance"], []),
        (NOW[1], ["ticks", "advance"], []),
        (NOW[1] + 1, ["ticks"], [NOW[1] + 1]),
    ],
)
def test_what_a_tick_makes_due_is_done_in_the_same_turn(
    due_ns: int, calls: list[str], asked: list[int]
) -> None:
    """A timer would come a millisecond later; what is due later waits for one."""
    engine = NotingEngine(due_ns)
    parts = SimpleNamespace(
        engine=engine, accounts={}, config=SimpleNamespace(symbol=(), feed=()), now=lambda: NOW
    )
    actuators = SimpleNamespace(end_turn=lambda: None)
    pipeline = Pipeline(cast("Parts", parts), cast("Actuators", actuators))
    timers: list[int] = []
    pipeline.on_deadline = timers.append
    pipeline.on_payloads([b"\x91"])
    assert (engine.calls, timers) == (calls, asked)
