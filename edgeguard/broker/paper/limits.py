"""Refuse what would exceed the account's counts, the symbol's volume or the free margin."""

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.answer import RefusalError
from edgeguard.broker.paper.checks import PENDING_TYPES, side_of
from edgeguard.broker.paper.margin import account_figures, account_margin, trade_margin
from edgeguard.broker.paper.profit import close_price
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Position
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.paper.venue import Venue


def orders(venue: Venue) -> None:
    """Refuse a pending order beyond the account's number of them."""
    allowed = venue.spec.account.limit_orders
    pending = sum(order.type in PENDING_TYPES for order in venue.book.orders.values())
    if allowed and pending >= allowed:
        raise RefusalError(c.TRADE_RETCODE_LIMIT_ORDERS)


def positions(venue: Venue, spec: SymbolSpec) -> None:
    """Refuse a new position beyond the account's number of them.

    A netting account counts a pending order on a symbol it does not hold as one.
    """
    allowed = venue.spec.account.positions_max
    if not allowed:
        return
    if venue.is_hedging:
        count = len(venue.book.positions)
    else:
        held = {entry.symbol for entry in venue.book.positions.values()}
        if spec.name in held:
            return
        count = len(held | {order.symbol for order in venue.book.orders.values()} - {spec.name})
    if count >= allowed:
        raise RefusalError(c.TRADE_RETCODE_LIMIT_POSITIONS)


def direction_volume(venue: Venue, spec: SymbolSpec, side: int, units: int) -> None:
    """Refuse when positions and pending orders of one direction would exceed volume_limit."""
    allowed = to_units(spec.volume_limit)
    if not allowed:
        return
    held = sum(entry.units for entry in venue.positions_on(spec.name) if entry.side == side)
    waiting = sum(
        order.units_current
        for order in venue.book.orders.values()
        if order.symbol == spec.name and order.type in PENDING_TYPES and side_of(order.type) == side
    )
    if held + waiting + units > allowed:
        raise RefusalError(c.TRADE_RETCODE_LIMIT_VOLUME)


def margin_after(venue: Venue, spec: SymbolSpec, side: int, opening: int) -> float:
    """Return the account's margin after opening volume, account currency."""
    price = close_price(venue, spec.name, 1 - side)
    own = trade_margin(venue, spec, side, opening, price) or 0.0
    extra = Position(
        ticket=0,
        identifier=0,
        symbol=spec.name,
        side=side,
        units=opening,
        price_open=price,
        price_current=price,
        margin=own,
    )
    held = None if venue.is_hedging else venue.position_on(spec.name)
    turned = held is not None and held.side != side
    return account_margin(venue, extra, held.ticket if held is not None and turned else 0)


def money(venue: Venue, spec: SymbolSpec, side: int, opening: int) -> None:
    """Refuse to open what the free margin does not carry; less total margin always passes."""
    if opening <= 0:
        return
    now = account_figures(venue)
    after = margin_after(venue, spec, side, opening)
    if after > now.margin and now.equity - after < 0.0:
        raise RefusalError(c.TRADE_RETCODE_NO_MONEY)
