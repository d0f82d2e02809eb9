"""Section 11 of docs/TRIGGERS.md prints what `make firings` prints."""

import re
from pathlib import Path

import pytest

from benches import firings

PAGE = firings.ROOT / "docs" / "TRIGGERS.md"


@pytest.mark.skipif(
    not firings.SHARED.is_dir(), reason="the shared real ticks are not beside the checkout"
)
def test_the_pages_figures_are_measured(tmp_path: Path) -> None:
    """Every row of its table, and the start and length of every pause it judges."""
    results = {variant: firings.measure(variant, tmp_path) for variant in firings.VARIANTS}
    page = PAGE.read_text(encoding="utf-8").split("## 11.")[1]
    shown: list[str] = []
    for row in re.findall(r"^\| (?:\w+ ?)+ \| .* \|$", page, re.MULTILINE):
        trigger, symbols, *cells = row.strip("| ").split(" | ")
        shown += [
            f"| {trigger} | {symbol} | {' | '.join(cells)} |" for symbol in symbols.split(", ")
        ]
    measured = [row for row in firings.table(results) if not row.startswith(("| trigger", "|---"))]
    assert sorted(row for row in shown if not row.startswith("| trigger")) == sorted(measured)
    ordinary = [p for p in results[firings.DEFAULT].pauses if p.symbol != "BTCUSDT"]
    for pause in ordinary:
        assert firings.clock_text(pause.start_ns) in page
        length = firings.length_text(pause)
        assert length in page, (pause.symbol, length)
