"""What ``--ticks KIND:SYMBOL:PATH`` names, and the plain bytes of that file with its date."""

from __future__ import annotations

import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, cast, get_args

from edgeguard.errors import InputError, UsageError

TickKind = Literal["oanda", "dukascopy", "mt5csv", "bookticker"]
"""The formats: QuantConnect's OANDA ticks, Dukascopy's bi5, MetaTrader 5's export, Binance's."""
FILE_BYTES_MAX: Final = 1 << 31
"""Largest file after decompression in bytes; a larger one is refused before memory is spent."""

_DATE = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})-?([01][0-9])-?([0-3][0-9])(?![0-9])")
_DUKASCOPY_PATH = re.compile(
    r"((?:19|20)[0-9]{2})[/_-]([01][0-9])[/_-]([0-3][0-9])[/_-]([0-2][0-9])h_ticks"
)


@dataclass(frozen=True)
class TickSpec:
    """One ``--ticks`` argument."""

    kind: TickKind
    symbol: str
    path: Path


@dataclass(frozen=True)
class TickFile:
    """The bytes of one tick file.

    Attributes:
        name: the file's name without folders, as decision lines print it.
        date: what the rows leave out: ``YYYYMMDD`` for oanda, ``YYYYMMDDHH`` for dukascopy, in UTC;
            None for kinds whose rows carry their own date.
    """

    name: str
    data: bytes
    date: str | None


def parse_spec(text: str) -> TickSpec:
    """Return the parts of ``KIND:SYMBOL:PATH``.

    Raises:
        UsageError: there are not three parts, or the kind is unknown.
    """
    kind, _, rest = text.partition(":")
    symbol, _, path = rest.partition(":")
    kinds = get_args(TickKind)
    if kind not in kinds or not symbol or not path:
        msg = f"SPEC must be KIND:SYMBOL:PATH with KIND one of {', '.join(kinds)}, was {text}"
        raise UsageError(msg)
    return TickSpec(cast(TickKind, kind), symbol, Path(path))


def open_ticks(spec: TickSpec) -> TickFile:
    """Read and decompress the file of `spec`.

    Raises:
        InputError: the file is missing, damaged, too large, or its date cannot be told.
    """
    try:
        inner, data = _plain_bytes(spec)
    except (OSError, EOFError, zipfile.BadZipFile, lzma.LZMAError, zlib.error) as e:
        reason = getattr(e, "strerror", None) or str(e)
        raise InputError(f"{spec.path} must be a readable tick file, was not: {reason}") from e
    if len(data) > FILE_BYTES_MAX:
        raise InputError(f"{spec.path} must have at most {FILE_BYTES_MAX} bytes, had more")
    return TickFile(spec.path.name, _utf8(spec, data), _date(spec, inner))


def _plain_bytes(spec: TickSpec) -> tuple[str, bytes]:
    """Return the name and the content of the innermost file."""
    path = spec.path
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise InputError(f"{path} must hold one file, held {len(names)}")
            with archive.open(names[0]) as member:
                return names[0], member.read(FILE_BYTES_MAX + 1)
    openers: dict[str, Callable[[Path], IO[bytes]]] = {".gz": _gzip, ".bi5": _lzma}
    with openers.get(path.suffix, _bare)(path) as file:
        return path.name, file.read(FILE_BYTES_MAX + 1)


def _utf8(spec: TickSpec, data: bytes) -> bytes:
    """Return a text in UTF-8: MetaTrader writes UTF-16 with a byte order mark."""
    if spec.kind != "mt5csv" or data[:2] not in {b"\xff\xfe", b"\xfe\xff"}:
        return data
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError as e:
        msg = f"{spec.path} must be UTF-8 or UTF-16 text, was not at byte {e.start}"
        raise InputError(msg) from e


def _gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path))


def _lzma(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", lzma.open(path))


def _bare(path: Path) -> IO[bytes]:
    return path.open("rb")


def _date(spec: TickSpec, inner: str) -> str | None:
    if spec.kind == "oanda":
        found = _DATE.search(Path(inner).name) or _DATE.search(spec.path.name)
        if found is None:
            msg = f"{spec.path} must carry its date as YYYYMMDD in its name, had none"
            raise InputError(msg)
        return "".join(found.groups())
    if spec.kind == "dukascopy":
        found = _DUKASCOPY_PATH.search(spec.path.as_posix())
        if found is None:
            msg = f"{spec.path} must end in YYYY/MM/DD/HHh_ticks.bi5 (month from 00), did not"
            raise InputError(msg)
        year, month, day, hour = found.groups()
        # Dukascopy counts months from 00.
        return f"{year}{int(month) + 1:02d}{day}{hour}"
    return None
