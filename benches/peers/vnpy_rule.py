"""vn.py with a rule written by hand: `python -m benches.peers.vnpy_rule direct|thread`.

vn.py has no guard of this kind: its users register a handler of ticks on the event engine and write
the rules there. `direct` calls the handler, `thread` goes the whole way: the event queue, vn.py's
own thread, the handler. The handler marks eight positions of the tick's symbol among them, compares
daily loss and drawdown, and a spread with five times its moving average, all in floats. It runs in
a process of its own and prints the nanoseconds per tick of each round. Only vn.py's event engine
and its objects are used, so its other dependencies need not be installed.
"""

# pyright: basic, reportMissingImports=false
# vn.py is installed beside EdgeGuard, in .venv-peers.
from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from vnpy.event import Event, EventEngine
from vnpy.trader.constant import Direction, Exchange
from vnpy.trader.event import EVENT_TICK
from vnpy.trader.object import PositionData, TickData

NAMES = ("EURUSD", "GBPUSD", "AUDUSD", "NZDUSD")
POSITIONS = 8
TICKS = 1024
ROUNDS = 40
UNITS = 1_000.0
EQUITY = 1_000_000.0
LOSS_MAX = 0.9
WAIT_S = 30.0


class Rule:
    """What a vn.py user writes in an afternoon."""

    def __init__(self, positions: list[PositionData]) -> None:
        """Take the open positions, by symbol."""
        self.positions: dict[str, list[PositionData]] = {}
        for position in positions:
            self.positions.setdefault(position.symbol, []).append(position)
        self.profit: dict[str, float] = {}
        self.spread: dict[str, float] = {}
        self.breaches = 0
        self.left = 0
        self.done = threading.Event()

    def on_tick(self, event: Event) -> None:
        """Judge one tick."""
        tick: TickData = event.data
        bid, ask, symbol = tick.bid_price_1, tick.ask_price_1, tick.symbol
        profit = 0.0
        for position in self.positions.get(symbol, ()):
            if position.direction is Direction.LONG:
                profit += (bid - position.price) * position.volume
            else:
                profit += (position.price - ask) * position.volume
        self.profit[symbol] = profit
        equity = EQUITY + sum(self.profit.values())
        spread: float = ask - bid
        normal = self.spread.get(symbol, spread)
        self.spread[symbol] = normal + (spread - normal) * 0.001
        loss = (EQUITY - equity) / EQUITY
        if loss > LOSS_MAX or spread > 5 * normal:
            self.breaches += 1
        self.left -= 1
        if self.left == 0:
            self.done.set()


def prepare() -> tuple[Rule, list[Event]]:
    """Return the rule with its positions, and the events of one round."""
    positions = [
        PositionData(
            "bench",
            NAMES[at % len(NAMES)],
            Exchange.OTC,
            Direction.LONG if at // len(NAMES) % 2 == 0 else Direction.SHORT,
            volume=UNITS,
            price=1.38694,
        )
        for at in range(POSITIONS)
    ]
    now = datetime(2026, 1, 5, tzinfo=UTC)
    events = [
        Event(
            EVENT_TICK,
            TickData(
                "bench",
                NAMES[at % len(NAMES)],
                Exchange.OTC,
                now,
                bid_price_1=(138_700 + at % 7) / 1e5,
                ask_price_1=(138_711 + at % 7) / 1e5,
            ),
        )
        for at in range(TICKS)
    ]
    return Rule(positions), events


def main(way: str) -> None:
    """Print one line per round."""
    rule, events = prepare()
    engine = EventEngine()
    engine.register(EVENT_TICK, rule.on_tick)
    deliver: Callable[[Event], None] = rule.on_tick
    if way == "thread":
        deliver = engine.put
        engine.start()
    for _ in range(ROUNDS):
        rule.left = len(events)
        rule.done.clear()
        begun = time.perf_counter_ns()
        for event in events:
            deliver(event)
        assert rule.done.wait(WAIT_S)
        print((time.perf_counter_ns() - begun) / len(events))
    if way == "thread":
        engine.stop()
    assert rule.breaches == 0


if __name__ == "__main__":
    main(sys.argv[1])
