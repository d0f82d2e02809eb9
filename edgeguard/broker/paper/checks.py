"""Refuse a trade request for every reason a server has, one rule to a function.

Each function returns what the next step needs or raises RefusalError with the retcode of
the vendor's list. The order in which they are asked is that of market.py and pendings.py.
"""

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper import unexported as u
from edgeguard.broker.paper.answer import RefusalError, Request
from edgeguard.broker.paper.profit import close_price
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Order, Position
from edgeguard.broker.paper.units import NS_PER_S, is_measurable, to_points, to_units
from edgeguard.broker.paper.venue import Venue

_SIDES = (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL)
_LIMIT_TYPES = (c.ORDER_TYPE_BUY_LIMIT, c.ORDER_TYPE_SELL_LIMIT)
_STOP_TYPES = (c.ORDER_TYPE_BUY_STOP, c.ORDER_TYPE_SELL_STOP)
STOP_LIMIT_TYPES = (c.ORDER_TYPE_BUY_STOP_LIMIT, c.ORDER_TYPE_SELL_STOP_LIMIT)
PENDING_TYPES = (*_LIMIT_TYPES, *_STOP_TYPES, *STOP_LIMIT_TYPES)


def side_of(order_type: int) -> int:
    """Return the side an order type trades on; even types buy, odd types sell."""
    return order_type % 2


def permissions(venue: Venue) -> None:
    """Refuse while the terminal, the account or the link forbids trading."""
    switches = venue.switches
    account = venue.spec.account
    if not switches.trade_allowed:
        raise RefusalError(c.TRADE_RETCODE_CLIENT_DISABLES_AT)
    if not switches.connected:
        raise RefusalError(c.TRADE_RETCODE_CONNECTION)
    if not (account.trade_allowed and switches.account_trade_allowed):
        raise RefusalError(c.TRADE_RETCODE_TRADE_DISABLED)
    if not (account.trade_expert and switches.trade_expert):
        raise RefusalError(c.TRADE_RETCODE_SERVER_DISABLES_AT)


def request_rate(venue: Venue) -> None:
    """Refuse when the last second already held as many requests as the account may send."""
    allowed = venue.spec.account.requests_per_second_max
    if allowed == 0:
        return
    recent = [sent for sent in venue.book.recent_requests_ns if venue.now_ns - sent < NS_PER_S]
    venue.book.recent_requests_ns = recent
    if len(recent) >= allowed:
        raise RefusalError(c.TRADE_RETCODE_TOO_MANY_REQUESTS)
    recent.append(venue.now_ns)


def finite(request: Request) -> None:
    """Refuse numbers that are none or beyond all measure: the client's type check lets them by."""
    numbers = (request.volume, request.price, request.stoplimit, request.sl, request.tp)
    if not all(is_measurable(number) for number in numbers):
        raise RefusalError(c.TRADE_RETCODE_INVALID)


def symbol(venue: Venue, name: str) -> SymbolSpec:
    """Return the rules of a tradable symbol."""
    spec = venue.by_name.get(name)
    if spec is None:
        raise RefusalError(c.TRADE_RETCODE_INVALID)
    if spec.only_real and venue.spec.account.trade_mode != c.ACCOUNT_TRADE_MODE_REAL:
        raise RefusalError(c.TRADE_RETCODE_ONLY_REAL)
    if spec.trade_mode == c.SYMBOL_TRADE_MODE_DISABLED:
        raise RefusalError(c.TRADE_RETCODE_TRADE_DISABLED)
    level = venue.stops_level(spec)
    return spec if level == spec.stops_level else msgspec.structs.replace(spec, stops_level=level)


def market_type(spec: SymbolSpec, request: Request) -> None:
    """Refuse a deal that is neither a buy nor a sell, or a symbol without market orders."""
    if request.type not in _SIDES or not spec.order_mode & u.SYMBOL_ORDER_MARKET:
        raise RefusalError(c.TRADE_RETCODE_INVALID_ORDER)


def pending_type(spec: SymbolSpec, order_type: int) -> None:
    """Refuse an order type that is not pending or that the symbol does not take."""
    if order_type in _LIMIT_TYPES:
        needed = u.SYMBOL_ORDER_LIMIT
    elif order_type in _STOP_TYPES:
        needed = u.SYMBOL_ORDER_STOP
    elif order_type in STOP_LIMIT_TYPES:
        needed = u.SYMBOL_ORDER_STOP_LIMIT
    else:
        raise RefusalError(c.TRADE_RETCODE_INVALID_ORDER)
    if not spec.order_mode & needed:
        raise RefusalError(c.TRADE_RETCODE_INVALID_ORDER)


def market_filling(spec: SymbolSpec, filling: int) -> None:
    """Refuse a filling the symbol's execution mode does not take for market orders."""
    instant = spec.execution in (
        c.SYMBOL_TRADE_EXECUTION_INSTANT,
        c.SYMBOL_TRADE_EXECUTION_REQUEST,
    )
    match filling:
        case c.ORDER_FILLING_FOK:
            allowed = instant or bool(spec.filling_mode & u.SYMBOL_FILLING_FOK)
        case c.ORDER_FILLING_IOC:
            allowed = bool(spec.filling_mode & u.SYMBOL_FILLING_IOC)
        case c.ORDER_FILLING_RETURN:
            # A Market symbol whose mask is empty would otherwise be closable by nothing.
            allowed = spec.execution != c.SYMBOL_TRADE_EXECUTION_MARKET or spec.filling_mode == 0
        case _:
            allowed = False
    if not allowed:
        raise RefusalError(c.TRADE_RETCODE_INVALID_FILL)


def pending_filling(spec: SymbolSpec, order_type: int, filling: int) -> None:
    """Refuse a filling a pending order cannot carry; RETURN is always possible."""
    match filling:
        case c.ORDER_FILLING_RETURN:
            allowed = True
        case c.ORDER_FILLING_BOC:
            passive = order_type in (*_LIMIT_TYPES, *STOP_LIMIT_TYPES)
            allowed = passive and bool(spec.filling_mode & u.SYMBOL_FILLING_BOC)
        case c.ORDER_FILLING_FOK | c.ORDER_FILLING_IOC:
            instant = spec.execution < c.SYMBOL_TRADE_EXECUTION_MARKET
            allowed = instant or bool(spec.filling_mode & (filling + 1))
        case _:
            allowed = False
    if not allowed:
        raise RefusalError(c.TRADE_RETCODE_INVALID_FILL)


def position(venue: Venue, ticket: int) -> Position:
    """Return an open position; a gone one is closed (10036), an unknown one invalid (10013)."""
    held = venue.book.positions.get(ticket)
    if held is None:
        known = ticket in venue.book.tickets_gone
        raise RefusalError(c.TRADE_RETCODE_POSITION_CLOSED if known else c.TRADE_RETCODE_INVALID)
    return held


def close_target(venue: Venue, request: Request) -> Position | None:
    """Return the hedging position a deal closes, None when it opens or the account nets."""
    if request.position == 0:
        return None
    if not venue.is_hedging:
        if venue.spec.account.netting_needs_position:
            position(venue, request.position)
        return None
    held = position(venue, request.position)
    if held.symbol != request.symbol or held.side == request.type:
        raise RefusalError(c.TRADE_RETCODE_INVALID)
    units = to_units(request.volume)
    if units > held.units:
        raise RefusalError(c.TRADE_RETCODE_INVALID_CLOSE_VOLUME)
    if units + in_flight(venue, held.identifier) > held.units:
        raise RefusalError(c.TRADE_RETCODE_CLOSE_ORDER_EXIST)
    return held


def in_flight(venue: Venue, identifier: int) -> int:
    """Return the volume, in 1e-8 lots, of accepted market orders still closing a position."""
    waiting = {later.order for later in venue.book.later}
    return sum(
        order.units_current
        for order in venue.book.orders.values()
        if order.position_id == identifier and order.ticket in waiting
    )


def opening_units(venue: Venue, request: Request, target: Position | None) -> int:
    """Return how much of a deal opens new risk, in 1e-8 lots."""
    units = to_units(request.volume)
    if venue.is_hedging:
        return units if target is None else 0
    held = venue.position_on(request.symbol)
    if held is None or held.side == request.type:
        return units
    return max(0, units - held.units)


def volume(venue: Venue, spec: SymbolSpec, request: Request, target: Position | None) -> None:
    """Refuse a volume off the symbol's grid; closing a whole remainder is always on it."""
    units = to_units(request.volume)
    if units <= 0 or units > to_units(spec.volume_max):
        raise RefusalError(c.TRADE_RETCODE_INVALID_VOLUME)
    held = target if venue.is_hedging else venue.position_on(spec.name)
    if held is not None and units == held.units and opening_units(venue, request, target) == 0:
        return
    if units < to_units(spec.volume_min) or units % to_units(spec.volume_step) != 0:
        raise RefusalError(c.TRADE_RETCODE_INVALID_VOLUME)


def trade_mode(spec: SymbolSpec, side: int, opening: int) -> None:
    """Refuse to open against the symbol's trade mode; closing is let through."""
    if opening == 0:
        return
    if spec.trade_mode == c.SYMBOL_TRADE_MODE_CLOSEONLY:
        raise RefusalError(c.TRADE_RETCODE_CLOSE_ONLY)
    if spec.trade_mode == c.SYMBOL_TRADE_MODE_LONGONLY and side == c.ORDER_TYPE_SELL:
        raise RefusalError(c.TRADE_RETCODE_LONG_ONLY)
    if spec.trade_mode == c.SYMBOL_TRADE_MODE_SHORTONLY and side == c.ORDER_TYPE_BUY:
        raise RefusalError(c.TRADE_RETCODE_SHORT_ONLY)


def market_open(venue: Venue, spec: SymbolSpec) -> None:
    """Refuse while the symbol's market is closed."""
    if not venue.market_open(spec):
        raise RefusalError(c.TRADE_RETCODE_MARKET_CLOSED)


def quoted(venue: Venue, spec: SymbolSpec) -> None:
    """Refuse without a price on both sides."""
    quote = venue.quote(spec.name)
    if quote.bid <= 0.0 or quote.ask <= 0.0:
        raise RefusalError(c.TRADE_RETCODE_PRICE_OFF)


def deal_price(venue: Venue, spec: SymbolSpec, request: Request) -> None:
    """Refuse a price off the market in Instant and Request execution; elsewhere it is ignored."""
    if spec.execution not in (c.SYMBOL_TRADE_EXECUTION_INSTANT, c.SYMBOL_TRADE_EXECUTION_REQUEST):
        return
    if request.price <= 0.0:
        raise RefusalError(c.TRADE_RETCODE_INVALID_PRICE)
    market = close_price(venue, spec.name, 1 - request.type)
    if abs(to_points(request.price - market, spec.point)) > request.deviation:
        requoted = spec.execution == c.SYMBOL_TRADE_EXECUTION_INSTANT
        raise RefusalError(c.TRADE_RETCODE_REQUOTE if requoted else c.TRADE_RETCODE_PRICE_CHANGED)


def stops(spec: SymbolSpec, side: int, base: float, sl: float, tp: float) -> None:
    """Refuse a stop loss or take profit on the wrong side of a price or too near to it.

    Args:
        spec: The symbol's rules.
        side: The position's side.
        base: The price the stops are measured from, quote currency.
        sl: Stop loss, 0 for none.
        tp: Take profit, 0 for none.
    """
    sign = 1 if side == c.ORDER_TYPE_BUY else -1
    nearest = max(spec.stops_level, 1)
    if sl < 0.0 or tp < 0.0:
        raise RefusalError(c.TRADE_RETCODE_INVALID_STOPS)
    if sl > 0.0 and (
        sign * to_points(base - sl, spec.point) < nearest or not spec.order_mode & u.SYMBOL_ORDER_SL
    ):
        raise RefusalError(c.TRADE_RETCODE_INVALID_STOPS)
    if tp > 0.0 and (
        sign * to_points(tp - base, spec.point) < nearest or not spec.order_mode & u.SYMBOL_ORDER_TP
    ):
        raise RefusalError(c.TRADE_RETCODE_INVALID_STOPS)


def position_frozen(venue: Venue, spec: SymbolSpec, held: Position) -> None:
    """Refuse to touch a position whose stop is within the freeze level of the price."""
    level = venue.freeze_level(spec)
    price = close_price(venue, held.symbol, held.side)
    for stop in (held.sl, held.tp):
        if level > 0 and stop > 0.0 and abs(to_points(price - stop, spec.point)) <= level:
            raise RefusalError(c.TRADE_RETCODE_FROZEN)


def order_frozen(venue: Venue, spec: SymbolSpec, order: Order) -> None:
    """Refuse to touch a pending order within the freeze level of its activation."""
    level = venue.freeze_level(spec)
    market = close_price(venue, order.symbol, 1 - side_of(order.type))
    if level > 0 and abs(to_points(order.price_open - market, spec.point)) <= level:
        raise RefusalError(c.TRADE_RETCODE_FROZEN)


def fifo(venue: Venue, first: Position, second: Position | None = None) -> None:
    """Refuse to close anything but the oldest position of its symbol on a FIFO account."""
    if not venue.closes_oldest_first:
        return
    oldest = min(venue.positions_on(first.symbol), key=lambda entry: (entry.time_msc, entry.ticket))
    if oldest.ticket not in (first.ticket, 0 if second is None else second.ticket):
        raise RefusalError(c.TRADE_RETCODE_FIFO_CLOSE)


def hedge(venue: Venue, spec: SymbolSpec, side: int) -> None:
    """Refuse to open against an own position where the account forbids opposite ones."""
    if venue.spec.account.hedge_prohibited and any(
        entry.side != side for entry in venue.positions_on(spec.name)
    ):
        raise RefusalError(u.TRADE_RETCODE_HEDGE_PROHIBITED)
