"""A figure's distributions as one SVG: values on a log scale, shares in nines."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Final

from benches.harness.result import Curve, Figure
from benches.harness.table import number

WIDTH: Final = 640
HEIGHT: Final = 250
LEFT: Final = 58
RIGHT: Final = 18
BOTTOM: Final = 40
LEGEND: Final = 16
"""Height of a curve's line in the legend, which stands above the plot."""
SHARES: Final = (0.5, 0.9, 0.99, 0.999, 0.9999)
STEPS: Final = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
    tuple(n / 10 for n in range(10, 100)),
)
"""Labels of a decade, from few to many."""
TICK_CHARS: Final = 52
"""Characters of all labels of the horizontal axis together, so that none touches the next."""
SPREAD_MIN: Final = 1.2
"""Least ratio of the axis's ends: hot loops that differ by a percent look as alike as they are."""


@dataclass(frozen=True)
class _Axes:
    """Where a value and a share stand."""

    low: float
    high: float
    nines: float
    """The vertical scale ends at 1 - 10^-nines: no curve has samples beyond it."""
    top: float

    def x(self, value: float) -> float:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        nines = min(-math.log10(max(1 - share, 1e-12)), self.nines)
        return HEIGHT - BOTTOM - nines / self.nines * (HEIGHT - BOTTOM - self.top)


def draw(one: Figure) -> str:
    """Return the figure's element, empty where there is nothing to draw."""
    values = [value for curve in one.curves for value, _ in curve.points if value > 0]
    if not values:
        return ""
    unit = one.curves_unit or one.unit
    # A bound on a ratio is none on what the curves show.
    bound = None if one.curves_unit else one.bound
    ends = values if bound is None else [*values, bound]
    middle = math.sqrt(min(ends) * max(ends))
    axes = _Axes(
        low=min(*ends, middle / math.sqrt(SPREAD_MIN)),
        high=max(*ends, middle * math.sqrt(SPREAD_MIN)),
        nines=_nines(one),
        top=8 + LEGEND * len(one.curves),
    )
    parts = [_grid(axes, unit)]
    if bound is not None:
        parts.append(_bound(axes, bound))
    for place, curve in enumerate(one.curves):
        parts.append(_line(axes, curve, place))
        parts.append(_legend(curve, unit, place))
    count = f"{one.samples:,} samples" if one.samples else ""
    return (
        f"<figure><figcaption>{html.escape(one.name)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="distribution of {html.escape(one.name)}">{"".join(parts)}'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{count}</text></svg></figure>'
    )


def log_ticks(low: float, high: float) -> list[float]:
    """Return round values between two ends, as many as have room side by side."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found: list[float] = []
    for steps in STEPS:
        wanted = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        inside = [value for value in wanted if low <= value <= high]
        if found and sum(len(number(value)) + 2 for value in inside) > TICK_CHARS:
            break
        found = inside
    return found


def _nines(one: Figure) -> float:
    below = [1 - share for curve in one.curves for _, share in curve.points if share < 1]
    return max(-math.log10(min(below, default=0.1)), 1.0) + 0.15


def _line(axes: _Axes, curve: Curve, place: int) -> str:
    path = " ".join(f"{axes.x(value):.1f},{axes.y(share):.1f}" for value, share in curve.points)
    return (
        f'<polyline fill="none" stroke="var(--c{place % 5})" stroke-width="1.8" points="{path}"/>'
    )


def _legend(curve: Curve, unit: str, place: int) -> str:
    y = 12 + LEGEND * place
    marks = [f"p50 {number(_at(curve, 0.5))}", f"max {number(curve.points[-1][0])} {unit}"]
    if len(curve.points) > 1 and curve.points[-2][1] >= 0.99:
        marks.insert(1, f"p99 {number(_at(curve, 0.99))}")
    return (
        f'<rect x="{LEFT}" y="{y - 6}" width="14" height="4" fill="var(--c{place % 5})"/>'
        f'<text x="{LEFT + 20}" y="{y}">{html.escape(curve.label)}: '
        f"{html.escape(', '.join(marks))}</text>"
    )


def _at(curve: Curve, wanted: float) -> float:
    return next(value for value, share in curve.points if share >= wanted)


def _bound(axes: _Axes, bound: float) -> str:
    x = axes.x(bound)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{axes.top}" y2="{HEIGHT - BOTTOM}" '
        'stroke="var(--missed)" stroke-dasharray="4 3"/>'
    )


def _grid(axes: _Axes, unit: str) -> str:
    parts: list[str] = []
    for share in SHARES:
        if -math.log10(1 - share) > axes.nines:
            break
        y = axes.y(share)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="var(--line)"/><text x="{LEFT - 6}" y="{y + 4:.1f}" '
            f'text-anchor="end">{share * 100:g} %</text>'
        )
    bottom = HEIGHT - BOTTOM
    for value in log_ticks(axes.low, axes.high):
        x = axes.x(value)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{axes.top}" y2="{bottom}" '
            f'stroke="var(--line)"/><text x="{x:.1f}" y="{bottom + 15}" '
            f'text-anchor="middle">{number(value)}</text>'
        )
    parts.append(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}" '
        f'stroke="var(--soft)"/><text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" '
        f'text-anchor="end">{html.escape(unit)}, log scale</text>'
    )
    return "".join(parts)
