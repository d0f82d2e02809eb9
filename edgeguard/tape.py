"""A tape: recorded events, one JSON object per line, read into the messages that the wire carries.

Numbers keep the exact text of the file. A line that cannot be read is an `InputError` that names
file, line and field; a line that is readable and holds ``NaN`` or an infinity is a line with an
invalid value, which the engine judges. `docs/INTERFACES.md` has the format.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, cast, get_args

from edgeguard.config.model import CalcMode
from edgeguard.errors import InputError
from edgeguard.messages import (
    AccountSnapshot,
    Entry,
    ErrorEvent,
    Fill,
    Heartbeat,
    MarketMessage,
    Order,
    Position,
    Side,
    SymbolFacts,
    TerminalProof,
    Tick,
    TickBatch,
    Transfer,
)

LINE_BYTES_MAX: Final = 16_000_000
"""Longest line in bytes: an account with a hundred thousand positions is shorter."""
INVALID: Final = frozenset({"NaN", "Infinity", "-Infinity"})
"""The spellings of numbers that are none; every other text must be a number."""

_NUMBER = re.compile(r"[+-]?([0-9]{1,64}(\.[0-9]{0,64})?|\.[0-9]{1,64})([eE][+-]?[0-9]{1,3})?")
_INT64_MAX = 2**63 - 1


@dataclass(frozen=True)
class TapeEvent:
    """One line: when, where, and the message; a clock line and a line of no effect have none."""

    t_ns: int
    line: int
    message: MarketMessage | None
    fault: InputError | None = None
    """Set on a line that cannot be read; it ends the tape, at its own place in time."""


def read_tape(path: Path, accounts: frozenset[str]) -> Iterator[TapeEvent]:
    """Yield the events of the tape at `path`, at most one with a `fault`, as the last.

    Args:
        path: a file of JSON lines, plain or gzip by its name (``.gz``).
        accounts: the configured account ids; another one is a fault.
    """
    last_ns, number = 0, 0
    try:
        with _open(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX), b""), 1):
                if line.isspace():
                    continue
                event = _event(line, f"{path.name}:{number}", number, (last_ns, accounts))
                yield event
                if event.fault is not None:
                    return
                last_ns = event.t_ns
    except (OSError, EOFError, zlib.error) as e:
        reason = getattr(e, "strerror", None) or str(e)
        fault = InputError(f"{path} must be a readable tape, was not: {reason}")
        yield TapeEvent(last_ns, number + 1, None, fault)


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _event(line: bytes, where: str, number: int, known: tuple[int, frozenset[str]]) -> TapeEvent:
    last_ns, accounts = known
    # A faulty line stands at its own time where that is readable, else right after its predecessor.
    t_ns = last_ns
    try:
        fields = _Fields(_object(line, where), where)
        given_ns = fields.instant("t_ns")
        if given_ns < last_ns:
            raise fields.fault("t_ns", f"not go back below {last_ns}", str(given_ns))
        t_ns = given_ns
        return TapeEvent(t_ns, number, _message(fields, accounts, t_ns))
    except InputError as e:
        return TapeEvent(t_ns, number, None, e)


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        found: object = json.loads(
            line.decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=str
        )
    except (ValueError, RecursionError) as e:
        raise InputError(f"{where}: the line must be JSON, was not: {e}") from e
    if not isinstance(found, dict):
        raise InputError(f"{where}: the line must be a JSON object, was something else")
    return cast("dict[str, Any]", found)


class _Fields:
    """The fields of one JSON object, read by kind; a field of null counts as absent."""

    def __init__(self, found: Mapping[str, Any], where: str, path: str = "") -> None:
        self._found = found
        self._where = where
        self._path = path

    def fault(self, name: str, requirement: str, found: object) -> InputError:
        """Return the error of one field."""
        shown = str(found)[:80]
        return InputError(f"{self._where}: {self._path}{name} must {requirement}, was {shown}")

    def _given(self, name: str) -> object:
        value = self._found.get(name)
        if value is None:
            raise self.fault(name, "be given", "absent")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """Return text; without a default the field must be given."""
        if default is not None and self._found.get(name) is None:
            return default
        value = self._given(name)
        if not isinstance(value, str) or not value.isprintable():
            raise self.fault(name, "be text", ascii(value))
        return value

    def word(self, name: str, words: tuple[str, ...]) -> str:
        """Return one of `words`."""
        value = self._given(name)
        if value not in words:
            raise self.fault(name, f"be one of {', '.join(words)}", value)
        return cast("str", value)

    def number(self, name: str) -> str:
        """Return the text of a number, or one of the invalid spellings."""
        value = self._given(name)
        if isinstance(value, str) and (value in INVALID or _NUMBER.fullmatch(value)):
            return value
        raise self.fault(name, "be a number", value)

    def number_or_none(self, name: str) -> str | None:
        """Return as `number` does, or None where the field is absent."""
        return None if self._found.get(name) is None else self.number(name)

    def whole(self, name: str) -> int | None:
        """Return a whole number, or None where it is one of the invalid spellings."""
        text = self.number(name)
        if text in INVALID:
            return None
        whole = Decimal(text)
        if whole != whole.to_integral_value() or abs(whole) > _INT64_MAX:
            raise self.fault(name, "be a whole number of 64 bits", text)
        return int(whole)

    def whole_or_none(self, name: str) -> int | None:
        """Return a whole number, or None where it is absent or invalid."""
        return None if self._found.get(name) is None else self.whole(name)

    def instant(self, name: str) -> int:
        """Return a time in nanoseconds since the epoch."""
        value = self.whole(name)
        if value is None or value < 0:
            raise self.fault(name, "be a time in ns since 1970", self._found[name])
        return value

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false; without a default the field must be given."""
        if default is not None and self._found.get(name) is None:
            return default
        value = self._given(name)
        if not isinstance(value, bool):
            raise self.fault(name, "be true or false", value)
        return value

    def rows(self, name: str, *, required: bool) -> Iterator[_Fields]:
        """Yield the objects of a list."""
        value = self._given(name) if required else self._found.get(name, [])
        if not isinstance(value, list):
            raise self.fault(name, "be a list", value)
        for index, row in enumerate(cast("list[object]", value)):
            if not isinstance(row, dict):
                raise self.fault(f"{name}[{index}]", "be an object", row)
            yield _Fields(cast("dict[str, Any]", row), self._where, f"{name}[{index}].")


@dataclass(frozen=True)
class _Head:
    """What every message begins with."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int

    def all(self) -> tuple[str, str, int, int | None, int]:
        """Return the head in the order of the wire."""
        return self.account, self.source, self.epoch, self.seq, self.t_ns


def _message(fields: _Fields, accounts: frozenset[str], t_ns: int) -> MarketMessage | None:
    """Return the message of a line; None for a clock line and for one without effect."""
    kind = fields.text("type")
    if kind == "clock":
        return None
    reader = _READERS.get(kind)
    if reader is None:
        raise fields.fault("type", f"be one of {', '.join(_READERS)}, clock", kind)
    account = fields.text("account", "" if kind == "tick" else None)
    if account not in accounts and (account or kind != "tick"):
        raise fields.fault("account", "be a configured account", account)
    needs_source = kind in {"error", "heartbeat"}
    source = fields.text("source", None if needs_source else "")
    return reader(fields, _Head(account, source, 0, fields.whole_or_none("seq"), t_ns))


def _tick(fields: _Fields, head: _Head) -> MarketMessage:
    symbol, bid, ask = fields.text("symbol"), fields.number("bid"), fields.number("ask")
    source_ns = fields.whole_or_none("source_ns")
    if source_ns is None and fields.number_or_none("source_ns") is not None:
        # The vocabulary has no place for a stamp that is no number; the tick is bad either way.
        bid = "NaN"
    return TickBatch(*head.all(), (Tick(symbol, bid, ask, source_ns),))


def _fill(fields: _Fields, head: _Head) -> MarketMessage | None:
    entry = cast(Entry, fields.word("entry", get_args(Entry)))
    side = cast(Side, fields.word("side", get_args(Side)))
    deal, position = fields.whole("deal"), fields.whole("position")
    if entry in {"out", "inout"}:
        fields.number("profit")
    fill = Fill(
        *head.all(),
        deal=deal or 0,
        position=position or 0,
        symbol=fields.text("symbol"),
        side=side,
        entry=entry,
        volume=fields.number("volume"),
        price=fields.number("price"),
        profit=fields.number_or_none("profit"),
        commission=fields.number_or_none("commission"),
        swap=fields.number_or_none("swap"),
        fee=fields.number_or_none("fee"),
        order=fields.whole_or_none("order"),
        magic=fields.whole_or_none("magic"),
    )
    return None if deal is None or position is None else fill


def _account(fields: _Fields, head: _Head) -> MarketMessage:
    return AccountSnapshot(
        *head.all(),
        balance=fields.number_or_none("balance"),
        equity=fields.number_or_none("equity"),
        credit=fields.number_or_none("credit"),
        margin=fields.number_or_none("margin"),
        positions=tuple(_position(row) for row in fields.rows("positions", required=True)),
        orders=tuple(_order(row) for row in fields.rows("orders", required=False)),
        last_deal=fields.whole_or_none("last_deal"),
    )


def _position(fields: _Fields) -> Position:
    ticket = fields.whole_or_none("ticket")
    identifier = fields.whole_or_none("identifier")
    if ticket is None and identifier is None:
        raise fields.fault("identifier", "be given (or ticket)", "absent")
    return Position(
        ticket=ticket if ticket is not None else identifier or 0,
        identifier=identifier if identifier is not None else ticket or 0,
        symbol=fields.text("symbol"),
        side=cast(Side, fields.word("side", get_args(Side))),
        volume=fields.number("volume"),
        price_open=fields.number_or_none("price_open") or "0",
        price_current=fields.number("price_current"),
        swap=fields.number("swap"),
        profit=fields.number("profit"),
        magic=fields.whole_or_none("magic") or 0,
        sl=fields.number_or_none("sl") or "0",
        tp=fields.number_or_none("tp") or "0",
        time_msc=fields.whole_or_none("time_msc") or 0,
    )


def _order(fields: _Fields) -> Order:
    return Order(
        ticket=fields.whole_or_none("ticket") or 0,
        symbol=fields.text("symbol", ""),
        kind=fields.text("kind", ""),
        volume=fields.number_or_none("volume") or "0",
        price_open=fields.number_or_none("price_open") or "0",
        magic=fields.whole_or_none("magic") or 0,
        position_by=fields.whole_or_none("position_by") or 0,
    )


def _error(fields: _Fields, head: _Head) -> MarketMessage:
    return ErrorEvent(
        *head.all(),
        class_=fields.text("class"),
        code=fields.whole_or_none("code"),
        order=fields.whole_or_none("order"),
    )


def _heartbeat(_fields: _Fields, head: _Head) -> MarketMessage:
    return Heartbeat(*head.all())


def _transfer(fields: _Fields, head: _Head) -> MarketMessage:
    return Transfer(
        *head.all(),
        deal=fields.whole_or_none("deal"),
        kind=fields.text("kind"),
        amount=fields.number("amount"),
    )


def _terminal(fields: _Fields, head: _Head) -> MarketMessage:
    return TerminalProof(
        *head.all(),
        connected=fields.flag("connected"),
        trade_allowed=fields.flag("trade_allowed", default=True),
    )


def _symbol(fields: _Fields, head: _Head) -> MarketMessage:
    calc_mode = fields.text("calc_mode", "")
    if calc_mode and calc_mode not in get_args(CalcMode):
        raise fields.fault("calc_mode", f"be one of {', '.join(get_args(CalcMode))}", calc_mode)
    return SymbolFacts(
        *head.all(),
        symbol=fields.text("symbol"),
        digits=fields.whole_or_none("digits"),
        contract_size=fields.number_or_none("contract_size"),
        calc_mode=calc_mode or None,
        currency_base=fields.text("currency_base", "") or None,
        currency_profit=fields.text("currency_profit", "") or None,
        tick_size=fields.number_or_none("tick_size"),
        tick_value=fields.number_or_none("tick_value"),
    )


_READERS: Final[Mapping[str, Callable[[_Fields, _Head], MarketMessage | None]]] = {
    "symbol": _symbol,
    "account": _account,
    "tick": _tick,
    "fill": _fill,
    "error": _error,
    "heartbeat": _heartbeat,
    "transfer": _transfer,
    "terminal": _terminal,
}
