"""A picture of equity and spreads around an incident, drawn with Pillow.

Pillow and not matplotlib: a tenth of the size, and lines with labels are all that is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from edgeguard.clock import NS_PER_S
from edgeguard.messages import AccountSnapshot, MarketMessage, TickBatch

WIDTH: Final = 1200
PANEL_HEIGHT: Final = 260
LEFT, RIGHT, TOP, BOTTOM = 110, 20, 30, 24
PANELS_MAX: Final = 8
INK, GRID, MARK = (20, 20, 20), (215, 215, 215), (200, 0, 0)
LINE: Final = (20, 90, 170)

Point = tuple[int, float]


@dataclass
class Series:
    """One panel: a title and its points, time in wall ns."""

    title: str
    points: list[Point] = field(default_factory=list[Point])


def series_of(messages: Iterable[tuple[int, MarketMessage]]) -> list[Series]:
    """Return the equity of each account and the spread of each symbol."""
    found: dict[str, Series] = {}
    for t_ns, message in messages:
        if isinstance(message, AccountSnapshot) and message.equity is not None:
            _add(found, f"equity {message.account}", t_ns, message.equity)
        elif isinstance(message, TickBatch):
            for tick in message.ticks:
                spread = _number(tick.ask) - _number(tick.bid)
                _add(found, f"spread {tick.symbol}", t_ns, spread)
    return sorted(found.values(), key=lambda series: series.title)


def draw(path: Path, series: Sequence[Series], mark_ns: int, title: str) -> bool:
    """Draw the series below each other with the incident marked; False without Pillow or points.

    Args:
        path: the PNG to write.
        series: what to draw, the first eight with points.
        mark_ns: the incident's time, wall ns.
        title: above everything.
    """
    shown = [one for one in series if one.points][:PANELS_MAX]
    if not shown:
        return False
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - optional, and only for this
    except ImportError:
        return False
    size = (WIDTH, TOP + PANEL_HEIGHT * len(shown))
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    pen.text((LEFT, 8), title, fill=INK)
    times = [t_ns for one in shown for t_ns, _ in one.points] + [mark_ns]
    span = (min(times), max(times))
    for number, one in enumerate(shown):
        _panel(pen, one, TOP + number * PANEL_HEIGHT, span, mark_ns)
    image.save(path, "PNG")
    return True


def _add(found: dict[str, Series], title: str, t_ns: int, value: str | float) -> None:
    number = _number(value)
    if math.isfinite(number):
        found.setdefault(title, Series(title)).points.append((t_ns, number))


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _panel(pen: Any, one: Series, top: int, span: tuple[int, int], mark_ns: int) -> None:  # noqa: ANN401 - Pillow is optional, so are its types
    values = [value for _, value in one.points]
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) / 10 or 1.0
        low, high = low - margin, high + margin
    upper, lower = top + 20, top + PANEL_HEIGHT - BOTTOM

    def x_of(t_ns: int) -> float:
        return LEFT + (t_ns - span[0]) / max(1, span[1] - span[0]) * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return lower - (value - low) / (high - low) * (lower - upper)

    pen.text((LEFT, top + 4), one.title, fill=INK)
    for value in (low, (low + high) / 2, high):
        y = y_of(value)
        pen.line([(LEFT, y), (WIDTH - RIGHT, y)], fill=GRID)
        pen.text((6, y - 6), f"{value:.7g}", fill=INK)
    pen.line([(x_of(mark_ns), upper), (x_of(mark_ns), lower)], fill=MARK, width=2)
    # What was quoted last holds until something else is.
    held = [*one.points, (max(span[1], one.points[-1][0]), one.points[-1][1])]
    pen.line([(x_of(t_ns), y_of(value)) for t_ns, value in held], fill=LINE, width=2)
    for t_ns in (span[0], span[1]):
        moment = datetime.fromtimestamp(t_ns / NS_PER_S, UTC)
        pen.text((min(x_of(t_ns), WIDTH - 90), lower + 6), f"{moment:%H:%M:%S}", fill=INK)
