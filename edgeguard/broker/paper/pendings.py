"""Place, change and delete pending orders, and change the stops of positions."""

from edgeguard.broker.paper import checks, limits
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper import unexported as u
from edgeguard.broker.paper.answer import Answer, RefusalError, Request
from edgeguard.broker.paper.clock import SECONDS_PER_DAY, day_number
from edgeguard.broker.paper.market import new_order
from edgeguard.broker.paper.profit import close_price
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Order, Position
from edgeguard.broker.paper.units import MS_PER_S, to_lots, to_points
from edgeguard.broker.paper.venue import Venue

_LIFETIME_BITS = {
    c.ORDER_TIME_GTC: u.SYMBOL_EXPIRATION_GTC,
    c.ORDER_TIME_DAY: u.SYMBOL_EXPIRATION_DAY,
    c.ORDER_TIME_SPECIFIED: u.SYMBOL_EXPIRATION_SPECIFIED,
    c.ORDER_TIME_SPECIFIED_DAY: u.SYMBOL_EXPIRATION_SPECIFIED_DAY,
}
_BELOW_MARKET = (c.ORDER_TYPE_BUY_LIMIT, c.ORDER_TYPE_SELL_STOP, c.ORDER_TYPE_SELL_STOP_LIMIT)


def place(venue: Venue, request: Request) -> Answer:
    """Answer a TRADE_ACTION_PENDING request.

    Raises:
        RefusalError: A rule refuses the request; nothing changed.
    """
    spec = checks.symbol(venue, request.symbol)
    checks.pending_type(spec, request.type)
    checks.pending_filling(spec, request.type, request.type_filling)
    checks.volume(venue, spec, request, None)
    side = checks.side_of(request.type)
    checks.trade_mode(spec, side, 1)
    checks.market_open(venue, spec)
    checks.quoted(venue, spec)
    lifetime(venue, spec, request.type_time, request.expiration)
    prices(venue, spec, request.type, request.price, request.stoplimit)
    base = request.stoplimit if request.type in checks.STOP_LIMIT_TYPES else request.price
    checks.stops(spec, side, base, request.sl, request.tp)
    limits.orders(venue)
    order = new_order(venue, request)
    limits.direction_volume(venue, spec, side, order.units_initial)
    if not venue.is_hedging:
        limits.positions(venue, spec)
    order.state = c.ORDER_STATE_PLACED
    order.price_current = close_price(venue, spec.name, 1 - side)
    venue.book.orders[order.ticket] = order
    return _answer(venue, order)


def modify(venue: Venue, request: Request) -> Answer:
    """Answer a TRADE_ACTION_MODIFY request: new price, stops and lifetime of a pending order.

    Raises:
        RefusalError: A rule refuses the request; nothing changed.
    """
    order = pending(venue, request.order)
    spec = checks.symbol(venue, order.symbol)
    checks.market_open(venue, spec)
    new = (
        request.price,
        request.stoplimit,
        request.sl,
        request.tp,
        request.type_time,
        request.expiration,
    )
    old = (
        order.price_open,
        order.price_stoplimit,
        order.sl,
        order.tp,
        order.type_time,
        order.expiration,
    )
    if new == old:
        raise RefusalError(c.TRADE_RETCODE_NO_CHANGES)
    checks.order_frozen(venue, spec, order)
    lifetime(venue, spec, request.type_time, request.expiration)
    prices(venue, spec, order.type, request.price, request.stoplimit)
    base = request.stoplimit if order.type in checks.STOP_LIMIT_TYPES else request.price
    checks.stops(spec, checks.side_of(order.type), base, request.sl, request.tp)
    order.price_open, order.price_stoplimit, order.sl, order.tp = new[:4]
    order.type_time, order.expiration = new[4:]
    return _answer(venue, order)


def remove(venue: Venue, request: Request) -> Answer:
    """Answer a TRADE_ACTION_REMOVE request; an accepted market order may be cancelled too.

    Raises:
        RefusalError: A rule refuses the request; nothing changed.
    """
    order = working(venue, request.order)
    spec = checks.symbol(venue, order.symbol)
    if order.type in checks.PENDING_TYPES:
        checks.market_open(venue, spec)
        checks.order_frozen(venue, spec, order)
    venue.retire_order(order, c.ORDER_STATE_CANCELED)
    return _answer(venue, order)


def set_stops(venue: Venue, request: Request) -> Answer:
    """Answer a TRADE_ACTION_SLTP request: new stop loss and take profit of a position.

    Raises:
        RefusalError: A rule refuses the request; nothing changed.
    """
    held = _position_of(venue, request)
    spec = checks.symbol(venue, held.symbol)
    checks.market_open(venue, spec)
    checks.quoted(venue, spec)
    if (request.sl, request.tp) == (held.sl, held.tp):
        raise RefusalError(c.TRADE_RETCODE_NO_CHANGES)
    checks.position_frozen(venue, spec, held)
    base = close_price(venue, held.symbol, held.side)
    checks.stops(spec, held.side, base, request.sl, request.tp)
    held.sl, held.tp = request.sl, request.tp
    held.time_update_msc = venue.wall_ms
    return Answer(retcode=c.TRADE_RETCODE_DONE)


def _position_of(venue: Venue, request: Request) -> Position:
    """Return the position a stops request means: by ticket, or by symbol where positions net."""
    if venue.is_hedging or request.position:
        return checks.position(venue, request.position)
    held = venue.position_on(request.symbol)
    if held is None:
        raise RefusalError(c.TRADE_RETCODE_INVALID)
    return held


def working(venue: Venue, ticket: int) -> Order:
    """Return a working order; a finished one answers 10035, an unknown one 10013."""
    order = venue.book.orders.get(ticket)
    if order is None:
        known = ticket in venue.book.orders_done
        raise RefusalError(c.TRADE_RETCODE_INVALID_ORDER if known else c.TRADE_RETCODE_INVALID)
    return order


def pending(venue: Venue, ticket: int) -> Order:
    """Return a working pending order; a market order on its way answers 10023."""
    order = working(venue, ticket)
    if order.type not in checks.PENDING_TYPES:
        raise RefusalError(c.TRADE_RETCODE_ORDER_CHANGED)
    return order


def lifetime(venue: Venue, spec: SymbolSpec, type_time: int, expiration: int) -> None:
    """Refuse a lifetime the symbol does not take or that is already over.

    Raises:
        RefusalError: With 10022.
    """
    bit = _LIFETIME_BITS.get(type_time, 0)
    specified = type_time in (c.ORDER_TIME_SPECIFIED, c.ORDER_TIME_SPECIFIED_DAY)
    if not spec.expiration_mode & bit or (specified and expiration <= venue.wall_s):
        raise RefusalError(c.TRADE_RETCODE_INVALID_EXPIRATION)


def prices(venue: Venue, spec: SymbolSpec, order_type: int, price: float, limit: float) -> None:
    """Refuse a pending price on the wrong side of the market or nearer than the stops level.

    Args:
        venue: The broker.
        spec: The symbol's rules.
        order_type: A pending order type.
        price: Activation price, quote currency.
        limit: Limit price of a stop-limit order.

    Raises:
        RefusalError: With 10015.
    """
    quote = venue.quote(spec.name)
    side = checks.side_of(order_type)
    market = quote.ask if side == c.ORDER_TYPE_BUY else quote.bid
    distance = to_points(price - market, spec.point)
    if order_type in _BELOW_MARKET:
        distance = -distance
    nearest = max(spec.stops_level, 1)
    if price <= 0.0 or distance < nearest:
        raise RefusalError(c.TRADE_RETCODE_INVALID_PRICE)
    if order_type in checks.STOP_LIMIT_TYPES:
        gap = to_points(price - limit, spec.point)
        if side == c.ORDER_TYPE_SELL:
            gap = -gap
        if limit <= 0.0 or gap < max(spec.stops_level, 0):
            raise RefusalError(c.TRADE_RETCODE_INVALID_PRICE)


def expiry_ms(order: Order) -> int | None:
    """Return the broker millisecond at which an order expires, None for never."""
    match order.type_time:
        case c.ORDER_TIME_DAY:
            days = day_number(order.time_setup_msc) + 1
            return days * SECONDS_PER_DAY * MS_PER_S
        case c.ORDER_TIME_SPECIFIED:
            return order.expiration * MS_PER_S
        case c.ORDER_TIME_SPECIFIED_DAY:
            days = day_number(order.expiration * MS_PER_S) + 1
            return days * SECONDS_PER_DAY * MS_PER_S
        case _:
            return None


def _answer(venue: Venue, order: Order) -> Answer:
    """Return an accepting answer about a pending order."""
    quote = venue.quote(order.symbol)
    return Answer(
        retcode=c.TRADE_RETCODE_DONE,
        order=order.ticket,
        volume=to_lots(order.units_initial),
        price=order.price_open,
        bid=quote.bid,
        ask=quote.ask,
    )
