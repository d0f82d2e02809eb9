"""The report on a terminal."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from benches.harness import bounds, known
from benches.harness.result import MARKS, Figure, Report

WIDTH: Final = 190
"""Columns where no terminal says how many it has."""


def show(report: Report) -> None:
    """Print one table with every figure, its bound and the verdict."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(title=f"EdgeGuard benchmark, {report.kind}", box=box.SIMPLE, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("p50 / p99 / p99.9", justify="right", no_wrap=True)
    table.add_column("note")
    group = ""
    for one in report.figures:
        if one.group != group:
            group = one.group
            table.add_section()
            table.add_row(f"[bold]{group}")
        table.add_row(one.name, value(one), _bound(one), _mark(one), tail(one), note(one))
    console.print(table)
    for line in known.lines(report.figures):
        console.print(f"missed: {line}", soft_wrap=True, markup=False, highlight=False)
    console.print(_foot(report), soft_wrap=True)


def markdown(report: Report) -> str:
    """Return the figures as a Markdown table, for `docs/PERFORMANCE.md`."""
    lines = ["| figure | value | bound | | p50 / p99 / p99.9 | note |", "|---|---|---|---|---|---|"]
    group = ""
    for one in report.figures:
        if one.group != group:
            group = one.group
            lines.append(f"| **{group}** | | | | | |")
        cells = (one.name, value(one), _bound(one), MARKS[one.verdict], tail(one), note(one))
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    missed = [f"- {line}" for line in known.lines(report.figures)]
    if missed:
        missed = ["", "Missed, and what is known of it:", *missed]
    return "\n".join([*lines, *missed, "", _foot(report), ""])


def number(amount: float | None) -> str:
    """Return a number with three significant digits, large ones grouped."""
    if amount is None:
        return "-"
    if abs(amount) >= 1000:
        return f"{amount:,.0f}"
    return f"{amount:.3g}"


def value(one: Figure) -> str:
    """Return the value with its unit."""
    return "-" if one.value is None else f"{number(one.value)} {one.unit}"


def _bound(one: Figure) -> str:
    if one.bound is None:
        return ""
    return f"{'>=' if one.at_least else '<='} {number(one.bound)}"


def _mark(one: Figure) -> str:
    colour = {"met": "green", "missed": "red", "not judged": "yellow"}.get(one.verdict, "")
    text = MARKS[one.verdict]
    return f"[{colour}]{text}[/]" if colour else text


def tail(one: Figure) -> str:
    """Return the percentiles that there are enough samples for."""
    return " / ".join(number(one.summary[key]) for key in _tail_keys(one))


def _tail_keys(one: Figure) -> list[str]:
    return [key for key in ("p50", "p99", "p99.9") if key in one.summary]


def note(one: Figure) -> str:
    """Return everything that is to be known beside a figure; first why it is not judged."""
    parts = [part for part in (one.reason, one.note) if part]
    if one.null is not None:
        parts.append(f"null {one.null:.2f}")
    if one.discarded:
        parts.append(f"dirty runs discarded: {one.discarded}")
    if one.dirty and not one.reason:
        parts.append(f"dirty runs kept: {one.dirty}")
    return "; ".join(parts)


def _foot(report: Report) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in report.machine.items())
    return (
        f"bounds: {bounds.tally(report.figures)}; {report.seconds:.0f} s; others used "
        f"{report.others_share:.0%} of a core; {machine}"
    )
