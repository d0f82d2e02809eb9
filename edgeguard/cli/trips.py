"""What would trip it, and what came in badly: two tables of ``edgeguard status``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

Document = Mapping[str, Any]
_ACCOUNT_LIMITS = ("daily_loss", "total_drawdown")


def inputs(account: Document) -> Iterator[Table]:
    """Yield the tables that have something to say about an account."""
    symbols: list[Document] = account.get("symbols", [])
    held = [row for row in symbols if row.get("what_would_trip")]
    if held:
        yield _trips(held)
    unknown = account.get("unknown_symbol_ticks", 0)
    faulty = [row for row in symbols if any(row.get("bad", {}).values())]
    if faulty or unknown:
        yield _bad(faulty, unknown)


def _trips(rows: list[Document]) -> Table:
    """Show at which price of a symbol each loss limit breaks, all else unchanged.

    The limits of a strategy or a symbol stand in rows of their own below the symbol's.
    """
    table = _table("would trip", "side", "now", *_ACCOUNT_LIMITS)
    for row in rows:
        trips: dict[str, str | None] = row["what_would_trip"]
        side = row["what_would_trip"]["side"]
        prices = (trips.get(limit) or "never" for limit in _ACCOUNT_LIMITS)
        table.add_row(row["name"], side, row.get(side) or "-", *prices)
        for limit, price in trips.items():
            _, _, scope = limit.partition(" ")
            if scope:
                table.add_row(f"  {scope}", "", "", price or "never", "-")
    return table


def _bad(rows: list[Document], unknown: int) -> Table:
    """Show the bad ticks by cause; those of unknown symbols have no row of their own."""
    causes = [cause for cause in rows[0]["bad"] if cause != "unknown_symbol"] if rows else []
    table = _table("bad ticks", *(cause.replace("_", " ") for cause in causes), "unknown symbol")
    for row in rows:
        bad = row["bad"]
        counts = (str(bad[cause]) for cause in causes)
        table.add_row(row["name"], *counts, str(bad.get("unknown_symbol", 0)))
    if unknown:
        table.add_row("(others)", *("-" for _ in causes), str(unknown))
    return table


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="dim")
