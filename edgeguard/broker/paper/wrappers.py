"""Give Buy, Sell, Close and _RawOrder, the helpers of the vendor's package, with their contract.

Market orders with a deviation of 10 points and no filling named (which means fill or kill), sent
again at a fresh price only after a requote or a lack of prices, ten times at most.
"""

from typing import Final, Literal, Protocol

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.structs import OrderSendResult, Tick, TradePosition

_TRIES: Final = 10
_DEVIATION: Final = 10
_TRY_AGAIN: Final = (c.TRADE_RETCODE_REQUOTE, c.TRADE_RETCODE_PRICE_OFF)


class NoPriceError(AttributeError):
    """A symbol has no tick; the text is that of the vendor's code, which runs into it."""

    def __init__(self, side: int) -> None:
        """Take the side whose price was looked for."""
        name = "ask" if side == c.ORDER_TYPE_BUY else "bid"
        super().__init__(f"'NoneType' object has no attribute '{name}'")


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
        """Buy at a price, or at the current ask; with ``ticket`` against that position.

        Raises:
            NoPriceError: The symbol has no tick: an AttributeError, as in the vendor's package.
        """
        if price is not None:
            return self.raw_order(c.ORDER_TYPE_BUY, symbol, volume, price, comment, ticket)
        return self._at_market(c.ORDER_TYPE_BUY, symbol, volume, comment, ticket)

    def Sell(  # noqa: N802 - the vendor's name
        self,
        symbol: str,
        volume: float,
        price: float | None = None,
        *,
        comment: str | None = None,
        ticket: int | None = None,
    ) -> OrderSendResult | None:
        """Sell at a price, or at the current bid; with ``ticket`` against that position.

        Raises:
            NoPriceError: The symbol has no tick: an AttributeError, as in the vendor's package.
        """
        if price is not None:
            return self.raw_order(c.ORDER_TYPE_SELL, symbol, volume, price, comment, ticket)
        return self._at_market(c.ORDER_TYPE_SELL, symbol, volume, comment, ticket)

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
            side = 1 - position.type
            try:
                result = self._at_market(side, symbol, position.volume, comment, position.ticket)
            except NoPriceError:
                return None
            if result is None:
                return None
            closed += result.retcode == c.TRADE_RETCODE_DONE
        if not closed:
            return False
        return True if closed == len(found) else "Partially"

    def raw_order(  # noqa: PLR0913, PLR0917 - the vendor's _RawOrder
        self,
        order_type: int,
        symbol: str,
        volume: float,
        price: float,
        comment: str | None = None,
        ticket: int | None = None,
    ) -> OrderSendResult | None:
        """Send one market order; public clients call it although its name says not to."""
        order: dict[str, object] = {
            "action": c.TRADE_ACTION_DEAL,
            "symbol": symbol,
            "volume": volume,
            "type": order_type,
            "price": price,
            "deviation": _DEVIATION,
        }
        if comment is not None:
            order["comment"] = comment
        if ticket is not None:
            order["position"] = ticket
        return self._terminal.order_send(order)

    def _at_market(
        self, side: int, symbol: str, volume: float, comment: str | None, ticket: int | None
    ) -> OrderSendResult | None:
        """Send at the market's price until it is taken or refused; None without an answer.

        Raises:
            NoPriceError: The symbol has no tick.
        """
        result: OrderSendResult | None = None
        for _ in range(_TRIES):
            tick = self._terminal.symbol_info_tick(symbol)
            if tick is None:
                raise NoPriceError(side)
            price = tick.ask if side == c.ORDER_TYPE_BUY else tick.bid
            result = self.raw_order(side, symbol, volume, price, comment, ticket)
            if result is None or result.retcode not in _TRY_AGAIN:
                return result
        return result
