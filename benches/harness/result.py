"""A figure, its bound and its verdict; a report is a list of them with the machine."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from benches.harness import stats

Verdict = Literal["met", "missed", "not judged", "reported", "absent"]
MARKS: Final[dict[Verdict, str]] = {
    "met": "MET",
    "missed": "MISSED",
    "not judged": "NOT JUDGED",
    "reported": "",
    "absent": "not measured",
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
    """Set by `bounds.bounded`, where all of them are written."""
    at_least: bool = False
    """The bound is a minimum."""
    summary: dict[str, float] = {}
    curves: list[Curve] = []
    curves_unit: str = ""
    """Unit of the distribution where the value is a ratio of it; empty: the figure's own."""
    samples: int = 0
    null: float | None = None
    """The floor against itself in the same pairs."""
    discarded: int = 0
    dirty: int = 0
    """Runs behind the value during which others used the machine."""
    is_upper: bool = False
    """What others use can only make the value worse: a bound met in a dirty run is met."""
    doubt: str = ""
    """Why the value does not say whether the bound is kept."""
    why_not: str = ""
    """Why there is no value."""
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the bound is kept; a value of a dirty run does not say."""
        if self.value is None:
            return "absent" if self.bound is None else "not judged"
        if self.bound is None:
            return "reported"
        if self.doubt:
            return "not judged"
        is_kept = self.value >= self.bound if self.at_least else self.value <= self.bound
        if self.dirty and not (is_kept and self.is_upper):
            return "not judged"
        return "met" if is_kept else "missed"

    @property
    def reason(self) -> str:
        """Why a bound is not judged or a value is not there; empty for the others."""
        if self.value is None:
            return self.why_not
        if self.verdict != "not judged":
            return self.doubt
        return self.doubt or f"others used the machine (dirty runs: {self.dirty})"


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
    note: str = "",
    dirty: int = 0,
    is_upper: bool = False,
) -> Figure:
    """Return the figure of a sample's percentile, with its distribution."""
    ordered = sorted(samples)
    return Figure(
        group=group,
        name=name,
        unit=unit,
        value=stats.percentile(ordered, percent),
        summary=stats.summary(ordered),
        curves=[Curve(name, stats.ecdf(ordered))],
        samples=len(ordered),
        note=note,
        dirty=dirty,
        is_upper=is_upper,
    )


def unjudged(group: str, name: str, why: str, *, unit: str = "") -> Figure:
    """Return the visible line of what could not be measured here."""
    return Figure(group=group, name=name, unit=unit, value=None, why_not=why)
