"""Profit, margin, conversion and commission, against the vendor's own numbers where it has them."""

import pytest

from edgeguard.broker.paper import ClockSpec, PaperSpec, SymbolSpec, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.deals import balance_deal
from edgeguard.broker.paper.margin import figures, raw_margin, symbol_margin
from edgeguard.broker.paper.profit import raw_profit
from edgeguard.broker.paper.spec import unconvertible
from tests.unit.broker.paper.bench import MS, Bench, S, changed

LOT = 100_000_000


def test_order_check_sample_of_the_vendor() -> None:
    """USDJPY 1.0 on 101300.53 with -32981.00 floating and 51193.67 margin (docs, order_check)."""
    money = figures(101_300.53, -32_981.00, 51_193.67)
    assert (money.equity, money.free) == (68_319.53, 17_125.86)
    # The reference page prints 133.453085; the quotient of its own numbers is this.
    assert money.level == pytest.approx(133.45308121, abs=1e-8)


def test_account_sample_of_the_vendor() -> None:
    """Balance 99511.40 with 41.82 floating and 98.18 margin (docs, account_info)."""
    money = figures(99_511.40, 41.82, 98.18)
    assert (money.equity, money.free) == (99_553.22, 99_455.04)
    assert round(money.level, 4) == 101_398.6759


def test_tick_values_differ_where_the_profit_currency_does() -> None:
    """EURCAD (docs, symbol_info): profit at 0.70436424 USD a tick, loss at the other side."""
    eurcad = SymbolSpec(
        name="EURCAD",
        digits=5,
        currency_base="EUR",
        currency_profit="CAD",
        filling_mode=1,
        execution=c.SYMBOL_TRADE_EXECUTION_INSTANT,
        expiration_mode=7,
        volume_max=500.0,
        bid=1.47950,
        ask=1.47989,
    )
    usdcad = SymbolSpec(
        name="USDCAD",
        digits=5,
        currency_base="USD",
        currency_profit="CAD",
        bid=1.41954,
        ask=1.41972,
    )
    bench = Bench(PaperSpec(symbols=(eurcad, usdcad)))
    info = bench.mt5.symbol_info("EURCAD")
    assert info is not None
    assert info.trade_tick_value == info.trade_tick_value_profit
    assert round(info.trade_tick_value_profit, 5) == 0.70436
    assert round(info.trade_tick_value_loss, 5) == 0.70445
    assert info.spread == 39
    # The oddity kept from the terminal: BUY is reckoned with the loss rate, SELL with the profit's.
    calc = bench.mt5.order_calc_profit
    up = calc(c.ORDER_TYPE_BUY, "EURCAD", 1.0, 1.4, 1.5)
    down = calc(c.ORDER_TYPE_SELL, "EURCAD", 1.0, 1.5, 1.4)
    assert up == round(10_000 / 1.41954, 2)
    assert down == round(10_000 / 1.41972, 2)


def spec_of(mode: int) -> SymbolSpec:
    """Return a symbol with every parameter a formula may use."""
    return SymbolSpec(
        name="X",
        digits=2,
        calc_mode=mode,
        contract_size=100.0,
        tick_size=0.5,
        tick_value=12.5,
        face_value=1_000.0,
        margin_initial=0.0 if mode in NO_INITIAL else 2_000.0,
        margin_rate=1.5,
    )


NO_INITIAL = (0, 2, 3, 4, 5, 32, 37, 38, 39, 64)


@pytest.mark.parametrize(
    ("mode", "profit", "margin"),
    [
        (c.SYMBOL_CALC_MODE_FOREX, 10.0 * 100 * 2, 2 * 100 / 50 * 1.5),
        (c.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE, 10.0 * 100 * 2, 2 * 100 * 1.5),
        (c.SYMBOL_CALC_MODE_CFD, 10.0 * 100 * 2, 2 * 100 * 200 * 1.5),
        (c.SYMBOL_CALC_MODE_CFDINDEX, 10.0 * 100 * 2, 2 * 100 * 200 * 12.5 / 0.5 * 1.5),
        (c.SYMBOL_CALC_MODE_CFDLEVERAGE, 10.0 * 100 * 2, 2 * 100 * 200 / 50 * 1.5),
        (c.SYMBOL_CALC_MODE_EXCH_STOCKS, 10.0 * 100 * 2, 2 * 100 * 200 * 1.5),
        (c.SYMBOL_CALC_MODE_FUTURES, 10.0 * 2 * 12.5 / 0.5, 2 * 2_000 * 1.5),
        (c.SYMBOL_CALC_MODE_EXCH_FUTURES, 10.0 * 2 * 12.5 / 0.5, 2 * 2_000 * 1.5),
        (c.SYMBOL_CALC_MODE_EXCH_BONDS, 10.0 * 1_000 * 100 * 2, 2 * 100 * 200 * 10 * 1.5),
        (c.SYMBOL_CALC_MODE_SERV_COLLATERAL, 0.0, 0.0),
    ],
)
def test_formulas_by_calculation_mode(mode: int, profit: float, margin: float) -> None:
    """2 lots from 200 to 210 at leverage 50: the formulas of the vendor's calculation modes."""
    spec = spec_of(mode)
    assert raw_profit(spec, 0, 2 * LOT, 200.0, 210.0) == pytest.approx(profit)
    assert raw_profit(spec, 1, 2 * LOT, 200.0, 210.0) == pytest.approx(-profit)
    assert raw_margin(spec, 50, 2 * LOT, 200.0) == pytest.approx(margin)


def test_profit_in_another_currency_is_converted_at_the_side_it_trades_on(hedging: Bench) -> None:
    """JPY made on USDJPY come home at the ask when won and at the bid when lost."""
    hedging.buy(1.0, "USDJPY")
    hedging.tick("USDJPY", 150.806, 150.812)
    (held,) = hedging.positions()
    assert held.profit == round(1_000_00.0 / 150.812, 2)
    hedging.tick("USDJPY", 148.806, 148.812)
    (held,) = hedging.positions()
    assert held.profit == -round(1_000_00.0 / 148.806, 2)


def test_a_cross_tick_moves_profits_on_other_symbols(hedging: Bench) -> None:
    """EURCHF earns CHF: a USDCHF tick changes its profit in USD."""
    hedging.buy(1.0, "EURCHF")
    hedging.tick("EURCHF", 1.20206, 1.20212)
    (before,) = hedging.positions()
    hedging.tick("USDCHF", 0.80000, 0.80008)
    (after,) = hedging.positions()
    assert before.profit == round(100.0 / 0.89508, 2)
    assert after.profit == round(100.0 / 0.80008, 2)


def test_a_fixed_rate_converts_where_no_symbol_does(hedging: Bench) -> None:
    """BTCUSDT earns USDT, which the spec's rates turn into USD one to one."""
    hedging.buy(2.0, "BTCUSDT")
    hedging.tick("BTCUSDT", 57_300.10, 57_300.20)
    (held,) = hedging.positions()
    assert held.profit == 120.0


def test_currencies_that_nothing_converts_are_named() -> None:
    """A spec without a way home for a currency says so; the presets have one for each."""
    assert unconvertible(presets.hedging()) == []
    lonely = presets.hedging(("EURCHF",))
    assert unconvertible(lonely) == [
        "CHF cannot be converted to USD: its profits and margins count as 0",
        "EUR cannot be converted to USD: its profits and margins count as 0",
    ]
    assert unconvertible(presets.hedging(("EURUSD", "EURCHF", "USDCHF"))) == []


def test_equity_identity_and_the_margin_of_a_trade(hedging: Bench) -> None:
    """equity = balance + credit + profit; margin is lots x size / leverage at the opening rate."""
    hedging.buy(1.0)
    account = hedging.mt5.account_info()
    assert account is not None
    assert account.margin == round(100_000 / 100 * 1.08506, 2)
    assert account.equity == round(account.balance + account.credit + account.profit, 2)
    assert account.margin_free == round(account.equity - account.margin, 2)
    assert account.margin_level == pytest.approx(account.equity / account.margin * 100)
    calc = hedging.mt5.order_calc_margin(c.ORDER_TYPE_BUY, "EURUSD", 1.0, 1.08506)
    assert calc == account.margin


def test_hedged_volume_takes_its_own_margin() -> None:
    """Opposite legs: none by default, margin_hedged per lot, or the larger leg."""
    base = SymbolSpec(name="X", digits=5)
    legs = [(0, 3 * LOT, 3_000.0), (1, LOT, 1_000.0)]
    assert symbol_margin(base, legs) == pytest.approx(2_000.0)
    half = SymbolSpec(name="X", digits=5, margin_hedged=50_000.0)
    assert symbol_margin(half, legs) == pytest.approx(2_500.0)
    leg = SymbolSpec(name="X", digits=5, margin_hedged_use_leg=True)
    assert symbol_margin(leg, legs) == pytest.approx(3_000.0)
    assert symbol_margin(base, legs[:1]) == pytest.approx(3_000.0)


def test_hedging_a_position_needs_no_free_margin() -> None:
    """The opposite trade lowers the margin and passes without money for it."""
    bench = Bench(presets.hedging(balance=1_200.0))
    bench.buy(1.0)
    assert bench.buy(1.0).retcode == c.TRADE_RETCODE_NO_MONEY
    assert bench.sell(1.0).retcode == c.TRADE_RETCODE_DONE


def test_commission_is_charged_on_deals_and_is_in_no_position(hedging: Bench) -> None:
    """3.50 for each lot and deal comes straight off the balance."""
    opened = hedging.buy(2.0)
    (held,) = hedging.positions()
    hedging.close(held)
    deals = hedging.mt5.history_deals_get(position=opened.order)
    assert deals is not None
    assert [deal.commission for deal in deals] == [-7.0, -7.0]
    account = hedging.mt5.account_info()
    assert account is not None
    assert account.balance == 100_000.0 - 14.0 - 12.0


@pytest.mark.parametrize(("when", "charged"), [("in", [-2.0, 0.0]), ("out", [0.0, -2.0])])
def test_commission_may_be_one_sided(when: str, charged: list[float]) -> None:
    """Brokers charge at entry, at exit or at both."""
    bench = Bench(changed(presets.hedging(), commission_on=when, commission_per_lot=2.0))
    opened = bench.buy(1.0)
    bench.close(bench.positions()[0])
    deals = bench.mt5.history_deals_get(position=opened.order)
    assert deals is not None
    assert [deal.commission for deal in deals] == charged


def test_deposits_withdrawals_and_credit_are_deals(hedging: Bench) -> None:
    """Balance operations are deals of their own types; credit counts in equity, not balance."""
    balance_deal(hedging.server.venue, c.DEAL_TYPE_BALANCE, -500.0, "Withdrawal")
    balance_deal(hedging.server.venue, c.DEAL_TYPE_CREDIT, 250.0)
    account = hedging.mt5.account_info()
    assert account is not None
    assert (account.balance, account.credit, account.equity) == (99_500.0, 250.0, 99_750.0)
    deals = hedging.mt5.history_deals_get(0, 2**33)
    assert deals is not None
    assert [(deal.type, deal.profit, deal.symbol) for deal in deals] == [
        (c.DEAL_TYPE_BALANCE, 100_000.0, ""),
        (c.DEAL_TYPE_BALANCE, -500.0, ""),
        (c.DEAL_TYPE_CREDIT, 250.0, ""),
    ]


def test_order_check_projects_and_changes_nothing(hedging: Bench) -> None:
    """Retcode 0 and "Done"; margin and equity as after the trade; the account is untouched."""
    request = {
        "action": c.TRADE_ACTION_DEAL,
        "symbol": "EURUSD",
        "volume": 1.0,
        "type": c.ORDER_TYPE_BUY,
        "type_filling": c.ORDER_FILLING_IOC,
    }
    checked = hedging.mt5.order_check(request)
    assert checked is not None
    assert (checked.retcode, checked.comment) == (0, "Done")
    assert checked.margin == round(1_000 * 1.08506, 2)
    assert checked.margin_free == round(checked.equity - checked.margin, 2)
    assert checked.request.symbol == "EURUSD"
    assert hedging.positions() == ()
    refused = hedging.mt5.order_check({**request, "volume": 99.0})
    assert refused is not None
    assert (refused.retcode, refused.comment) == (c.TRADE_RETCODE_NO_MONEY, "No money")


def test_swap_accrues_at_the_brokers_midnight_and_triples(hedging: Bench) -> None:
    """It is Wednesday: three nights at once; Thursday one more; it is realised with the close."""
    hedging.buy(1.0)
    hedging.pass_ns(10 * 3_600 * S)
    (held,) = hedging.positions()
    assert held.swap == round(-7.1 * 3, 2)
    hedging.pass_ns(24 * 3_600 * S)
    (held,) = hedging.positions()
    assert held.swap == round(-7.1 * 4, 2)
    account = hedging.mt5.account_info()
    assert account is not None
    assert account.profit == round(held.profit + held.swap, 2)
    hedging.close(held, 0.5)
    deals = hedging.mt5.history_deals_get(position=held.identifier)
    assert deals is not None
    assert deals[-1].swap == round(-7.1 * 4 / 2, 2)
    assert hedging.positions()[0].swap == round(-7.1 * 4 / 2, 2)


@pytest.mark.parametrize(
    ("mode", "long", "expected"),
    [
        (c.SYMBOL_SWAP_MODE_DISABLED, -5.0, 0.0),
        (c.SYMBOL_SWAP_MODE_CURRENCY_DEPOSIT, -5.0, -5.0 * 3),
        (c.SYMBOL_SWAP_MODE_CURRENCY_SYMBOL, -5.0, -5.43 * 3),
        (c.SYMBOL_SWAP_MODE_INTEREST_OPEN, -3.6, -10.85 * 3),
    ],
)
def test_swap_modes(mode: int, long: float, expected: float) -> None:
    """Swaps in money of several currencies and as yearly interest."""
    bench = Bench(changed(presets.hedging(), swap_mode=mode, swap_long=long))
    bench.buy(1.0)
    bench.pass_ns(10 * 3_600 * S)
    (held,) = bench.positions()
    assert held.swap == pytest.approx(expected, abs=0.02)


def test_reopening_swap_changes_the_ticket_and_keeps_the_identifier() -> None:
    """Swap by re-opening shifts the opening price and gives the position a new ticket."""
    rules = {"swap_mode": c.SYMBOL_SWAP_MODE_REOPEN_CURRENT, "swap_long": -10.0}
    bench = Bench(changed(presets.hedging(), **rules))
    opened = bench.buy(1.0)
    bench.pass_ns(10 * 3_600 * S)
    (held,) = bench.positions()
    assert held.identifier == opened.order != held.ticket
    assert held.price_open == round(1.08506 + 0.00030, 5)
    assert bench.sell(1.0, position=opened.order).retcode == c.TRADE_RETCODE_POSITION_CLOSED
    assert bench.sell(1.0, position=held.ticket).retcode == c.TRADE_RETCODE_DONE


def test_crypto_pays_swap_every_night_and_forex_none_on_weekends(hedging: Bench) -> None:
    """Wednesday to Wednesday: forex 7 nights in 5 midnights, crypto 7 midnights and the triple."""
    hedging.buy(1.0)
    hedging.buy(1.0, "BTCUSDT")
    hedging.pass_ns(7 * 24 * 3_600 * S)
    euro, bitcoin = hedging.positions()
    assert euro.swap == pytest.approx(-7.1 * 7, abs=0.01)
    night = 57_240.0 * -18.0 / 100 / 360
    assert bitcoin.swap == pytest.approx(night * 9, abs=0.05)


def test_daily_orders_end_at_midnight() -> None:
    """SYMBOL_ORDERS_DAILY takes pendings and stops, DAILY_NO_STOPS only pendings."""
    for mode, sl in ((c.SYMBOL_ORDERS_DAILY, 0.0), (c.SYMBOL_ORDERS_DAILY_NO_STOPS, 1.08)):
        bench = Bench(changed(presets.hedging(), order_gtc_mode=mode))
        bench.buy(1.0, sl=1.08)
        bench.place(c.ORDER_TYPE_BUY_LIMIT, 0.1, 1.07)
        bench.pass_ns(10 * 3_600 * S - MS)
        assert len(bench.orders()) == 1
        bench.pass_ns(MS)
        assert bench.orders() == ()
        assert bench.positions()[0].sl == sl


def test_clock_without_summer_time_is_the_plain_offset() -> None:
    """A broker on UTC stamps UTC."""
    spec = PaperSpec(symbols=(presets.eurusd(),), clock=ClockSpec(utc_offset_s=0, dst="none"))
    bench = Bench(spec)
    bench.buy(0.1)
    assert bench.positions()[0].time_msc == bench.now_ns // MS
