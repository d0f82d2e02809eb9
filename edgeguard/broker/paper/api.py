"""Expose a paper terminal with the MetaTrader5 package's own functions, manners included.

``PaperTerminal(connection)`` has the 32 functions as bound methods. Argument rules are those read
from the vendor's extension (version 5.0.6231): what it refuses is refused here with
the same answer, so that a client that works here works there.
"""

from collections.abc import Sequence
from typing import Any, Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.api_market import MarketCalls
from edgeguard.broker.paper.arguments import (
    GROUP_UNITS_MAX,
    LOGIN_TEXT_UNITS_MAX,
    ArgumentError,
    double,
    is_text,
    is_uint,
    matches_group,
    refuse,
    request_values,
    seconds,
    symbol_only,
)
from edgeguard.broker.paper.caller import Caller, only, or_false, or_none
from edgeguard.broker.paper.errors import IpcError
from edgeguard.broker.paper.structs import (
    AccountInfo,
    OrderCheckResult,
    OrderSendResult,
    TerminalInfo,
    TradeDeal,
    TradeOrder,
    TradePosition,
    TradeRequest,
)

# initialize() waits this long for a terminal to start unless told otherwise, milliseconds.
TIMEOUT_MS: Final = 60_000
_UINT32_MAX: Final = 0xFFFF_FFFF
_RANGE_ARGS: Final = 2
Named = dict[str, object]


def _identity(named: Named) -> list[object]:
    """Check login, server, password and timeout as initialize() and login() do, in that order.

    Returns:
        Login, password and server; None for what was not given.

    Raises:
        ArgumentError: One of them has a wrong type or range.
    """
    if "login" in named and not is_uint(named["login"]):
        refuse("login")
    for name in ("server", "password"):
        if name in named and not is_text(named[name], LOGIN_TEXT_UNITS_MAX):
            refuse(name)
    if "timeout" in named and not is_uint(named["timeout"], _UINT32_MAX):
        refuse("timeout")
    return [named.get("login"), named.get("password"), named.get("server")]


def check_group(named: Named) -> None:
    """Refuse a group filter that is no string or too long.

    Raises:
        ArgumentError: It is.
    """
    if "group" in named and not is_text(named["group"], GROUP_UNITS_MAX):
        refuse("group")


def in_group(rows: list[Any] | None, named: Named, symbol_at: int) -> list[Any] | None:
    """Return the rows whose symbol passes the group filter, all without one."""
    group = named.get("group")
    if rows is None or not isinstance(group, str):
        return rows
    return [row for row in rows if matches_group(row[symbol_at], group)]


class SessionCalls(Caller):
    """The calls about the session, the terminal and the account."""

    @or_false
    def initialize(self, *args: object, **named: object) -> bool:
        """Connect to the terminal, starting it if need be, and log in when a login is given.

        Takes ``path`` positionally or by name, and ``login``, ``password``, ``server``,
        ``timeout`` (milliseconds) and ``portable`` by name.
        """
        self._connection.close()
        if len(args) > 1:
            raise ArgumentError("Invalid number of arguments")
        if args and not is_text(args[0], LOGIN_TEXT_UNITS_MAX):
            raise ArgumentError("Invalid 1st unnamed argument")
        identity = _identity(named)
        if "path" in named and not is_text(named["path"], LOGIN_TEXT_UNITS_MAX):
            refuse("path")
        timeout = named.get("timeout", TIMEOUT_MS)
        try:
            self._connection.open(timeout if isinstance(timeout, int) else TIMEOUT_MS)
        except IpcError as error:
            self._set(error.code, error.text)
            return False
        if self._call("initialize", *identity):
            return True
        self._connection.close()
        return False

    @or_false
    def login(self, *args: object, **named: object) -> bool:
        """Log in to an account: (login, password=, server=, timeout=)."""
        places = ("login", "password", "server")
        if len(args) > len(places):
            raise ArgumentError("Invalid number of arguments")
        ordinals = ("1st", "2nd", "3rd")
        for ordinal, place, value in zip(ordinals, places, args, strict=False):
            good = is_uint(value) if place == "login" else is_text(value, LOGIN_TEXT_UNITS_MAX)
            if not good:
                raise ArgumentError(f"Invalid {ordinal} unnamed argument")
        identity = _identity({**dict(zip(places, args, strict=False)), **named})
        if identity[0] is None:
            refuse("login")
        return bool(self._call("login", *identity))

    @or_none
    def shutdown(self) -> bool | None:
        """Disconnect; the terminal and its positions stay. Returns True, connected or not."""
        self._connection.close()
        return True

    @or_none
    def version(self) -> tuple[int, int, str] | None:
        """Return terminal version, build and build date."""
        value = self._call("version")
        return None if value is None else (value[0], value[1], value[2])

    @or_none
    def terminal_info(self) -> TerminalInfo | None:
        """Return the terminal's state, None on failure."""
        row = self._call("terminal_info")
        return None if row is None else TerminalInfo(row)

    @or_none
    def account_info(self) -> AccountInfo | None:
        """Return the account's figures, None on failure."""
        row = self._call("account_info")
        return None if row is None else AccountInfo(row)


class StateCalls(Caller):
    """The calls about open positions and working orders. Arguments by name only."""

    def _select(
        self, method: str, args: Sequence[object], named: Named, symbol_at: int
    ) -> list[Any] | tuple[()] | None:
        """Return rows by ticket, else symbol, else group, else all; None on failure.

        A ticket that is not there is an empty tuple; a group is matched on the full list.
        """
        if args:
            raise ArgumentError("Unnamed arguments not allowed")
        if "ticket" in named:
            return self._by_ticket(method, named["ticket"])
        if "symbol" in named:
            if not is_text(named["symbol"]):
                refuse("symbol")
            return self._call(method, None, named["symbol"])
        check_group(named)
        return in_group(self._call(method, None, None), named, symbol_at)

    def _by_ticket(self, method: str, ticket: object) -> list[Any] | tuple[()] | None:
        """Return the row of a ticket, an empty tuple when it is not there, None on failure."""
        if not is_uint(ticket):
            refuse("ticket")
        rows = self._call(method, ticket, None)
        if rows is None and self._code == c.RES_E_NOT_FOUND:
            self._set(c.RES_S_OK)
            return ()
        return rows

    @or_none
    def positions_total(self) -> int | None:
        """Return the number of open positions, None on failure."""
        return self._call("positions_total")

    @or_none
    def positions_get(self, *args: object, **named: object) -> tuple[TradePosition, ...] | None:
        """Return positions by ``ticket``, ``symbol`` or ``group``, or all; None on failure."""
        rows = self._select("positions_get", args, named, 16)
        return None if rows is None else tuple(TradePosition(row) for row in rows)

    @or_none
    def orders_total(self) -> int | None:
        """Return the number of working orders, None on failure."""
        return self._call("orders_total")

    @or_none
    def orders_get(self, *args: object, **named: object) -> tuple[TradeOrder, ...] | None:
        """Return working orders by ``ticket``, ``symbol`` or ``group``, or all."""
        rows = self._select("orders_get", args, named, 21)
        return None if rows is None else tuple(TradeOrder(row) for row in rows)


class TradeCalls(Caller):
    """The calls that check, send and reckon trades."""

    @or_none
    def order_check(self, *args: object, **named: object) -> OrderCheckResult | None:
        """Return what the account would show after a request; retcode 0 means it would pass."""
        if named:
            raise ArgumentError("Invalid arguments")
        row = self._call("order_check", request_values(only(args, 1)[0]))
        return None if row is None else OrderCheckResult([*row[:-1], TradeRequest(row[-1])])

    @or_none
    def order_send(self, *args: object, **named: object) -> OrderSendResult | None:
        """Send a request, a dict given positionally; None only if it never got an answer."""
        if named:
            raise ArgumentError("Invalid arguments")
        row = self._call("order_send", request_values(only(args, 1)[0]))
        return None if row is None else OrderSendResult([*row[:-1], TradeRequest(row[-1])])

    @or_none
    def order_calc_margin(self, *args: object) -> float | None:
        """Return the margin of a trade: (action, symbol, volume, price)."""
        return self._calc("order_calc_margin", only(args, 4))

    @or_none
    def order_calc_profit(self, *args: object) -> float | None:
        """Return the profit of a trade: (action, symbol, volume, price_open, price_close)."""
        return self._calc("order_calc_profit", only(args, 5))

    def _calc(self, method: str, args: Sequence[object]) -> float | None:
        """Make a reckoning call; its numbers may be of any numeric type, its action an int."""
        action, name, *numbers = args
        if not isinstance(action, int):
            raise ArgumentError("Invalid arguments")
        plain = [double(number) for number in numbers]
        return self._call(method, int(action), symbol_only([name]), *plain)


class HistoryCalls(Caller):
    """The calls about historical orders and deals."""

    def _history(
        self, method: str, args: Sequence[object], named: Named, symbol_at: int
    ) -> list[Any] | None:
        """Return rows by ``ticket``, else ``position``, else a range of dates with a group."""
        for mode in ("ticket", "position"):
            if mode not in named:
                continue
            if args:
                raise ArgumentError("Unnamed arguments not allowed")
            if not is_uint(named[mode]):
                refuse(mode)
            return self._call(method, mode, named[mode], 0)
        # The dates have no names there: what names them is refused as if it gave none.
        first, last = (seconds(value) for value in only(args, _RANGE_ARGS))
        check_group(named)
        return in_group(self._call(method, "range", first, last), named, symbol_at)

    @or_none
    def history_orders_total(self, *args: object) -> int | None:
        """Return the number of historical orders between two dates."""
        first, last = (seconds(value) for value in only(args, _RANGE_ARGS))
        return self._call("history_orders_total", first, last)

    @or_none
    def history_orders_get(self, *args: object, **named: object) -> tuple[TradeOrder, ...] | None:
        """Return historical orders by (date_from, date_to, group=), ``ticket`` or ``position``."""
        rows = self._history("history_orders_get", args, named, 21)
        return None if rows is None else tuple(TradeOrder(row) for row in rows)

    @or_none
    def history_deals_total(self, *args: object) -> int | None:
        """Return the number of deals between two dates."""
        first, last = (seconds(value) for value in only(args, _RANGE_ARGS))
        return self._call("history_deals_total", first, last)

    @or_none
    def history_deals_get(self, *args: object, **named: object) -> tuple[TradeDeal, ...] | None:
        """Return deals by (date_from, date_to, group=), order ``ticket`` or ``position``."""
        rows = self._history("history_deals_get", args, named, 15)
        return None if rows is None else tuple(TradeDeal(row) for row in rows)


class PaperTerminal(SessionCalls, MarketCalls, StateCalls, TradeCalls, HistoryCalls):
    """A simulated terminal behind the MetaTrader5 package's surface. NOT FOR REAL TRADING."""


# The vendor's 32 functions, in the order of its method table.
FUNCTIONS: Final = (
    *("initialize", "shutdown", "login", "version", "terminal_info", "account_info"),
    *("copy_ticks_from", "copy_ticks_range"),
    *("copy_rates_from", "copy_rates_from_pos", "copy_rates_range"),
    *("positions_total", "positions_get", "orders_total", "orders_get"),
    *("history_orders_total", "history_orders_get", "history_deals_total", "history_deals_get"),
    *("order_check", "order_send", "order_calc_margin", "order_calc_profit"),
    *("symbol_info", "symbol_info_tick", "symbol_select", "symbols_total", "symbols_get"),
    *("market_book_add", "market_book_release", "market_book_get", "last_error"),
)
