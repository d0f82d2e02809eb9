"""Tick files that cannot be read to their end: the replay says so instead of seeing fewer ticks."""

import json
from pathlib import Path

import pytest

from edgeguard.cli.app import run
from edgeguard.replay import Replay
from tests.unit.config.toml import write

HEADER = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n"
ROWS = (
    "2024.05.01\t00:00:01.123\t1.10000\t1.10010\t\t\t6\r\n"
    "2024.05.01\t00:00:02.000\t\t1.10011\t\t\t4\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_mt5_export_counts_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    """MetaTrader writes UTF-16 with a byte order mark; other tools UTF-8."""
    path = tmp_path / "ticks.csv"
    path.write_bytes((HEADER + ROWS).encode(encoding))
    replay = Replay(write(tmp_path), [f"mt5csv:EURUSD:{path}"], [])
    assert list(replay.lines()) == []
    assert replay.summary.ticks == 2


def test_a_torn_utf_16_export_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a character at the end."""
    path = tmp_path / "ticks.csv"
    path.write_bytes((HEADER + ROWS).encode("utf-16")[:-1])
    spec = f"mt5csv:EURUSD:{path}"
    assert run(["replay", "--config", str(write(tmp_path)), "--ticks", spec]) == 6
    assert "must be UTF-8 or UTF-16 text" in capsys.readouterr().err


@pytest.mark.parametrize("good", [0, 1, 2])
@pytest.mark.parametrize("has_tape", [True, False])
def test_the_first_unreadable_row_ends_the_replay_wherever_it_stands(
    tmp_path: Path, good: int, *, has_tape: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 6 with file and line, also for the very first row and beside a tape at that instant."""
    path, tape = tmp_path / "book.csv", tmp_path / "tape.jsonl"
    rows = "".join(f"{at},1.1,1,1.2,1\n" for at in range(1, good + 1))
    path.write_text(f"recv_ns,bid,q,ask,q\n{rows}soon,1.1,1,1.2,1\n", encoding="utf-8")
    tape.write_text(json.dumps({"type": "clock", "t_ns": max(good, 1)}) + "\n", encoding="utf-8")
    arguments = ["replay", "--config", str(write(tmp_path)), "--ticks", f"bookticker:EURUSD:{path}"]
    assert run([*arguments, *([str(tape)] if has_tape else [])]) == 6
    assert f"book.csv:{good + 2}: recv_ns must be a number" in capsys.readouterr().err
