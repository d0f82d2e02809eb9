"""The demo as a user runs it: every trigger, and an exit code that means something."""

import json
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import edgeguard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
Stages = list[dict[str, Any]]
GOLD = Path(__file__).parents[2].parent / "shared" / "data" / "oanda_XAUUSD_tick_20140502.zip"


def demo(*arguments: str) -> Stages:
    """Run a demo to its end and return its stages; the last one is the result."""
    result = edgeguard("demo", "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def first_times(stages: Stages) -> dict[str, int]:
    times: dict[str, int] = {}
    for stage in stages[:-1]:
        times.setdefault(stage["stage"], stage["t_ns"])
    return times


@pytest.fixture(scope="module", autouse=True)
def error_rate(request: pytest.FixtureRequest) -> Generator[Future[Stages] | None]:
    """Begin the demo that takes longest before every other, where a test wants it."""
    names = {item.name for item in request.session.items}
    with ThreadPoolExecutor(1) as pool:
        is_wanted = test_errors_pause_for_their_minute.__name__ in names
        yield pool.submit(demo, "--trigger", "error_rate") if is_wanted else None


def judge_pause(stages: Stages) -> None:
    """Judge a pause: entries refused, exits let through, released by itself, the book there."""
    times = first_times(stages)
    assert not {"first_order", "flat"} & times.keys()
    assert times["decision"] <= times["gate_refused"] <= times["exit"]
    actions = [stage["action"] for stage in stages[:-1] if stage["stage"] == "decision"]
    assert actions[0] == "pause"
    assert actions[-1] == "release"
    assert stages[-1]["positions_left"] >= 13
    assert stages[-1]["orders_left"] == 5


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


def test_a_wide_spread_pauses() -> None:
    judge_pause(demo("--trigger", "price_anomaly"))


@pytest.mark.skipif(not GOLD.is_file(), reason="the shared real ticks are not beside the checkout")
def test_recorded_gold_breaks_a_limit() -> None:
    """Payrolls day through the same live processes, with a book that breaks the daily loss."""
    stages = demo("--ticks", f"oanda:XAUUSD:{GOLD}")
    assert stages[0]["stage"] == "tick"
    assert stages[0]["symbol"] == "XAUUSD"
    assert stages[-1]["ok"] is True


def test_errors_pause_for_their_minute(error_rate: Future[Stages]) -> None:
    """The window of errors is a minute; it passes while the other demos run."""
    judge_pause(error_rate.result())
