"""The demo's books: realistic as issued, and large enough to break a limit on recorded ticks."""

from collections import Counter
from decimal import Decimal

import pytest

from edgeguard.demo.book import DESK, breaking_book


def test_the_desk_is_realistic() -> None:
    """At least 12 positions on 4 symbols, long and short, hedged pairs, 5 pending orders."""
    assert len(DESK.entries) >= 12
    sides = Counter((entry.symbol, entry.side) for entry in DESK.entries)
    symbols = {symbol for symbol, _ in sides}
    assert len(symbols) == 4
    assert all(sides[symbol, side] for symbol in symbols for side in ("buy", "sell"))
    assert len(DESK.pendings) == 5


@pytest.mark.parametrize(("per_lot", "is_long"), [("1385.6", True), ("560", True), ("40", False)])
def test_a_recorded_book_breaks_the_limit_within_the_worst_move(
    per_lot: str, is_long: bool
) -> None:
    """Its net volume times the move's loss per lot exceeds the limit, with room to spare."""
    limit = Decimal(3000)
    book = breaking_book("XAUUSD", Decimal(per_lot), limit, is_long=is_long)
    main = "buy" if is_long else "sell"
    net = sum(Decimal(entry.volume) * (1 if entry.side == main else -1) for entry in book.entries)
    assert net * Decimal(per_lot) > limit * Decimal("1.2")
    assert {entry.side for entry in book.entries} == {"buy", "sell"}
