"""Orders on a terminal with the MetaTrader 5 package's own functions, as any engine sends them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.terminals import load_terminal
from edgeguard.demo.book import EXIT_SYMBOL, TREND, Entry, Pending, PendingKind
from edgeguard.demo.timeline import Deal
from edgeguard.errors import TerminalError

DEVIATION_POINTS: Final = 100
SMALL_LOTS: Final = 0.01
FAR_FUTURE_S: Final = 4_102_444_800
"""The year 2100, seconds since the epoch: every deal there is lies before it."""
PENDING_TYPES: Final[dict[PendingKind, int]] = {
    "buy_limit": c.ORDER_TYPE_BUY_LIMIT,
    "sell_limit": c.ORDER_TYPE_SELL_LIMIT,
    "buy_stop": c.ORDER_TYPE_BUY_STOP,
    "sell_stop": c.ORDER_TYPE_SELL_STOP,
}
BELOW: Final = frozenset({"buy_limit", "sell_stop"})
"""Kinds of pending orders that stand below the market."""


class Trader:
    """An engine's hands."""

    def __init__(self, paper_socket: str) -> None:
        """Connect to the paper terminal.

        Raises:
            TerminalError: it does not answer.
        """
        self._terminal: Any = load_terminal("paper", paper_socket=paper_socket)
        if not self._terminal.initialize():
            raise TerminalError(f"the paper terminal must answer: {self._terminal.last_error()}")

    def open(self, entry: Entry) -> None:
        """Open one position at market.

        Raises:
            TerminalError: the terminal refused.
        """
        is_buy = entry.side == "buy"
        tick = self._tick(entry.symbol)
        self._send(
            action=c.TRADE_ACTION_DEAL,
            symbol=entry.symbol,
            volume=float(entry.volume),
            type=c.ORDER_TYPE_BUY if is_buy else c.ORDER_TYPE_SELL,
            price=tick.ask if is_buy else tick.bid,
            magic=entry.magic,
            type_filling=c.ORDER_FILLING_IOC,
        )

    def place(self, pending: Pending) -> None:
        """Place one pending order.

        Raises:
            TerminalError: the terminal refused.
        """
        tick, info = self._tick(pending.symbol), self._terminal.symbol_info(pending.symbol)
        sign = -1 if pending.kind in BELOW else 1
        price = tick.bid * (1 + sign * float(Decimal(pending.distance)))
        self._send(
            action=c.TRADE_ACTION_PENDING,
            symbol=pending.symbol,
            volume=float(pending.volume),
            type=PENDING_TYPES[pending.kind],
            price=round(price, info.digits),
            magic=pending.magic,
            type_filling=c.ORDER_FILLING_RETURN,
        )

    def enter_small(self) -> None:
        """Open the smallest position.

        Raises:
            TerminalError: the terminal refused.
        """
        self.open(Entry(self._exit_symbol(), "buy", str(SMALL_LOTS), TREND))

    def exit_small(self) -> bool:
        """Close the smallest part of a position of our own; return whether that was done."""
        positions = self._terminal.positions_get(symbol=self._exit_symbol()) or ()
        if not positions:
            return False
        position = max(positions, key=lambda row: row.volume)
        is_buy = position.type == c.POSITION_TYPE_BUY
        tick = self._tick(position.symbol)
        self._send(
            action=c.TRADE_ACTION_DEAL,
            position=position.ticket,
            symbol=position.symbol,
            volume=SMALL_LOTS,
            type=c.ORDER_TYPE_SELL if is_buy else c.ORDER_TYPE_BUY,
            price=tick.bid if is_buy else tick.ask,
            magic=position.magic,
            type_filling=c.ORDER_FILLING_IOC,
        )
        return True

    def counts(self) -> tuple[int, int]:
        """Return the numbers of positions and of pending orders.

        Raises:
            TerminalError: the terminal does not tell; that is never the same as none.
        """
        positions, orders = self._terminal.positions_get(), self._terminal.orders_get()
        if positions is None or orders is None:
            raise TerminalError(f"the paper terminal must answer: {self._terminal.last_error()}")
        return len(positions), len(orders)

    def deals(self) -> dict[int, Deal]:
        """Return what the terminal has booked, by the number of the deal."""
        found = self._terminal.history_deals_get(0, FAR_FUTURE_S) or ()
        return {row.ticket: Deal(row.commission, row.profit) for row in found}

    def rows(self) -> list[list[object]]:
        """Return symbol, side and lots of every position, for people."""
        sides = {c.POSITION_TYPE_BUY: "buy", c.POSITION_TYPE_SELL: "sell"}
        positions = self._terminal.positions_get() or ()
        return [[row.symbol, sides[row.type], row.volume] for row in positions]

    def _exit_symbol(self) -> str:
        """Return the usual symbol for small deals, or the first one that is open."""
        held = [row.symbol for row in self._terminal.positions_get() or ()]
        return EXIT_SYMBOL if EXIT_SYMBOL in held or not held else held[0]

    def _tick(self, symbol: str) -> Any:  # noqa: ANN401 - the vendor's struct
        tick = self._terminal.symbol_info_tick(symbol)
        if tick is None:
            raise TerminalError(f"{symbol} must have a quote: {self._terminal.last_error()}")
        return tick

    def _send(self, **request: object) -> None:
        request.setdefault("deviation", DEVIATION_POINTS)
        request.setdefault("type_time", c.ORDER_TIME_GTC)
        answer = self._terminal.order_send(request)
        if answer is None:
            raise TerminalError(f"order_send must answer: {self._terminal.last_error()}")
        if answer.retcode not in {c.TRADE_RETCODE_DONE, c.TRADE_RETCODE_PLACED}:
            msg = f"the order must be accepted, was answered {answer.retcode} {answer.comment}"
            raise TerminalError(f"{msg}: {request}")
