"""A backtest in NautilusTrader with the example's mixin: prints how many orders were filled.

    python nautilus_backtest.py EXAMPLES PAGE

The strategy wants to buy at the third quote and to close, reduce-only, at the sixth.
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, OrderStatus
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from edgeguard import Gate

sys.path.insert(0, sys.argv[1])
from nautilus_strategy import Guarded

QUOTES = 10


class Heard:
    """Counts what the strategy reports; a real reporter needs pyzmq, which is not there."""

    def __init__(self) -> None:
        self.ticks: list[tuple[str, str, str]] = []
        self.beats = 0
        self.errors: list[str] = []

    def tick(self, symbol: str, bid: str, ask: str, _source_ns: int) -> None:
        self.ticks.append((symbol, bid, ask))

    def heartbeat(self) -> None:
        self.beats += 1

    def error(self, class_: str, *, text: str) -> None:
        self.errors.append(f"{class_}: {text}")


class Mine(Guarded, Strategy):
    """Buys once and closes."""

    def on_start(self) -> None:
        self.quotes = 0
        self.subscribe_quote_ticks(INSTRUMENT.id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        super().on_quote_tick(tick)
        self.quotes += 1
        if self.quotes == 3:
            self.submit_order(self.order(OrderSide.BUY, reduces=False))
        if self.quotes == 6:
            self.submit_order(self.order(OrderSide.SELL, reduces=True))

    def order(self, side: OrderSide, *, reduces: bool) -> Any:  # noqa: ANN401  # theirs are untyped
        return self.order_factory.market(
            INSTRUMENT.id, side, Quantity.from_int(1_000), reduce_only=reduces
        )


INSTRUMENT = TestInstrumentProvider.default_fx_ccy("EUR/USD", Venue("SIM"))


def main(page: str) -> None:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        Venue("SIM"),
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money(1_000_000, USD)],
        base_currency=USD,
        default_leverage=Decimal(10),
    )
    engine.add_instrument(INSTRUMENT)
    size = Quantity.from_int(1_000_000)
    engine.add_data(
        [
            QuoteTick(
                INSTRUMENT.id, Price(1.1, 5), Price(1.1001, 5), size, size, at * 10**9, at * 10**9
            )
            for at in range(1, QUOTES + 1)
        ]
    )
    heard = Heard()
    engine.add_strategy(Mine(gate=Gate(page, "A"), reporter=heard))
    engine.run()
    filled = [order for order in engine.cache.orders() if order.status == OrderStatus.FILLED]
    assert heard.beats == QUOTES
    # A close without a position, where the entry was not submitted.
    assert len(heard.errors) == (0 if filled else 1), heard.errors
    assert heard.ticks[0] == ("EURUSD", "1.10000", "1.10010")
    sys.stdout.write(" ".join(sorted(order.side_string() for order in filled)) or "none")


if __name__ == "__main__":
    main(sys.argv[2])
