"""What a report says of the bounds that it calls missed."""

from __future__ import annotations

import html
from pathlib import Path

import msgspec

from benches.harness import bounds, known, page, table
from benches.harness.result import Figure, Report

MANUAL = Path(__file__).resolve().parents[3] / "docs" / "PERFORMANCE.md"


def _report(*figures: Figure) -> Report:
    return Report("quick run", {"processor": "p"}, list(figures), 1.0, 0.01)


def test_what_is_known_is_of_a_bound_and_stands_in_the_manual() -> None:
    every = {name for group in bounds.BOUNDS.values() for name in group}
    headings = {
        line.lstrip("# ").strip() for line in MANUAL.read_text().splitlines() if line[:1] == "#"
    }
    for name, (best, why, heading) in known.KNOWN.items():
        assert name in every
        assert best
        assert why
        assert heading in headings, name


def test_a_report_says_what_is_known_of_what_it_missed_and_of_nothing_else() -> None:
    name = "guard idle, share of a core"
    missed = Figure(group="life", name=name, unit="%", value=1.1, bound=1.0)
    kept = msgspec.structs.replace(missed, value=0.9)
    best, why, _ = known.KNOWN[name]
    for shown in (table.markdown(_report(missed)), html.unescape(page.render(_report(missed)))):
        assert f"best {best}" in shown
        assert why in shown
    for shown in (table.markdown(_report(kept)), page.render(_report(kept))):
        assert why not in shown


def test_a_bound_that_is_missed_for_the_first_time_is_news() -> None:
    news = Figure(group="life", name="a new one", unit="ms", value=2.0, bound=1.0)
    assert known.lines([news]) == ["a new one: not known before this run."]
