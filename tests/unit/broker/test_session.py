"""Typed reads over a scripted child: None is a failure, brackets agree, sessions never mix."""
# ruff: noqa: ANN401 - scripted answers of any shape

import asyncio
from typing import Any

import msgspec
import pytest

from edgeguard.broker.frames import CallReply
from edgeguard.broker.link import CallFailedError
from edgeguard.broker.paper import constants as c
from edgeguard.broker.retcodes import Verdict
from edgeguard.broker.rows import DealRow, PositionRow
from edgeguard.broker.session import ReadError, TerminalSession, Timeouts, net_units
from edgeguard.clock import ManualClock

ACCOUNT = {
    "login": 5,
    "trade_mode": 0,
    "margin_mode": 2,
    "server": "Demo",
    "currency": "USD",
    "balance": 1e5,
    "credit": 0.0,
    "equity": 1e5,
    "margin": 0.0,
    "a_field_of_a_newer_build": [1],
}
GOOD: dict[str, Any] = {
    "initialize": True,
    "account_info": ACCOUNT,
    "positions_get": [],
    "orders_get": [],
    "terminal_info": {"connected": True, "trade_allowed": True},
    "history_deals_get": [],
    "history_orders_get": [],
}


class ScriptedLink:
    """Answers each call from a table: a value, a list of values in turn, or an exception."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {**GOOD, **answers}
        self.is_up = False
        self.calls: list[str] = []
        self.starts = 0
        self.code = 1

    async def start(self) -> None:
        self.is_up = True
        self.starts += 1

    def stop(self) -> None:
        self.is_up = False

    async def call(
        self, method: str, timeout_s: float, args: tuple[Any, ...] = (), **kwargs: Any
    ) -> CallReply:
        del timeout_s, args, kwargs
        self.calls.append(method)
        value = self.answers[method]
        if isinstance(value, Turns):
            value = value.take()
        if isinstance(value, CallFailedError):
            self.is_up = False
            raise value
        code = -1 if value is None else self.code
        return CallReply(1, msgspec.Raw(msgspec.msgpack.encode(value)), code, "text")


class Turns:
    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def take(self) -> Any:
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]


def session(**answers: Any) -> tuple[TerminalSession, ScriptedLink]:
    link = ScriptedLink(**answers)
    return TerminalSession(link, ManualClock(10**18, 10**12), Timeouts()), link  # type: ignore[arg-type]


def test_a_bracketed_read() -> None:
    """Terminal, account, positions, orders, account, terminal; unknown fields are ignored."""
    made, link = session()
    obs = asyncio.run(made.observe())
    assert link.calls == [
        "initialize",
        "terminal_info",
        "account_info",
        "positions_get",
        "orders_get",
        "account_info",
        "terminal_info",
    ]
    assert obs.positions == ()
    assert obs.session == 1
    assert obs.account.login == 5


@pytest.mark.parametrize(
    "method", ["account_info", "positions_get", "orders_get", "terminal_info", "initialize"]
)
def test_none_is_never_empty(method: str) -> None:
    """P17: a None anywhere fails the read; it is never an empty list."""
    made, _ = session(**{method: False if method == "initialize" else None})
    with pytest.raises(ReadError, match=method):
        asyncio.run(made.observe())


def test_accounts_that_disagree_are_read_again() -> None:
    """A changed balance between the two account reads repeats the bracket."""
    other = {**ACCOUNT, "balance": 5.0}
    made, link = session(account_info=Turns(ACCOUNT, other, other))
    obs = asyncio.run(made.observe())
    assert obs.account.balance == 5.0
    assert link.calls.count("positions_get") == 2
    assert made.disagreements == 1


def test_prices_alone_do_not_starve_the_read() -> None:
    """An equity that moves at every read is accepted in the end; a balance never is."""
    moving = [{**ACCOUNT, "equity": float(n)} for n in range(100)]
    made, _ = session(account_info=Turns(*moving))
    assert asyncio.run(made.observe()).account.login == 5
    paying = [{**ACCOUNT, "balance": float(n)} for n in range(100)]
    made, _ = session(account_info=Turns(*paying))
    with pytest.raises(ReadError, match="changed"):
        asyncio.run(made.observe())


def test_a_link_lost_before_the_lists_is_seen() -> None:
    """P17: lists read while the link was down do not count as connected."""
    down = {"connected": False, "trade_allowed": True}
    made, _ = session(terminal_info=Turns(down, GOOD["terminal_info"]))
    assert not asyncio.run(made.observe()).terminal.connected


def test_a_child_that_dies_in_between_fails_the_read() -> None:
    """P13: account and positions of one observation are of one connection."""
    died = CallFailedError("died")
    made, link = session(orders_get=Turns(died, []))
    with pytest.raises(ReadError):
        asyncio.run(made.observe())
    obs = asyncio.run(made.observe())
    assert obs.session == 2
    assert link.starts == 2


def test_a_lost_pipe_is_connected_anew() -> None:
    """-10004 and its kin: initialize before the next call, in a new session."""
    made, link = session(positions_get=Turns(None, []))
    link.code = -10004

    async def twice() -> int:
        with pytest.raises(ReadError):
            await made.read("positions_get", tuple[PositionRow, ...])
        link.code = 1
        made.link.answers["positions_get"] = []  # type: ignore[attr-defined]
        await made.read("positions_get", tuple[PositionRow, ...])
        return made.session

    link.answers["positions_get"] = None

    async def call(*args: Any, **kwargs: Any) -> CallReply:
        reply = await ScriptedLink.call(link, *args, **kwargs)
        lost = bytes(reply.value) == b"\xc0"
        return CallReply(1, reply.value, -10004 if lost else 1, "")

    link.call = call
    assert asyncio.run(twice()) == 2


def test_history_that_fails_leaves_the_rest() -> None:
    """Evidence that cannot be read holds up only what needs it."""
    made, _ = session(history_orders_get=None)
    obs = asyncio.run(made.observe(history_since_ns=10**18))
    assert obs.evidence is None


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ({"retcode": 10009, "deal": 1}, Verdict.DONE),
        ({"retcode": 12345}, Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
        (CallFailedError("late", overran=True), Verdict.UNKNOWN),
        ({"nonsense": 1}, Verdict.UNKNOWN),
    ],
)
def test_a_send_never_raises(value: Any, verdict: Verdict) -> None:
    """Whatever comes back, the outcome is one of three: yes, no, unknown."""

    async def send() -> Verdict:
        made, _ = session(order_send=value)
        await made.observe()
        answer, _ = await made.send({"action": c.TRADE_ACTION_DEAL})
        return answer.verdict

    assert asyncio.run(send()) is verdict


def test_without_a_child_nothing_is_sent() -> None:
    """A child that is gone proves that the request never left."""

    async def send() -> Verdict:
        made, link = session(order_send={"retcode": 10009})
        await made.observe()
        link.is_up = False
        answer, _ = await made.send({"action": c.TRADE_ACTION_DEAL})
        return answer.verdict

    assert asyncio.run(send()) is Verdict.NOT_SENT


def test_a_position_is_the_sum_of_its_deals() -> None:
    """Signed, buys positive; without the opening deal nobody can say."""
    deal = DealRow(1, 0, 1, 0, c.DEAL_ENTRY_IN, 0, 9, "EURUSD", 1.0, 1.1)
    out = msgspec.structs.replace(deal, ticket=2, type=1, entry=c.DEAL_ENTRY_OUT, volume=0.4)
    assert net_units((deal, out)) == 60_000_000
    assert net_units((out,)) is None
