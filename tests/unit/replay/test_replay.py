"""Replays: merged inputs, the exit of bad ones, and the same bytes twice."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgeguard.errors import ConfigError, InputError
from edgeguard.replay import Replay, replay_lines
from tests.unit.config.toml import BASE, write

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
PAPER = Path(__file__).parents[3] / "config" / "paper.toml"
NS = 10**9


def tape(folder: Path, *lines: dict[str, Any], name: str = "tape.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def error(t_ns: int, **more: object) -> dict[str, Any]:
    return {"type": "error", "t_ns": t_ns, "account": "A", "source": "e", "class": "x", **more}


def config(folder: Path) -> Path:
    return write(folder, BASE.replace("daily_loss = 0.030", "errors_per_minute = 1"))


def decisions(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_a_decision_names_its_line_and_carries_the_config_hash(tmp_path: Path) -> None:
    """The second error within a minute pauses; the line says where it stood."""
    path = tape(tmp_path, error(1), {"type": "clock", "t_ns": 2}, error(3))
    lines = list(replay_lines(config(tmp_path), [], [path]))
    pause = decisions(lines)[-1]
    assert list(pause)[:7] == ["v", "index", "t_ns", "account", "scope", "trigger", "action"]
    assert (pause["action"], pause["index"], pause["t_ns"]) == ("pause", 3, 3)
    assert pause["source"] == {"file": "tape.jsonl", "line": 3}
    assert len(pause["config_hash"]) == 64


def test_inputs_merge_by_time_and_in_the_order_given(tmp_path: Path) -> None:
    """At one instant the first file's line comes first."""
    first = tape(tmp_path, error(5), name="first.jsonl")
    second = tape(tmp_path, error(5), name="second.jsonl")
    for order in ([first, second], [second, first]):
        lines = decisions(list(replay_lines(config(tmp_path), [], order)))
        assert lines[-1]["source"]["file"] == order[1].name


def test_ticks_stand_before_tapes_at_one_instant(tmp_path: Path) -> None:
    """The index counts the tick at that very instant first."""
    ticks = tmp_path / "e_19700101.zip"
    with zipfile.ZipFile(ticks, "w") as archive:
        archive.writestr("e.csv", "1000,1.1,1.1001\n2000,1.1,1.1001\n")
    path = tape(tmp_path, error(1 * NS), error(2 * NS))
    lines = replay_lines(config(tmp_path), [f"oanda:EURUSD:{ticks}"], [path])
    assert decisions(list(lines))[-1]["index"] == 4


def test_decisions_before_a_bad_line_stand(tmp_path: Path) -> None:
    """They are yielded; then the error names the line."""
    path = tape(tmp_path, error(1), error(2), {"type": "clock", "t_ns": 1})
    got: list[bytes] = []
    with pytest.raises(InputError, match=r"tape\.jsonl:3: t_ns must not go back"):
        got.extend(replay_lines(config(tmp_path), [], [path]))
    run = replay_lines(config(tmp_path), [], [path])
    assert decisions([next(run)])[0]["trigger"] == "error_rate"


def test_a_symbol_without_digits_is_a_configuration_error(tmp_path: Path) -> None:
    """Neither [[symbol]] nor a symbol line: its prices mean nothing."""
    fill = {
        "type": "fill",
        "t_ns": 1,
        "account": "A",
        "deal": 1,
        "position": 1,
        "symbol": "GBPUSD",
        "side": "buy",
        "entry": "in",
        "volume": "1",
        "price": "1",
    }
    with pytest.raises(ConfigError, match="GBPUSD must have digits"):
        list(replay_lines(config(tmp_path), [], [tape(tmp_path, fill)]))
    facts = {"type": "symbol", "t_ns": 1, "account": "A", "symbol": "GBPUSD", "digits": 5}
    assert list(replay_lines(config(tmp_path), [], [tape(tmp_path, facts, fill)])) == []


def test_a_summary_counts_by_trigger_action_and_symbol(tmp_path: Path) -> None:
    """What stderr shows."""
    run = Replay(config(tmp_path), [], [tape(tmp_path, error(1), error(2))])
    lines = list(run.lines())
    assert run.summary.lines == 2
    assert sum(run.summary.decisions.values()) == len(lines)
    assert ("error_rate", "pause", "") in run.summary.decisions


def test_an_absent_profile_is_named(tmp_path: Path) -> None:
    """The key's path and the file."""
    path = write(tmp_path, digits='digits = 5\nspread_profile = "none.profile"')
    with pytest.raises(ConfigError, match=r"symbol\[0\]\.spread_profile must be a readable file"):
        Replay(path, [], [])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared real ticks are not beside the checkout")
def test_all_shared_ticks_give_the_same_bytes_twice() -> None:
    """P10: 377,628 real ticks through the shipped configuration."""
    specs = [
        f"{kind}:{symbol}:{path}"
        for kind, symbol, pattern in (
            ("oanda", "EURUSD", "oanda_EURUSD_*.zip"),
            ("oanda", "XAUUSD", "oanda_XAUUSD_*.zip"),
            ("bookticker", "BTCUSDT", "binance_BTCUSDT_*.gz"),
        )
        for path in sorted(SHARED.glob(pattern))
    ]
    runs = [Replay(PAPER, specs, []) for _ in range(2)]
    first, second = (list(run.lines()) for run in runs)
    assert runs[0].summary.ticks == runs[0].ticks_total == 377_628
    assert first == second
    assert {json.loads(line)["trigger"] for line in first} == {"price_anomaly"}
