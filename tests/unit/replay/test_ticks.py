"""Tick files: what a SPEC names, the bytes and date behind it, and the rows for live streaming."""

import gzip
import lzma
import struct
import zipfile
from pathlib import Path

import pytest

from edgeguard.errors import InputError, UsageError
from edgeguard.ticks.rows import Row, read_rows
from edgeguard.ticks.spec import TickSpec, open_ticks, parse_spec

MIDNIGHT_NS = 1_398_988_800_000_000_000
"""2014-05-02 00:00 UTC."""


def test_a_spec_has_three_parts() -> None:
    """A path may hold colons of its own."""
    assert parse_spec("oanda:EURUSD:C:/x.zip") == TickSpec("oanda", "EURUSD", Path("C:/x.zip"))


@pytest.mark.parametrize("text", ["", "oanda", "oanda:EURUSD", "oanda::x", "csv:EURUSD:x"])
def test_other_specs_are_refused(text: str) -> None:
    """The sentence names the kinds there are."""
    with pytest.raises(UsageError, match="oanda, dukascopy, mt5csv, bookticker"):
        parse_spec(text)


def zipped(folder: Path, name: str, inner: str, text: str) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(inner, text)
    return path


def test_oanda_zip(tmp_path: Path) -> None:
    """Decimal milliseconds become exact nanoseconds after the date of the name."""
    path = zipped(tmp_path, "x_20140502.zip", "20140502_gold.csv", "46.2042,1284.065,1284.405\n")
    spec = TickSpec("oanda", "XAUUSD", path)
    assert open_ticks(spec).date == "20140502"
    assert read_rows(spec, 3) == [Row(MIDNIGHT_NS + 46_204_200, "1284.065", "1284.405")]


def test_bookticker_gz(tmp_path: Path) -> None:
    """The header is passed over, quantities too."""
    path = tmp_path / "b.csv.gz"
    path.write_bytes(gzip.compress(b"recv_ns,bid,bid_qty,ask,ask_qty\n5,1.0,9,2.0,9\n"))
    assert read_rows(TickSpec("bookticker", "B", path), 2) == [Row(5, "1.0", "2.0")]


def test_mt5_export(tmp_path: Path) -> None:
    """UTF-16 with tabs; a price that did not change is left empty."""
    path = tmp_path / "t.csv"
    rows = (
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n"
        "2014.05.02\t00:00:00.100\t1.1\t1.2\t\t\t6\r\n"
        "2014.05.02\t00:00:00.200\t\t1.3\t\t\t4\r\n"
    )
    path.write_bytes(rows.encode("utf-16"))
    assert read_rows(TickSpec("mt5csv", "E", path), 5) == [
        Row(MIDNIGHT_NS + 100_000_000, "1.1", "1.2"),
        Row(MIDNIGHT_NS + 200_000_000, "1.1", "1.3"),
    ]


def test_dukascopy_hour(tmp_path: Path) -> None:
    """Its months count from 00, its integers are points, ask before bid."""
    path = tmp_path / "2014" / "04" / "02" / "13h_ticks.bi5"
    path.parent.mkdir(parents=True)
    record = struct.pack(">IIIff", 1500, 138705, 138694, 1.0, 1.0)
    path.write_bytes(lzma.compress(record, format=lzma.FORMAT_ALONE))
    spec = TickSpec("dukascopy", "EURUSD", path)
    assert open_ticks(spec).date == "2014050213"
    hour_ns = MIDNIGHT_NS + 13 * 3600 * 10**9
    assert read_rows(spec, 5) == [Row(hour_ns + 1_500_000_000, "1.38694", "1.38705")]


def test_files_that_are_none_are_sentences(tmp_path: Path) -> None:
    """Missing, damaged, ambiguous, dateless: each says which file and what must hold."""
    damaged = tmp_path / "x_20140502.zip"
    damaged.write_bytes(b"PK")
    dateless = zipped(tmp_path, "y.zip", "y.csv", "1,2,3")
    two = zipped(tmp_path, "z_20140502.zip", "a.csv", "1,2,3")
    with zipfile.ZipFile(two, "a") as archive:
        archive.writestr("b.csv", "1,2,3")
    for path, words in (
        (tmp_path / "none.zip", "No such file"),
        (damaged, "must be a readable tick file"),
        (dateless, "must carry its date"),
        (two, "must hold one file, held 2"),
    ):
        with pytest.raises(InputError, match=words):
            open_ticks(TickSpec("oanda", "E", path))


def test_a_row_that_cannot_be_read_names_its_line(tmp_path: Path) -> None:
    """File, line and kind."""
    path = zipped(tmp_path, "x_20140502.zip", "x.csv", "1,2,3\nx,2,3\n")
    with pytest.raises(InputError, match=r"x_20140502\.zip:2: the row must be one of oanda"):
        read_rows(TickSpec("oanda", "E", path), 5)
