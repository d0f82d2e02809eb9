"""Figures, their verdicts and the two forms of the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from benches.__main__ import GROUPS, Part, Run, parts, soiled
from benches.harness import bounds, cpu, page, plot, result, table
from benches.harness.bench import Bench
from benches.harness.result import Curve, Figure, Report


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
        (_figure(None, 1.0), "not judged"),
        (_figure(None, None), "absent"),
        (msgspec.structs.replace(_figure(1.0, 1.0), dirty=1), "not judged"),
        (msgspec.structs.replace(_figure(1.0, 1.0), dirty=1, is_upper=True), "met"),
        (msgspec.structs.replace(_figure(2.0, 1.0), dirty=1, is_upper=True), "not judged"),
        (msgspec.structs.replace(_figure(1.0, 1.0), doubt="no storm"), "not judged"),
    ],
)
def test_verdicts(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def _report() -> Report:
    measured = result.figure("wire", "<lag>", "us", [1.0, 2.0, 3.0], note="a & b")
    measured = msgspec.structs.replace(measured, bound=1.5)
    gone = result.unjudged("peers", "other", "not installed")
    return Report("quick run", {"processor": "p"}, [measured, gone], 1.0, 0.01)


def test_the_page_is_one_file_and_escapes_names() -> None:
    text = page.render(_report())
    assert "http" not in text.replace('http-equiv="', "")
    assert "src=" not in text
    assert "&lt;lag&gt;" in text
    assert "<lag>" not in text
    assert "polyline" in text
    assert "not installed" in text


@pytest.mark.parametrize(
    ("low", "high"), [(9.5, 11.5), (5.34, 63.4), (1.0, 1e6), (0.02, 0.3), (880.0, 190_000.0)]
)
def test_an_axis_has_round_labels_with_room_between_them(low: float, high: float) -> None:
    found = plot.log_ticks(low, high)
    assert len(found) >= 2
    assert found == sorted(found)
    assert low <= found[0] < found[-1] <= high
    assert sum(len(table.number(value)) + 2 for value in found) <= plot.TICK_CHARS


def test_a_ratio_is_drawn_in_the_unit_of_what_it_is_a_ratio_of() -> None:
    """Its bound is none on the curves, and is not drawn among them."""
    curves = [Curve("ours", [(120.0, 0.5), (300.0, 1.0)]), Curve("floor", [(100.0, 1.0)])]
    ratio = msgspec.structs.replace(_figure(1.2, 1.4), unit="x", curves=curves, curves_unit="us")
    drawn = plot.draw(ratio)
    assert "us, log scale" in drawn
    assert "ours: p50 120, max 300 us" in drawn
    assert "stroke-dasharray" not in drawn
    assert "stroke-dasharray" in plot.draw(msgspec.structs.replace(ratio, curves_unit=""))


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
    assert "bounds: 0 met, 1 missed, 0 not judged" in shown
    assert "not installed" in shown


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (1234.5, "1,234"), (0.01234, "0.0123"), (12.34, "12.3")]
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert table.number(value) == text


def test_a_group_that_was_not_measured_keeps_its_rows_and_says_why() -> None:
    rows = list(bounds.missing((), "load", "load: under_load broke: no cc"))
    assert [one.verdict for one in rows] == ["not judged"]
    assert rows[0].bound == 1.3
    assert "| NOT JUDGED |" in table.markdown(Report("quick run", {}, rows, 1.0, 0.0))
    assert "no cc" in table.note(rows[0])
    assert not list(bounds.missing(rows, "load", ""))


def test_a_part_that_breaks_leaves_the_others_their_figures(tmp_path: Path) -> None:
    """What came before it, from the same part too, is in the file already."""

    def breaks(_: Bench) -> Iterator[Figure]:
        yield _figure(1.0, None)
        raise ValueError("planted")

    def holds(_: Bench) -> Figure:
        return _figure(2.0, None)

    def two(_: str) -> tuple[Part, ...]:
        return breaks, holds

    run = Run("quick run", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benches.__main__.parts", two)
        run.measure("load", Bench(False, tmp_path))  # noqa: FBT003
    report = msgspec.json.decode((tmp_path / "latest.json").read_bytes(), type=Report)
    assert [one.value for one in report.figures] == [1.0, None, 2.0]
    assert "unfinished" in report.kind
    assert run.broken == 1
    assert "planted" in run.figures[-1].reason


def test_what_others_used_meanwhile_opens_a_missed_bound_and_keeps_a_met_one() -> None:
    share = cpu.DIRTY_ABOVE * 2
    assert soiled(_figure(2.0, 1.0), share).verdict == "not judged"
    assert soiled(_figure(2.0, 1.0), 0.0).verdict == "missed"
    assert soiled(_figure(1.0, 1.0), share).verdict == "met"
    ratio = msgspec.structs.replace(_figure(2.0, 1.0), unit="x")
    assert soiled(ratio, share).verdict == "missed"
    own = msgspec.structs.replace(_figure(2.0, 1.0), group="wire")
    assert soiled(own, share) == own


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_parts(group: str) -> None:
    assert parts(group)
