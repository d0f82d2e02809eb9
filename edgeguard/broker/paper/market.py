"""Execute market orders and CLOSE_BY: check, price, fill by the filling's rule, answer."""

from typing import Final, Literal

import msgspec

from edgeguard.broker.paper import checks, limits
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper import unexported as u
from edgeguard.broker.paper.answer import Answer, RefusalError, Request
from edgeguard.broker.paper.deals import Fill, close_by, execute
from edgeguard.broker.paper.profit import close_price
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Deal, Later, Order, Position
from edgeguard.broker.paper.units import NS_PER_MS, to_lots, to_units
from edgeguard.broker.paper.venue import Venue


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How the server goes about an order it has accepted.

    ``fraction`` caps what fills, 1 for everything the book has; ``late_ms`` is when a late
    execution happens; ``answered`` is what the client is told about an execution still to come.
    """

    when: Literal["now", "late"] = "now"
    late_ms: int = 0
    fraction: float = 1.0
    answered: int = c.TRADE_RETCODE_PLACED


AT_ONCE: Final = Manner()


def check_deal(venue: Venue, request: Request) -> tuple[SymbolSpec, Position | None]:
    """Run every rule for a market order; return its symbol and the position it closes, if any."""
    spec = checks.symbol(venue, request.symbol)
    checks.market_type(spec, request)
    checks.market_filling(spec, request.type_filling)
    target = checks.close_target(venue, request)
    checks.volume(venue, spec, request, target)
    opening = checks.opening_units(venue, request, target)
    checks.trade_mode(spec, request.type, opening)
    checks.market_open(venue, spec)
    checks.quoted(venue, spec)
    checks.deal_price(venue, spec, request)
    held = target if venue.is_hedging else venue.position_on(spec.name)
    if held is not None and held.side != request.type:
        checks.position_frozen(venue, spec, held)
    if target is not None:
        checks.fifo(venue, target)
    if opening > 0:
        base = close_price(venue, spec.name, request.type)
        checks.stops(spec, request.type, base, request.sl, request.tp)
        if venue.is_hedging:
            checks.hedge(venue, spec, request.type)
        limits.direction_volume(venue, spec, request.type, opening)
        if venue.is_hedging or venue.position_on(spec.name) is None:
            limits.positions(venue, spec)
        limits.money(venue, spec, request.type, opening)
    return spec, target


def new_order(venue: Venue, request: Request, reason: int = c.ORDER_REASON_EXPERT) -> Order:
    """Make the order of a request, with a ticket and a setup time, outside any list yet."""
    units = to_units(request.volume)
    return Order(
        ticket=venue.take_order_ticket(),
        type=request.type,
        symbol=request.symbol,
        units_initial=units,
        units_current=units,
        price_open=request.price,
        price_stoplimit=request.stoplimit,
        sl=request.sl,
        tp=request.tp,
        type_time=request.type_time,
        type_filling=request.type_filling,
        expiration=request.expiration,
        magic=request.magic,
        reason=reason,
        comment=request.comment,
        time_setup_msc=venue.wall_ms,
    )


def deal(venue: Venue, request: Request, manner: Manner = AT_ONCE) -> Answer:
    """Answer a TRADE_ACTION_DEAL request.

    Args:
        venue: The broker.
        request: The client's request.
        manner: How the server goes about it; faults choose other manners than at once.

    Returns:
        The answer of an accepted order.

    Raises:
        RefusalError: A rule refuses the request; nothing changed.
    """
    spec, target = check_deal(venue, request)
    order = new_order(venue, request)
    order.position_id = 0 if target is None else target.identifier
    if manner.when == "late":
        order.state = c.ORDER_STATE_PLACED
        venue.book.orders[order.ticket] = order
        venue.book.later.append(
            Later(
                due_ns=venue.now_ns + manner.late_ms * NS_PER_MS,
                order=order.ticket,
                position=0 if target is None else target.ticket,
                units=round(order.units_initial * manner.fraction),
            )
        )
        return _answer(venue, order, manner.answered)
    cap = round(order.units_initial * manner.fraction)
    return fill_order(venue, spec, order, 0 if target is None else target.ticket, cap)


def fill_order(venue: Venue, spec: SymbolSpec, order: Order, target: int, cap: int) -> Answer:
    """Fill a market order with what the book has, by the rule of its filling.

    Args:
        venue: The broker.
        spec: The order's symbol.
        order: The order; it ends in history, or working when RETURN leaves a remainder.
        target: Ticket of the hedging position it closes, or 0.
        cap: Most volume to fill, in 1e-8 lots.

    Returns:
        The answer, DONE or DONE_PARTIAL.

    Raises:
        RefusalError: Nothing could be filled; the order is in history as rejected.
    """
    side = checks.side_of(order.type)
    wanted = order.units_current
    available = min(cap, liquidity(venue, spec, side, wanted))
    on_grid = available - available % to_units(spec.volume_step)
    units = wanted if available >= wanted else on_grid
    partial = units < wanted
    if units <= 0 or (partial and order.type_filling == c.ORDER_FILLING_FOK):
        venue.retire_order(order, c.ORDER_STATE_REJECTED)
        raise RefusalError(c.TRADE_RETCODE_REJECT)
    price = market_price(venue, spec, side)
    take_liquidity(venue, spec, side, units)
    done = execute(venue, order, Fill(side=side, units=units, price=price, target=target))
    order.units_current = wanted - units
    if not partial:
        venue.retire_order(order, c.ORDER_STATE_FILLED)
    elif order.type_filling == c.ORDER_FILLING_RETURN:
        order.state = c.ORDER_STATE_PARTIAL
        venue.book.orders[order.ticket] = order
    else:
        venue.retire_order(order, c.ORDER_STATE_PARTIAL)
    retcode = c.TRADE_RETCODE_DONE_PARTIAL if partial else c.TRADE_RETCODE_DONE
    return _answer(venue, order, retcode, done)


def _answer(venue: Venue, order: Order, retcode: int, done: Deal | None = None) -> Answer:
    """Return an accepting answer with the quote of the moment, and the deal if there is one."""
    quote = venue.quote(order.symbol)
    return Answer(
        retcode=retcode,
        deal=0 if done is None else done.ticket,
        order=order.ticket,
        volume=to_lots(order.units_initial if done is None else done.units),
        price=0.0 if done is None else done.price,
        bid=quote.bid,
        ask=quote.ask,
    )


def liquidity(venue: Venue, spec: SymbolSpec, side: int, wanted: int) -> int:
    """Return the volume the book still has for a side until the next tick, in 1e-8 lots."""
    if spec.depth_lots <= 0.0:
        return wanted
    quote = venue.quote(spec.name)
    return quote.left_units_buy if side == c.ORDER_TYPE_BUY else quote.left_units_sell


def take_liquidity(venue: Venue, spec: SymbolSpec, side: int, units: int) -> None:
    """Use up volume of the book until the next tick."""
    if spec.depth_lots <= 0.0:
        return
    quote = venue.quote(spec.name)
    if side == c.ORDER_TYPE_BUY:
        quote.left_units_buy = max(0, quote.left_units_buy - units)
    else:
        quote.left_units_sell = max(0, quote.left_units_sell - units)


def market_price(venue: Venue, spec: SymbolSpec, side: int) -> float:
    """Return the price a market order gets: the far side of the quote, worsened by slippage."""
    quote = venue.quote(spec.name)
    slip = spec.slippage_points * spec.point
    price = quote.ask + slip if side == c.ORDER_TYPE_BUY else quote.bid - slip
    return round(price, spec.digits)


def close_by_deal(venue: Venue, request: Request) -> Answer:
    """Answer a TRADE_ACTION_CLOSE_BY request: hedging accounts, one symbol, opposite sides.

    Raises:
        RefusalError: A rule refuses the request; nothing changed.
    """
    if not venue.is_hedging:
        raise RefusalError(c.TRADE_RETCODE_INVALID)
    first = checks.position(venue, request.position)
    second = checks.position(venue, request.position_by)
    if first.symbol != second.symbol or first.side == second.side:
        raise RefusalError(c.TRADE_RETCODE_INVALID)
    spec = checks.symbol(venue, first.symbol)
    if not spec.order_mode & u.SYMBOL_ORDER_CLOSEBY:
        raise RefusalError(c.TRADE_RETCODE_INVALID_ORDER)
    checks.market_open(venue, spec)
    units = min(first.units, second.units)
    for held in (first, second):
        checks.position_frozen(venue, spec, held)
        if units + checks.in_flight(venue, held.identifier) > held.units:
            raise RefusalError(c.TRADE_RETCODE_CLOSE_ORDER_EXIST)
    checks.fifo(venue, first, second)
    order = new_order(venue, request)
    order.type = c.ORDER_TYPE_CLOSE_BY
    order.symbol = first.symbol
    order.units_initial = units
    order.units_current = 0
    done = close_by(venue, order, first, second)
    venue.retire_order(order, c.ORDER_STATE_FILLED)
    return _answer(venue, order, c.TRADE_RETCODE_DONE, done)
