"""A paper terminal under virtual time, and the few moves the tests make on it."""

import msgspec

from edgeguard.broker.paper import (
    FaultPlan,
    FaultRule,
    LocalConnection,
    PaperServer,
    PaperSpec,
    PaperTerminal,
    SymbolSpec,
)
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.structs import OrderSendResult, TradeOrder, TradePosition

# Wednesday 2026-11-18 12:00:00 UTC, 14:00 at a broker on GMT+2.
START_NS = 1_795_003_200_000_000_000
MS = 1_000_000
S = 1_000_000_000


class Bench:
    """A server, a terminal on it, and a clock that only the test moves."""

    def __init__(self, spec: PaperSpec) -> None:
        self.now_ns = START_NS
        self.server = PaperServer(spec, self.now_ns)
        connection = LocalConnection(self.server, lambda: self.now_ns, self.pass_ns)
        self.mt5 = PaperTerminal(connection)
        assert self.mt5.initialize()

    def pass_ns(self, duration_ns: int) -> None:
        """Let time pass."""
        self.now_ns += duration_ns
        self.server.advance(self.now_ns)

    def tick(self, symbol: str, bid: float, ask: float) -> bool:
        """Move a price."""
        return self.server.on_tick(symbol, bid, ask, self.now_ns)

    def send(self, **request: object) -> OrderSendResult:
        """Send a request that must get an answer."""
        result = self.mt5.order_send(request)
        assert result is not None, self.mt5.last_error()
        return result

    def deal(
        self, side: int, lots: float, symbol: str = "EURUSD", **more: object
    ) -> OrderSendResult:
        """Send a market order, IOC unless told otherwise."""
        request: dict[str, object] = {
            "action": c.TRADE_ACTION_DEAL,
            "symbol": symbol,
            "volume": lots,
            "type": side,
            "type_filling": c.ORDER_FILLING_IOC,
        }
        return self.send(**{**request, **more})

    def buy(self, lots: float, symbol: str = "EURUSD", **more: object) -> OrderSendResult:
        """Buy at the market."""
        return self.deal(c.ORDER_TYPE_BUY, lots, symbol, **more)

    def sell(self, lots: float, symbol: str = "EURUSD", **more: object) -> OrderSendResult:
        """Sell at the market."""
        return self.deal(c.ORDER_TYPE_SELL, lots, symbol, **more)

    def close(self, position: TradePosition, lots: float = 0.0, **more: object) -> OrderSendResult:
        """Close a position by its ticket, all of it by default."""
        ticket = {"position": position.ticket}
        volume = lots or position.volume
        return self.deal(1 - position.type, volume, position.symbol, **{**ticket, **more})

    def place(self, kind: int, lots: float, price: float, **more: object) -> OrderSendResult:
        """Place a pending order on EURUSD."""
        request: dict[str, object] = {
            "action": c.TRADE_ACTION_PENDING,
            "symbol": "EURUSD",
            "volume": lots,
            "type": kind,
            "price": price,
            "type_filling": c.ORDER_FILLING_RETURN,
        }
        return self.send(**{**request, **more})

    def positions(self) -> tuple[TradePosition, ...]:
        """Return the positions, which must be readable."""
        found = self.mt5.positions_get()
        assert found is not None
        return found

    def orders(self) -> tuple[TradeOrder, ...]:
        """Return the working orders, which must be readable."""
        found = self.mt5.orders_get()
        assert found is not None
        return found

    def faults(self, *rules: FaultRule, seed: int = 0) -> None:
        """Set a fault plan."""
        self.server.set_faults(FaultPlan(seed=seed, rules=rules), self.now_ns)


def changed(spec: PaperSpec, name: str = "EURUSD", /, **rules: object) -> PaperSpec:
    """Return a spec whose one symbol has other rules."""

    def change(symbol: SymbolSpec) -> SymbolSpec:
        return msgspec.structs.replace(symbol, **rules) if symbol.name == name else symbol

    return msgspec.structs.replace(spec, symbols=tuple(change(s) for s in spec.symbols))
