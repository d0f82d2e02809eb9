"""The demo as a user runs it: every trigger, and an exit code that means something."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import edgeguard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
GOLD = Path(__file__).parents[2].parent / "shared" / "data" / "oanda_XAUUSD_tick_20140502.zip"


def demo(*arguments: str) -> list[dict[str, Any]]:
    """Run a demo to its end and return its stages; the last one is the result."""
    result = edgeguard("demo", "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def first_times(stages: list[dict[str, Any]]) -> dict[str, int]:
    times: dict[str, int] = {}
    for stage in stages[:-1]:
        times.setdefault(stage["stage"], stage["t_ns"])
    return times


@pytest.mark.parametrize("trigger", ["daily_loss", "total_drawdown"])
def test_a_loss_halts_flattens_and_is_proven(trigger: str) -> None:
    """From the tick to the proof, each stage after the one that causes it."""
    stages = demo("--trigger", trigger)
    times = first_times(stages)
    order = [times[name] for name in ("tick", "decision", "page", "event", "first_order", "flat")]
    assert order == sorted(order)
    assert "gate_refused" in times
    assert stages[-1] == {"ok": True, "trigger": trigger, "positions_left": 0, "orders_left": 0}


def test_a_lost_feed_halts() -> None:
    """The publisher is killed; no tick is behind the decision."""
    stages = demo("--trigger", "connection_lost")
    times = first_times(stages)
    assert "tick" not in times
    assert times["decision"] <= times["page"] <= times["first_order"] <= times["flat"]
    assert stages[-1]["ok"] is True


@pytest.mark.parametrize("trigger", ["price_anomaly", "error_rate"])
def test_a_pause_refuses_entries_lets_exits_through_and_releases_itself(trigger: str) -> None:
    """Nothing is closed: no first order, no flat; the book is there at the end."""
    stages = demo("--trigger", trigger)
    times = first_times(stages)
    assert not {"first_order", "flat"} & times.keys()
    assert times["decision"] <= times["gate_refused"] <= times["exit"]
    actions = [stage["action"] for stage in stages[:-1] if stage["stage"] == "decision"]
    assert actions[0] == "pause"
    assert actions[-1] == "release"
    assert stages[-1]["positions_left"] >= 13
    assert stages[-1]["orders_left"] == 5


@pytest.mark.skipif(not GOLD.is_file(), reason="the shared real ticks are not beside the checkout")
def test_recorded_gold_breaks_a_limit() -> None:
    """Payrolls day through the same live processes, with a book that breaks the daily loss."""
    stages = demo("--ticks", f"oanda:XAUUSD:{GOLD}")
    assert stages[0]["stage"] == "tick"
    assert stages[0]["symbol"] == "XAUUSD"
    assert stages[-1]["ok"] is True
