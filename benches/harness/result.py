"""A figure, its bound and its verdict; a report is a list of them with the machine."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from benches.harness import stats

Verdict = Literal["met", "missed", "reported", "skipped"]
MARKS: Final[dict[Verdict, str]] = {
    "met": "met",
    "missed": "MISSED",
    "reported": "",
    "skipped": "skipped",
}


class Curve(msgspec.Struct, frozen=True):
    """A distribution for the plot: (value, share at or below) in the figure's unit."""

    label: str
    points: list[tuple[float, float]]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    group: str
    name: str
    unit: str
    value: float | None
    bound: float | None = None
    at_least: bool = False
    """The bound is a minimum."""
    summary: dict[str, float] = {}
    curves: list[Curve] = []
    samples: int = 0
    null: float | None = None
    """The floor against itself in the same pairs."""
    discarded: int = 0
    dirty: int = 0
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the bound is kept."""
        if self.value is None:
            return "skipped"
        if self.bound is None:
            return "reported"
        is_kept = self.value >= self.bound if self.at_least else self.value <= self.bound
        return "met" if is_kept else "missed"


class Report(msgspec.Struct, frozen=True):
    """Everything of one run."""

    kind: str
    machine: dict[str, str]
    figures: list[Figure]
    seconds: float
    others_share: float
    """Share of one core that others used over the whole run."""


def figure(  # noqa: PLR0913  # a figure's parts, by name
    group: str,
    name: str,
    unit: str,
    samples: list[float],
    *,
    percent: float = 50.0,
    bound: float | None = None,
    note: str = "",
    dirty: int = 0,
) -> Figure:
    """Return the figure of a sample's percentile, with its distribution."""
    ordered = sorted(samples)
    return Figure(
        group=group,
        name=name,
        unit=unit,
        value=stats.percentile(ordered, percent),
        bound=bound,
        summary=stats.summary(ordered),
        curves=[Curve(name, stats.ecdf(ordered))],
        samples=len(ordered),
        note=note,
        dirty=dirty,
    )


def skipped(group: str, name: str, why: str) -> Figure:
    """Return the visible line of what could not be measured here."""
    return Figure(group=group, name=name, unit="", value=None, note=why)
