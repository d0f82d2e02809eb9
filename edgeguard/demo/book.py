"""The demo's books: positions and pending orders such as a desk holds on an ordinary morning."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from edgeguard.messages import Side

PendingKind = Literal["buy_limit", "sell_limit", "buy_stop", "sell_stop"]


@dataclass(frozen=True)
class Entry:
    """One position to open at market: lots, and the magic number of the strategy that owns it."""

    symbol: str
    side: Side
    volume: str
    magic: int


@dataclass(frozen=True)
class Pending:
    """One pending order: lots, and its distance from the market as a fraction of the price."""

    symbol: str
    kind: PendingKind
    volume: str
    distance: str
    magic: int


@dataclass(frozen=True)
class Book:
    """What the engine opens."""

    entries: tuple[Entry, ...]
    pendings: tuple[Pending, ...]


TREND, MEAN_REVERSION = 101, 202
"""Magic numbers of the two pretend strategies."""

DESK: Final = Book(
    entries=(
        Entry("EURUSD", "buy", "0.50", TREND),
        Entry("EURUSD", "buy", "0.30", TREND),
        Entry("EURUSD", "sell", "0.40", MEAN_REVERSION),
        Entry("GBPUSD", "sell", "0.60", TREND),
        Entry("GBPUSD", "sell", "0.20", TREND),
        Entry("GBPUSD", "buy", "0.40", MEAN_REVERSION),
        Entry("XAUUSD", "buy", "0.20", TREND),
        Entry("XAUUSD", "buy", "0.10", TREND),
        Entry("XAUUSD", "sell", "0.10", MEAN_REVERSION),
        # Long at the floor, as many were.
        Entry("EURCHF", "buy", "3.00", MEAN_REVERSION),
        Entry("EURCHF", "buy", "2.00", MEAN_REVERSION),
        Entry("EURCHF", "buy", "1.00", MEAN_REVERSION),
        Entry("EURCHF", "sell", "0.50", TREND),
    ),
    pendings=(
        Pending("EURUSD", "buy_limit", "0.50", "0.010", MEAN_REVERSION),
        Pending("EURUSD", "sell_stop", "0.30", "0.010", TREND),
        Pending("GBPUSD", "sell_limit", "0.40", "0.012", MEAN_REVERSION),
        Pending("XAUUSD", "buy_stop", "0.20", "0.015", TREND),
        # Bids far below the floor that nobody expected to be filled.
        Pending("EURCHF", "buy_limit", "1.00", "0.100", MEAN_REVERSION),
    ),
)
"""13 positions on 4 symbols, long and short, with hedged pairs on each, and 5 pending orders."""
EXIT_SYMBOL: Final = "EURUSD"
"""Where the engine closes a position of its own to show that a pause lets exits through."""


def breaking_book(symbol: str, loss_per_lot: Decimal, limit: Decimal, *, is_long: bool) -> Book:
    """Return a book on one recorded symbol that breaks a limit within its worst move.

    Args:
        symbol: the recorded symbol.
        loss_per_lot: what that move costs one lot, account money, > 0.
        limit: the loss at which the limit breaks, account money.
        is_long: whether the move is a fall.
    """
    # One and a half times what is needed, in three parts, with a small hedge on the other side.
    total = max((limit * Decimal("1.5") / loss_per_lot).quantize(Decimal("0.03")), Decimal("0.09"))
    part = (total / 3).quantize(Decimal("0.01"))
    hedge = max((total / 10).quantize(Decimal("0.01")), Decimal("0.01"))
    main: Side = "buy" if is_long else "sell"
    other: Side = "sell" if is_long else "buy"
    volumes = (str(part + hedge), str(part), str(part))
    return Book(
        entries=(
            *(Entry(symbol, main, volume, TREND) for volume in volumes),
            Entry(symbol, other, str(hedge), MEAN_REVERSION),
        ),
        pendings=(
            Pending(symbol, "buy_limit", str(hedge), "0.05", MEAN_REVERSION),
            Pending(symbol, "sell_limit", str(hedge), "0.05", MEAN_REVERSION),
        ),
    )
