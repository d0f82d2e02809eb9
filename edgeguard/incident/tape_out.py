"""From messages of the wire to the lines of a tape that `edgeguard replay` accepts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from edgeguard.messages import (
    AccountSnapshot,
    ErrorEvent,
    Fill,
    Heartbeat,
    MarketMessage,
    Order,
    Position,
    SymbolFacts,
    TerminalProof,
    TickBatch,
    Transfer,
)

Fields = dict[str, Any]


def tape_lines(messages: Iterable[tuple[int, MarketMessage]]) -> Iterator[bytes]:
    """Yield the lines of messages in the order of their receive times in ns.

    Sequence numbers are left out: a slice begins in the middle of a run, which reads as a hole.
    """
    last_ns = 0
    for t_ns, message in messages:
        last_ns = max(last_ns, t_ns)
        for fields in _fields(message):
            line = {"type": fields.pop("type"), "t_ns": last_ns, "account": message.account}
            line |= {name: value for name, value in fields.items() if value is not None}
            yield json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _fields(message: MarketMessage) -> Iterator[Fields]:
    if isinstance(message, TickBatch):
        for tick in message.ticks:
            yield {
                "type": "tick",
                "symbol": tick.symbol,
                "bid": tick.bid,
                "ask": tick.ask,
                "source_ns": tick.source_ns,
                "source": message.source,
            }
    elif isinstance(message, AccountSnapshot):
        yield _account(message)
    elif isinstance(message, Fill):
        yield _fill(message)
    elif isinstance(message, SymbolFacts):
        yield _symbol(message)
    else:
        yield _small(message)


def _small(message: ErrorEvent | Heartbeat | Transfer | TerminalProof) -> Fields:
    match message:
        case ErrorEvent():
            return {
                "type": "error",
                "source": message.source,
                "class": message.class_,
                "code": message.code,
                "order": message.order,
                "text": message.text,
            }
        case Heartbeat():
            return {"type": "heartbeat", "source": message.source}
        case Transfer():
            names = ("deal", "kind", "amount")
            return {"type": "transfer", **{name: getattr(message, name) for name in names}}
        case TerminalProof():
            connected, allowed = message.connected, message.trade_allowed
            return {"type": "terminal", "connected": connected, "trade_allowed": allowed}


def _account(message: AccountSnapshot) -> Fields:
    return {
        "type": "account",
        "balance": message.balance,
        "equity": message.equity,
        "credit": message.credit,
        "margin": message.margin,
        "positions": [_position(position) for position in message.positions],
        "orders": [_order(order) for order in message.orders],
        "last_deal": message.last_deal,
    }


def _position(position: Position) -> Fields:
    return {name: getattr(position, name) for name in position.__struct_fields__}


def _order(order: Order) -> Fields:
    return {name: getattr(order, name) for name in order.__struct_fields__}


def _fill(message: Fill) -> Fields:
    names = [name for name in message.__struct_fields__ if name not in {"account", "epoch", "seq"}]
    fields = {name: getattr(message, name) for name in names if name != "t_ns"}
    return {"type": "fill", **fields}


def _symbol(message: SymbolFacts) -> Fields:
    names = (
        "symbol",
        "digits",
        "contract_size",
        "calc_mode",
        "currency_base",
        "currency_profit",
        "tick_size",
        "tick_value",
    )
    return {"type": "symbol", **{name: getattr(message, name) or None for name in names}}
