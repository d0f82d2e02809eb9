"""The server under seeded storms: random accounts, faults, requests, ticks and time.

After every step the books must balance. Each seed picks its own subset of faults, its own account
and its own rules, so that rare combinations meet; a failure prints its seed.
"""

import contextlib
import math
import random

import msgspec
import pytest

from edgeguard.broker.paper import FAULT_NAMES, FaultPlan, FaultRule, HungError, PaperSpec, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.margin import account_figures
from tests.unit.broker.paper.bench import MS, Bench, S, changed

STEPS = 200
NAMES = ("EURUSD", "USDJPY", "XAUUSD", "BTCUSDT")


def random_spec(dice: random.Random) -> PaperSpec:
    """Return one of the three account kinds with random rules."""
    kind = dice.choice((presets.hedging, presets.netting, presets.exchange))
    spec = kind(NAMES, balance=dice.choice((500.0, 10_000.0, 1e6)))
    for name in NAMES:
        spec = changed(
            spec,
            name,
            execution=dice.randrange(4),
            filling_mode=dice.randrange(8),
            order_mode=dice.choice((127, 127, 63, 1)),
            trade_mode=dice.choice((4, 4, 4, 4, 4, 4, 1, 2, 3, 0)),
            depth_lots=dice.choice((0.0, 0.35)),
            freeze_level=dice.choice((0, 0, 30)),
            stops_level=dice.choice((0, 0, 20)),
            sessions=dice.choice(("24x7", "24x5")),
            swap_mode=dice.randrange(9),
            volume_limit=dice.choice((0.0, 2.0)),
            order_gtc_mode=dice.randrange(3),
            margin_hedged=dice.choice((0.0, 50_000.0)),
        )
    hedged = spec.account.margin_mode == c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    account = msgspec.structs.replace(
        spec.account,
        fifo_close=hedged and dice.random() < 0.2,
        hedge_prohibited=dice.random() < 0.1,
        limit_orders=dice.choice((0, 3)),
        positions_max=dice.choice((0, 4)),
        margin_so_mode=dice.randrange(2),
    )
    return msgspec.structs.replace(spec, account=account)


def random_plan(dice: random.Random, seed: int) -> FaultPlan:
    """Return a random subset of the faults at random rates, one of them by the seed."""
    sure = FAULT_NAMES[seed % len(FAULT_NAMES)]
    names = [sure, *(name for name in dice.sample(FAULT_NAMES, dice.randrange(6)) if name != sure)]
    rules = tuple(
        FaultRule(
            name=name,  # type: ignore[arg-type]
            probability=0.4 if name == sure else dice.choice((0.02, 0.1, 0.4)),
            ms=dice.choice((1, 50, 5_000)) if name != "latency" else 20,
            jitter_ms=dice.choice((0, 30)),
            fraction=dice.choice((0.3, 0.97, 1.05)),
            amount=dice.choice((-50.0, 50.0)),
            retcode=dice.choice((10004, 10006, 10028, 99_999)),
            points=dice.choice((-1, 3, 40)),
            execute=dice.choice((None, True, False)),
            side=dice.choice((None, 0, 1)),
        )
        for name in names
    )
    return FaultPlan(seed=seed, rules=rules)


def sensible_request(dice: random.Random, bench: Bench) -> dict[str, object]:
    """Return a request that the server would take if nothing stood against it."""
    book = bench.server.book
    name = dice.choice(NAMES)
    spec = bench.server.venue.by_name[name]
    quote = book.quotes[name]
    fillings = [bit for bit in range(2) if spec.filling_mode >> bit & 1] or [2]
    common: dict[str, object] = {"type_filling": dice.choice(fillings), "deviation": 10**9}
    held = dice.choice(list(book.positions.values())) if book.positions else None
    order = dice.choice(list(book.orders.values())) if book.orders else None
    kind = dice.random()
    if kind < 0.3 and held is not None:
        part = held.units / 10**8 if dice.random() < 0.7 else 0.1
        where = {"symbol": held.symbol, "position": held.ticket, "price": held.price_current}
        return {**common, **where, "action": 1, "type": 1 - held.side, "volume": part}
    if kind < 0.4 and held is not None:
        others = [other.ticket for other in book.positions.values() if other.side != held.side]
        pair = {"position": held.ticket, "position_by": dice.choice(others or [0])}
        return {**common, **pair, "action": 10}
    if kind < 0.5 and held is not None:
        sign = 1.0 if held.side else -1.0
        stops = {"sl": round(held.price_current * (1.0 + sign * 0.002), spec.digits), "tp": 0.0}
        return {**stops, "action": 6, "symbol": held.symbol, "position": held.ticket}
    if kind < 0.6 and order is not None:
        return {"action": 8, "order": order.ticket}
    if kind < 0.8:
        pending = dice.randrange(2, 8)
        below = pending in (c.ORDER_TYPE_BUY_LIMIT, c.ORDER_TYPE_SELL_STOP, 7)
        price = round(quote.bid * (0.997 if below else 1.003), spec.digits)
        limit = round(price * (0.9995 if pending % 2 == 0 else 1.0005), spec.digits)
        where = {"symbol": name, "price": price, "stoplimit": limit, "volume": 0.25}
        return {**where, "action": 5, "type": pending, "type_filling": 2}
    what = {"type": dice.randrange(2), "volume": dice.choice((0.1, 0.5, 1.0)), "price": quote.ask}
    return {**common, **what, "action": 1, "symbol": name}


def random_request(dice: random.Random, bench: Bench) -> dict[str, object]:
    """Return a request, usually sensible, sometimes anything."""
    book = bench.server.book
    name = dice.choice((*NAMES, *NAMES, "", "NOPE"))
    quote = book.quotes.get(name)
    base = quote.bid if quote is not None else 1.0
    tickets = [*book.positions, *book.tickets_gone, *book.orders, 0, 5]
    request: dict[str, object] = {
        "action": dice.choice((1, 1, 1, 5, 5, 6, 7, 8, 10, 99)),
        "symbol": name,
        "volume": dice.choice((0.1, 0.25, 0.3, 1.0, 0.0, 0.015, 1e9, -1.0, math.nan)),
        "type": dice.choice((0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 77)),
        "price": dice.choice((0.0, base, base * 0.999, base * 1.001, math.inf)),
        "stoplimit": dice.choice((0.0, base * 0.9985, base * 1.0015)),
        "sl": dice.choice((0.0, 0.0, base * 0.998, base * 1.002, -1.0)),
        "tp": dice.choice((0.0, 0.0, base * 0.998, base * 1.002)),
        "deviation": dice.choice((0, 1_000_000)),
        "type_filling": dice.randrange(5),
        "type_time": dice.choice((0, 0, 1, 2, 3, 9)),
        "expiration": dice.choice((0, bench.now_ns // S + 7_260, 1)),
        "position": dice.choice(tickets),
        "position_by": dice.choice(tickets),
        "order": dice.choice(tickets),
        "magic": dice.randrange(3),
    }
    kept = dice.random()
    return {key: value for key, value in request.items() if kept < 0.9 or dice.random() < 0.8}


def check_books(bench: Bench) -> None:
    """Check what must hold after anything."""
    book = bench.server.book
    deals = list(book.deals.values())
    credited = sum(deal.profit for deal in deals if deal.type == c.DEAL_TYPE_CREDIT)
    money = sum(
        deal.profit + deal.swap + deal.commission + deal.fee
        for deal in deals
        if deal.type != c.DEAL_TYPE_CREDIT
    )
    assert book.balance == pytest.approx(money, abs=0.01 * len(deals) + 1e-9 * abs(money))
    assert book.credit == pytest.approx(credited, abs=0.01)
    for ticket, held in book.positions.items():
        assert held.ticket == ticket
        assert held.units > 0
        assert held.ticket not in book.tickets_gone
        assert held.margin >= 0.0
        traded = [deal for deal in deals if deal.position_id == held.identifier]
        net = sum(deal.units if deal.type == held.side else -deal.units for deal in traded)
        # A position is what its deals sum up to, close-by's included.
        assert net == held.units
    if not bench.server.venue.is_hedging:
        symbols = [held.symbol for held in book.positions.values()]
        assert len(symbols) == len(set(symbols))
    for ticket, order in book.orders.items():
        assert order.ticket == ticket
        assert 0 < order.units_current <= order.units_initial
    assert not set(book.orders) & set(book.orders_done)
    assert [deal.ticket for deal in deals] == sorted(deal.ticket for deal in deals)
    figures = account_figures(bench.server.venue)
    assert figures.equity == pytest.approx(book.balance + book.credit + figures.profit, abs=0.011)
    assert math.isfinite(figures.equity + figures.margin)


def step(dice: random.Random, bench: Bench) -> None:
    """Do one random thing."""
    kind = dice.random()
    if kind < 0.35:
        name = dice.choice(NAMES)
        quote = bench.server.book.quotes[name]
        digits = bench.server.venue.by_name[name].digits
        bid = round((quote.fed_bid or 1.0) * (1.0 + dice.gauss(0.0, 0.002)), digits)
        bench.tick(name, bid, round(bid * (1.0 + dice.random() * 3e-4), digits))
    elif kind < 0.45:
        bench.pass_ns(dice.choice((MS, 100 * MS, 3_600 * S, 26 * 3_600 * S)))
    elif kind < 0.48:
        bench.mt5.initialize()
    elif kind < 0.55:
        reads = (bench.mt5.positions_get, bench.mt5.orders_get, bench.mt5.account_info)
        dice.choice(reads)()
    else:
        call = bench.mt5.order_send if dice.random() < 0.9 else bench.mt5.order_check
        make = sensible_request if dice.random() < 0.8 else random_request
        call(make(dice, bench))
    if bench.mt5.last_error()[0] in (-10002, -10004):
        bench.mt5.initialize()


@pytest.mark.parametrize("seed", range(len(FAULT_NAMES)), ids=FAULT_NAMES)
def test_books_balance_under_any_storm(seed: int) -> None:
    """No exception but the announced hang, all invariants after each step, and the fault fired."""
    dice = random.Random(seed)
    bench = Bench(random_spec(dice))
    bench.server.set_faults(random_plan(dice, seed), bench.now_ns)
    for _ in range(STEPS):
        with contextlib.suppress(HungError):
            step(dice, bench)
        check_books(bench)
    assert bench.server.engine.firings[FAULT_NAMES[seed]] > 0
