"""What only the outside can change is waited for, told at once, and goes on by itself."""

import msgspec
import pytest

from edgeguard.broker.planner.flatness import remaining
from edgeguard.broker.planner.model import (
    Alarm,
    Flat,
    Observe,
    Policy,
    Reappeared,
    Scope,
    Send,
    Wait,
    Waiting,
)
from tests.unit.broker.planner.play import MS, NETTING, Play, S, pending, position, spec


def codes(play: Play) -> list[str]:
    return [note.code for note in play.said(Alarm)]


@pytest.mark.parametrize(
    "change",
    [
        {"trade_allowed": False},
        {"tradeapi_disabled": True},
        {"connected": False},
    ],
)
def test_a_terminal_that_says_no_is_not_asked(change: dict[str, bool]) -> None:
    """P18: alarm and cause at once; nothing sent before a probe; resumed the second it says yes."""
    play = Play(position(1))
    play.terminal = msgspec.structs.replace(play.terminal, **change)
    assert play.to_send(until_ns=play.now_ns + 20 * S) is None
    assert "TRADING_OFF" in codes(play)
    assert play.said(Waiting)[0].causes
    play.terminal = msgspec.structs.replace(
        play.terminal, trade_allowed=True, tradeapi_disabled=False, connected=True
    )
    since = play.now_ns
    send = play.to_send()
    assert send is not None
    assert play.now_ns - since <= S
    play.done(send)
    play.play_out()
    assert play.said(Flat)
    assert play.said(Waiting)[-1].causes == ()


@pytest.mark.parametrize("flag", ["trade_allowed", "trade_expert"])
def test_an_account_that_may_not_trade_is_probed(flag: str) -> None:
    """The flags may be wrong: one request every 30 s finds out."""
    play = Play(position(1))
    play.account = msgspec.structs.replace(play.account, **{flag: False})
    since = play.now_ns
    assert play.to_send() is not None
    assert 29 * S <= play.now_ns - since <= 32 * S
    assert "TRADING_OFF" in codes(play)


def test_a_disconnected_terminal_is_never_sent_to() -> None:
    """However long it takes."""
    play = Play(position(1))
    play.terminal = msgspec.structs.replace(play.terminal, connected=False)
    assert play.to_send(until_ns=play.now_ns + 500 * S) is None
    assert play.sent == []


@pytest.mark.parametrize("code", [10026, 10027, 10032])
def test_a_forbidden_account_waits_and_probes(code: int) -> None:
    """Flags that look good while requests are refused: probes with growing pauses, no storm."""
    play = Play(position(1), position(2))
    since = play.now_ns
    count = 0
    while (play.to_send(until_ns=since + 60 * S)) is not None:
        count += 1
        play.answer(code)
    assert 3 <= count <= 12
    assert "TRADING_OFF" in codes(play)


def test_autotrading_off_by_last_error_waits() -> None:
    """None with -8 means that the request never left: pending, alarmed, resumed."""
    play = Play(position(1))
    assert play.to_send() is not None
    play.answer(None, last_error=-8)
    play.play_out()
    assert play.said(Flat)
    assert "TRADING_OFF" in codes(play)


def test_a_closed_market_holds_up_nothing_else() -> None:
    """10018 on one symbol: the others go on; its first new tick brings the next attempt."""
    gold = position(2, symbol="XAUUSD", lots=9.0)
    play = Play(position(1), gold)
    send = play.to_send()
    assert send is not None
    assert send.intent.symbol == "XAUUSD"
    play.answer(10018)
    send = play.to_send()
    assert send is not None
    assert send.intent.symbol == "EURUSD"
    play.done(send)
    since = play.now_ns
    assert play.to_send(until_ns=since + 10 * S) is None
    run = play.planner.state.runs["r"]
    assert [row.why for row in remaining(play.planner.state, run)] == [
        "MARKET_CLOSED: the market is closed"
    ]
    play.tick_msc += 1
    send = play.to_send(until_ns=since + 13 * S)
    assert send is not None
    play.done(send)
    play.play_out()
    assert play.said(Flat)


def test_a_closed_market_without_ticks_is_probed() -> None:
    """Every 30 s, because a symbol may trade before it ticks."""
    play = Play(position(1))
    assert play.to_send() is not None
    play.answer(10018)
    since = play.now_ns
    assert play.to_send() is not None
    assert play.now_ns - since >= 29 * S


def test_no_quote_is_no_price() -> None:
    """A priced request is not sent at a price that cannot be read; the symbol waits."""
    play = Play(position(1))
    play.specs["EURUSD"] = spec(trade_exemode=1)
    for _ in range(200):
        action = play.next()
        assert not isinstance(action, Send)
        if isinstance(action, Observe):
            play.planner.observed(play.now_ns, play.observation())
        elif isinstance(action, Wait):
            play.now_ns = action.until_ns
        else:
            play.planner.looked(play.now_ns, "EURUSD", play.specs["EURUSD"], None)
    assert "MARKET_CLOSED" in codes(play)


def test_flat_needs_two_reads_a_second_apart() -> None:
    """P17: one empty read is none; a failed or disconnected one in between starts again."""
    play = Play()
    first = play.next()
    assert isinstance(first, Observe)
    play.planner.observed(play.now_ns, play.observation())
    action = play.next()
    assert isinstance(action, Wait)
    assert action.until_ns - play.now_ns == S
    play.now_ns = action.until_ns
    assert isinstance(play.next(), Observe)
    play.planner.observe_failed(play.now_ns, "None")
    assert not play.said(Flat)
    assert play.to_send() is None
    flat = play.said(Flat)[0]
    assert flat.second_ns - flat.first_ns >= S
    assert flat.first_ns > action.until_ns


def test_a_disconnected_empty_list_is_no_proof() -> None:
    """P17: a terminal without a link shows nothing of worth; and not at once when it is back."""
    play = Play()
    play.terminal = msgspec.structs.replace(play.terminal, connected=False)
    assert play.to_send(until_ns=play.now_ns + 30 * S) is None
    assert not play.said(Flat)
    play.terminal = msgspec.structs.replace(play.terminal, connected=True)
    since = play.now_ns
    assert play.to_send() is None
    assert play.said(Flat)[0].first_ns - since >= Policy().resync_ns


def test_failing_reads_are_told_and_retried_at_a_bounded_rate() -> None:
    """P18: alarm within 5 s; about one attempt a second, for ever."""
    play = Play(position(1))
    since = play.now_ns
    reads = 0
    alarm_ns = 0
    while play.now_ns < since + 60 * S:
        action = play.next()
        if isinstance(action, Observe):
            reads += 1
            play.planner.observe_failed(play.now_ns, "positions_get gave None")
        else:
            assert isinstance(action, Wait)
            play.now_ns = min(action.until_ns, play.now_ns + 500 * MS)
            play.planner.tick(play.now_ns)
        play.notes += play.planner.take_notes()
        if codes(play) and not alarm_ns:
            alarm_ns = play.now_ns
    assert alarm_ns - since <= 5 * S
    assert 50 <= reads <= 90


def test_a_hanging_call_is_told_while_it_hangs() -> None:
    """P18: the planner speaks although nobody has answered it yet."""
    play = Play(position(1))
    assert play.to_send() is not None
    play.later(4 * S)
    play.planner.tick(play.now_ns)
    assert any(isinstance(note, Alarm) for note in play.planner.take_notes())


def test_the_wrong_account_is_never_traded() -> None:
    """P13: another login, server, mode or terminal: nothing is sent, whatever it lists."""
    for change in ({"login": 6}, {"server": "Other"}, {"trade_mode": 2}):
        play = Play(position(1))
        play.account = msgspec.structs.replace(play.account, **change)
        assert play.to_send(until_ns=play.now_ns + 100 * S) is None
        assert "WRONG_ACCOUNT" in codes(play)
        assert not play.said(Flat)
    play = Play(position(1))
    play.terminal = msgspec.structs.replace(play.terminal, path="A")
    send = play.to_send()
    assert send is not None
    play.terminal = msgspec.structs.replace(play.terminal, path="B")
    play.done(send)
    play.positions = [position(2)]
    assert play.to_send(until_ns=play.now_ns + 100 * S) is None
    assert "WRONG_ACCOUNT" in codes(play)


@pytest.mark.parametrize("mode", [2, NETTING])
def test_scopes_touch_nothing_else(mode: int) -> None:
    """A symbol, a strategy, a ticket: the rest stays, and does not keep the run from being flat."""
    book = (
        position(1, magic=7),
        position(2, symbol="XAUUSD", magic=8),
        position(3, symbol="GBPUSD", magic=7),
    )
    orders = (pending(11, magic=7), pending(12, symbol="XAUUSD", magic=8))
    wanted: dict[Scope, tuple[set[int], set[int]]] = {
        Scope("symbol", symbol="XAUUSD"): ({2}, {12}),
        Scope("strategy", magics=(7,)): ({1, 3}, {11}),
        Scope("ticket", ticket=3): ({3}, set()),
    }
    for scope, (positions, deletions) in wanted.items():
        play = Play(*book, orders=orders, mode=mode, scope=scope)
        for row in book:
            play.opened(row)
        play.play_out()
        assert {s.intent.ticket for s in play.sent if s.intent.kind == "close"} == positions
        assert {s.intent.ticket for s in play.sent if s.intent.kind == "delete"} == deletions
        assert play.said(Flat)


def test_what_appears_is_closed_at_a_bounded_rate() -> None:
    """A stranger who reopens at once is answered at most 20 at a time and two a second after."""
    play = Play(position(1))
    since = play.now_ns
    number = 2
    while (send := play.to_send(until_ns=since + 30 * S)) is not None:
        play.done(send)
        play.positions = [position(number)]
        number += 1
    assert 20 <= len(play.sent) <= 20 + 2 * 30 + 2
    assert "POSITION_APPEARED" in codes(play)


def test_flat_is_watched() -> None:
    """What appears after the proof is closed again, with another proof."""
    play = Play(position(1))
    play.play_out()
    assert len(play.said(Flat)) == 1
    play.positions = [position(2)]
    play.later(100 * S)
    play.planner.observed(play.now_ns, play.observation())
    play.play_out()
    assert len(play.said(Flat)) == 2
    assert play.said(Reappeared)
    assert play.positions == []


def test_what_others_close_is_accepted() -> None:
    """P19 in small: a position that a human closed meanwhile is simply no work any more."""
    play = Play(position(1), position(2))
    send = play.to_send()
    assert send is not None
    play.positions = [row for row in play.positions if row.ticket != send.intent.ticket]
    play.answer(10036)
    play.play_out()
    assert play.said(Flat)


def test_a_reversed_position_is_told_and_closed() -> None:
    """A netting position that flips in a race is closed from what is really there."""
    row = position(1)
    play = Play(row, mode=NETTING)
    play.opened(row)
    assert play.to_send() is not None
    play.positions = [position(1, 1)]
    play.answer(10006)
    send = play.to_send()
    assert send is not None
    assert send.request["type"] == 0
    assert "POSITION_REVERSED" in codes(play)


def test_two_flattens_are_judged_apart() -> None:
    """A strategy is flat before the account is."""
    play = Play(position(1, magic=7), position(2, symbol="XAUUSD", lots=5.0))
    play.planner.start(play.now_ns, "s", Scope("strategy", magics=(7,)))
    while (send := play.to_send(until_ns=play.now_ns + 5 * S)) is not None:
        if send.intent.symbol == "XAUUSD":
            play.answer(10018)
        else:
            play.done(send)
    assert [note.run for note in play.said(Flat)] == ["s"]
