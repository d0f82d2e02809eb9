"""Tapes and tick files as one stream of records in time order."""

import csv
import gzip
import heapq
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from tests.oracle.errors import Refused, Unreadable
from tests.oracle.numerals import Numeral, half_even, parse, parse_integer

BEFORE_ALL = -(10**30)
MS = 1_000_000


@dataclass(frozen=True)
class Record:
    """One line of an input; `problem` says why it cannot be read."""

    t_ns: int
    file: str
    line: int
    fields: dict[str, Any]
    is_spec: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Spec:
    """One --ticks argument."""

    form: str
    symbol: str
    path: Path


def parse_spec(text: str) -> Spec:
    """Split FORMAT:SYMBOL:PATH."""
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] not in ("oanda", "bookticker"):
        raise ValueError(f"ticks must be oanda:SYMBOL:PATH or bookticker:SYMBOL:PATH, was {text}")
    return Spec(parts[0], parts[1], Path(parts[2]))


def merged(specs: list[Spec], tapes: list[Path]) -> Iterator[Record]:
    """Return the records of all inputs by time, equal times in the order given."""
    inputs = [_checked(spec.path.name, _spec_rows(spec)) for spec in specs]
    inputs += [_checked(tape.name, _tape_rows(tape)) for tape in tapes]
    return heapq.merge(*inputs, key=lambda record: record.t_ns)


def _checked(name: str, rows: Iterator[Record]) -> Iterator[Record]:
    """Pass records on until one cannot be placed; that one stands right after its predecessor."""
    last = BEFORE_ALL
    try:
        for record in rows:
            if record.t_ns < last:
                problem = "t_ns must not go back within one input"
                yield Record(last, name, record.line, {}, problem=problem)
                return
            last = record.t_ns
            yield record
    except Unreadable as error:
        yield Record(last, name, error.line, {}, problem=error.message)
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        yield Record(last, name, 0, {}, problem=str(error))


def _tape_rows(path: Path) -> Iterator[Record]:
    with path.open("rb") as tape:
        for line, raw in enumerate(tape, start=1):
            if raw.strip():
                fields = _object(path.name, line, raw)
                yield Record(_time(path.name, line, fields), path.name, line, fields)


def _object(name: str, line: int, raw: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(
            raw.decode(), parse_float=Numeral, parse_int=Numeral, parse_constant=Numeral
        )
    except ValueError as error:
        raise Unreadable(name, line, f"line must be JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Unreadable(name, line, "line must be an object")
    return cast("dict[str, Any]", fields)


def _time(name: str, line: int, fields: dict[str, Any]) -> int:
    try:
        t_ns = parse_integer(fields.get("t_ns"), "t_ns")
    except Refused as error:
        raise Unreadable(name, line, str(error)) from error
    if t_ns is None:
        raise Unreadable(name, line, "t_ns must be finite")
    return t_ns


def _spec_rows(spec: Spec) -> Iterator[Record]:
    rows = _oanda_rows(spec.path) if spec.form == "oanda" else _bookticker_rows(spec.path)
    for line, t_ns, bid, ask in rows:
        fields = {"type": "tick", "symbol": spec.symbol, "bid": bid, "ask": ask}
        yield Record(t_ns, spec.path.name, line, fields, is_spec=True)


def _oanda_rows(path: Path) -> Iterator[tuple[int, int, str, str]]:
    """Yield line, time, bid and ask of a headerless `ms_since_midnight,bid,ask` in a zip."""
    stamp = re.search(r"(\d{8})\.zip$", path.name)
    if stamp is None:
        raise Unreadable(path.name, 0, "name must end with a date and .zip")
    midnight_s = int(datetime.strptime(stamp[1], "%Y%m%d").replace(tzinfo=UTC).timestamp())
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as inner:
        for line, row in enumerate(csv.reader(io.TextIOWrapper(inner, "utf-8")), start=1):
            if row:
                _width(path.name, line, row, 3)
                ms = _exact(path.name, line, row[0])
                yield line, midnight_s * 1000 * MS + half_even(ms * MS), row[1], row[2]


def _bookticker_rows(path: Path) -> Iterator[tuple[int, int, str, str]]:
    """Yield line, time, bid and ask of a `recv_ns,bid,bid_qty,ask,ask_qty` with header."""
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for line, row in enumerate(csv.reader(rows), start=1):
            if line > 1 and row:
                _width(path.name, line, row, 5)
                yield line, half_even(_exact(path.name, line, row[0])), row[1], row[3]


def _width(name: str, line: int, row: list[str], width: int) -> None:
    if len(row) != width:
        raise Unreadable(name, line, f"row must have {width} columns, had {len(row)}")


def _exact(name: str, line: int, text: str) -> Fraction:
    try:
        number = parse(text, "time")
    except Refused as error:
        raise Unreadable(name, line, str(error)) from error
    if number is None:
        raise Unreadable(name, line, "time must be finite")
    return number
