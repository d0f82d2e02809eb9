"""An intent written ahead of its turn decides nothing, and has one end, sent or not."""

from __future__ import annotations

import random

import msgspec
import pytest

from edgeguard.broker.planner.model import Intent, Resolved, Send
from tests.unit.broker.planner.play import HEDGING, MS, NETTING, Play, S, pending, position, spec

CODES = (10009, 10009, 10009, 10006, 10004, 10030, 10018, None)
"""Answers that a played terminal draws from: done, refused for several reasons, and none."""


def in_flight(play: Play) -> Send:
    send = play.to_send()
    assert send is not None
    return send


def unnumbered(send: Send) -> Intent:
    return msgspec.structs.replace(send.intent, id=0)


def test_the_guess_is_the_next_request() -> None:
    """After a good answer the request that was written ahead goes, under its number."""
    play = Play(position(1, lots=3.0), position(2, lots=2.0), position(3, lots=1.0))
    first = in_flight(play)
    guess = play.planner.ahead(play.now_ns)
    assert guess is not None
    assert guess.ticket == 2
    assert guess.id > first.intent.id
    play.done(first)
    assert in_flight(play).intent == guess
    assert not [note for note in play.said(Resolved) if note.intent == guess]


def test_one_guess_at_a_time_and_only_in_flight() -> None:
    """Nothing is guessed while nothing is on its way, and a second guess would lose the first."""
    play = Play(position(1, lots=3.0), position(2, lots=2.0), position(3, lots=1.0))
    assert play.planner.ahead(play.now_ns) is None
    send = in_flight(play)
    assert play.planner.ahead(play.now_ns) is not None
    assert play.planner.ahead(play.now_ns) is None
    play.done(send)
    assert play.planner.ahead(play.now_ns) is None


@pytest.mark.parametrize("code", [10018, 10006, None])
def test_a_guess_that_does_not_come_true_ends_as_never_sent(code: int | None) -> None:
    """A closed market, a refusal and a missing answer ask for another read: the guess ends once."""
    play = Play(position(1, lots=3.0), position(2, lots=2.0))
    in_flight(play)
    guess = play.planner.ahead(play.now_ns)
    assert guess is not None
    play.answer(code)
    if code is None:
        play.later(play.planner.state.policy.observation_age_ns + 1)
    later = in_flight(play)
    assert later.intent.id != guess.id
    ends = [note for note in play.said(Resolved) if note.intent.id == guess.id]
    assert [(note.end, note.units) for note in ends] == [("PROVEN_NOT_SENT", 0)]


def test_a_guess_counts_for_nothing() -> None:
    """It blocks no position and takes nothing from what may be closed (P15)."""
    play = Play(position(1, lots=3.0), position(2, lots=2.0))
    in_flight(play)
    before = [(leg.available, leg.locked) for leg in play.planner.state.legs.values()]
    assert play.planner.ahead(play.now_ns) is not None
    assert [(leg.available, leg.locked) for leg in play.planner.state.legs.values()] == before
    assert len(play.planner.state.unresolved) == 1


def test_the_same_target_is_never_guessed() -> None:
    """While a chunk is on its way the next one of that position is left to the answer."""
    play = Play(position(1, lots=3.0), position(2, lots=0.1))
    play.specs["EURUSD"] = spec(volume_max=1.0)
    assert in_flight(play).intent.ticket == 1
    assert play.planner.ahead(play.now_ns) is None


def test_netting_guesses_another_symbol() -> None:
    """One request per symbol is in flight: what is written ahead is of another one."""
    play = Play(position(1, lots=3.0), position(2, lots=2.0, symbol="GBPUSD"), mode=NETTING)
    first = in_flight(play)
    guess = play.planner.ahead(play.now_ns)
    assert guess is not None
    assert guess.key != first.intent.key


def test_an_old_observation_is_not_sent_on() -> None:
    """The age is that at the real send: a guess does not keep an observation young."""
    play = Play(position(1, lots=3.0), position(2, lots=2.0))
    send = in_flight(play)
    guess = play.planner.ahead(play.now_ns)
    reads = play.reads
    play.later(2 * S)
    play.done(send)
    later = in_flight(play)
    assert play.reads > reads
    assert guess is not None
    assert later.intent.id != guess.id


def test_another_account_is_not_traded_on_a_guess() -> None:
    """The identity is checked at the real send, not where the intent was written."""
    play = Play(position(1, lots=3.0), position(2, lots=2.0))
    send = in_flight(play)
    assert play.planner.ahead(play.now_ns) is not None
    play.account = msgspec.structs.replace(play.account, login=6)
    play.later(2 * S)
    play.done(send)
    assert play.to_send(until_ns=play.now_ns + 5 * S) is None


@pytest.mark.parametrize("mode", [HEDGING, NETTING])
@pytest.mark.parametrize("seed", range(12))
def test_guessing_changes_no_request(seed: int, mode: int) -> None:
    """The same book and answers give the same requests at the same times, guessed or not."""
    plain, guessed = played(seed, mode, guess=False), played(seed, mode, guess=True)
    assert plain
    assert guessed == plain


def played(seed: int, mode: int, *, guess: bool) -> list[tuple[int, Intent]]:
    """Play a drawn book against drawn answers; return each request with its time."""
    dice = random.Random(seed)
    names = ["EURUSD", "GBPUSD", "XAUUSD", "USDJPY", "AUDUSD"]
    book = [
        position(
            n + 1,
            dice.randrange(2),
            round(dice.uniform(0.1, 4.0), 2),
            symbol=names[n] if mode == NETTING else dice.choice(names),
        )
        for n in range(len(names) if mode == NETTING else 9)
    ]
    orders = tuple(pending(100 + n, price_open=dice.uniform(1.0, 1.1)) for n in range(4))
    play = Play(*book, orders=orders, mode=mode, fifo_close=dice.random() < 0.2)
    play.specs = {name: spec(name, volume_max=dice.choice((1.0, 100.0))) for name in names}
    found: list[tuple[int, Intent]] = []
    while len(found) < 60 and (send := play.to_send()) is not None:
        found.append((play.now_ns, unnumbered(send)))
        if guess:
            play.planner.ahead(play.now_ns)
        play.later(5 * MS)
        code = dice.choice(CODES)
        if code == 10009:
            play.done(send)
        else:
            play.answer(code)
    numbers = [s.intent.id for s in play.sent]
    numbers += [n.intent.id for n in play.said(Resolved) if n.intent.id not in numbers]
    assert len(numbers) == len(set(numbers))
    return found
