"""A picture of a learned profile: the week's normal spread against those that were observed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from edgeguard.errors import UsageError
from edgeguard.ticks.learn import LearnedSymbol, quantile
from edgeguard.ticks.week import BUCKETS

Axes = Any
Figure = Any
"""Of matplotlib, an extra that few need: imported where it is used."""

DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
QUARTERS_A_DAY: Final = 96
WIDTH_IN: Final = 13
HEIGHT_IN: Final = 4.4
DPI: Final = 120

INK: Final = "#1c2733"
QUIET: Final = "#6b7785"
BAND: Final = "#bcd6ee"
NORMAL: Final = "#0b5394"
LIMIT: Final = "#c0392b"
GRID: Final = "#e3e8ee"


@dataclass(frozen=True)
class Panel:
    """One symbol's part of the picture."""

    name: str
    learned: LearnedSymbol
    spreads: Sequence[Counter[int]]
    multiple: Fraction
    """Above so many times the normal the price-anomaly trigger pauses."""


def save_plot(path: Path, panels: Sequence[Panel]) -> None:
    """Draw one panel for each symbol and write the picture as PNG.

    Raises:
        UsageError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        library = import_module("matplotlib.figure")
    except ImportError as e:
        msg = "--plot needs matplotlib: install it with pip install 'edgeguard[plot]'"
        raise UsageError(msg) from e
    size = (WIDTH_IN, HEIGHT_IN * len(panels))
    figure: Figure = library.Figure(figsize=size, dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.18, w_pad=0.18)
    axes = figure.subplots(len(panels), 1, squeeze=False)
    for row, panel in zip(axes, panels, strict=True):
        _draw(row[0], panel)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, format="png", facecolor="white", metadata={"Software": None})
    except OSError as e:
        raise UsageError(f"--plot must name a writable file, was {path}: {e.strerror}") from e


def _draw(axes: Axes, panel: Panel) -> None:
    first, last = _shown_days(panel.learned.samples)
    _frame(axes, first, last)
    hours = [bucket / 4 for bucket in range(BUCKETS)]
    low = _of(panel.spreads, (1, 20))
    high = _of(panel.spreads, (19, 20))
    normal = [_number(points) for points in panel.learned.buckets]
    multiple = float(panel.multiple)
    limit = [points * multiple for points in normal]
    axes.fill_between(
        _doubled(hours), _stairs(low), _stairs(high), color=BAND, linewidth=0, zorder=2,
        label="observed, nine ticks in ten",
    )  # fmt: skip
    axes.plot(
        _doubled(hours), _stairs(normal), color=NORMAL, linewidth=2, zorder=4,
        label="normal (lower median)",
    )  # fmt: skip
    axes.plot(
        _doubled(hours), _stairs(limit), color=LIMIT, linewidth=1.1, linestyle=(0, (5, 2)),
        zorder=4, label=f"{panel.multiple} x normal: pauses above",
    )  # fmt: skip
    _widest(axes, panel, limit)
    _words(axes, panel)
    legend = axes.legend(loc="upper left", ncols=5, fontsize=9, labelcolor=INK)
    legend.get_frame().set(facecolor="white", edgecolor="none", alpha=1)
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, 0.7), top * 2.2)


def _frame(axes: Axes, first: int, last: int) -> None:
    """Draw the week's days and the scale."""
    ticker = import_module("matplotlib.ticker")
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlim(first * 24, last * 24)
    axes.set_xticks([day * 24 + hour for day in range(first, last) for hour in (0, 6, 12, 18)])
    axes.set_xticklabels(
        [_hour_text(day, hour) for day in range(first, last) for hour in (0, 6, 12, 18)],
        fontsize=8.5, color=INK, ha="left",
    )  # fmt: skip
    for day in range(first, last + 1):
        axes.axvline(day * 24, color=QUIET, linewidth=0.8, zorder=1)
    axes.grid(axis="both", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK, labelsize=8.5)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _hour_text(day: int, hour: int) -> str:
    return f"00:00\n{DAYS[day]}" if hour == 0 else f"{hour:02d}:00"


def _widest(axes: Axes, panel: Panel, limit: Sequence[float]) -> None:
    """Mark the widest spread of each quarter hour, loudly where it would pause."""
    quiet: list[tuple[float, int]] = []
    loud: list[tuple[float, int]] = []
    for bucket, counter in enumerate(panel.spreads):
        if counter:
            # Nothing is above NaN: a bucket without a normal is never loud.
            kind = loud if max(counter) > limit[bucket] else quiet
            kind.append(((bucket + 0.5) / 4, max(counter)))
    for dots, colour, size, label in (
        (quiet, QUIET, 5, "widest in its quarter hour"),
        (loud, LIMIT, 16, "widest, above the limit"),
    ):
        axes.scatter(
            [at for at, _ in dots], [points for _, points in dots],
            s=size, color=colour, linewidths=0, zorder=5, label=label,
        )  # fmt: skip


def _words(axes: Axes, panel: Panel) -> None:
    learned = panel.learned
    known = sum(points is not None for points in learned.buckets)
    facts = (
        f"{learned.ticks:,} ticks, {learned.first[:16]} to {learned.last[:16]}".replace("T", " ")
        + f"; {known} of {BUCKETS} quarter hours known"
    )
    axes.set_title(
        f"{panel.name}: the week's normal spread", loc="left", fontsize=13, fontweight="bold",
        color=INK, pad=20,
    )  # fmt: skip
    axes.text(
        0, 1.015, facts, transform=axes.transAxes, fontsize=9, color=QUIET, va="bottom",
    )  # fmt: skip
    axes.set_ylabel("spread, points (log scale)", fontsize=9, color=INK)
    axes.set_xlabel("New York time", fontsize=9, color=QUIET, loc="right", labelpad=-9)


def _shown_days(samples: Sequence[int]) -> tuple[int, int]:
    """Return the first day with a tick and the day after the last; the whole week without any."""
    days = [bucket // QUARTERS_A_DAY for bucket, count in enumerate(samples) if count]
    return (days[0], days[-1] + 1) if days else (0, len(DAYS))


def _of(spreads: Sequence[Counter[int]], part: tuple[int, int]) -> list[float]:
    return [_number(quantile(counter, *part)) for counter in spreads]


def _number(points: int | None) -> float:
    return float("nan") if points is None else float(points)


def _doubled(hours: Sequence[float]) -> list[float]:
    """Return both ends of each quarter hour, so that values are drawn as stairs with gaps."""
    return [end for hour in hours for end in (hour, hour + 0.25)]


def _stairs(values: Sequence[float]) -> list[float]:
    return [value for value in values for _ in range(2)]


def panels_of(
    learned: Mapping[str, LearnedSymbol],
    spreads: Mapping[str, Sequence[Counter[int]]],
    multiple: Fraction,
) -> list[Panel]:
    """Return the panels of all symbols by name."""
    return [Panel(name, learned[name], spreads[name], multiple) for name in sorted(learned)]
