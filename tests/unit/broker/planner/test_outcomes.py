"""What every answer leads to: retry, rebuild, wait, evidence; and never a blind second send."""

from itertools import pairwise

import msgspec
import pytest

from edgeguard.broker.paper import constants as c
from edgeguard.broker.planner.model import Alarm, Flat, Past, Policy, Resolved, Waiting
from edgeguard.broker.retcodes import LAST_ERRORS, RETCODES, Verdict, classify
from tests.unit.broker.planner.play import MS, NETTING, Play, S, pending, position, spec


def ends(play: Play) -> list[str]:
    return [note.end for note in play.said(Resolved)]


def test_every_code_of_the_wheel_is_classified() -> None:
    """Each exported retcode and last_error has one entry; what is unlisted is UNKNOWN."""
    names = [name for name in dir(c) if name.startswith("TRADE_RETCODE_")]
    assert names
    assert {getattr(c, name) for name in names} <= set(RETCODES)
    errors = {getattr(c, name) for name in dir(c) if name.startswith("RES_")}
    assert errors <= set(LAST_ERRORS)
    for code in (0, 1, 10005, 10037, 10047, 99999, -7):
        assert classify(code).verdict is Verdict.UNKNOWN
    assert classify(None, -12345).verdict is Verdict.UNKNOWN
    assert classify(10046).verdict is Verdict.REFUSED


@pytest.mark.parametrize("code", sorted(RETCODES))
def test_any_refusal_once_does_not_keep_a_position_open(code: int) -> None:
    """Whatever the server answers the first time, the position ends closed and accounted for."""
    play = Play(position(1))
    assert play.to_send() is not None
    play.answer(code)
    play.play_out()
    assert play.positions == []
    assert play.said(Flat)
    assert len(play.said(Resolved)) == len(play.sent)


@pytest.mark.parametrize("code", sorted(LAST_ERRORS))
def test_any_missing_result_once_does_not_either(code: int) -> None:
    """Likewise for every reason why there is no result at all."""
    play = Play(position(1))
    assert play.to_send() is not None
    play.answer(None, last_error=code)
    play.play_out()
    assert play.positions == []
    assert play.said(Flat)


@pytest.mark.parametrize("code", [10008, 10011, 10012, 10028, 10031, 10099, None])
def test_netting_waits_out_an_unknown_request(code: int | None) -> None:
    """P15: without a trace nothing is sent for 30 s; with the deal found, nothing ever again."""
    row = position(1)
    play = Play(row, mode=NETTING)
    play.opened(row)
    assert play.to_send() is not None
    play.answer(code, last_error=-10002)
    assert play.to_send(until_ns=play.now_ns + 29 * S) is None
    assert play.to_send() is not None
    assert "PROVEN_NOT_SENT" in ends(play)

    play = Play(row, mode=NETTING)
    play.opened(row)
    send = play.to_send()
    assert send is not None
    play.answer(code, last_error=-10002)
    play.execute(send)
    assert play.to_send() is None
    assert play.said(Flat)
    assert ends(play) == ["FILLED"]


def test_an_operator_may_have_to_decide() -> None:
    """netting_unknown = operator: the symbol stays shut, with an alarm, and says why."""
    row = position(1)
    play = Play(row, mode=NETTING, policy=Policy(netting_unknown="operator"))
    play.opened(row)
    assert play.to_send() is not None
    play.answer(10012)
    assert play.to_send() is None
    assert ends(play) == ["ESCALATED"]
    assert any("operator" in cause for note in play.said(Waiting) for cause in note.causes)
    assert not play.said(Flat)


def test_hedging_asks_again_after_two_seconds() -> None:
    """Without a trace the same position is named again; its end is told apart at the end."""
    play = Play(position(1))
    assert play.to_send() is not None
    asked = play.now_ns
    play.answer(10012)
    second = play.to_send()
    assert second is not None
    assert play.now_ns - asked >= 2 * S
    play.done(second)
    play.play_out()
    assert sorted(ends(play)) == ["FILLED", "PROVEN_NOT_SENT"]


def test_a_late_double_is_credited_to_the_right_request() -> None:
    """The first request executed late: it is FILLED, and the second was refused."""
    play = Play(position(1))
    first = play.to_send()
    assert first is not None
    play.answer(10012)
    assert play.to_send() is not None
    play.execute(first)
    play.answer(10036)
    play.play_out()
    assert {n.intent.id: n.end for n in play.said(Resolved)} == {1: "FILLED", 2: "REJECTED"}


def test_a_lagging_list_is_not_closed_twice() -> None:
    """P15: an answered deal counts although the list goes on showing the position."""
    row = position(1)
    for mode in (2, NETTING):
        play = Play(row, mode=mode)
        play.opened(row)
        send = play.to_send()
        assert send is not None
        shown = list(play.positions)
        play.execute(send)
        deal = play.deals[-1].ticket
        play.positions = shown
        play.answer(10009, lots=0.1, deal=deal)
        assert play.to_send(until_ns=play.now_ns + S) is None
        assert not play.said(Flat)
        play.positions = []
        assert play.to_send() is None
        assert play.said(Flat)


def test_a_restart_does_not_believe_a_lagging_list() -> None:
    """What an earlier life saw executed is not closed again, although the list still shows it."""
    row = position(1)
    old = Play(row, mode=NETTING)
    send = old.to_send()
    assert send is not None
    old.opened(row)
    shown = list(old.positions)
    deal = old.execute(send)
    assert deal is not None
    play = Play(*shown, mode=NETTING, past=Past(2, (), ((send.intent, deal.ticket),)))
    play.deals = old.deals
    assert play.to_send(until_ns=play.now_ns + S) is None
    play.positions = []
    assert play.to_send() is None
    assert play.said(Flat)


def test_an_adopted_intent_blocks_until_evidence() -> None:
    """P19: an unfinished request of an earlier life is looked up before anything is sent."""
    row = position(1)
    old = Play(row, mode=NETTING)
    send = old.to_send()
    assert send is not None
    play = Play(row, mode=NETTING, past=Past(7, (send.intent,)))
    play.opened(row)
    assert play.to_send(until_ns=play.now_ns + 29 * S) is None
    assert play.to_send() is not None
    assert play.sent[0].intent.id == 7


def test_an_adopted_intent_is_settled_without_a_run() -> None:
    """P16: intents end also when nobody flattens any more."""
    old = Play(position(1))
    send = old.to_send()
    assert send is not None
    play = Play(past=Past(7, (send.intent,)), run=False)
    assert play.to_send() is None
    assert ends(play) == ["PROVEN_NOT_SENT"]


def test_a_partial_fill_is_finished_from_a_new_read() -> None:
    """10010: the rest goes as re-read, after the history has shown what was filled."""
    play = Play(position(1, lots=1.0))
    send = play.to_send()
    assert send is not None
    deal = play.execute(send, lots=0.4)
    assert deal is not None
    play.answer(10010, lots=0.4, deal=deal.ticket)
    second = play.to_send()
    assert second is not None
    assert second.intent.units == 60_000_000
    play.done(second)
    play.play_out()
    assert ends(play) == ["PARTIAL", "FILLED"]


def test_a_working_rest_is_waited_for() -> None:
    """While the rest of a RETURN order still works nothing else is sent for the position."""
    play = Play(position(1, lots=1.0))
    send = play.to_send()
    assert send is not None
    deal = play.execute(send, lots=0.4)
    assert deal is not None
    rest = msgspec.structs.replace(pending(77), type=1, magic=send.intent.magic, state=3)
    play.orders = [rest]
    play.answer(10010, lots=0.4, deal=deal.ticket)
    assert play.to_send(until_ns=play.now_ns + 8 * S) is None


def test_fillings_rotate_and_are_kept() -> None:
    """10030: the next filling at once, without a pause; what worked is used for the next one."""
    play = Play(position(1, lots=5.0), position(2))
    started = play.now_ns
    send = play.to_send()
    assert send is not None
    assert send.request["type_filling"] == c.ORDER_FILLING_IOC
    play.answer(10030)
    send = play.to_send()
    assert send is not None
    assert send.request["type_filling"] == c.ORDER_FILLING_FOK
    assert play.now_ns == started
    play.done(send)
    send = play.to_send()
    assert send is not None
    assert send.request["type_filling"] == c.ORDER_FILLING_FOK


def test_the_mask_orders_the_fillings() -> None:
    """A FOK-only symbol is sent FOK: the mask's bit is not the enum's value."""
    play = Play(position(1))
    play.specs["EURUSD"] = spec(filling_mode=1)
    send = play.to_send()
    assert send is not None
    assert send.request["type_filling"] == c.ORDER_FILLING_FOK


def test_requotes_widen_the_deviation() -> None:
    """Each requote doubles the deviation, at a fresh price, without a pause for the first five."""
    play = Play(position(1))
    play.specs["EURUSD"] = spec(trade_exemode=1)
    started = play.now_ns
    seen: list[object] = []
    for _ in range(5):
        send = play.to_send()
        assert send is not None
        seen.append(send.request["deviation"])
        play.answer(10004)
    assert seen == [20, 40, 80, 160, 320]
    assert play.now_ns == started


def test_a_thin_book_gets_smaller_bites() -> None:
    """10006 to an all-or-nothing request: the next one is half, and it grows again."""
    play = Play(position(1, lots=8.0))
    play.specs["EURUSD"] = spec(filling_mode=1)
    sizes: list[float] = []
    while (send := play.to_send()) is not None:
        lots = send.intent.units / 1e8
        sizes.append(lots)
        if lots > 2.0:
            play.answer(10006)
        else:
            play.done(send)
    assert sizes[:3] == [8.0, 4.0, 2.0]
    assert play.positions == []


def test_refusals_back_off_and_alarm() -> None:
    """P18: refusals are paced up to 5 s, never end, and are told after 4 s."""
    play = Play(position(1))
    started = play.now_ns
    times: list[int] = []
    while play.now_ns < started + 60 * S:
        if play.to_send(until_ns=started + 60 * S) is None:
            break
        times.append(play.now_ns)
        play.answer(10042)
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[0] >= 100 * MS
    assert max(gaps) < 7 * S
    assert len(times) < 40
    assert any(note.code == "STUCK" for note in play.said(Alarm))


def test_deletions_may_be_repeated() -> None:
    """An unknown deletion is simply sent again; the order's end settles both."""
    play = Play(orders=(pending(9),))
    assert play.to_send() is not None
    play.answer(10012)
    send = play.to_send()
    assert send is not None
    play.done(send)
    play.play_out()
    assert sorted(ends(play)) == ["FILLED", "REJECTED"]
    assert play.said(Flat)


def test_a_filled_pending_becomes_a_position_that_goes_too() -> None:
    """A pending that fills instead of being deleted is closed, with an alarm."""
    play = Play(orders=(pending(9),))
    assert play.to_send() is not None
    play.orders = []
    play.positions = [position(9)]
    play.history = [pending(9, state=4)]
    play.answer(10035)
    play.play_out()
    assert play.positions == []
    assert play.said(Flat)
    assert any(note.code == "POSITION_APPEARED" for note in play.said(Alarm))


@pytest.mark.parametrize("mode", [2, NETTING])
def test_a_damaged_log_lets_a_netting_account_rest(mode: int) -> None:
    """Where something unknown may be on its way nothing is sent for a quarantine, with an alarm."""
    play = Play(position(1), mode=mode, past=Past(5, damaged=True))
    since = play.now_ns
    assert play.to_send() is not None
    waited = play.now_ns - since
    assert waited >= 30 * S if mode == NETTING else waited < S
    assert any(note.code == "LOG_DAMAGED" for note in play.said(Alarm))
