"""What the deal history proves of an account at the start of its day: pure, from rows to amounts.

The balance then is the balance now less every deal since. The equity then is known only where no
position was open: what an open one was worth at that moment is in no history.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.rows import DealRow, PositionRow
from edgeguard.broker.session import net_units

TRANSFERS: Final = frozenset(
    {c.DEAL_TYPE_BALANCE, c.DEAL_TYPE_CREDIT, c.DEAL_TYPE_BONUS, c.DEAL_TYPE_CORRECTION}
)
"""Deals that move money in or out; docs/TRIGGERS.md section 4 has them."""


class DayStart(msgspec.Struct, frozen=True):
    """The account at the start of its day, amounts as exact text in account currency.

    `why` says what is not known and why, empty where everything is. `balance` and `transfers`
    (those since) are None where the history is incomplete; `equity` also where positions were open.
    `last_deal` is the newest deal that was counted, None where there is none.
    """

    since_ns: int
    why: str = ""
    balance: str | None = None
    equity: str | None = None
    transfers: str | None = None
    last_deal: int | None = None
    deals_since: int = 0
    """Deals after that moment."""


class Today(NamedTuple):
    """The account now: money, and the positions that are open."""

    balance: float
    credit: float
    digits: int
    positions: tuple[PositionRow, ...]


def day_start(
    deals: tuple[DealRow, ...], today: Today, *, since_ns: int, offset_s: int
) -> DayStart:
    """Return what the whole history of an account proves of the start of its day.

    Args:
        deals: every deal since the account began.
        today: the account at the moment of the history.
        since_ns: the day's start, UTC nanoseconds.
        offset_s: what the broker's clock is ahead of UTC, seconds; deals carry its time.
    """
    last = max((row.ticket for row in deals), default=None)
    why = _incomplete(deals, today)
    if why:
        return DayStart(since_ns, why, last_deal=last)
    since_msc = since_ns // 1_000_000 + offset_s * 1000
    late = [row for row in deals if row.time_msc >= since_msc]
    if late and len(late) == len(deals):
        # The account is of today: its day begins with the money that opened it.
        late.remove(min(late, key=lambda row: row.ticket))
    balance = _minor(today.balance, today.digits) - _sum(_balances(late), today.digits)
    credit = _minor(today.credit, today.digits) - _sum(_credits(late), today.digits)
    moved = _sum((row for row in late if row.type in TRANSFERS), today.digits)
    held = _open_then(deals, today.positions, since_msc)
    equity = None
    if held:
        named = ", ".join(map(str, held[:5])) + (" and more" if len(held) > 5 else "")  # noqa: PLR2004
        why = f"position {named} was open at the day's start, and its result then is in no history"
    else:
        equity = _text(balance + credit, today.digits)
    return DayStart(
        since_ns,
        why,
        _text(balance, today.digits),
        equity,
        _text(moved, today.digits),
        last,
        len(late),
    )


def _incomplete(deals: tuple[DealRow, ...], today: Today) -> str:
    """Return why the history is not whole: from nothing on it must add up to what there is."""
    digits = today.digits
    for name, rows, now in (
        ("balance", _balances(deals), today.balance),
        ("credit", _credits(deals), today.credit),
    ):
        total, is_now = _sum(rows, digits), _minor(now, digits)
        if total != is_now:
            return (
                f"the deal history is incomplete: its deals add up to a {name} of "
                f"{_text(total, digits)}, the account has {_text(is_now, digits)}"
            )
    return ""


def _open_then(
    deals: tuple[DealRow, ...], positions: tuple[PositionRow, ...], since_msc: int
) -> list[int]:
    """Return the positions that were open at a moment, by deals and by their own opening times."""
    early: dict[int, list[DealRow]] = {}
    for row in deals:
        if row.time_msc < since_msc and row.position_id:
            early.setdefault(row.position_id, []).append(row)
    found = {number for number, rows in early.items() if net_units(tuple(rows)) not in (None, 0)}
    found |= {row.identifier for row in positions if row.time_msc < since_msc}
    return sorted(found)


def _balances(rows: Iterable[DealRow]) -> Iterable[DealRow]:
    return (row for row in rows if row.type != c.DEAL_TYPE_CREDIT)


def _credits(rows: Iterable[DealRow]) -> Iterable[DealRow]:
    return (row for row in rows if row.type == c.DEAL_TYPE_CREDIT)


def _sum(rows: Iterable[DealRow], digits: int) -> int:
    return sum(
        _minor(amount, digits)
        for row in rows
        for amount in (row.profit, row.commission, row.swap, row.fee)
    )


def _minor(amount: float, digits: int) -> int:
    """Return an amount in minor units; a terminal's float is its decimal text with some noise."""
    return round(Decimal(repr(amount)).scaleb(digits))


def _text(minor: int, digits: int) -> str:
    return str(Decimal(minor).scaleb(-digits))
