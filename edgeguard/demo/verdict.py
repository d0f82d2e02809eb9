"""Whether a demo showed what it must: pure judgement over what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeguard.demo.plans import Plan
from edgeguard.demo.timeline import Timeline, fired_first

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """What was seen from outside the guard.

    Attributes:
        reports: what the helpers reported.
        journal: the guard's journal.
        timeline: built from both.
        before: positions and orders before the break, None where they were never seen.
        left: positions and orders on the terminal at the end.
    """

    reports: Sequence[Document]
    journal: Sequence[Document]
    timeline: Timeline
    before: tuple[int, int] | None
    left: tuple[int, int]


def judge(plan: Plan, seen: Seen) -> tuple[str, ...]:
    """Return a sentence for everything that was not as it must be."""
    action = "halt" if plan.halts else "pause"
    fired = fired_first(seen.reports, action)
    faults: list[str] = []
    if fired != plan.trigger:
        faults.append(f"the first {action} must come from {plan.trigger}, came from {fired}")
    if seen.timeline.time_of("gate_refused") is None:
        faults.append("the engine's gate must refuse an entry, did not")
    return (*faults, *(_halt_faults(seen) if plan.halts else _pause_faults(seen)))


def _halt_faults(seen: Seen) -> list[str]:
    faults: list[str] = []
    if seen.left != (0, 0):
        positions, orders = seen.left
        faults.append(f"nothing must be left, {positions} positions and {orders} orders were")
    if seen.timeline.time_of("flat") is None:
        faults.append("the broker must prove flat, did not")
    return faults


def _pause_faults(seen: Seen) -> list[str]:
    faults: list[str] = []
    if not any(report["stage"] == "exit" and report["done"] for report in seen.reports):
        faults.append("an exit must go through during a pause, did not")
    before = seen.before
    if before is None or seen.left[0] < before[0] or seen.left[1] < before[1]:
        faults.append(f"a pause must close nothing, {before} became {seen.left}")
    orders = (row["body"]["kind"] for row in seen.journal if row["kind"] == "broker")
    if "first_order" in orders:
        faults.append("a pause must send no order, the broker sent one")
    return faults
