"""The proof of the kill channel: each thing missing is one item, with what to do about it."""

import asyncio
from typing import Any

import pytest

from edgeguard.broker.check import Check, check
from edgeguard.broker.paper import constants as c
from edgeguard.broker.planner.model import Identity
from edgeguard.broker.session import TerminalSession, Timeouts
from edgeguard.clock import ManualClock
from tests.unit.broker.test_session import ACCOUNT, ScriptedLink

SYMBOL: dict[str, Any] = {
    "name": "EURUSD",
    "digits": 5,
    "point": 1e-5,
    "trade_mode": 4,
    "trade_exemode": 2,
    "filling_mode": 3,
    "volume_min": 0.01,
    "volume_max": 100.0,
    "volume_step": 0.01,
    "order_mode": 127,
    "trade_contract_size": 1e5,
    "trade_tick_size": 1e-5,
    "trade_tick_value": 1.0,
    "trade_calc_mode": 0,
}
TICK = {"time": 1, "bid": 1.085, "ask": 1.08506, "time_msc": 1_000}


def proof(identity: Identity | None = None, **answers: Any) -> Check:  # noqa: ANN401
    """Return what a terminal proves that answers well but for `answers`."""
    terminal = {"connected": True, "trade_allowed": True, "ping_last": 77_850}
    terminal |= answers.pop("terminal", {})
    account = {**ACCOUNT, **answers.pop("account", {})}
    spec = {**SYMBOL, **answers.pop("symbol", {})}
    tick = {**TICK, **answers.pop("tick", {})}
    link: Any = ScriptedLink(
        terminal_info=terminal,
        account_info=account,
        symbol_info=spec,
        symbol_info_tick=tick,
        symbol_select=True,
        **answers,
    )
    session = TerminalSession(link, ManualClock(0), Timeouts())
    who = Identity(5, "Demo", 0) if identity is None else identity
    return asyncio.run(check(session, who, ["EURUSD"], log_fault="", wall_ns=1))


def texts(found: Check) -> dict[str, str]:
    return {item.name: item.text for item in found.items}


def test_a_sound_channel_says_what_was_seen() -> None:
    """Names, not numbers: who the account is, how the symbol fills."""
    found = proof()
    assert found.ok
    said = texts(found)
    assert said["identity"] == "account 5 on Demo, demo"
    assert said["connected"] == "to the trade server, ping 77 ms"
    assert said["EURUSD"] == "fills FOK and IOC, Market execution, bid 1.085"


@pytest.mark.parametrize(
    ("name", "answers", "cure"),
    [
        ("connected", {"terminal": {"connected": False}}, "no link to the trade server"),
        ("autotrading", {"terminal": {"trade_allowed": False}}, "button is off: press it"),
        ("api", {"terminal": {"tradeapi_disabled": True}}, "clear"),
        ("account may trade", {"account": {"trade_allowed": False}}, "trading password"),
        ("account may automate", {"account": {"trade_expert": False}}, "only a person"),
        ("EURUSD", {"symbol": {"trade_mode": c.SYMBOL_TRADE_MODE_DISABLED}}, "disabled"),
        ("EURUSD", {"symbol": {"filling_mode": 0}}, "names no filling"),
        ("EURUSD", {"tick": {"bid": 0.0, "ask": 0.0}}, "no quote"),
    ],
)
def test_what_is_missing_is_one_item_with_its_cure(
    name: str, answers: dict[str, Any], cure: str
) -> None:
    """Nothing else is called wrong, and the text never says that what is off is on."""
    found = proof(**answers)
    assert not found.ok
    assert [item.name for item in found.items if not item.ok] == [name]
    assert cure in texts(found)[name]


def test_another_account_is_named_beside_the_configured_one() -> None:
    """Both stand there: a person has to see which of the two is wrong."""
    said = texts(proof(Identity(6, "Live", 2)))["identity"]
    assert said == (
        "account 5 on Demo, demo; configured is account 6 on Live, real: nothing would be sent"
    )


@pytest.mark.parametrize(("execution", "ok"), [(0, True), (1, True), (2, False), (3, True)])
def test_a_mask_that_names_nothing_matters_in_market_execution_alone(
    execution: int, *, ok: bool
) -> None:
    """Instant and Request take FOK, Exchange takes RETURN, whatever the mask says."""
    assert proof(symbol={"filling_mode": 0, "trade_exemode": execution}).ok is ok
