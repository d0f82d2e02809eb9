"""Turn fills into deals and deals into positions, for hedging and for netting accounts."""

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.margin import trade_margin
from edgeguard.broker.paper.profit import mark, trade_profit
from edgeguard.broker.paper.state import Deal, Order, Position
from edgeguard.broker.paper.units import to_lots
from edgeguard.broker.paper.venue import Venue

# Digits an averaged opening price keeps: more than any quote has, so that sums still tally.
_AVERAGE_DIGITS = 10


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """Volume that traded at one price. ``target`` is the hedging position it closes, or 0."""

    side: int
    units: int
    price: float
    target: int = 0
    reason: int = c.DEAL_REASON_EXPERT
    comment: str = ""


def execute(venue: Venue, order: Order, fill: Fill) -> Deal:
    """Apply a fill of an order to the account's positions and record its deal.

    Args:
        venue: The broker.
        order: The order that is being filled; its own volume is left to the caller.
        fill: What traded.

    Returns:
        The recorded deal.
    """
    if venue.is_hedging:
        deal = _hedge(venue, order, fill)
    else:
        held = venue.position_on(order.symbol)
        deal = _open(venue, order, fill) if held is None else _net(venue, order, fill, held)
    venue.book.counters.executed += 1
    return deal


def _hedge(venue: Venue, order: Order, fill: Fill) -> Deal:
    """Close the target of a hedging fill, go on building the order's own position, or open one."""
    target = venue.book.positions.get(fill.target)
    if target is not None:
        return _reduce(venue, order, fill, target)
    # Only an order that has opened before has a position of its own to build on.
    built = order.position_id == order.ticket
    own = venue.position_of(order.ticket) if built else None
    return _open(venue, order, fill) if own is None else _add(venue, order, fill, own)


def _net(venue: Venue, order: Order, fill: Fill, held: Position) -> Deal:
    """Add to, reduce or reverse the one position a netting account has on the symbol."""
    if fill.side == held.side:
        return _add(venue, order, fill, held)
    if fill.units <= held.units:
        return _reduce(venue, order, fill, held)
    return _reverse(venue, order, fill, held)


def _commission(venue: Venue, symbol: str, units: int, entry: int) -> float:
    """Return the commission of a deal, negative or 0, in account currency."""
    spec = venue.by_name[symbol]
    is_entry = entry in (c.DEAL_ENTRY_IN, c.DEAL_ENTRY_INOUT)
    is_exit = entry != c.DEAL_ENTRY_IN
    charged = (is_entry and spec.commission_on != "out") or (is_exit and spec.commission_on != "in")
    return venue.money(-spec.commission_per_lot * to_lots(units)) if charged else 0.0


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a fill did to a position: its part in the entry, and the money it brought home."""

    entry: int
    position_id: int
    profit: float = 0.0
    swap: float = 0.0


def _record(venue: Venue, order: Order, fill: Fill, effect: Effect) -> Deal:
    """Make the deal of a fill, add it to history and return it."""
    deal = Deal(
        ticket=venue.take_deal_ticket(),
        order=order.ticket,
        type=fill.side,
        entry=effect.entry,
        time_msc=venue.wall_ms,
        symbol=order.symbol,
        units=fill.units,
        price=fill.price,
        position_id=effect.position_id,
        magic=order.magic,
        reason=fill.reason,
        commission=_commission(venue, order.symbol, fill.units, effect.entry),
        swap=effect.swap,
        profit=effect.profit,
        comment=fill.comment or order.comment,
    )
    venue.add_deal(deal)
    return deal


def _margin(venue: Venue, symbol: str, side: int, units: int, price: float) -> float:
    """Return a position's own margin, kept from its opening on; 0 where no rate exists."""
    return trade_margin(venue, venue.by_name[symbol], side, units, price) or 0.0


def _open(venue: Venue, order: Order, fill: Fill) -> Deal:
    """Open a position whose ticket and identifier are its opening order's ticket."""
    position = Position(
        ticket=order.ticket,
        identifier=order.ticket,
        symbol=order.symbol,
        side=fill.side,
        units=fill.units,
        price_open=fill.price,
        price_current=fill.price,
        sl=order.sl,
        tp=order.tp,
        margin=_margin(venue, order.symbol, fill.side, fill.units, fill.price),
        magic=order.magic,
        reason=order.reason,
        comment=order.comment,
        time_msc=venue.wall_ms,
        time_update_msc=venue.wall_ms,
    )
    venue.put_position(position)
    order.position_id = position.identifier
    deal = _record(
        venue, order, fill, Effect(entry=c.DEAL_ENTRY_IN, position_id=position.identifier)
    )
    mark(venue, position)
    return deal


def _add(venue: Venue, order: Order, fill: Fill, held: Position) -> Deal:
    """Grow a netting position at the volume-weighted average price."""
    total = held.units + fill.units
    value = held.price_open * held.units + fill.price * fill.units
    held.price_open = round(value / total, _AVERAGE_DIGITS)
    held.margin += _margin(venue, order.symbol, fill.side, fill.units, fill.price)
    held.units = total
    held.sl = order.sl or held.sl
    held.tp = order.tp or held.tp
    held.time_update_msc = venue.wall_ms
    order.position_id = held.identifier
    deal = _record(venue, order, fill, Effect(entry=c.DEAL_ENTRY_IN, position_id=held.identifier))
    mark(venue, held)
    return deal


def realise(venue: Venue, held: Position, units: int, price: float) -> tuple[float, float]:
    """Take volume out of a position and return the profit and the swap it brings home.

    The position shrinks and leaves the book when nothing remains.
    """
    symbol = venue.by_name[held.symbol]
    profit = trade_profit(venue, symbol, held.side, units, (held.price_open, price))
    share = units / held.units
    swap = venue.money(held.swap * share)
    held.margin *= 1.0 - share
    held.swap = venue.money(held.swap - swap)
    held.units -= units
    held.time_update_msc = venue.wall_ms
    venue.margin_cache = None
    if held.units == 0:
        venue.drop_position(held)
    else:
        mark(venue, held)
    return profit, swap


def _reduce(venue: Venue, order: Order, fill: Fill, held: Position) -> Deal:
    """Close all or part of a position."""
    order.position_id = held.identifier
    profit, swap = realise(venue, held, fill.units, fill.price)
    return _record(
        venue,
        order,
        fill,
        Effect(
            entry=c.DEAL_ENTRY_OUT,
            position_id=held.identifier,
            profit=profit,
            swap=swap,
        ),
    )


def _reverse(venue: Venue, order: Order, fill: Fill, held: Position) -> Deal:
    """Close a netting position and keep the rest on the other side, in one deal.

    The identifier stays; the ticket becomes the reversing order's.
    """
    rest = fill.units - held.units
    identifier = held.identifier
    order.position_id = identifier
    profit, swap = realise(venue, held, held.units, fill.price)
    deal = _record(
        venue,
        order,
        fill,
        Effect(
            entry=c.DEAL_ENTRY_INOUT,
            position_id=identifier,
            profit=profit,
            swap=swap,
        ),
    )
    turned = Position(
        ticket=order.ticket,
        identifier=identifier,
        symbol=order.symbol,
        side=fill.side,
        units=rest,
        price_open=fill.price,
        price_current=fill.price,
        sl=order.sl,
        tp=order.tp,
        margin=_margin(venue, order.symbol, fill.side, rest, fill.price),
        magic=order.magic,
        reason=order.reason,
        comment=order.comment,
        time_msc=venue.wall_ms,
        time_update_msc=venue.wall_ms,
    )
    venue.put_position(turned)
    mark(venue, turned)
    return deal


def close_by(venue: Venue, order: Order, first: Position, second: Position) -> Deal:
    """Close two opposite positions against each other at the second one's opening price.

    The larger keeps the difference. Two OUT_BY deals are made; the whole profit is on the first.

    Returns:
        The deal of the first position.
    """
    units = min(first.units, second.units)
    price = second.price_open
    order.position_id = first.identifier
    order.position_by_id = second.identifier
    deals: list[Deal] = []
    for held in (first, second):
        fill = Fill(side=1 - held.side, units=units, price=price, comment=order.comment)
        profit, swap = realise(venue, held, units, price)
        deals.append(
            _record(
                venue,
                order,
                fill,
                Effect(
                    entry=c.DEAL_ENTRY_OUT_BY,
                    position_id=held.identifier,
                    profit=profit,
                    swap=swap,
                ),
            )
        )
    venue.book.counters.executed += 1
    return deals[0]


def balance_deal(venue: Venue, kind: int, amount: float, comment: str = "") -> Deal:
    """Record a deposit, withdrawal, credit or charge as a deal of its own.

    Args:
        venue: The broker.
        kind: One of DEAL_TYPE_BALANCE and up.
        amount: Account currency, negative to take money out.
        comment: What the deal's comment says.

    Returns:
        The recorded deal; a credit moves the credit, everything else the balance.
    """
    deal = Deal(
        ticket=venue.take_deal_ticket(),
        order=0,
        type=kind,
        entry=c.DEAL_ENTRY_IN,
        time_msc=venue.wall_ms,
        profit=venue.money(amount),
        reason=c.DEAL_REASON_CLIENT,
        comment=comment,
    )
    if kind == c.DEAL_TYPE_CREDIT:
        venue.book.deals[deal.ticket] = deal
        venue.book.counters.deals += 1
        venue.book.credit = venue.money(venue.book.credit + amount)
    else:
        venue.add_deal(deal)
    return deal
