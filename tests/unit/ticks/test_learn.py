"""Learning spreads: buckets of the New York week, medians, provenance and the command."""

import json
import sys
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median_low
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeguard.cli.app import run
from edgeguard.config.load import load_config
from edgeguard.engine import Engine
from edgeguard.errors import UsageError
from edgeguard.ticks.learn import quantile
from edgeguard.ticks.week import BUCKETS, WeekClock
from tests.unit.config.toml import BASE, write

NS = 10**9
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def stamp(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


def oanda(folder: Path, date: str, rows: list[tuple[int, int]], digits: int = 5) -> str:
    """Write a file of (milliseconds, spread in points) and return its SPEC."""
    path = folder / f"{date}_tick.zip"
    lines = [f"{ms},1.10000,{1.1 + spread / 10**digits:.{digits}f}\n" for ms, spread in rows]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{date}.csv", "".join(lines))
    return f"oanda:EURUSD:{path}"


def learn(folder: Path, *arguments: str) -> dict[str, Any]:
    output = folder / "learned.json"
    assert run(["learn-spreads", "--digits", "5", "-o", str(output), *arguments]) == 0
    return json.loads(output.read_bytes())


@pytest.mark.parametrize(
    ("zone", "text", "bucket"),
    [
        ("UTC", "2014-05-04T04:00:00", 0),
        ("UTC", "2014-05-04T03:59:59", BUCKETS - 1),
        ("UTC", "2014-05-04T21:00:00", 17 * 4),
        ("UTC", "2014-12-07T22:14:59", 17 * 4),
        ("America/New_York", "2014-12-07T17:15:00", 17 * 4 + 1),
        ("America/New_York+7", "2014-05-05T00:00:00", 17 * 4),
        ("Asia/Kathmandu", "2014-05-05T02:45:00", 17 * 4),
    ],
)
def test_a_stamp_falls_into_its_quarter_hour_of_the_new_york_week(
    zone: str, text: str, bucket: int
) -> None:
    """Bucket 0 begins on Sunday at midnight, summer and winter, whatever clock the file has."""
    assert WeekClock(zone).bucket(stamp(text)) == bucket


@pytest.mark.parametrize("zone", ["", "Nowhere/At_All", "America/New_York+15", "../UTC", "UTC+x"])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    """In one sentence."""
    with pytest.raises(UsageError, match="--zone must"):
        WeekClock(zone)


def test_the_buckets_are_the_engines(tmp_path: Path) -> None:
    """At 400 random instants of ten years the engine reads the bucket that was learned there."""
    config, digest = load_config(write(tmp_path))
    random, week = Random(3), WeekClock()
    buckets = list(range(1, BUCKETS + 1))
    profile = json.dumps({"version": 1, "symbols": {"EURUSD": {"buckets": buckets}}}).encode()
    for _ in range(400):
        engine = Engine(
            msgspec.json.encode(config), digest, live=False, profiles={"EURUSD": profile}
        )
        t_ns = random.randrange(1_400_000_000, 1_715_000_000) * NS
        text = f"{t_ns},1.10000,1,1.10001,1\n".encode()
        engine.add_tick_file("bookticker", "EURUSD", "x", text, None)
        engine.run_tick_files(None, 0, 1)
        status = json.loads(engine.status())
        assert status["accounts"][0]["symbols"][0]["normal"] == week.bucket(t_ns) + 1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_the_quantile_of_one_half_is_the_lower_median(values: list[int]) -> None:
    """``sorted[(n-1)/2]``, as TRIGGERS section 8 has it."""
    assert quantile(Counter(values), 1, 2) == median_low(values)
    assert quantile(Counter(), 1, 2) is None


def test_files_of_one_symbol_are_one_history_in_any_order(tmp_path: Path) -> None:
    """Two Thursdays, a week apart, fill the same bucket; provenance names both files."""
    first = oanda(tmp_path, "20140501", [(0, 9), (250, 9), (500, 30)])
    second = oanda(tmp_path, "20140508", [(0, 11), (250, 11), (500, 11)])
    learned = learn(tmp_path, "--min-samples", "6", first, second)
    bucket = 3 * 96 + 20 * 4
    symbol = learned["symbols"]["EURUSD"]
    assert learned["version"] == 1
    assert len(symbol["buckets"]) == BUCKETS
    assert symbol["buckets"][bucket] == 11
    assert symbol["samples"][bucket] == symbol["ticks"] == 6
    assert [file["rows"] for file in symbol["files"]] == [3, 3]
    assert (symbol["first"], symbol["last"]) == (
        "2014-05-01T00:00:00.000",
        "2014-05-08T00:00:00.500",
    )
    before = (tmp_path / "learned.json").read_bytes()
    learn(tmp_path, "--min-samples", "6", second, first)
    assert (tmp_path / "learned.json").read_bytes() == before


def test_a_quarter_hour_with_too_few_ticks_stays_empty(tmp_path: Path) -> None:
    """One below the minimum is none."""
    spec = oanda(tmp_path, "20140501", [(0, 9), (250, 9)])
    symbol = learn(tmp_path, "--min-samples", "3", spec)["symbols"]["EURUSD"]
    assert set(symbol["buckets"]) == {None}
    assert symbol["samples"][3 * 96 + 80] == 2


def test_files_without_a_good_tick_make_no_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What knows nothing must not look as if it did."""
    spec = oanda(tmp_path, "20140501", [(0, -3), (250, -3)])
    output = tmp_path / "none.json"
    assert run(["learn-spreads", "--digits", "5", "-o", str(output), spec]) == 6
    assert "EURUSD's files must hold good ticks, held none (2 bad)" in capsys.readouterr().err
    assert not output.exists()


def test_the_same_profile_pauses_where_it_should(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """One pause, at the 21 points, with the learned normal as its reference."""
    spec = oanda(tmp_path, "20140501", [(ms * 250, 4) for ms in range(30)])
    learn(tmp_path, spec)
    config = write(tmp_path, digits='digits = 5\nspread_profile = "learned.json"')
    again = oanda(tmp_path, "20140508", [(0, 20), (250, 21)])
    assert run(["replay", "--config", str(config), "--ticks", again]) == 0
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(line["action"], line["reference"]) for line in lines] == [("pause", "4")]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["oanda:EURUSD:x_20140501.zip"], 2, "EURUSD must have digits in [[symbol]] or by"),
        (["--digits", "5", "oanda:EURUSD:x_20140501.zip"], 6, "must be a readable tick file"),
        (["--digits", "EURUSD=", "oanda:EURUSD:x_20140501.zip"], 2, "--digits must be N or"),
        (["--digits", "11", "oanda:EURUSD:x_20140501.zip"], 2, "--digits must be N or"),
        (["--digits", "5", "nonsense"], 2, "SPEC must be KIND:SYMBOL:PATH"),
        (["--config", "none.toml", "oanda:EURUSD:x_20140501.zip"], 3, "must be readable"),
    ],
)
def test_expected_trouble_is_a_sentence(
    arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no profile is written."""
    output = tmp_path / "p.json"
    assert run(["learn-spreads", "-o", str(output), *arguments]) == code
    assert words in capsys.readouterr().err
    assert not output.exists()


def test_an_unreadable_row_names_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 6."""
    path = tmp_path / "t.csv"
    path.write_text("recv_ns,bid,q,ask,q\n1,1.1,1,1.2,1\n2,abc,1,1.2,1\n", encoding="utf-8")
    arguments = ["--digits", "5", "-o", str(tmp_path / "p.json"), f"bookticker:EURUSD:{path}"]
    assert run(["learn-spreads", *arguments]) == 6
    assert "t.csv:3: bid and ask must be numbers, were abc 1.2" in capsys.readouterr().err


def test_digits_come_from_the_configuration(tmp_path: Path) -> None:
    """Where its [[symbol]] has them, no option is needed."""
    spec = oanda(tmp_path, "20140501", [(ms * 250, 4) for ms in range(30)])
    output = tmp_path / "p.json"
    config = write(tmp_path, BASE)
    assert run(["learn-spreads", "--config", str(config), spec, "-o", str(output)]) == 0
    assert json.loads(output.read_bytes())["symbols"]["EURUSD"]["digits"] == 5


def test_the_plot_is_a_png(tmp_path: Path) -> None:
    """One panel for each symbol."""
    pytest.importorskip("matplotlib")
    spec = oanda(tmp_path, "20140501", [(ms * 250, 4 + ms % 30) for ms in range(3000)])
    picture = tmp_path / "p.png"
    learn(tmp_path, "--plot", str(picture), spec)
    assert picture.read_bytes().startswith(PNG_SIGNATURE)


def test_without_matplotlib_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The profile is written all the same."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    spec = oanda(tmp_path, "20140501", [(0, 4)])
    output, picture = tmp_path / "p.json", tmp_path / "p.png"
    arguments = ["--digits", "5", "-o", str(output), "--plot", str(picture), spec]
    assert run(["learn-spreads", *arguments]) == 2
    assert "pip install 'edgeguard[plot]'" in capsys.readouterr().err
    assert output.exists()
    assert not picture.exists()
