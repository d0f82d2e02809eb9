"""Figures, their verdicts and the two forms of the report."""

from __future__ import annotations

import msgspec
import pytest

from benches.harness import page, result, table
from benches.harness.result import Figure, Report


def _figure(value: float | None, bound: float | None, *, at_least: bool = False) -> Figure:
    return Figure(group="g", name="n", unit="us", value=value, bound=bound, at_least=at_least)


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (_figure(1.0, 1.0), "met"),
        (_figure(1.1, 1.0), "missed"),
        (_figure(41.0, 40.0, at_least=True), "met"),
        (_figure(39.0, 40.0, at_least=True), "missed"),
        (_figure(1.0, None), "reported"),
        (_figure(None, 1.0), "skipped"),
    ],
)
def test_verdicts(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def _report() -> Report:
    measured = result.figure("wire", "<lag>", "us", [1.0, 2.0, 3.0], bound=1.5, note="a & b")
    gone = result.skipped("peers", "other", "not installed")
    return Report("quick run", {"processor": "p"}, [measured, gone], 1.0, 0.01)


def test_the_page_is_one_file_and_escapes_names() -> None:
    text = page.render(_report())
    assert "http" not in text.replace('http-equiv="', "")
    assert "src=" not in text
    assert "&lt;lag&gt;" in text
    assert "<lag>" not in text
    assert "polyline" in text
    assert "not installed" in text


def test_the_manual_gets_a_row_per_figure() -> None:
    text = table.markdown(_report())
    assert "| <lag> | 2 us | <= 1.5 | MISSED | 2 / 3 | a & b |" in text
    assert "| **peers** |" in text


def test_the_figures_survive_json() -> None:
    report = _report()
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_the_table_says_what_missed(capsys: pytest.CaptureFixture[str]) -> None:
    table.show(_report())
    shown = capsys.readouterr().out
    assert "MISSED" in shown
    assert "0 bounds met, 1 missed" in shown
    assert "skipped" in shown


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (1234.5, "1,234"), (0.01234, "0.0123"), (12.34, "12.3")]
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert table.number(value) == text
