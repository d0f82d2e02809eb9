"""The guard that people write: dataclasses, deques, floats, one method per rule.

It judges the same five rules on the same events, without what makes EdgeGuard's engine exact: no
decimals, no transfers, no time zones, no evidence, no bad-tick filter beyond the obvious, positions
marked one by one. Its normal spread is a moving average, the cheapest baseline there is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

CONTRACT = 100_000.0


@dataclass
class Position:
    symbol: str
    side: int
    volume: float
    price_open: float


@dataclass
class Symbol:
    bid: float = 0.0
    ask: float = 0.0
    spread_average: float = 0.00012
    profit: float = 0.0
    positions: list[Position] = field(default_factory=list)


@dataclass
class PlainGuard:
    balance: float
    day_start: float
    peak: float
    symbols: dict[str, Symbol] = field(default_factory=dict)
    errors: deque[float] = field(default_factory=deque)
    last_seen: float = 0.0
    is_halted: bool = False
    is_paused: bool = False

    def open(self, position: Position) -> None:
        self.symbols.setdefault(position.symbol, Symbol()).positions.append(position)

    def on_error(self, now: float) -> None:
        self.errors.append(now)

    def on_tick(self, name: str, bid: float, ask: float, now: float) -> None:
        if not 0 < bid <= ask:
            self.errors.append(now)
            return
        symbol = self.symbols[name]
        symbol.bid, symbol.ask = bid, ask
        symbol.profit = sum(
            one.side * one.volume * CONTRACT * ((bid if one.side > 0 else ask) - one.price_open)
            for one in symbol.positions
        )
        equity = self.balance + sum(one.profit for one in self.symbols.values())
        self.check_loss(equity)
        self.check_connection(now)
        self.check_errors(now)
        self.check_spread(symbol, ask - bid)

    def check_loss(self, equity: float) -> None:
        self.peak = max(self.peak, equity)
        if self.day_start - equity > 0.9 * self.day_start or self.peak - equity > 0.9 * self.peak:
            self.is_halted = True

    def check_connection(self, now: float) -> None:
        if self.last_seen and now - self.last_seen > 60:
            self.is_halted = True
        self.last_seen = now

    def check_errors(self, now: float) -> None:
        while self.errors and now - self.errors[0] >= 60:
            self.errors.popleft()
        if len(self.errors) > 10:
            self.is_paused = True

    def check_spread(self, symbol: Symbol, spread: float) -> None:
        if spread > 5 * symbol.spread_average:
            self.is_paused = True
        symbol.spread_average += 0.001 * (spread - symbol.spread_average)
