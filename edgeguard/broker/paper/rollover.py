"""Do what the broker does at its midnight: swaps, daily orders and daily stops."""

from typing import Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.checks import PENDING_TYPES
from edgeguard.broker.paper.clock import day_number
from edgeguard.broker.paper.profit import close_price, mark, to_account
from edgeguard.broker.paper.sessions import trades_on
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Position
from edgeguard.broker.paper.units import to_lots
from edgeguard.broker.paper.venue import Venue

_TRIPLE: Final = 3
_DAYS_PER_YEAR: Final = 360
_PERCENT: Final = 100.0
# 1970-01-01, day 0, was a Thursday: day 4 in the vendor's count.
_FIRST_WEEKDAY: Final = 4
# After an outage at most this many midnights are made up for, one month of them.
_MIDNIGHTS_MAX: Final = 31


def run(venue: Venue) -> None:
    """Roll over every broker midnight since the last call."""
    today = day_number(venue.wall_ms)
    if venue.book.day == 0:
        venue.book.day = today
    first = max(venue.book.day, today - _MIDNIGHTS_MAX)
    for ended in range(first, today):
        _end_day(venue, (ended + _FIRST_WEEKDAY) % 7)
    # A clock set back never repeats a midnight.
    venue.book.day = max(venue.book.day, today)


def _end_day(venue: Venue, weekday: int) -> None:
    """Charge the night after a weekday and end what lives one day only."""
    for held in list(venue.book.positions.values()):
        spec = venue.by_name[held.symbol]
        if trades_on(spec, weekday):
            charge_swap(venue, spec, held, _TRIPLE if weekday == spec.swap_rollover3days else 1)
        if spec.order_gtc_mode == c.SYMBOL_ORDERS_DAILY:
            held.sl = held.tp = 0.0
    for order in list(venue.book.orders.values()):
        daily = venue.by_name[order.symbol].order_gtc_mode != c.SYMBOL_ORDERS_GTC
        if daily and order.type in PENDING_TYPES:
            venue.retire_order(order, c.ORDER_STATE_EXPIRED)


def charge_swap(venue: Venue, spec: SymbolSpec, held: Position, nights: int) -> None:
    """Add the swap of some nights to a position, or re-open it where the symbol does that."""
    per_night = spec.swap_long if held.side == c.POSITION_TYPE_BUY else spec.swap_short
    if spec.swap_mode in (c.SYMBOL_SWAP_MODE_REOPEN_CURRENT, c.SYMBOL_SWAP_MODE_REOPEN_BID):
        reopen(venue, held, per_night * nights * spec.point)
        return
    amount = _swap_amount(venue, spec, held, per_night)
    held.swap = venue.money(held.swap + amount * nights)


def _swap_amount(venue: Venue, spec: SymbolSpec, held: Position, per_night: float) -> float:
    """Return one night's swap in account currency."""
    lots = to_lots(held.units)
    match spec.swap_mode:
        case c.SYMBOL_SWAP_MODE_POINTS:
            raw = per_night * spec.point * spec.contract_size * lots
            return to_account(venue, raw, spec.currency_profit)
        case c.SYMBOL_SWAP_MODE_CURRENCY_SYMBOL:
            return to_account(venue, per_night * lots, spec.currency_base)
        case c.SYMBOL_SWAP_MODE_CURRENCY_MARGIN:
            return to_account(venue, per_night * lots, spec.margin_currency)
        case c.SYMBOL_SWAP_MODE_CURRENCY_DEPOSIT:
            return per_night * lots
        case c.SYMBOL_SWAP_MODE_INTEREST_CURRENT | c.SYMBOL_SWAP_MODE_INTEREST_OPEN:
            current = spec.swap_mode == c.SYMBOL_SWAP_MODE_INTEREST_CURRENT
            price = held.price_current if current else held.price_open
            raw = price * spec.contract_size * lots * per_night / _PERCENT / _DAYS_PER_YEAR
            return to_account(venue, raw, spec.currency_profit)
        case _:
            return 0.0


def reopen(venue: Venue, held: Position, shift: float) -> Position:
    """Give a position a new ticket and a shifted opening price, as re-opening swaps do.

    The identifier stays: it is what history and a careful client go by.

    Args:
        venue: The broker.
        held: The position.
        shift: How much better the new opening price is, quote currency.

    Returns:
        The same position under its new ticket.
    """
    sign = 1.0 if held.side == c.POSITION_TYPE_BUY else -1.0
    digits = venue.by_name[held.symbol].digits
    venue.drop_position(held)
    held.ticket = venue.take_order_ticket()
    held.price_open = round(held.price_open - sign * shift, digits)
    held.time_update_msc = venue.wall_ms
    venue.put_position(held)
    if close_price(venue, held.symbol, held.side) > 0.0:
        mark(venue, held)
    return held
