"""The manual's table is replaced whole, and nothing around it is touched."""

from __future__ import annotations

import pytest

from benches.harness.process import ROOT
from benches.harness.result import Figure, Report
from benches.paste import BEGIN, END, pasted

FIGURES = [Figure(group="g", name="new figure", unit="ns", value=2.0, bound=1.0)]


@pytest.mark.parametrize(("share", "words"), [(0.01, "others used 1%"), (1.7, "**Provisional**")])
def test_a_run_replaces_the_one_before(share: float, words: str) -> None:
    report = Report("full run", {"cores": "2"}, FIGURES, 1.0, share)
    old = f"before\n{BEGIN}\nold figure\n{END}\nbehind\n"
    new = pasted(old, report, "2026-01-02")
    assert new.startswith(f"before\n{BEGIN}\n`make bench-full`, 2026-01-02")
    assert new.endswith(f"\n{END}\nbehind\n")
    assert "old figure" not in new
    assert "| new figure | 2 ns | <= 1 | MISSED |" in new
    assert words in new
    assert pasted(new, report, "2026-01-02") == new


@pytest.mark.parametrize("manual", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{END}"])
def test_a_manual_without_its_marks_is_refused(manual: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        pasted(manual, Report("quick run", {}, [], 1.0, 0.0), "2026-01-02")


def test_the_manual_has_its_marks() -> None:
    report = Report("quick run", {}, FIGURES, 1.0, 0.0)
    assert "new figure" in pasted((ROOT / "docs" / "PERFORMANCE.md").read_text(), report, "")
