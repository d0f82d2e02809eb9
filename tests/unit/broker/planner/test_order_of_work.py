"""What goes first: deletions for a moment, then the largest risk, the oldest, or pairs."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeguard.broker.paper.arguments import request_values
from edgeguard.broker.planner.model import Flat, PendingsGone
from tests.unit.broker.planner.play import NETTING, Play, pending, position, spec


def kinds(play: Play) -> list[str]:
    return [send.intent.kind for send in play.sent]


def tickets(play: Play) -> list[int]:
    return [send.intent.ticket for send in play.sent]


def test_the_largest_risk_goes_first() -> None:
    """Exposure counts, and what is already lost counts more."""
    play = Play(position(1, lots=0.1), position(2, lots=2.0), position(3, lots=0.1, profit=-9e5))
    play.play_out()
    assert tickets(play) == [3, 2, 1]
    assert play.said(Flat)


def test_fifo_closes_the_oldest_first() -> None:
    """Where the account says FIFO, age decides, and no pair is closed by itself."""
    play = Play(position(3, 1), position(1, lots=0.1), position(2, lots=5.0), fifo_close=True)
    play.play_out()
    assert tickets(play) == [1, 2, 3]


def test_fifo_is_learnt_from_a_refusal() -> None:
    """10045 turns a symbol to oldest first although the account did not say so."""
    play = Play(position(2, lots=5.0), position(1))
    send = play.to_send()
    assert send is not None
    assert send.intent.ticket == 2
    play.answer(10045)
    play.play_out()
    assert tickets(play)[1:] == [1, 2]


def test_a_hedged_book_takes_half_the_requests() -> None:
    """Equal opposite volumes close each other: one request for two positions."""
    book = [position(n, n % 2, lots=0.1 * (1 + n // 2)) for n in range(50)]
    play = Play(*book)
    play.play_out()
    assert kinds(play) == ["close_by"] * 25
    assert play.positions == []


def test_the_surplus_goes_before_the_balanced_rest() -> None:
    """What nothing covers closes at once; the hedged part, which is no risk, after it."""
    play = Play(position(1, 0, 1.0), position(2, 1, 1.0), position(3, 0, 0.4))
    play.play_out()
    assert kinds(play) == ["close", "close_by"]
    assert tickets(play)[0] == 3


def test_unequal_pairs_leave_a_residue_that_is_planned_again() -> None:
    """Three small buys against one sell: no position is closed twice, nothing is left."""
    play = Play(position(1, 1, 0.3), *(position(n, 0, 0.1) for n in (2, 3, 4)))
    play.play_out()
    assert kinds(play) == ["close_by"] * 3
    assert play.positions == []


def test_without_the_right_there_are_no_pairs() -> None:
    """A symbol whose order_mode lacks CLOSE_BY is closed one by one."""
    play = Play(position(1, 0), position(2, 1))
    play.specs["EURUSD"] = spec(order_mode=63)
    play.play_out()
    assert kinds(play) == ["close", "close"]


def test_a_refused_pair_is_closed_one_by_one() -> None:
    """A broker that refuses CLOSE_BY is not asked again for that symbol."""
    play = Play(position(1, 0), position(2, 1))
    play.to_send()
    play.answer(10035)
    play.play_out()
    assert kinds(play) == ["close_by", "close", "close"]


def test_deletions_go_first_but_not_for_long() -> None:
    """At most eight deletions precede the largest risk; then every second request is one."""
    orders = tuple(pending(100 + n) for n in range(20))
    play = Play(*(position(n) for n in range(1, 11)), orders=orders)
    play.play_out()
    order = kinds(play)
    assert order[:9] == ["delete"] * 8 + ["close"]
    assert order.count("delete") == 20
    assert play.said(PendingsGone)


def test_slow_deletions_do_not_hold_up_the_largest_risk() -> None:
    """After half a second of deletions the largest risk is closed, however few there were."""
    play = Play(position(1), orders=tuple(pending(100 + n) for n in range(8)))
    send = play.to_send()
    assert send is not None
    assert send.intent.kind == "delete"
    play.later(600_000_000)
    play.done(send)
    send = play.to_send()
    assert send is not None
    assert send.intent.kind == "close"


def test_the_nearest_pending_is_deleted_first() -> None:
    """The order that fills next is the one to delete first."""
    far, near = pending(1, price_open=0.5), pending(2, price_open=1.0999)
    play = Play(orders=(far, near))
    play.play_out()
    assert tickets(play) == [2, 1]


@settings(max_examples=200, deadline=None)
@given(
    units=st.integers(1, 5000),
    largest=st.integers(1, 600),
    least=st.integers(1, 30),
    netting=st.booleans(),
)
def test_chunks_are_legal_and_add_up(
    units: int, largest: int, least: int, *, netting: bool
) -> None:
    """Every chunk is a whole number of steps within the symbol's bounds, or all that is left."""
    largest, least = max(largest, least), min(largest, least)
    row = position(1, lots=units / 100)
    play = Play(row, mode=NETTING if netting else 2)
    play.opened(row)
    play.specs["EURUSD"] = spec(volume_max=largest / 100, volume_min=least / 100)
    left = units
    while (send := play.to_send()) is not None:
        part = round(send.intent.units / 1e6)
        assert part <= largest
        rest = left - part
        legal = part >= least and (rest == 0 or rest >= least)
        impossible = left <= largest or left < 2 * least or largest < 2 * least
        assert legal or impossible
        left = rest
        play.done(send)
    assert left == 0
    assert play.said(Flat)


def test_requests_pass_the_vendors_strict_types() -> None:
    """Each request is one that the vendor's extension accepts, argument by argument."""
    play = Play(position(1, 0), position(2, 1), position(3), orders=(pending(9),))
    play.specs["EURUSD"] = spec(trade_exemode=1)
    play.play_out()
    assert {"delete", "close", "close_by"} == set(kinds(play))
    for send in play.sent:
        assert request_values(send.request)


def test_a_priced_request_names_side_price_and_deviation() -> None:
    """Instant execution: a sell at the bid closes a buy; market execution sends no price."""
    play = Play(position(1, 0))
    play.specs["EURUSD"] = spec(trade_exemode=1)
    send = play.to_send()
    assert send is not None
    assert send.request["price"] == 1.1
    assert send.request["deviation"] == 20
    assert send.request["type"] == 1
    play = Play(position(1, 1))
    send = play.to_send()
    assert send is not None
    assert "price" not in send.request
    assert send.request["type"] == 0
    assert send.request["position"] == 1


def test_one_request_per_position_at_a_time() -> None:
    """P16: nothing else touches a position whose request has no known outcome."""
    play = Play(position(1, lots=3.0))
    play.specs["EURUSD"] = spec(volume_max=1.0)
    assert play.to_send() is not None
    play.answer(10008)
    play.orders.append(
        msgspec.structs.replace(pending(50), type=1, magic=play.sent[0].intent.magic)
    )
    assert play.to_send(until_ns=play.now_ns + 9_000_000_000) is None
