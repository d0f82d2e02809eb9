"""Each fault of the plan does what its name says, fires when it is told to, and is counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeguard.broker import paper
from edgeguard.broker.paper import FAULT_NAMES, FaultPlan, FaultRule, HungError, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.admin import REQUESTS
from edgeguard.broker.paper.faults import FaultEngine
from tests.unit.broker.paper.bench import MS, START_NS, Bench, S

Scene = Callable[[Bench], None]
SCENES: dict[str, Scene] = {}
BUY: dict[str, Any] = {
    "action": c.TRADE_ACTION_DEAL,
    "symbol": "EURUSD",
    "volume": 1.0,
    "type": c.ORDER_TYPE_BUY,
    "type_filling": c.ORDER_FILLING_IOC,
}


def scene(name: str) -> Callable[[Scene], Scene]:
    """Register what shows that a fault works."""

    def register(play: Scene) -> Scene:
        SCENES[name] = play
        return play

    return register


def failing(bench: Bench, name: str, code: int, *, executed: bool, again: bool = False) -> None:
    """Show that order_send answers None with a code, and whether it was carried out."""
    bench.faults(FaultRule(name=name, count=1))  # type: ignore[arg-type]
    assert bench.mt5.order_send(BUY) is None
    assert bench.mt5.last_error()[0] == code
    assert len(bench.server.book.positions) == int(executed)
    if again:
        assert bench.mt5.positions_total() is None
        assert bench.mt5.last_error() == (-10004, "No IPC connection")
        assert bench.mt5.initialize() is True
    assert bench.mt5.positions_total() == int(executed)


for _name, _code in {
    "call_failed": -1,
    "invalid_params": -2,
    "no_memory": -3,
    "not_found": -4,
    "unsupported": -7,
    "api_disabled": -8,
    "ipc_send": -10001,
}.items():
    SCENES[_name] = lambda bench, name=_name, code=_code: failing(bench, name, code, executed=False)
SCENES["ipc_desync"] = lambda bench: failing(bench, "ipc_desync", -10000, executed=True)
SCENES["ipc_recv"] = lambda bench: failing(bench, "ipc_recv", -10002, executed=True, again=True)
SCENES["ipc_connect"] = lambda bench: failing(
    bench, "ipc_connect", -10004, executed=False, again=True
)
for _name, _code in {
    "ipc_init": -10003,
    "ipc_timeout": -10005,
    "auth_failed": -6,
    "invalid_version": -5,
}.items():

    def _starting(bench: Bench, name: str = _name, code: int = _code) -> None:
        bench.faults(FaultRule(name=name, count=1))  # type: ignore[arg-type]
        assert bench.mt5.initialize() is False
        assert bench.mt5.last_error()[0] == code
        assert bench.mt5.positions_get() is None
        assert bench.mt5.initialize() is True

    SCENES[_name] = _starting


@scene("none_list")
def none_among_good_lists(bench: Bench) -> None:
    bench.buy(1.0)
    bench.faults(FaultRule(name="none_list", skip=1, count=2))
    answers = [bench.mt5.positions_get() for _ in range(4)]
    assert [answer is None for answer in answers] == [False, True, True, False]


@scene("latency")
def latency(bench: Bench) -> None:
    bench.faults(FaultRule(name="latency", ms=40, count=1))
    bench.buy(1.0)
    assert bench.now_ns == START_NS + 40 * MS
    # Delayed before its execution, so it is stamped late; with `execute` only the answer is late.
    assert bench.positions()[0].time_msc == (START_NS + 7_200 * S) // MS + 40
    bench.faults(FaultRule(name="latency", ms=40, count=1, execute=True))
    bench.buy(1.0)
    assert bench.now_ns == START_NS + 80 * MS
    assert bench.positions()[1].time_msc == (START_NS + 7_200 * S) // MS + 40


@scene("hang")
def hang(bench: Bench) -> None:
    bench.faults(FaultRule(name="hang", count=1))
    with pytest.raises(HungError):
        bench.mt5.order_send(BUY)
    assert bench.positions() == ()
    bench.faults(FaultRule(name="hang", count=1, execute=True))
    with pytest.raises(HungError):
        bench.mt5.order_send(BUY)
    assert len(bench.positions()) == 1


@scene("retcode")
def retcode(bench: Bench) -> None:
    bench.faults(FaultRule(name="retcode", retcode=10006, count=1, execute=True))
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_REJECT
    assert len(bench.positions()) == 1


@scene("requote")
def requote_burst(bench: Bench) -> None:
    bench.faults(FaultRule(name="requote", count=3))
    answers = [bench.buy(1.0) for _ in range(4)]
    assert [answer.retcode for answer in answers] == [10004, 10004, 10004, 10009]
    assert (answers[0].bid, answers[0].ask) == (1.08500, 1.08506)


def late(bench: Bench, name: str, answered: int) -> None:
    """Show that an order is answered now and filled 200 ms later."""
    bench.faults(FaultRule(name=name, ms=200, count=1))  # type: ignore[arg-type]
    assert bench.buy(1.0).retcode == answered
    assert bench.positions() == ()
    bench.pass_ns(200 * MS)
    assert len(bench.positions()) == 1


SCENES["placed_late_fill"] = lambda bench: late(bench, "placed_late_fill", 10008)
SCENES["done_late_fill"] = lambda bench: late(bench, "done_late_fill", 10009)
SCENES["timeout_late_fill"] = lambda bench: late(bench, "timeout_late_fill", 10012)


def lying(bench: Bench, name: str, answered: int, *, executed: bool) -> None:
    """Show an answer that says nothing about what happened."""
    bench.faults(FaultRule(name=name, count=1))  # type: ignore[arg-type]
    result = bench.buy(1.0)
    assert (result.retcode, result.deal, result.order) == (answered, 0, 0)
    assert len(bench.positions()) == int(executed)


SCENES["timeout_executed"] = lambda b: lying(b, "timeout_executed", 10012, executed=True)
SCENES["timeout_not_executed"] = lambda b: lying(b, "timeout_not_executed", 10012, executed=False)
SCENES["error_executed"] = lambda b: lying(b, "error_executed", 10011, executed=True)


@scene("partial_fill")
def partial_fill(bench: Bench) -> None:
    bench.faults(FaultRule(name="partial_fill", fraction=0.335, count=1))
    result = bench.buy(1.0)
    assert (result.retcode, result.volume) == (c.TRADE_RETCODE_DONE_PARTIAL, 0.33)


@scene("listing_lag")
def listing_lag(bench: Bench) -> None:
    opened = bench.buy(1.0)
    bench.faults(FaultRule(name="listing_lag", ms=300))
    closed = bench.sell(1.0, position=opened.order)
    assert closed.retcode == c.TRADE_RETCODE_DONE
    assert len(bench.positions()) == 1
    assert bench.mt5.positions_total() == 1
    assert bench.mt5.history_deals_get(ticket=closed.order) == ()
    bench.pass_ns(100 * MS)
    bench.buy(2.0)
    bench.pass_ns(200 * MS)
    assert bench.positions() == ()
    bench.pass_ns(100 * MS)
    assert [held.volume for held in bench.positions()] == [2.0]
    deals = bench.mt5.history_deals_get(ticket=closed.order)
    assert deals is not None
    assert len(deals) == 1


@scene("pending_fill")
def pending_fills_during_its_removal(bench: Bench) -> None:
    placed = bench.place(c.ORDER_TYPE_BUY_LIMIT, 0.5, 1.08)
    bench.faults(FaultRule(name="pending_fill", count=1))
    result = bench.send(action=c.TRADE_ACTION_REMOVE, order=placed.order)
    assert result.retcode == c.TRADE_RETCODE_INVALID_ORDER
    (held,) = bench.positions()
    assert (held.ticket, held.price_open) == (placed.order, 1.08)


def window(bench: Bench, name: str, answered: int) -> None:
    """Show that a fault refuses for its duration and lifts itself."""
    bench.faults(FaultRule(name=name, ms=500, count=1))  # type: ignore[arg-type]
    assert bench.buy(1.0).retcode == answered
    bench.pass_ns(499 * MS)
    assert bench.buy(1.0).retcode == answered
    bench.pass_ns(MS)
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_DONE


SCENES["market_closed"] = lambda b: window(b, "market_closed", c.TRADE_RETCODE_MARKET_CLOSED)
SCENES["trade_expert_off"] = lambda b: window(b, "trade_expert_off", 10026)
SCENES["trade_disabled"] = lambda b: window(b, "trade_disabled", c.TRADE_RETCODE_TRADE_DISABLED)
SCENES["quotes_off"] = lambda b: window(b, "quotes_off", c.TRADE_RETCODE_PRICE_OFF)


@scene("autotrading_off")
def autotrading_off(bench: Bench) -> None:
    bench.faults(FaultRule(name="autotrading_off", skip=1, count=1))
    assert [bench.buy(1.0).retcode for _ in range(3)] == [10009, 10027, 10027]
    terminal = bench.mt5.terminal_info()
    assert terminal is not None
    assert terminal.trade_allowed is False
    bench.faults()
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_DONE


@scene("disconnect")
def disconnect_shows_stale_numbers(bench: Bench) -> None:
    bench.buy(1.0, sl=1.08400)
    bench.faults(FaultRule(name="disconnect", ms=1_000, count=1))
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_CONNECTION
    stale = (bench.positions(), bench.mt5.account_info(), bench.mt5.symbol_info_tick("EURUSD"))
    bench.tick("EURUSD", 1.08300, 1.08306)
    terminal = bench.mt5.terminal_info()
    assert terminal is not None
    assert terminal.connected is False
    assert (bench.positions(), bench.mt5.account_info()) == stale[:2]
    assert bench.mt5.symbol_info_tick("EURUSD") == stale[2]
    bench.pass_ns(S)
    assert bench.positions() == ()
    assert bench.mt5.account_info() != stale[1]


@scene("freeze")
def freeze(bench: Bench) -> None:
    opened = bench.buy(1.0, sl=1.08400)
    bench.faults(FaultRule(name="freeze", ms=500, points=200, count=1))
    assert bench.sell(1.0, position=opened.order).retcode == c.TRADE_RETCODE_FROZEN
    bench.pass_ns(500 * MS)
    assert bench.sell(1.0, position=opened.order).retcode == c.TRADE_RETCODE_DONE


@scene("api_option_off")
def api_option_off(bench: Bench) -> None:
    bench.faults(FaultRule(name="api_option_off", ms=500, count=1))
    assert bench.mt5.order_send(BUY) is None
    text = "Auto-Trading using Python API disabled in Terminal"
    assert bench.mt5.last_error() == (-8, text)
    terminal = bench.mt5.terminal_info()
    assert terminal is not None
    assert terminal.tradeapi_disabled is True
    bench.pass_ns(500 * MS)
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_DONE


@scene("gap")
def gap(bench: Bench) -> None:
    bench.buy(1.0)
    bench.faults(FaultRule(name="gap", fraction=0.95, ms=500, count=1, on=("account_info",)))
    bench.mt5.account_info()
    assert bench.positions()[0].price_current == round(1.085 * 0.95, 5)
    bench.tick("EURUSD", 1.1, 1.1001)
    assert bench.positions()[0].price_current == round(1.1 * 0.95, 5)
    bench.pass_ns(500 * MS)
    assert bench.positions()[0].price_current == 1.1


@scene("spread_widens")
def spread_widens(bench: Bench) -> None:
    bench.faults(FaultRule(name="spread_widens", points=10, ms=500, count=1))
    assert bench.buy(1.0).price == 1.08560
    bench.pass_ns(500 * MS)
    assert bench.buy(1.0).price == 1.08506


@scene("stops")
def stops_level_rises(bench: Bench) -> None:
    bench.faults(FaultRule(name="stops", points=300, ms=500, count=1))
    assert bench.buy(1.0, sl=1.0840).retcode == c.TRADE_RETCODE_INVALID_STOPS
    info = bench.mt5.symbol_info("EURUSD")
    assert info is not None
    assert info.trade_stops_level == 300
    bench.pass_ns(500 * MS)
    assert bench.buy(1.0, sl=1.0840).retcode == c.TRADE_RETCODE_DONE


@scene("fifo")
def broker_demands_the_oldest_first(bench: Bench) -> None:
    first, second = bench.buy(1.0), bench.buy(1.0)
    bench.faults(FaultRule(name="fifo", ms=500, count=1))
    refused = bench.sell(1.0, position=second.order)
    assert refused.retcode == c.TRADE_RETCODE_FIFO_CLOSE
    account = bench.mt5.account_info()
    assert account is not None
    assert account.fifo_close is True
    assert bench.sell(1.0, position=first.order).retcode == c.TRADE_RETCODE_DONE
    bench.pass_ns(500 * MS)
    assert bench.sell(1.0, position=second.order).retcode == c.TRADE_RETCODE_DONE


@scene("ticks_stop")
def prices_stand_still(bench: Bench) -> None:
    before = bench.mt5.symbol_info_tick("EURUSD")
    bench.faults(FaultRule(name="ticks_stop", ms=500, count=1, on=("account_info",)))
    bench.mt5.account_info()
    bench.pass_ns(100 * MS)
    assert bench.tick("EURUSD", 1.2, 1.2001)
    assert bench.mt5.symbol_info_tick("EURUSD") == before
    bench.pass_ns(400 * MS)
    after = bench.mt5.symbol_info_tick("EURUSD")
    assert after is not None
    assert (after.bid, after.ask) == (1.2, 1.2001)


@scene("swap")
def a_triple_night_is_charged(bench: Bench) -> None:
    opened = bench.buy(1.0)
    bench.faults(FaultRule(name="swap", points=3, count=1))
    assert bench.sell(1.0, position=opened.order).retcode == c.TRADE_RETCODE_DONE
    deals = bench.mt5.history_deals_get(position=opened.order)
    assert deals is not None
    assert deals[-1].swap == -21.3


@scene("foreign_open")
def another_ea_opens(bench: Bench) -> None:
    opened = bench.buy(1.0)
    bench.faults(FaultRule(name="foreign_open", lots=0.3, magic=42, side=1, count=1))
    assert bench.sell(1.0, position=opened.order).retcode == c.TRADE_RETCODE_DONE
    (foreign,) = bench.positions()
    assert (foreign.magic, foreign.volume, foreign.comment) == (42, 0.3, "another EA")


@scene("foreign_pending")
def another_ea_places_a_pending(bench: Bench) -> None:
    bench.faults(FaultRule(name="foreign_pending", count=1))
    bench.buy(1.0)
    (order,) = bench.orders()
    assert (order.magic, order.price_open) == (999_999, 0.5425)


@scene("foreign_close")
def somebody_closes_first(bench: Bench) -> None:
    opened = bench.buy(1.0)
    bench.faults(FaultRule(name="foreign_close", count=1))
    result = bench.sell(1.0, position=opened.order)
    assert result.retcode == c.TRADE_RETCODE_POSITION_CLOSED
    deals = bench.mt5.history_deals_get(position=opened.order)
    assert deals is not None
    assert deals[-1].reason == c.DEAL_REASON_CLIENT


@scene("foreign_partial_close")
def somebody_closes_a_part_first(bench: Bench) -> None:
    opened = bench.buy(1.0)
    bench.faults(FaultRule(name="foreign_partial_close", fraction=0.3, count=1))
    result = bench.sell(1.0, position=opened.order)
    assert result.retcode == c.TRADE_RETCODE_INVALID_CLOSE_VOLUME
    assert bench.positions()[0].volume == 0.7


@scene("ticket_change")
def ticket_changes(bench: Bench) -> None:
    opened = bench.buy(1.0)
    bench.faults(FaultRule(name="ticket_change", count=1))
    result = bench.sell(1.0, position=opened.order)
    assert result.retcode == c.TRADE_RETCODE_POSITION_CLOSED
    (held,) = bench.positions()
    assert held.identifier == opened.order != held.ticket


@scene("clock_shift")
def clock_shifts_back(bench: Bench) -> None:
    bench.faults(FaultRule(name="clock_shift", points=-1, count=1))
    bench.buy(1.0)
    assert bench.positions()[0].time == START_NS // S + 3_600


@scene("forced_stop_out")
def broker_stops_out(bench: Bench) -> None:
    bench.buy(1.0)
    bench.faults(FaultRule(name="forced_stop_out", count=1))
    bench.buy(1.0, "GBPUSD")
    assert [held.symbol for held in bench.positions()] == ["GBPUSD"]


@scene("withdrawal")
def money_leaves(bench: Bench) -> None:
    bench.faults(FaultRule(name="withdrawal", amount=750.0, count=1, on=("account_info",)))
    account = bench.mt5.account_info()
    assert account is not None
    assert account.balance == 99_250.0


@scene("account_switch")
def terminal_shows_another_account(bench: Bench) -> None:
    rule = FaultRule(name="account_switch", ms=500, points=1, count=1, on=("account_info",))
    bench.faults(rule)
    account = bench.mt5.account_info()
    assert account is not None
    assert (account.login, account.server) == (5_000_002, "Somewhere-Else")
    bench.pass_ns(500 * MS)
    account = bench.mt5.account_info()
    assert account is not None
    assert account.login == 5_000_001


@scene("symbol_hidden")
def symbol_leaves_market_watch(bench: Bench) -> None:
    bench.faults(FaultRule(name="symbol_hidden", symbol="EURUSD", count=1, on=("account_info",)))
    bench.mt5.account_info()
    assert bench.mt5.symbol_info_tick("EURUSD") is None
    assert bench.mt5.symbol_info_tick("GBPUSD") is not None
    assert bench.mt5.symbol_select("EURUSD") is True
    assert bench.mt5.symbol_info_tick("EURUSD") is not None


@pytest.mark.parametrize("name", sorted(SCENES))
def test_fault_does_what_its_name_says_and_is_counted(name: str) -> None:
    """The scene shows the effect; the counter shows that it was this fault."""
    bench = Bench(presets.hedging())
    SCENES[name](bench)
    assert bench.server.engine.firings[name] >= 1


def test_every_fault_has_a_scene() -> None:
    """A fault cannot be added without showing what it does."""
    assert set(SCENES) == set(FAULT_NAMES)


def test_skip_count_and_time_bound_a_rule(hedging: Bench) -> None:
    """A rule lets `skip` calls pass, fires `count` times, and only inside its time."""
    hedging.faults(FaultRule(name="requote", skip=2, count=2, from_ms=10, until_ms=20))
    answers: list[int] = []
    for _ in range(3):
        answers.append(hedging.buy(0.1).retcode)
        hedging.pass_ns(5 * MS)
    # Calls at 0 and 5 ms are before its time and are not counted against `skip` either.
    assert answers == [10009, 10009, 10009]
    assert hedging.buy(0.1).retcode == 10009
    assert hedging.buy(0.1).retcode == 10004
    hedging.pass_ns(10 * MS)
    assert hedging.buy(0.1).retcode == 10009


def test_seed_and_probability_decide_alone() -> None:
    """The same seed fires on the same calls; another does not; the rate is near the probability."""

    def fires(seed: int) -> list[bool]:
        plan = FaultPlan(seed=seed, rules=(FaultRule(name="requote", probability=0.3),))
        engine = FaultEngine(plan, 0)
        return [bool(engine.on_call("order_send", step)) for step in range(2_000)]

    assert fires(1) == fires(1)
    assert fires(1) != fires(2)
    assert 500 < sum(fires(1)) < 700


def test_adding_a_rule_does_not_move_the_others() -> None:
    """Each rule draws from its own stream."""
    rule = FaultRule(name="requote", probability=0.5)
    alone = FaultEngine(FaultPlan(seed=3, rules=(rule,)), 0)
    both = FaultPlan(seed=3, rules=(rule, FaultRule(name="latency", probability=0.5)))
    together = FaultEngine(both, 0)
    for step in range(200):
        names = [firing.rule.name for firing in together.on_call("order_send", step)]
        assert ("requote" in names) == bool(alone.on_call("order_send", step))


def test_setting_a_plan_ends_open_windows_and_keeps_counters(hedging: Bench) -> None:
    """An empty plan is the end of all faults; what fired stays counted."""
    hedging.faults(FaultRule(name="market_closed", count=1), FaultRule(name="quotes_off", count=1))
    assert hedging.buy(0.1).retcode != c.TRADE_RETCODE_DONE
    hedging.faults()
    assert hedging.buy(0.1).retcode == c.TRADE_RETCODE_DONE
    assert hedging.server.engine.firings == {"market_closed": 1, "quotes_off": 1}


def test_netting_reverses_when_a_timeout_was_executed(netting: Bench) -> None:
    """10012 after an execution: who resends without looking ends up short."""
    netting.buy(1.0)
    netting.faults(FaultRule(name="timeout_executed", count=1))
    assert netting.sell(1.0).retcode == c.TRADE_RETCODE_TIMEOUT
    netting.sell(1.0)
    assert netting.positions()[0].type == c.POSITION_TYPE_SELL


def test_audit_keeps_every_request_with_its_answer(hedging: Bench) -> None:
    """What was sent, answered and when, for tests that prove reduce-only."""
    opened = hedging.buy(1.0)
    hedging.pass_ns(S)
    hedging.sell(1.0, position=opened.order)
    entries = list(hedging.server.audit)
    assert [entry.request.position for entry in entries] == [0, opened.order]
    assert [entry.answer.retcode for entry in entries] == [10009, 10009]
    assert entries[1].now_ns - entries[0].now_ns == S


def test_page_names_every_fault_and_every_admin_request() -> None:
    """README.md of the package is the list others work from."""
    assert paper.__file__ is not None
    page = (Path(paper.__file__).parent / "README.md").read_text(encoding="utf-8")
    names = {*FAULT_NAMES, *REQUESTS, "unhang", "pid", "stop"}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
