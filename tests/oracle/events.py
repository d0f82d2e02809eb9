"""Typed events: what each type of tape line must hold, read exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from tests.oracle.errors import BadConfig, Refused
from tests.oracle.numerals import Numeral, parse, parse_integer
from tests.oracle.settings import FACT_KEYS, NUMERIC_FACTS, session

Fields = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """What every line has; account None means every account (tick) or none (clock)."""

    account: str | None
    source: str | None
    seq: int | None


@dataclass(frozen=True)
class Tick(Event):
    """A quote; None stands for a non-finite number."""

    symbol: str
    bid: Fraction | None
    ask: Fraction | None
    source_ns: int | None
    source_ns_invalid: bool


@dataclass(frozen=True)
class Position:
    """One position of a snapshot."""

    identifier: int
    symbol: str
    is_buy: bool
    volume: Fraction
    price_current: Fraction
    profit: Fraction
    swap: Fraction
    magic: int


@dataclass(frozen=True)
class AccountLine(Event):
    """A snapshot; `is_valid` is false where it is none."""

    is_valid: bool
    bad_position: bool
    balance: Fraction
    equity: Fraction
    last_deal: int | None
    positions: tuple[Position, ...]
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fill(Event):
    """A deal on a position; amount is profit + commission + swap + fee."""

    deal: int
    position: int
    symbol: str
    is_buy: bool
    entry: str
    volume: Fraction
    price: Fraction
    amount: Fraction
    magic: int | None
    is_finite: bool


@dataclass(frozen=True)
class ErrorLine(Event):
    """A reported error; order 0 means none."""

    kind: str
    order: object


@dataclass(frozen=True)
class Heartbeat(Event):
    """A sign of life of the engine or of a feed."""


@dataclass(frozen=True)
class Transfer(Event):
    """Money moved by a deal of some kind; amount None is non-finite."""

    kind: str
    amount: Fraction | None


@dataclass(frozen=True)
class Terminal(Event):
    """An answer of the terminal."""

    connected: bool


@dataclass(frozen=True)
class SymbolLine(Event):
    """Facts of a symbol from the terminal."""

    symbol: str
    facts: Fields


@dataclass(frozen=True)
class Clock(Event):
    """Nothing but time."""


def _need(fields: Fields, key: str) -> object:
    if key not in fields:
        raise Refused(f"{key} must be given")
    return fields[key]


def _text(fields: Fields, key: str) -> str:
    value = _need(fields, key)
    if not isinstance(value, str) or isinstance(value, Numeral):
        raise Refused(f"{key} must be a text, was {value!r}")
    return value


def _number(fields: Fields, key: str) -> Fraction | None:
    return parse(_need(fields, key), key)


def _optional(fields: Fields, key: str) -> Fraction | None:
    """Return a number that is 0 where absent."""
    return Fraction(0) if fields.get(key) is None else parse(fields[key], key)


def _identifier(fields: Fields, key: str) -> int:
    number = parse_integer(_need(fields, key), key)
    if number is None:
        raise Refused(f"{key} must be an integer, was {fields[key]!r}")
    return number


def _identifier_or_none(fields: Fields, key: str) -> int | None:
    return None if fields.get(key) is None else _identifier(fields, key)


def _is_buy(fields: Fields) -> bool:
    side = _text(fields, "side")
    if side not in ("buy", "sell"):
        raise Refused(f"side must be buy or sell, was {side!r}")
    return side == "buy"


def _common(fields: Fields, *, with_account: bool) -> Fields:
    source = fields.get("source")
    return {
        "account": _text(fields, "account") if with_account else None,
        "source": source if isinstance(source, str) else None,
        "seq": _identifier_or_none(fields, "seq"),
    }


def _tick(fields: Fields) -> Tick:
    source_ns = fields.get("source_ns")
    stamp = None if source_ns is None else parse_integer(source_ns, "source_ns")
    return Tick(
        **_common(fields, with_account="account" in fields),
        symbol=_text(fields, "symbol"),
        bid=_number(fields, "bid"),
        ask=_number(fields, "ask"),
        source_ns=stamp,
        source_ns_invalid=source_ns is not None and stamp is None,
    )


def _position(row: object) -> Position | None:
    """Return a position, or None where one of its numbers is non-finite."""
    if not isinstance(row, dict):
        raise Refused(f"position must be an object, was {row!r}")
    fields = cast("Fields", row)
    numbers = [_number(fields, key) for key in ("volume", "price_current", "profit", "swap")]
    identifier = _identifier(fields, "identifier" if "identifier" in fields else "ticket")
    symbol, is_buy = _text(fields, "symbol"), _is_buy(fields)
    magic = _identifier_or_none(fields, "magic") or 0
    volume, price, profit, swap = numbers
    if volume is None or price is None or profit is None or swap is None:
        return None
    return Position(identifier, symbol, is_buy, volume, price, profit, swap, magic)


def _account(fields: Fields) -> AccountLine:
    common = _common(fields, with_account=True)
    money = {
        key: None if fields.get(key) is None else _number(fields, key)
        for key in ("balance", "equity")
    }
    balance, equity = money["balance"], money["equity"]
    zero = Fraction(0)
    rows = _need(fields, "positions")
    if not isinstance(rows, list):
        raise Refused(f"positions must be a list, was {rows!r}")
    positions = [_position(row) for row in cast("list[object]", rows)]
    symbols = tuple(_text(row, "symbol") for row in cast("list[Fields]", rows))
    if balance is None or equity is None:
        return AccountLine(**common, is_valid=False, bad_position=False, balance=zero, equity=zero,
                           last_deal=None, positions=(), symbols=symbols)  # fmt: skip
    kept = tuple(position for position in positions if position is not None)
    is_valid = len(kept) == len(positions)
    return AccountLine(
        **common,
        is_valid=is_valid,
        bad_position=not is_valid,
        balance=balance,
        equity=equity,
        last_deal=_identifier_or_none(fields, "last_deal"),
        positions=kept,
        symbols=symbols,
    )


def _fill(fields: Fields) -> Fill:
    entry = _text(fields, "entry")
    if entry not in ("in", "out", "inout", "out_by"):
        raise Refused(f"entry must be in, out, inout or out_by, was {entry!r}")
    volume, price = _number(fields, "volume"), _number(fields, "price")
    parts = [_optional(fields, key) for key in ("profit", "commission", "swap", "fee")]
    numbers = [volume, price, *parts]
    zero = Fraction(0)
    return Fill(
        **_common(fields, with_account=True),
        deal=_identifier(fields, "deal"),
        position=_identifier(fields, "position"),
        symbol=_text(fields, "symbol"),
        is_buy=_is_buy(fields),
        entry=entry,
        volume=volume or zero,
        price=price or zero,
        amount=sum((part or zero for part in parts), zero),
        magic=_identifier_or_none(fields, "magic"),
        is_finite=None not in numbers and volume is not None and volume >= 0,
    )


def _error(fields: Fields) -> ErrorLine:
    common = _common(fields, with_account=True)
    common["source"] = _text(fields, "source")
    order = fields.get("order")
    return ErrorLine(
        **common,
        kind=_text(fields, "class"),
        order=0 if order is None else _identifier(fields, "order"),
    )


def _heartbeat(fields: Fields) -> Heartbeat:
    common = _common(fields, with_account=True)
    common["source"] = _text(fields, "source")
    return Heartbeat(**common)


def _transfer(fields: Fields) -> Transfer:
    return Transfer(
        **_common(fields, with_account=True),
        kind=_text(fields, "kind"),
        amount=_number(fields, "amount"),
    )


def _terminal(fields: Fields) -> Terminal:
    connected = _need(fields, "connected")
    if not isinstance(connected, bool):
        raise Refused(f"connected must be true or false, was {connected!r}")
    return Terminal(**_common(fields, with_account=True), connected=connected)


def _symbol(fields: Fields) -> SymbolLine:
    facts = {k: v for k, v in fields.items() if k in FACT_KEYS and v is not None}
    for key in NUMERIC_FACTS & set(facts):
        if parse(facts[key], key) is None:
            del facts[key]
    try:
        session(facts)
    except (BadConfig, ValueError, AttributeError, TypeError, KeyError) as error:
        raise Refused(str(error)) from error
    return SymbolLine(
        **_common(fields, with_account=True), symbol=_text(fields, "symbol"), facts=facts
    )


def _clock(fields: Fields) -> Clock:
    return Clock(**_common(fields, with_account=False))


PARSERS: dict[str, Callable[[Fields], Event]] = {
    "tick": _tick, "account": _account, "fill": _fill, "error": _error, "transfer": _transfer,
    "heartbeat": _heartbeat, "terminal": _terminal, "symbol": _symbol, "clock": _clock,
}  # fmt: skip


def parse_event(fields: Fields) -> Event:
    """Return the typed event of a line, or raise Refused."""
    kind = _text(fields, "type")
    if kind not in PARSERS:
        raise Refused(f"type must be known, was {kind!r}")
    return PARSERS[kind](fields)
