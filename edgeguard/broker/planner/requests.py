"""Build the requests: what exactly goes to `order_send`, with the vendor's strict types.

Each request only reduces: a close names its position and takes at most the given units, a deletion
names its order (`docs/PROMISES.md` P14). There is no code here that could open anything.
"""

from __future__ import annotations

from typing import Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper import unexported as m
from edgeguard.broker.paper.units import to_lots, to_units
from edgeguard.broker.planner.model import BUY, Intent
from edgeguard.broker.planner.state import Market
from edgeguard.broker.rows import SymbolRow

Request = dict[str, int | float | str]
COMMENT: Final = "edgeguard {}"
"""Tag for people; brokers may cut or rewrite it, so nothing relies on it. At most 29 characters."""
PRICED: Final = frozenset({c.SYMBOL_TRADE_EXECUTION_REQUEST, c.SYMBOL_TRADE_EXECUTION_INSTANT})
"""Execution modes in which a close needs a price and a deviation."""
RETURN_FIRST: Final = frozenset({c.SYMBOL_TRADE_EXECUTION_EXCHANGE})


def half(units: int, spec: SymbolRow | None) -> int:
    """Return half of a refused request's units, in whole steps and no less than the minimum.

    Args:
        units: what an all-or-nothing request asked for.
        spec: the symbol's rules; without them nothing is halved.
    """
    if spec is None:
        return units
    step = max(1, to_units(spec.volume_step))
    return max(units // 2 // step * step, to_units(spec.volume_min), step)


def filling(market: Market) -> int:
    """Return the filling to send: the one that worked last, else the best not refused."""
    left = [f for f in fillings(market.spec) if f not in market.fillings_refused]
    left = left or list(fillings(market.spec))
    return left[market.filling % len(left)]


def fillings(spec: SymbolRow | None) -> tuple[int, ...]:
    """Return the fillings to try, best first.

    IOC before FOK, because a thin book then still gives something; those that the symbol's mask
    names before those it does not; every one stays in the row, because masks have been wrong.
    """
    every = (c.ORDER_FILLING_IOC, c.ORDER_FILLING_FOK, c.ORDER_FILLING_RETURN)
    if spec is None:
        return every
    named = {
        c.ORDER_FILLING_IOC: bool(spec.filling_mode & m.SYMBOL_FILLING_IOC),
        c.ORDER_FILLING_FOK: bool(spec.filling_mode & m.SYMBOL_FILLING_FOK),
        c.ORDER_FILLING_RETURN: spec.trade_exemode in RETURN_FIRST,
    }
    if spec.trade_exemode in PRICED and not any(named.values()):
        named[c.ORDER_FILLING_FOK] = True
    return tuple(sorted(every, key=lambda filling: not named[filling]))


def chunk(units: int, spec: SymbolRow | None, bite: int = 0) -> int:
    """Return how much of `units` one request may close, in whole volume steps.

    A position at or below the symbol's maximum goes whole, dust included: only the server can say
    whether it takes it. Above it the last chunk must not leave less than the minimum.

    Args:
        units: what may be closed, > 0.
        spec: the symbol's rules, None where unknown.
        bite: a smaller maximum than the symbol's, 0 for none.
    """
    if spec is None:
        return units
    largest = to_units(spec.volume_max)
    if bite:
        largest = min(largest, bite)
    step = max(1, to_units(spec.volume_step))
    least = to_units(spec.volume_min)
    if largest <= 0 or units <= largest:
        return units
    part = max(step, largest // step * step)
    rest = units - part
    if 0 < rest < least:
        part -= -(-(least - rest) // step) * step
    if part >= least:
        return part
    # No split leaves two legal volumes: all of it where one request may take that much.
    return units if units <= to_units(spec.volume_max) else largest // step * step or units


def floor_to_step(units: int, spec: SymbolRow | None) -> int:
    """Return `units` rounded down to the volume step; the same where nothing would be left."""
    if spec is None:
        return units
    step = max(1, to_units(spec.volume_step))
    return units // step * step or units


def close_request(intent: Intent, market: Market, widen: int, bounds: tuple[int, int]) -> Request:
    """Return the request that closes `intent.units` of a position.

    Args:
        intent: what to close.
        market: the symbol's rules and last tick.
        widen: how often the deviation has been doubled.
        bounds: first and widest deviation in points.
    """
    spec, tick = market.spec, market.tick
    request: Request = {
        "action": c.TRADE_ACTION_DEAL,
        "symbol": intent.symbol,
        "volume": to_lots(intent.units),
        "type": c.ORDER_TYPE_SELL if intent.side == BUY else c.ORDER_TYPE_BUY,
        "position": intent.ticket,
        "magic": intent.magic,
        "comment": COMMENT.format(intent.id),
        "type_filling": filling(market),
        "type_time": c.ORDER_TIME_GTC,
    }
    priced = market.needs_price or (spec is not None and spec.trade_exemode in PRICED)
    if priced and tick is not None:
        request["price"] = tick.bid if intent.side == BUY else tick.ask
        request["deviation"] = min(bounds[1], bounds[0] << min(widen, 16))
    return request


def close_by_request(intent: Intent) -> Request:
    """Return the request that closes two opposite positions against each other."""
    return {
        "action": c.TRADE_ACTION_CLOSE_BY,
        "position": intent.ticket,
        "position_by": intent.by_ticket,
        "magic": intent.magic,
        "comment": COMMENT.format(intent.id),
    }


def delete_request(intent: Intent) -> Request:
    """Return the request that deletes a working order."""
    return {"action": c.TRADE_ACTION_REMOVE, "order": intent.ticket}


def allows_close_by(market: Market) -> bool:
    """Tell whether a symbol lets opposite positions close each other."""
    spec = market.spec
    return (
        spec is not None
        and not market.close_by_off
        and bool(spec.order_mode & m.SYMBOL_ORDER_CLOSEBY)
    )


def money_per_lot(spec: SymbolRow | None) -> float:
    """Return what a price change of 1 makes on one lot, in account currency; 1 where unknown."""
    if spec is None or spec.trade_tick_size <= 0:
        return 1.0
    return spec.trade_tick_value / spec.trade_tick_size
