"""NautilusTrader by its fair path: `python -m benches.peers.nautilus POSITIONS`.

Per quote: `cache.add_quote_tick`, `portfolio.update_quote_tick`, the account's balance plus
`portfolio.unrealized_pnls(venue)` (1.221.0 has no `portfolio.equity`), and the comparisons. It does
more than a guard needs: exact multi-currency Money and a whole order model. It does less: no
learned spread, no error window, no bad-tick filter, no confirmation. It runs in a process of its
own and prints the nanoseconds per quote of each round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import MessageBus, TestClock
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import OmsType, OrderSide
from nautilus_trader.model.events import PositionOpened
from nautilus_trader.model.identifiers import PositionId, Venue
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.model.position import Position
from nautilus_trader.portfolio.portfolio import Portfolio
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.test_kit.stubs.component import TestComponentStubs
from nautilus_trader.test_kit.stubs.events import TestEventStubs
from nautilus_trader.test_kit.stubs.execution import TestExecStubs
from nautilus_trader.test_kit.stubs.identifiers import TestIdStubs

PAIRS = ("EUR/USD", "GBP/USD", "AUD/USD", "NZD/USD")
QUOTES = 1024
ROUNDS = 40


def prepare(positions: int) -> tuple[list[QuoteTick], Callable[[QuoteTick], bool]]:
    """Return quotes and the function that a NautilusTrader user would run on each."""
    clock = TestClock()
    cache = TestComponentStubs.cache()
    portfolio = Portfolio(MessageBus(TestIdStubs.trader_id(), clock), cache, clock)
    venue = Venue("SIM")
    portfolio.update_account(TestEventStubs.margin_account_state())
    instruments = [TestInstrumentProvider.default_fx_ccy(name, venue) for name in PAIRS]
    for instrument in instruments:
        cache.add_instrument(instrument)
    for at in range(positions):
        instrument = instruments[at % len(instruments)]
        _open(cache, portfolio, instrument, at)
    quotes = [_quote(instruments[at % len(instruments)].id, at) for at in range(QUOTES)]
    day_start = peak = 1_000_000.0

    def on_quote(quote: QuoteTick) -> bool:
        cache.add_quote_tick(quote)
        portfolio.update_quote_tick(quote)
        balance = portfolio.account(venue).balance_total(USD).as_double()
        profit = portfolio.unrealized_pnls(venue)[USD].as_double()
        equity = balance + profit
        spread = quote.ask_price.as_double() - quote.bid_price.as_double()
        loss = day_start - equity
        return loss > 0.9 * day_start or peak - equity > 0.9 * peak or spread > 0.01

    return quotes, on_quote


def _open(cache: Cache, portfolio: Portfolio, instrument: Any, at: int) -> None:  # noqa: ANN401  # their classes are untyped
    """Give the account one open position, the way the execution engine would."""
    order = TestExecStubs.market_order(
        instrument=instrument,
        order_side=OrderSide.BUY if at % 2 == 0 else OrderSide.SELL,
        quantity=Quantity.from_int(1_000),
        client_order_id=TestIdStubs.client_order_id(at + 1),
    )
    fill = TestEventStubs.order_filled(
        order,
        instrument,
        position_id=PositionId(f"P-{at}"),
        last_px=Price(1.38694, 5),
    )
    position = Position(instrument=instrument, fill=fill)
    cache.add_position(position, OmsType.HEDGING)
    portfolio.update_position(PositionOpened.create(position, fill, TestIdStubs.uuid(), 0))


def _quote(instrument: object, at: int) -> QuoteTick:
    bid = 138_700 + at % 7
    size = Quantity.from_int(1_000_000)
    return QuoteTick(
        instrument, Price(bid / 1e5, 5), Price((bid + 11) / 1e5, 5), size, size, at, at
    )


def main() -> None:
    """Print one line per round."""
    quotes, on_quote = prepare(int(sys.argv[1]))
    for quote in quotes:
        assert not on_quote(quote)
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        for quote in quotes:
            on_quote(quote)
        print((time.perf_counter_ns() - begun) / len(quotes))


if __name__ == "__main__":
    main()
