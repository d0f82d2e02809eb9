"""The demo's live table: equity, the distance to each limit, spreads and state."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Document = Mapping[str, Any]
COLOURS: Final = {"ACTIVE": "green", "PAUSED": "yellow", "STARTING": "cyan", "HALTED": "red"}
YELLOW, RED = 0.5, 0.8
"""Used share of a limit from which its bar changes colour: the bands of the warn lines."""
BAR: Final = 20
"""Width of a limit's bar in characters."""


def live_view(document: Document, headline: str) -> RenderableType:
    """Return the table for one status document."""
    account = document["accounts"][0]
    colour = COLOURS.get(document["state"], "white")
    state = Text.assemble(
        (f" {document['state']} ", f"bold white on {colour}"),
        f"  flatten {document['flatten']}",
        f"  positions {_text(account.get('positions'))}",
        f"  pending orders {_text(account.get('orders'))}",
    )
    return Group(
        Text(headline, style="bold"),
        state,
        _equity(account),
        _limits(account),
        _spreads(account),
    )


def state_line(document: Document) -> str:
    """Return one line for a log: state, equity and how much of each loss limit is used."""
    account = document["accounts"][0]
    limits = account.get("limits", {})
    used = [
        f"{name} {limits[name].get('value')} of {limits[name].get('threshold')}"
        for name in ("daily_loss", "total_drawdown")
        if limits.get(name, {}).get("value") is not None
    ]
    return ", ".join([f"{document['state']}, equity {_text(account.get('equity_used'))}", *used])


def _equity(account: Document) -> RenderableType:
    return Text(
        f"equity {_text(account.get('equity_marked'))} marked, "
        f"{_text(account.get('equity_reported'))} reported by the broker"
    )


def _limits(account: Document) -> RenderableType:
    table = _table("limit", "value", "threshold", "distance", "")
    for name, limit in account.get("limits", {}).items():
        value, threshold = limit.get("value"), limit.get("threshold")
        table.add_row(
            name,
            _text(value),
            _text(threshold),
            _text(limit.get("distance")),
            _bar(value, threshold),
        )
    return table


def _bar(value: object, threshold: object) -> Text:
    """Return how much of a limit is used."""
    try:
        share = float(Decimal(str(value)) / Decimal(str(threshold)))
    except ArithmeticError:
        return Text("")
    used = max(0, min(BAR, round(share * BAR)))
    colour = "red" if share > RED else "yellow" if share > YELLOW else "green"
    return Text("█" * used + "·" * (BAR - used), style=colour)


def _spreads(account: Document) -> RenderableType:
    table = _table("symbol", "bid", "ask", "spread", "normal", "x normal")
    for row in account.get("symbols", []):
        spread, normal = row.get("spread"), row.get("normal")
        times = f"{float(spread) / float(normal):.1f}" if spread and normal else ""
        cells = (_text(row.get(key)) for key in ("bid", "ask", "spread", "normal"))
        table.add_row(_text(row.get("name")), *cells, times)
    return table


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="dim")


def _text(value: object) -> str:
    return "-" if value is None else str(value)
