"""Pending orders, stops, stop-out and late fills: what prices and time set off."""

import pytest

from edgeguard.broker.paper import FaultRule, PaperSpec, presets
from edgeguard.broker.paper import constants as c
from tests.unit.broker.paper.bench import MS, START_NS, Bench, S, changed

DAY_S = 86_400


@pytest.mark.parametrize(
    ("kind", "price", "bid", "filled_at"),
    [
        (c.ORDER_TYPE_BUY_LIMIT, 1.08400, 1.08300, 1.08306),
        (c.ORDER_TYPE_SELL_LIMIT, 1.08600, 1.08700, 1.08700),
        (c.ORDER_TYPE_BUY_STOP, 1.08600, 1.08700, 1.08706),
        (c.ORDER_TYPE_SELL_STOP, 1.08400, 1.08300, 1.08300),
    ],
)
def test_pending_order_fills_when_its_price_comes(
    hedging: Bench, kind: int, price: float, bid: float, filled_at: float
) -> None:
    """Limits fill at their price or better, stops at the market past it; the order goes."""
    placed = hedging.place(kind, 0.5, price, magic=7, comment="grid")
    assert placed.retcode == c.TRADE_RETCODE_DONE
    assert placed.deal == 0
    (order,) = hedging.orders()
    assert (order.type, order.state, order.volume_current) == (kind, c.ORDER_STATE_PLACED, 0.5)
    hedging.tick("EURUSD", bid, round(bid + 0.00006, 5))
    assert hedging.orders() == ()
    (held,) = hedging.positions()
    assert (held.ticket, held.price_open, held.magic) == (placed.order, filled_at, 7)
    done = hedging.mt5.history_orders_get(ticket=placed.order)
    assert done is not None
    assert (done[0].state, done[0].volume_current) == (c.ORDER_STATE_FILLED, 0.0)


def test_a_gap_does_not_improve_a_stop_but_a_limit(hedging: Bench) -> None:
    """Past its price a buy limit takes the lower ask; a sell stop takes the lower bid."""
    hedging.place(c.ORDER_TYPE_BUY_LIMIT, 0.1, 1.08400)
    hedging.place(c.ORDER_TYPE_SELL_STOP, 0.1, 1.08400)
    hedging.tick("EURUSD", 1.05000, 1.05010)
    assert [held.price_open for held in hedging.positions()] == [1.05010, 1.05000]


def test_stop_limit_turns_into_a_limit(hedging: Bench) -> None:
    """At its price a buy stop limit becomes a buy limit at price_stoplimit, its ticket kept."""
    placed = hedging.place(c.ORDER_TYPE_BUY_STOP_LIMIT, 0.5, 1.08600, stoplimit=1.08550)
    hedging.tick("EURUSD", 1.08610, 1.08616)
    (order,) = hedging.orders()
    assert (order.ticket, order.type) == (placed.order, c.ORDER_TYPE_BUY_LIMIT)
    assert (order.price_open, order.price_stoplimit) == (1.08550, 0.0)
    assert hedging.positions() == ()
    hedging.tick("EURUSD", 1.08540, 1.08546)
    assert len(hedging.positions()) == 1


def test_pendings_are_not_one_cancels_other(hedging: Bench) -> None:
    """Both sides of a bracket fill when the price visits both."""
    hedging.place(c.ORDER_TYPE_BUY_STOP, 0.1, 1.08600)
    hedging.place(c.ORDER_TYPE_SELL_STOP, 0.1, 1.08400)
    hedging.tick("EURUSD", 1.08650, 1.08656)
    hedging.tick("EURUSD", 1.08300, 1.08306)
    assert sorted(held.type for held in hedging.positions()) == [0, 1]


def test_pending_fill_on_netting_adds_to_the_position(netting: Bench) -> None:
    """A netting account's pending reduces or reverses what is held."""
    netting.buy(1.0)
    netting.place(c.ORDER_TYPE_SELL_STOP, 1.5, 1.08400)
    netting.tick("EURUSD", 1.08300, 1.08306)
    (held,) = netting.positions()
    assert (held.type, held.volume) == (1, 0.5)


def test_activation_without_money_cancels_the_order() -> None:
    """A pending that may not open when its price comes goes to history as rejected."""
    bench = Bench(presets.hedging(balance=1_000.0))
    placed = bench.place(c.ORDER_TYPE_BUY_LIMIT, 5.0, 1.08400)
    bench.tick("EURUSD", 1.08300, 1.08306)
    assert (bench.orders(), bench.positions()) == ((), ())
    done = bench.mt5.history_orders_get(ticket=placed.order)
    assert done is not None
    assert (done[0].state, done[0].comment) == (c.ORDER_STATE_REJECTED, "No money")


def test_modify_and_remove(hedging: Bench) -> None:
    """MODIFY moves price, stops and lifetime; REMOVE cancels; both leave the ticket alone."""
    placed = hedging.place(c.ORDER_TYPE_BUY_LIMIT, 0.5, 1.08400)
    request = {"action": c.TRADE_ACTION_MODIFY, "order": placed.order}
    moved = hedging.send(**request, price=1.08300, sl=1.08000, tp=1.09000)
    assert moved.retcode == c.TRADE_RETCODE_DONE
    (order,) = hedging.orders()
    assert (order.price_open, order.sl, order.tp) == (1.08300, 1.08000, 1.09000)
    removed = hedging.send(action=c.TRADE_ACTION_REMOVE, order=placed.order)
    assert removed.retcode == c.TRADE_RETCODE_DONE
    assert hedging.orders() == ()
    done = hedging.mt5.history_orders_get(ticket=placed.order)
    assert done is not None
    assert done[0].state == c.ORDER_STATE_CANCELED


def test_removing_an_unknown_order_is_invalid(hedging: Bench) -> None:
    """A ticket that never was is 10013; one that has filled is 10035."""
    refused = hedging.send(action=c.TRADE_ACTION_REMOVE, order=5)
    assert refused.retcode == c.TRADE_RETCODE_INVALID
    placed = hedging.place(c.ORDER_TYPE_BUY_LIMIT, 0.5, 1.08400)
    hedging.tick("EURUSD", 1.08300, 1.08306)
    refused = hedging.send(action=c.TRADE_ACTION_REMOVE, order=placed.order)
    assert refused.retcode == c.TRADE_RETCODE_INVALID_ORDER


@pytest.mark.parametrize(
    ("type_time", "expiration_s", "lives_s"),
    [
        (c.ORDER_TIME_DAY, 0, 10 * 3_600),
        (c.ORDER_TIME_SPECIFIED, 3_600, 3_600),
        (c.ORDER_TIME_SPECIFIED_DAY, 3_600, 10 * 3_600),
    ],
)
def test_orders_expire_on_the_brokers_clock(
    hedging: Bench, type_time: int, expiration_s: int, lives_s: int
) -> None:
    """It is 14:00 at the broker: a day order has 10 hours left, a specified one what it says."""
    wall_s = START_NS // S + 7_200
    expiration = wall_s + expiration_s if expiration_s else 0
    lifetime = {"type_time": type_time, "expiration": expiration}
    placed = hedging.place(c.ORDER_TYPE_BUY_LIMIT, 0.5, 1.08, **lifetime)
    assert placed.retcode == c.TRADE_RETCODE_DONE
    hedging.pass_ns((lives_s - 1) * S)
    assert len(hedging.orders()) == 1
    hedging.pass_ns(S)
    assert hedging.orders() == ()
    done = hedging.mt5.history_orders_get(ticket=placed.order)
    assert done is not None
    assert done[0].state == c.ORDER_STATE_EXPIRED


@pytest.mark.parametrize(
    ("side", "sl", "tp", "bid", "price", "reason"),
    [
        (0, 1.08400, 0.0, 1.08390, 1.08390, c.DEAL_REASON_SL),
        (0, 0.0, 1.08600, 1.08610, 1.08610, c.DEAL_REASON_TP),
        (1, 1.08600, 0.0, 1.08600, 1.08606, c.DEAL_REASON_SL),
        (1, 0.0, 1.08400, 1.08390, 1.08396, c.DEAL_REASON_TP),
    ],
)
def test_stops_close_positions(  # noqa: PLR0913, PLR0917 - one row of a table
    hedging: Bench, side: int, sl: float, tp: float, bid: float, price: float, reason: int
) -> None:
    """Stop loss and take profit act on the closing side of the quote, with their own reason."""
    opened = hedging.deal(side, 1.0, sl=sl, tp=tp)
    hedging.tick("EURUSD", bid, round(bid + 0.00006, 5))
    assert hedging.positions() == ()
    deals = hedging.mt5.history_deals_get(position=opened.order)
    assert deals is not None
    assert (deals[-1].price, deals[-1].reason) == (price, reason)


def test_stops_of_a_position_change_by_sltp(hedging: Bench, netting: Bench) -> None:
    """SLTP goes by ticket on hedging, by symbol alone on netting."""
    for bench, more in ((hedging, True), (netting, False)):
        opened = bench.buy(1.0)
        which = {"position": opened.order} if more else {"symbol": "EURUSD"}
        result = bench.send(action=c.TRADE_ACTION_SLTP, **which, sl=1.08, tp=1.09)
        assert result.retcode == c.TRADE_RETCODE_DONE
        assert [(held.sl, held.tp) for held in bench.positions()] == [(1.08, 1.09)]


def test_stop_out_closes_the_largest_loss_first() -> None:
    """At 50 % margin level the worst position goes, then the next while the level stays low."""
    bench = Bench(presets.hedging(balance=2_000.0))
    bench.buy(0.5)
    bench.sell(0.5, "GBPUSD")
    account = bench.mt5.account_info()
    assert account is not None
    assert account.margin == pytest.approx(1_172.58, abs=0.1)
    bench.tick("EURUSD", 1.05800, 1.05806)
    assert len(bench.positions()) == 2
    bench.tick("EURUSD", 1.05500, 1.05506)
    (left,) = bench.positions()
    assert left.symbol == "GBPUSD"
    deals = bench.mt5.history_deals_get(0, 2**33)
    assert deals is not None
    assert deals[-1].reason == c.DEAL_REASON_SO
    assert deals[-1].comment.startswith("[so ")


def test_stop_out_by_money() -> None:
    """In money mode the stop-out compares equity with an amount."""
    mode = c.ACCOUNT_STOPOUT_MODE_MONEY
    limits = {"margin_so_so": 99_500.0, "margin_so_call": 99_800.0}
    bench = Bench(presets.hedging(margin_so_mode=mode, **limits))
    bench.buy(1.0)
    bench.tick("EURUSD", 1.08250, 1.08256)
    assert bench.server.book.margin_called is True
    assert len(bench.positions()) == 1
    bench.tick("EURUSD", 1.08000, 1.08006)
    assert bench.positions() == ()


def test_no_trigger_while_the_market_is_shut(hedging: Bench) -> None:
    """Stops and pendings wait for the reopening and then take the price of the gap."""
    hedging.buy(1.0, sl=1.08400)
    hedging.server.venue.switches.closed.add("EURUSD")
    hedging.tick("EURUSD", 1.08300, 1.08306)
    assert len(hedging.positions()) == 1
    hedging.server.venue.switches.closed.clear()
    hedging.tick("EURUSD", 1.08000, 1.08006)
    deals = hedging.mt5.history_deals_get(0, 2**33)
    assert deals is not None
    assert (hedging.positions(), deals[-1].price) == ((), 1.08000)


def test_late_fill_is_an_order_until_it_happens(hedging: Bench) -> None:
    """10008: the order is listed, then filled at the price of its moment, then gone."""
    opened = hedging.buy(1.0)
    hedging.faults(FaultRule(name="placed_late_fill", ms=500, count=1))
    placed = hedging.sell(1.0, position=opened.order)
    assert (placed.retcode, placed.deal) == (c.TRADE_RETCODE_PLACED, 0)
    (order,) = hedging.orders()
    assert (order.ticket, order.position_id) == (placed.order, opened.order)
    hedging.pass_ns(499 * MS)
    assert len(hedging.positions()) == 1
    hedging.tick("EURUSD", 1.08700, 1.08706)
    hedging.pass_ns(MS)
    assert (hedging.positions(), hedging.orders()) == ((), ())
    deals = hedging.mt5.history_deals_get(position=opened.order)
    assert deals is not None
    assert deals[-1].price == 1.08700


def test_late_fill_of_a_gone_position_is_rejected_on_hedging(hedging: Bench) -> None:
    """A late close whose position somebody closed meanwhile opens nothing."""
    opened = hedging.buy(1.0)
    hedging.faults(FaultRule(name="placed_late_fill", ms=500, count=1))
    late = hedging.sell(1.0, position=opened.order)
    hedging.server.book.positions[opened.order].sl = 1.08450
    hedging.tick("EURUSD", 1.08400, 1.08406)
    assert hedging.positions() == ()
    hedging.pass_ns(500 * MS)
    assert hedging.positions() == ()
    done = hedging.mt5.history_orders_get(ticket=late.order)
    assert done is not None
    assert done[0].state == c.ORDER_STATE_REJECTED


def test_late_fill_of_a_gone_position_reverses_on_netting(netting: Bench) -> None:
    """On netting the same race opens the other side: what the flattener must never cause."""
    netting.buy(1.0)
    netting.faults(FaultRule(name="placed_late_fill", ms=500, count=1))
    netting.sell(1.0)
    netting.sell(1.0)
    assert netting.positions() == ()
    netting.pass_ns(500 * MS)
    (turned,) = netting.positions()
    assert turned.type == c.POSITION_TYPE_SELL


def test_order_in_flight_can_be_cancelled(hedging: Bench) -> None:
    """REMOVE takes an accepted market order back; nothing is filled later."""
    hedging.faults(FaultRule(name="placed_late_fill", ms=500, count=1))
    placed = hedging.buy(1.0)
    removed = hedging.send(action=c.TRADE_ACTION_REMOVE, order=placed.order)
    assert removed.retcode == c.TRADE_RETCODE_DONE
    hedging.pass_ns(S)
    assert hedging.positions() == ()


def thin(spec: PaperSpec) -> Bench:
    """Return a bench whose EURUSD fills 0.4 lots a side and tick."""
    return Bench(changed(spec, depth_lots=0.4))


def test_immediate_or_cancel_cancels_the_rest() -> None:
    """IOC fills what the book has, answers 10010, and leaves no order working."""
    bench = thin(presets.hedging())
    result = bench.buy(1.0)
    assert (result.retcode, result.volume) == (c.TRADE_RETCODE_DONE_PARTIAL, 0.4)
    assert bench.orders() == ()
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_REJECT
    bench.tick("EURUSD", 1.085, 1.08506)
    assert bench.buy(0.3).retcode == c.TRADE_RETCODE_DONE


def test_return_goes_on_working_on_an_exchange() -> None:
    """RETURN leaves the remainder as a working order that each tick fills further."""
    bench = Bench(changed(presets.exchange(), depth_lots=0.4))
    result = bench.buy(1.0, type_filling=c.ORDER_FILLING_RETURN)
    assert result.retcode == c.TRADE_RETCODE_DONE_PARTIAL
    (order,) = bench.orders()
    assert (order.state, order.volume_current) == (c.ORDER_STATE_PARTIAL, 0.6)
    for left in (0.2, 0.0):
        bench.tick("EURUSD", 1.085, 1.08506)
        assert sum(order.volume_current for order in bench.orders()) == pytest.approx(left)
    (held,) = bench.positions()
    assert held.volume == 1.0


def test_partial_opening_builds_one_hedging_position() -> None:
    """All fills of one opening order make one position with the order's ticket."""
    bench = Bench(
        changed(presets.hedging(), depth_lots=0.4, execution=c.SYMBOL_TRADE_EXECUTION_EXCHANGE)
    )
    opened = bench.buy(1.0, type_filling=c.ORDER_FILLING_RETURN)
    for _ in range(2):
        bench.tick("EURUSD", 1.085, 1.08506)
    (held,) = bench.positions()
    assert (held.ticket, held.volume) == (opened.order, 1.0)


def test_remainder_of_a_close_stops_when_the_position_is_gone() -> None:
    """A RETURN close never opens: with its position gone the remainder is cancelled."""
    bench = Bench(
        changed(presets.hedging(), depth_lots=0.4, execution=c.SYMBOL_TRADE_EXECUTION_EXCHANGE)
    )
    opened = bench.buy(0.4)
    bench.server.book.positions[opened.order].units *= 2
    (held,) = bench.positions()
    closing = bench.close(held, type_filling=c.ORDER_FILLING_RETURN)
    assert closing.retcode == c.TRADE_RETCODE_DONE_PARTIAL
    bench.server.book.positions[opened.order].sl = 1.08450
    bench.tick("EURUSD", 1.08400, 1.08406)
    assert (bench.positions(), bench.orders()) == ((), ())


@pytest.mark.parametrize(
    ("execution", "mask", "filling", "good"),
    [
        (c.SYMBOL_TRADE_EXECUTION_MARKET, 1, c.ORDER_FILLING_FOK, True),
        (c.SYMBOL_TRADE_EXECUTION_MARKET, 1, c.ORDER_FILLING_IOC, False),
        (c.SYMBOL_TRADE_EXECUTION_MARKET, 2, c.ORDER_FILLING_FOK, False),
        (c.SYMBOL_TRADE_EXECUTION_MARKET, 2, c.ORDER_FILLING_IOC, True),
        (c.SYMBOL_TRADE_EXECUTION_MARKET, 3, c.ORDER_FILLING_RETURN, False),
        (c.SYMBOL_TRADE_EXECUTION_MARKET, 0, c.ORDER_FILLING_RETURN, True),
        (c.SYMBOL_TRADE_EXECUTION_MARKET, 7, c.ORDER_FILLING_BOC, False),
        (c.SYMBOL_TRADE_EXECUTION_EXCHANGE, 0, c.ORDER_FILLING_RETURN, True),
        (c.SYMBOL_TRADE_EXECUTION_EXCHANGE, 1, c.ORDER_FILLING_IOC, False),
        (c.SYMBOL_TRADE_EXECUTION_INSTANT, 1, c.ORDER_FILLING_FOK, True),
        (c.SYMBOL_TRADE_EXECUTION_INSTANT, 1, c.ORDER_FILLING_RETURN, True),
    ],
)
def test_fillings_by_execution_mode(execution: int, mask: int, filling: int, *, good: bool) -> None:
    """What a market order may ask for depends on the execution mode and the mask."""
    bench = Bench(changed(presets.hedging(), execution=execution, filling_mode=mask))
    result = bench.buy(0.1, type_filling=filling, price=1.08506)
    expected = c.TRADE_RETCODE_DONE if good else c.TRADE_RETCODE_INVALID_FILL
    assert result.retcode == expected


def test_instant_execution_fills_at_the_market_within_the_deviation() -> None:
    """The vendor's sample: asked 108.018 with deviation 20, filled at the bid 108.015."""
    spec = changed(
        presets.hedging(("USDJPY",)),
        "USDJPY",
        execution=c.SYMBOL_TRADE_EXECUTION_INSTANT,
        bid=108.015,
        ask=108.020,
    )
    bench = Bench(spec)
    opened = bench.buy(0.1, "USDJPY", price=108.020)
    result = bench.sell(0.1, "USDJPY", position=opened.order, price=108.018, deviation=20)
    assert (result.retcode, result.comment) == (10009, "Request executed")
    assert (result.price, result.bid, result.ask) == (108.015, 108.015, 108.020)


def test_book_or_cancel_is_for_passive_orders() -> None:
    """BOC needs its mask bit and a limit order."""
    bench = Bench(changed(presets.hedging(), filling_mode=7))
    boc = {"type_filling": c.ORDER_FILLING_BOC}
    done = bench.place(c.ORDER_TYPE_BUY_LIMIT, 0.1, 1.08, **boc)
    assert done.retcode == c.TRADE_RETCODE_DONE
    refused = bench.place(c.ORDER_TYPE_BUY_STOP, 0.1, 1.09, **boc)
    assert refused.retcode == c.TRADE_RETCODE_INVALID_FILL
