"""Every refusal of the server is reachable, by its own rule or, where chance makes it, a fault.

The last test compares the set of retcodes reached here with the whole list.
"""

from collections.abc import Callable

import pytest

from edgeguard.broker.paper import FaultRule, PaperSpec, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper import unexported as u
from edgeguard.broker.paper.answer import COMMENTS
from tests.unit.broker.paper.bench import Bench, changed

INSTANT = c.SYMBOL_TRADE_EXECUTION_INSTANT
REQUEST = c.SYMBOL_TRADE_EXECUTION_REQUEST
Scene = Callable[[], int]
SCENES: list[tuple[int, Scene]] = []


def scene(retcode: int) -> Callable[[Scene], Scene]:
    """Register a scene that ends in an answer with a retcode."""

    def register(play: Scene) -> Scene:
        SCENES.append((retcode, play))
        return play

    return register


def bench_with(spec: PaperSpec | None = None, /, **rules: object) -> Bench:
    """Return a hedging bench whose EURUSD has other rules."""
    return Bench(changed(presets.hedging() if spec is None else spec, **rules))


def faulty(rule: FaultRule) -> int:
    """Return what a plain buy is answered under one fault."""
    bench = Bench(presets.hedging())
    bench.faults(rule)
    return bench.buy(1.0).retcode


@scene(c.TRADE_RETCODE_REQUOTE)
def requote() -> int:
    bench = bench_with(execution=INSTANT)
    result = bench.buy(1.0, price=1.08480, deviation=10)
    assert (result.bid, result.ask) == (1.08500, 1.08506)
    return result.retcode


@scene(c.TRADE_RETCODE_PRICE_CHANGED)
def price_changed() -> int:
    return bench_with(execution=REQUEST).buy(1.0, price=1.08480, deviation=10).retcode


@scene(c.TRADE_RETCODE_INVALID_PRICE)
def no_price_on_instant() -> int:
    return bench_with(execution=INSTANT).buy(1.0).retcode


@scene(c.TRADE_RETCODE_INVALID_PRICE)
def limit_above_the_market() -> int:
    return bench_with().place(c.ORDER_TYPE_BUY_LIMIT, 1.0, 1.09).retcode


@scene(c.TRADE_RETCODE_REJECT)
def fill_or_kill_in_a_thin_book() -> int:
    return bench_with(depth_lots=0.5).buy(1.0, type_filling=c.ORDER_FILLING_FOK).retcode


@scene(c.TRADE_RETCODE_DONE_PARTIAL)
def immediate_or_cancel_in_a_thin_book() -> int:
    return bench_with(depth_lots=0.5).buy(1.0).retcode


@scene(c.TRADE_RETCODE_PLACED)
def accepted_for_later() -> int:
    return faulty(FaultRule(name="placed_late_fill", ms=100))


@scene(c.TRADE_RETCODE_DONE)
def done() -> int:
    return bench_with().buy(1.0).retcode


@scene(c.TRADE_RETCODE_TIMEOUT)
def timeout() -> int:
    return faulty(FaultRule(name="timeout_not_executed"))


@scene(c.TRADE_RETCODE_ERROR)
def error() -> int:
    return faulty(FaultRule(name="error_executed"))


@scene(c.TRADE_RETCODE_INVALID)
def unknown_action() -> int:
    return bench_with().send(action=99, symbol="EURUSD", volume=1.0).retcode


@scene(c.TRADE_RETCODE_INVALID)
def unknown_position() -> int:
    return bench_with().sell(1.0, position=123).retcode


@scene(c.TRADE_RETCODE_INVALID)
def close_of_the_wrong_side() -> int:
    bench = bench_with()
    opened = bench.buy(1.0)
    return bench.buy(1.0, position=opened.order).retcode


@scene(c.TRADE_RETCODE_INVALID_VOLUME)
def off_the_step() -> int:
    return bench_with().buy(0.015).retcode


@scene(c.TRADE_RETCODE_INVALID_VOLUME)
def above_the_maximum() -> int:
    return bench_with().buy(100.01).retcode


@scene(c.TRADE_RETCODE_INVALID_STOPS)
def stop_loss_above_a_buy() -> int:
    return bench_with().buy(1.0, sl=1.09).retcode


@scene(c.TRADE_RETCODE_INVALID_STOPS)
def stop_within_the_stops_level() -> int:
    return bench_with(stops_level=100).buy(1.0, sl=1.08450).retcode


@scene(c.TRADE_RETCODE_TRADE_DISABLED)
def symbol_disabled() -> int:
    return bench_with(trade_mode=c.SYMBOL_TRADE_MODE_DISABLED).buy(1.0).retcode


@scene(c.TRADE_RETCODE_TRADE_DISABLED)
def investor_password() -> int:
    return bench_with(presets.hedging(trade_allowed=False)).buy(1.0).retcode


@scene(c.TRADE_RETCODE_MARKET_CLOSED)
def outside_the_session() -> int:
    return bench_with(sessions=((6, 0, 3600),)).buy(1.0).retcode


@scene(c.TRADE_RETCODE_NO_MONEY)
def not_enough_margin() -> int:
    return bench_with(presets.hedging(balance=100.0)).buy(10.0).retcode


@scene(c.TRADE_RETCODE_PRICE_OFF)
def no_quote() -> int:
    return bench_with(bid=0.0, ask=0.0).buy(1.0).retcode


@scene(c.TRADE_RETCODE_INVALID_EXPIRATION)
def already_over() -> int:
    more = {"type_time": c.ORDER_TIME_SPECIFIED, "expiration": 1}
    return bench_with().place(c.ORDER_TYPE_BUY_LIMIT, 1.0, 1.08, **more).retcode


@scene(c.TRADE_RETCODE_INVALID_EXPIRATION)
def lifetime_not_offered() -> int:
    bench = bench_with(expiration_mode=1)
    return bench.place(c.ORDER_TYPE_BUY_LIMIT, 1.0, 1.08, type_time=c.ORDER_TIME_DAY).retcode


@scene(c.TRADE_RETCODE_ORDER_CHANGED)
def modify_an_order_in_flight() -> int:
    bench = bench_with()
    bench.faults(FaultRule(name="placed_late_fill", ms=1_000, count=1))
    order = bench.buy(1.0).order
    return bench.send(action=c.TRADE_ACTION_MODIFY, order=order, price=1.0).retcode


@scene(c.TRADE_RETCODE_TOO_MANY_REQUESTS)
def more_than_the_rate() -> int:
    bench = bench_with(presets.hedging(requests_per_second_max=2))
    answers = [bench.buy(0.1).retcode for _ in range(3)]
    bench.pass_ns(1_000_000_000)
    assert bench.buy(0.1).retcode == c.TRADE_RETCODE_DONE
    return answers[-1]


@scene(c.TRADE_RETCODE_NO_CHANGES)
def stops_as_they_are() -> int:
    bench = bench_with()
    opened = bench.buy(1.0, sl=1.08)
    stops = {"position": opened.order, "sl": 1.08, "tp": 0.0}
    return bench.send(action=c.TRADE_ACTION_SLTP, symbol="EURUSD", **stops).retcode


@scene(c.TRADE_RETCODE_SERVER_DISABLES_AT)
def broker_bans_algorithms() -> int:
    return bench_with(presets.hedging(trade_expert=False)).buy(1.0).retcode


@scene(c.TRADE_RETCODE_CLIENT_DISABLES_AT)
def autotrading_off() -> int:
    return faulty(FaultRule(name="autotrading_off"))


@scene(c.TRADE_RETCODE_FROZEN)
def stop_within_the_freeze_level() -> int:
    bench = bench_with(freeze_level=100)
    opened = bench.buy(1.0, sl=1.08450)
    return bench.sell(1.0, position=opened.order).retcode


@scene(c.TRADE_RETCODE_FROZEN)
def pending_within_the_freeze_level() -> int:
    bench = bench_with(freeze_level=1000)
    placed = bench.place(c.ORDER_TYPE_BUY_LIMIT, 1.0, 1.08)
    return bench.send(action=c.TRADE_ACTION_REMOVE, order=placed.order).retcode


@scene(c.TRADE_RETCODE_INVALID_FILL)
def mask_passed_as_enumeration() -> int:
    """filling_mode 1 means FOK only; passed as type_filling it asks for IOC."""
    bench = bench_with(filling_mode=1)
    info = bench.mt5.symbol_info("EURUSD")
    assert info is not None
    return bench.buy(1.0, type_filling=info.filling_mode).retcode


@scene(c.TRADE_RETCODE_INVALID_FILL)
def return_on_a_market_symbol() -> int:
    return bench_with().buy(1.0, type_filling=c.ORDER_FILLING_RETURN).retcode


@scene(c.TRADE_RETCODE_CONNECTION)
def link_lost() -> int:
    return faulty(FaultRule(name="disconnect"))


@scene(c.TRADE_RETCODE_ONLY_REAL)
def real_accounts_only() -> int:
    return bench_with(only_real=True).buy(1.0).retcode


@scene(c.TRADE_RETCODE_LIMIT_ORDERS)
def one_pending_too_many() -> int:
    bench = bench_with(presets.hedging(limit_orders=1))
    bench.place(c.ORDER_TYPE_BUY_LIMIT, 1.0, 1.08)
    return bench.place(c.ORDER_TYPE_BUY_LIMIT, 1.0, 1.08).retcode


@scene(c.TRADE_RETCODE_LIMIT_VOLUME)
def direction_full() -> int:
    bench = bench_with(volume_limit=1.5)
    bench.buy(1.0)
    assert bench.sell(1.0).retcode == c.TRADE_RETCODE_DONE
    return bench.buy(1.0).retcode


@scene(c.TRADE_RETCODE_INVALID_ORDER)
def market_orders_not_offered() -> int:
    return bench_with(order_mode=126).buy(1.0).retcode


@scene(c.TRADE_RETCODE_INVALID_ORDER)
def pending_already_gone() -> int:
    bench = bench_with()
    order = bench.place(c.ORDER_TYPE_BUY_LIMIT, 1.0, 1.08).order
    bench.send(action=c.TRADE_ACTION_REMOVE, order=order)
    return bench.send(action=c.TRADE_ACTION_REMOVE, order=order).retcode


@scene(c.TRADE_RETCODE_POSITION_CLOSED)
def position_closed() -> int:
    bench = bench_with()
    opened = bench.buy(1.0)
    bench.sell(1.0, position=opened.order)
    return bench.sell(1.0, position=opened.order).retcode


@scene(c.TRADE_RETCODE_INVALID_CLOSE_VOLUME)
def more_than_is_held() -> int:
    bench = bench_with()
    opened = bench.buy(1.0)
    return bench.sell(2.0, position=opened.order).retcode


@scene(c.TRADE_RETCODE_CLOSE_ORDER_EXIST)
def close_already_in_flight() -> int:
    bench = bench_with()
    opened = bench.buy(1.0)
    bench.faults(FaultRule(name="placed_late_fill", ms=1_000, count=1))
    bench.sell(1.0, position=opened.order)
    return bench.sell(1.0, position=opened.order).retcode


@scene(c.TRADE_RETCODE_LIMIT_POSITIONS)
def one_position_too_many() -> int:
    bench = bench_with(presets.hedging(positions_max=1))
    bench.buy(1.0)
    return bench.buy(1.0).retcode


@scene(c.TRADE_RETCODE_LONG_ONLY)
def short_on_a_long_only_symbol() -> int:
    bench = bench_with(trade_mode=c.SYMBOL_TRADE_MODE_LONGONLY)
    opened = bench.buy(1.0)
    assert bench.sell(1.0, position=opened.order).retcode == c.TRADE_RETCODE_DONE
    return bench.sell(1.0).retcode


@scene(c.TRADE_RETCODE_SHORT_ONLY)
def long_on_a_short_only_symbol() -> int:
    return bench_with(trade_mode=c.SYMBOL_TRADE_MODE_SHORTONLY).buy(1.0).retcode


@scene(c.TRADE_RETCODE_CLOSE_ONLY)
def reversal_on_a_close_only_symbol() -> int:
    bench = bench_with(presets.netting(), trade_mode=c.SYMBOL_TRADE_MODE_CLOSEONLY)
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_CLOSE_ONLY
    bench = bench_with(presets.netting())
    bench.buy(1.0)
    later = Bench(changed(presets.netting(), trade_mode=c.SYMBOL_TRADE_MODE_CLOSEONLY))
    later.server.book.positions.update(bench.server.book.positions)
    assert later.sell(1.0).retcode == c.TRADE_RETCODE_DONE
    return later.sell(1.0).retcode


@scene(c.TRADE_RETCODE_FIFO_CLOSE)
def younger_first() -> int:
    bench = bench_with(presets.hedging(fifo_close=True))
    bench.buy(1.0)
    younger = bench.buy(1.0)
    return bench.sell(1.0, position=younger.order).retcode


@scene(u.TRADE_RETCODE_HEDGE_PROHIBITED)
def opposite_where_hedging_is_prohibited() -> int:
    bench = bench_with(presets.hedging(hedge_prohibited=True))
    bench.buy(1.0)
    return bench.sell(1.0).retcode


# Chance, a dealer or another thread of the server decides these: a fault stands in for them.
BY_FAULT = (c.TRADE_RETCODE_CANCEL, c.TRADE_RETCODE_LOCKED, c.TRADE_RETCODE_REJECT_CANCEL)


@pytest.mark.parametrize(
    ("retcode", "play"), SCENES, ids=[f"{code}-{play.__name__}" for code, play in SCENES]
)
def test_rule_answers_its_retcode(retcode: int, play: Scene) -> None:
    """Each scene, played alone, ends in the retcode it claims."""
    assert play() == retcode


@pytest.mark.parametrize("retcode", [*sorted(COMMENTS), 12345])
def test_any_retcode_is_answered_on_demand(retcode: int) -> None:
    """The retcode fault answers whatever it is told, unknown codes too, and executes nothing."""
    bench = Bench(presets.hedging())
    bench.faults(FaultRule(name="retcode", retcode=retcode, count=1))
    result = bench.buy(1.0)
    assert (result.retcode, result.comment) == (retcode, COMMENTS.get(retcode, ""))
    assert (result.deal, result.order, bench.positions()) == (0, 0, ())


def test_every_exported_retcode_was_reached() -> None:
    """The scenes and the three left to chance together are the vendor's list and 10046."""
    exported = {value for name, value in c.ALL.items() if name.startswith("TRADE_RETCODE_")}
    reached = {code for code, _ in SCENES} | set(BY_FAULT)
    assert reached == exported | {u.TRADE_RETCODE_HEDGE_PROHIBITED} == set(COMMENTS)


def test_a_refusal_changes_nothing() -> None:
    """A refused request takes a request id and nothing else: no order, no deal, no money."""
    bench = Bench(presets.hedging())
    before = (bench.server.book.next_order, bench.server.book.next_deal, bench.server.book.balance)
    first = bench.buy(0.015)
    second = bench.buy(100.01)
    assert second.request_id == first.request_id + 1
    book = bench.server.book
    assert (book.next_order, book.next_deal, book.balance) == before
    assert (book.counters.requests, book.counters.refused) == (2, 2)
