"""The rows of a tick file as times and prices, for those who stream them live.

The replay does not use this: the engine parses whole files itself (`core_rs`), many times faster.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.errors import InputError
from edgeguard.ticks.spec import TickFile, TickKind, TickSpec, open_ticks


@dataclass(frozen=True)
class Row:
    """One recorded quote: nanoseconds since the epoch, bid and ask as text."""

    t_ns: int
    bid: str
    ask: str


def read_rows(spec: TickSpec, digits: int) -> list[Row]:
    """Return every row of the file that `spec` names.

    Args:
        spec: the file.
        digits: the symbol's digits, which Dukascopy's integers leave out.

    Raises:
        InputError: the file or one of its rows cannot be read; names file and line.
    """
    return [row for _, row in stream_rows(spec.kind, open_ticks(spec), digits)]


def stream_rows(kind: TickKind, file: TickFile, digits: int) -> Iterator[tuple[int, Row]]:
    """Yield line number and row of an opened file, one by one.

    Raises:
        InputError: one of its rows cannot be read; names file and line.
    """
    last = 0
    try:
        for last, row in _READERS[kind](file, digits):
            yield last, row
    except (ValueError, ArithmeticError, IndexError, struct.error) as e:
        msg = f"{file.name}:{last + 1}: the row must be one of {kind}, was not: {e}"
        raise InputError(msg) from e


def _midnight_ns(date: str | None) -> int:
    text = (date or "") + "00" * (len(date or "") == len("20140502"))
    return int(datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=UTC).timestamp()) * NS_PER_S


def _cells(file: TickFile, skip: int, encoding: str = "utf-8") -> Iterator[tuple[int, list[str]]]:
    """Yield line number and comma-separated cells of each row that is not blank."""
    for number, text in enumerate(io.TextIOWrapper(io.BytesIO(file.data), encoding), 1):
        if number > skip and text.strip():
            yield number, text.rstrip("\r\n").replace("\t", ",").split(",")


def _oanda(file: TickFile, digits: int) -> Iterator[tuple[int, Row]]:
    del digits
    midnight_ns = _midnight_ns(file.date)
    for number, cells in _cells(file, 0):
        after_ns = int((Decimal(cells[0]) * NS_PER_MS).to_integral_value())
        yield number, Row(midnight_ns + after_ns, cells[1], cells[2])


def _bookticker(file: TickFile, digits: int) -> Iterator[tuple[int, Row]]:
    del digits
    for number, cells in _cells(file, 1):
        yield number, Row(int(cells[0]), cells[1], cells[3])


def _mt5csv(file: TickFile, digits: int) -> Iterator[tuple[int, Row]]:
    del digits
    # A row names only what changed: an empty bid or ask is the one before.
    bid = ask = ""
    for number, cells in _cells(file, 1, "utf-8-sig"):
        stamp = datetime.strptime(f"{cells[0]} {cells[1]} +0000", "%Y.%m.%d %H:%M:%S.%f %z")
        bid, ask = cells[2] or bid, cells[3] or ask
        micros = int(stamp.timestamp()) * 1_000_000 + stamp.microsecond
        if bid and ask:
            yield number, Row(micros * 1000, bid, ask)


_BI5: Final = struct.Struct(">IIIff")
"""Milliseconds in the hour, ask and bid in points, their volumes in millions."""


def _dukascopy(file: TickFile, digits: int) -> Iterator[tuple[int, Row]]:
    hour_ns = _midnight_ns(file.date)
    scale = Decimal(1).scaleb(-digits)
    for number, (after_ms, ask, bid, _, _) in enumerate(_BI5.iter_unpack(file.data), 1):
        prices = (f"{Decimal(points) * scale:f}" for points in (bid, ask))
        yield number, Row(hour_ns + after_ms * NS_PER_MS, *prices)


_READERS: Final[dict[TickKind, Callable[[TickFile, int], Iterator[tuple[int, Row]]]]] = {
    "oanda": _oanda,
    "bookticker": _bookticker,
    "mt5csv": _mt5csv,
    "dukascopy": _dukascopy,
}
