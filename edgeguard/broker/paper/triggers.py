"""Do what prices and time set off: pending orders, stops, stop-out, late fills, expiry."""

import contextlib

from edgeguard.broker.paper import checks, limits
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.answer import RefusalError
from edgeguard.broker.paper.deals import Fill, execute
from edgeguard.broker.paper.margin import account_figures
from edgeguard.broker.paper.market import fill_order, liquidity, market_price, take_liquidity
from edgeguard.broker.paper.pendings import expiry_ms
from edgeguard.broker.paper.profit import close_price, mark_all
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Deal, Later, Order, Position
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.paper.venue import Venue

_STOP_TO_LIMIT = {
    c.ORDER_TYPE_BUY_STOP_LIMIT: c.ORDER_TYPE_BUY_LIMIT,
    c.ORDER_TYPE_SELL_STOP_LIMIT: c.ORDER_TYPE_SELL_LIMIT,
}
_RISES_TO = (c.ORDER_TYPE_BUY_STOP, c.ORDER_TYPE_BUY_STOP_LIMIT, c.ORDER_TYPE_SELL_LIMIT)


def on_price(venue: Venue, spec: SymbolSpec) -> None:
    """React to a new quote: marks first, then stops, pending orders and the stop-out."""
    mark_affected(venue, spec)
    if not venue.market_open(spec) or not _is_quoted(venue, spec):
        return
    guarded = [held for held in venue.positions_on(spec.name) if held.sl > 0.0 or held.tp > 0.0]
    for held in guarded:
        _check_stops(venue, spec, held)
    for order in [entry for entry in venue.book.orders.values() if entry.symbol == spec.name]:
        _check_order(venue, spec, order)
    stop_out(venue)


def mark_affected(venue: Venue, spec: SymbolSpec) -> None:
    """Refresh the profit of every position a symbol's quote bears on, by itself or as a cross."""
    account = venue.spec.account.currency
    cross = {spec.currency_base, spec.currency_profit}
    groups: dict[str, list[Position]] = {}
    for held in venue.book.positions.values():
        groups.setdefault(held.symbol, []).append(held)
    for name, positions in groups.items():
        symbol = venue.by_name[name]
        currency = symbol.currency_profit
        if name == spec.name or (currency != account and currency in cross):
            mark_all(venue, symbol, positions)


def _is_quoted(venue: Venue, spec: SymbolSpec) -> bool:
    """Return whether both sides of a symbol have a price."""
    quote = venue.quote(spec.name)
    return quote.bid > 0.0 and quote.ask > 0.0


def _check_stops(venue: Venue, spec: SymbolSpec, held: Position) -> None:
    """Close a position whose stop loss or take profit the price has reached."""
    sign = 1.0 if held.side == c.POSITION_TYPE_BUY else -1.0
    price = close_price(venue, spec.name, held.side)
    if held.sl > 0.0 and sign * (price - held.sl) <= 0.0:
        close_forced(venue, held, c.ORDER_REASON_SL, f"[sl {held.sl:.{spec.digits}f}]")
    elif held.tp > 0.0 and sign * (price - held.tp) >= 0.0:
        close_forced(venue, held, c.ORDER_REASON_TP, f"[tp {held.tp:.{spec.digits}f}]")


def close_forced(venue: Venue, held: Position, reason: int, comment: str) -> Deal:
    """Close a whole position at the market for the server's own reason, whatever the depth."""
    spec = venue.by_name[held.symbol]
    order = Order(
        ticket=venue.take_order_ticket(),
        type=1 - held.side,
        symbol=held.symbol,
        units_initial=held.units,
        units_current=0,
        magic=held.magic,
        reason=reason,
        position_id=held.identifier,
        comment=comment,
        time_setup_msc=venue.wall_ms,
    )
    fill = Fill(
        side=order.type,
        units=held.units,
        price=market_price(venue, spec, order.type),
        target=held.ticket,
        reason=reason,
        comment=comment,
    )
    deal = execute(venue, order, fill)
    venue.retire_order(order, c.ORDER_STATE_FILLED)
    return deal


def _check_order(venue: Venue, spec: SymbolSpec, order: Order) -> None:
    """Go on with a working order whose price has come."""
    side = checks.side_of(order.type)
    market = close_price(venue, spec.name, 1 - side)
    order.price_current = market
    if order.type in (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL):
        if order.state == c.ORDER_STATE_PARTIAL:
            _fill_rest(venue, spec, order)
        return
    reached = market >= order.price_open if order.type in _RISES_TO else market <= order.price_open
    if not reached:
        return
    if order.type in _STOP_TO_LIMIT:
        order.type = _STOP_TO_LIMIT[order.type]
        order.price_open = order.price_stoplimit
        order.price_stoplimit = 0.0
        _check_order(venue, spec, order)
        return
    activate(venue, spec, order)


def activate(venue: Venue, spec: SymbolSpec, order: Order) -> None:
    """Fill a triggered pending order, or cancel it as rejected when it may not open (10041)."""
    side = checks.side_of(order.type)
    held = None if venue.is_hedging else venue.position_on(spec.name)
    opening = order.units_current
    if held is not None and held.side != side:
        opening = max(0, opening - held.units)
    try:
        checks.trade_mode(spec, side, opening)
        if venue.is_hedging:
            checks.hedge(venue, spec, side)
            limits.positions(venue, spec)
        limits.money(venue, spec, side, opening)
    except RefusalError as refusal:
        order.comment = refusal.comment[:29]
        venue.retire_order(order, c.ORDER_STATE_REJECTED)
        return
    price = market_price(venue, spec, side)
    limited = order.type in (c.ORDER_TYPE_BUY_LIMIT, c.ORDER_TYPE_SELL_LIMIT)
    if limited:
        better = min if side == c.ORDER_TYPE_BUY else max
        price = better(price, order.price_open)
    _fill_working(venue, spec, order, price)


def _fill_rest(venue: Venue, spec: SymbolSpec, order: Order) -> None:
    """Go on filling the remainder of a RETURN market order, as far as its position still is."""
    if venue.is_hedging and order.position_id not in (0, order.ticket):
        held = venue.book.positions.get(_target_ticket(venue, order))
        if held is None:
            venue.retire_order(order, c.ORDER_STATE_CANCELED)
            return
        order.units_current = min(order.units_current, held.units)
    _fill_working(venue, spec, order, market_price(venue, spec, checks.side_of(order.type)))


def _fill_working(venue: Venue, spec: SymbolSpec, order: Order, price: float) -> None:
    """Fill what the book has of a working order; a remainder goes on working or is cancelled."""
    side = checks.side_of(order.type)
    available = min(order.units_current, liquidity(venue, spec, side, order.units_current))
    units = available
    if available < order.units_current:
        units = available - available % to_units(spec.volume_step)
    if units < order.units_current and order.type_filling == c.ORDER_FILLING_FOK:
        units = 0
    if units > 0:
        target = _target_ticket(venue, order)
        take_liquidity(venue, spec, side, units)
        execute(venue, order, Fill(side=side, units=units, price=price, target=target))
        order.units_current -= units
    if order.units_current == 0:
        venue.retire_order(order, c.ORDER_STATE_FILLED)
    elif units > 0 and order.type_filling == c.ORDER_FILLING_IOC:
        venue.retire_order(order, c.ORDER_STATE_PARTIAL)
    elif units > 0:
        order.state = c.ORDER_STATE_PARTIAL


def _target_ticket(venue: Venue, order: Order) -> int:
    """Return the ticket of the hedging position an order goes on closing or building, or 0."""
    for held in venue.book.positions.values():
        if held.identifier == order.position_id and held.side != checks.side_of(order.type):
            return held.ticket
    return 0


def stop_out(venue: Venue) -> None:
    """Close the largest loss first for as long as the margin level is at or below the stop-out."""
    account = venue.spec.account
    money_mode = account.margin_so_mode == c.ACCOUNT_STOPOUT_MODE_MONEY
    while venue.book.positions:
        now = account_figures(venue)
        if now.margin <= 0.0:
            venue.book.margin_called = False
            return
        measure = now.equity if money_mode else now.level
        venue.book.margin_called = measure <= account.margin_so_call
        if measure > account.margin_so_so:
            return
        closable = [
            held
            for held in venue.book.positions.values()
            if venue.market_open(venue.by_name[held.symbol])
        ]
        if not closable:
            return
        worst = min(closable, key=lambda held: (held.profit + held.swap, held.ticket))
        comment = f"[so {now.level:.2f}%/{now.equity:.2f}/{now.margin:.2f}]"[:31]
        close_forced(venue, worst, c.ORDER_REASON_SO, comment)


def run_late(venue: Venue) -> None:
    """Execute accepted orders whose moment has come, in order of that moment."""
    due = [later for later in venue.book.later if later.due_ns <= venue.now_ns]
    for later in sorted(due, key=lambda entry: (entry.due_ns, entry.order)):
        venue.book.later.remove(later)
        _run_one(venue, later)


def _run_one(venue: Venue, later: Later) -> None:
    """Execute one accepted order, unless it or its position is gone or its market has shut."""
    order = venue.book.orders.pop(later.order, None)
    if order is None:
        return
    spec = venue.by_name[order.symbol]
    held = venue.book.positions.get(later.position)
    lost = later.position != 0 and (held is None or held.units < order.units_current)
    if lost or not venue.market_open(spec) or not _is_quoted(venue, spec):
        venue.retire_order(order, c.ORDER_STATE_REJECTED)
        return
    # A refusal at this point has no one to tell: the order is in history as rejected.
    with contextlib.suppress(RefusalError):
        fill_order(venue, spec, order, later.position, later.units)


def expire(venue: Venue) -> None:
    """Move orders whose lifetime is over to history."""
    wall = venue.wall_ms
    for order in list(venue.book.orders.values()):
        end = expiry_ms(order)
        if end is not None and end <= wall and order.type in checks.PENDING_TYPES:
            venue.retire_order(order, c.ORDER_STATE_EXPIRED)
