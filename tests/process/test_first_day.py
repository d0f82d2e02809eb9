"""A guard that starts for the first time on a day on which the account has already lived."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgeguard.config.model import Config, GuardConfig, Limits
from edgeguard.transport import Client
from tests.process.broker_rig import PATIENCE_S, QUOTES, Rig, make_config, rig
from tests.process.guard_rig import GuardProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def history_config(folder: Path, reference: str = "max_balance_equity") -> Config:
    limits = msgspec.convert(
        {"first_reference": "history", "daily_reference": reference}, type=Limits
    )
    guard = GuardConfig(state_dir=str(folder / "state"))
    return msgspec.structs.replace(make_config(limits=limits), guard=guard)


def trade_and_deposit(made: Rig) -> None:
    """A loss, a deposit and a withdrawal, all after the account's first deal."""
    opened = made.admin("open_book", positions=[{"symbol": "EURUSD", "side": "buy", "lots": 1.0}])
    move(made, 100)
    made.admin("close", ticket=opened["positions"][0])
    made.admin("deposit", amount=700.0)
    made.admin("withdraw", amount=200.0)


def move(made: Rig, points: int) -> None:
    """Move every quote, as a market does: the broker learns its clock by that."""
    with made.control() as control:
        ticks: list[Any] = []
        for name, (bid, ask, digits) in QUOTES.items():
            by = points * 10**-digits
            ticks.append((name, round(float(bid) - by, digits), round(float(ask) - by, digits), 0))
        control.feed(ticks)


def account(guard: GuardProcess) -> dict[str, Any]:
    with Client(guard.paths.control) as client:
        sent = client.command("status", operator="tester", reason="")
        replies = list(client.replies(sent, 2.0))
    if not replies:
        return {}
    found: dict[str, Any] = msgspec.json.decode(replies[-1].body)["accounts"][0]
    return found


def until(
    made: Rig,
    guard: GuardProcess,
    holds: Callable[[dict[str, Any]], object],
    *,
    still: bool = False,
) -> dict[str, Any]:
    """Ask for the status until something holds of the account, while quotes move or stand still."""
    deadline = made.clock.boot_ns() + int(PATIENCE_S * 1e9)
    found: dict[str, Any] = {}
    points = 100
    while made.clock.boot_ns() < deadline:
        points = 101 if points == 100 else 100
        if not still:
            move(made, points)
        found = account(guard)
        if found and holds(found):
            return found
    raise AssertionError(f"the account came to {found}")


def test_history_tells_the_first_day(tmp_path: Path) -> None:
    """The first deal is the reference, what moved since is transfers, and the gate opens."""
    config = history_config(tmp_path)
    with rig(tmp_path, config) as made:
        trade_and_deposit(made)
        made.feed.close(linger=0)
        guard = GuardProcess(config, engine="real")
        try:
            guard.start()
            found = until(made, guard, lambda a: a["state"] == "ACTIVE")
            assert found["day"]["provenance"] == "history"
            assert found["day"]["reference"] == "100000.00"
            assert found["day"]["transfers"] == "500.00"
            loss = 100_500 - float(found["balance"])
            assert loss > 90
            value = float(found["limits"]["daily_loss"]["value"])
            assert value == pytest.approx(loss / 100_000, abs=1e-6)
            assert found["day_start_unknown"] is None
        finally:
            guard.close()


def test_an_unknown_history_stays_closed_and_says_why(tmp_path: Path) -> None:
    """Before a quote has moved the broker's clock is not known: closed, with that reason."""
    config = history_config(tmp_path)
    with rig(tmp_path, config) as made:
        made.feed.close(linger=0)
        guard = GuardProcess(config, engine="real")
        try:
            guard.start()
            found = until(
                made, guard, lambda a: "clock" in (a["day_start_unknown"] or ""), still=True
            )
            assert found["state"] != "ACTIVE"
            assert "clock" in found["gate"]["opens_when"]
            assert "edgeguard rebaseline --account A --day" in found["gate"]["opens_when"]
            found = until(made, guard, lambda a: a["state"] == "ACTIVE")
            assert found["day"]["provenance"] == "history"
        finally:
            guard.close()
