"""Give Buy, Sell and Close, the three helpers of the vendor's package, with their contract.

Market orders with a deviation of 10 points and no filling named (which means fill or kill), sent
again at a fresh price only after a requote or a lack of prices, ten times at most.
"""

from typing import Final, Literal, Protocol

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.structs import OrderSendResult, Tick, TradePosition

_TRIES: Final = 10
_DEVIATION: Final = 10
_TRY_AGAIN: Final = (c.TRADE_RETCODE_REQUOTE, c.TRADE_RETCODE_PRICE_OFF)


class Trader(Protocol):
    """The part of a terminal the helpers use."""

    def order_send(self, *args: object, **named: object) -> OrderSendResult | None:
        """Send a trade request."""
        ...

    def symbol_info_tick(self, *args: object) -> Tick | None:
        """Return a symbol's last tick."""
        ...

    def positions_get(self, *args: object, **named: object) -> tuple[TradePosition, ...] | None:
        """Return positions."""
        ...


class Wrappers:
    """Buy, Sell and Close over one terminal, as bound methods."""

    def __init__(self, terminal: Trader) -> None:
        """Take the terminal to trade on."""
        self._terminal = terminal

    def Buy(  # noqa: N802 - the vendor's name
        self,
        symbol: str,
        volume: float,
        price: float | None = None,
        *,
        comment: str | None = None,
        ticket: int | None = None,
    ) -> OrderSendResult | None:
        """Buy at a price, or at the current ask; with ``ticket`` against that position."""
        order = self._order(c.ORDER_TYPE_BUY, symbol, volume, comment, ticket)
        return self._send(order, price)

    def Sell(  # noqa: N802 - the vendor's name
        self,
        symbol: str,
        volume: float,
        price: float | None = None,
        *,
        comment: str | None = None,
        ticket: int | None = None,
    ) -> OrderSendResult | None:
        """Sell at a price, or at the current bid; with ``ticket`` against that position."""
        order = self._order(c.ORDER_TYPE_SELL, symbol, volume, comment, ticket)
        return self._send(order, price)

    def Close(  # noqa: N802 - the vendor's name
        self, symbol: str, *, comment: str | None = None, ticket: int | None = None
    ) -> Literal["Partially"] | bool | None:
        """Close one position or all of a symbol.

        Returns:
            True when all were closed, "Partially" when some were, False when none was (also when
            there was nothing to close), None when a price or an answer was missing.

        Raises:
            TypeError: The positions could not be read, as in the vendor's package.
        """
        if ticket is None:
            found = self._terminal.positions_get(symbol=symbol)
        else:
            found = self._terminal.positions_get(ticket=ticket)
        if found is None:
            raise TypeError("'NoneType' object is not iterable")
        closed = 0
        for position in found:
            order = self._order(1 - position.type, symbol, position.volume, comment, None)
            order["position"] = position.ticket
            result = self._send(order, None)
            if result is None:
                return None
            closed += result.retcode == c.TRADE_RETCODE_DONE
        if not closed:
            return False
        return True if closed == len(found) else "Partially"

    @staticmethod
    def _order(
        side: int, symbol: str, volume: float, comment: str | None, ticket: int | None
    ) -> dict[str, object]:
        """Return a request but for its price."""
        order: dict[str, object] = {
            "action": c.TRADE_ACTION_DEAL,
            "symbol": symbol,
            "volume": volume,
            "type": side,
            "deviation": _DEVIATION,
        }
        if comment is not None:
            order["comment"] = comment
        if ticket is not None:
            order["position"] = ticket
        return order

    def _send(self, order: dict[str, object], price: float | None) -> OrderSendResult | None:
        """Send at a given price once, or at the market's until it is taken or refused."""
        if price is not None:
            return self._terminal.order_send({**order, "price": price})
        result: OrderSendResult | None = None
        for _ in range(_TRIES):
            tick = self._terminal.symbol_info_tick(order["symbol"])
            if tick is None:
                return None
            market = tick.ask if order["type"] == c.ORDER_TYPE_BUY else tick.bid
            result = self._terminal.order_send({**order, "price": market})
            if result is None or result.retcode not in _TRY_AGAIN:
                return result
        return result
