"""Expose the calls about symbols, depth of market, bars and ticks."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.arguments import (
    GROUP_UNITS_MAX,
    ArgumentError,
    int32,
    is_text,
    matches_group,
    refuse,
    seconds,
    symbol_only,
)
from edgeguard.broker.paper.caller import Caller, only, or_false, or_none
from edgeguard.broker.paper.structs import BookInfo, SymbolInfo, Tick

_RATES_DTYPE: Final = [
    ("time", "<i8"),
    ("open", "<f8"),
    ("high", "<f8"),
    ("low", "<f8"),
    ("close", "<f8"),
    ("tick_volume", "<u8"),
    ("spread", "<i4"),
    ("real_volume", "<u8"),
]
_TICKS_DTYPE: Final = [
    ("time", "<i8"),
    ("bid", "<f8"),
    ("ask", "<f8"),
    ("last", "<f8"),
    ("volume", "<u8"),
    ("time_msc", "<i8"),
    ("flags", "<u4"),
    ("volume_real", "<f8"),
]
_SELECT_ARGS_MAX: Final = 2
Dtype = Sequence[tuple[str, str]]


class MarketCalls(Caller):
    """The symbol, depth, bar and tick calls of the MetaTrader5 package."""

    @or_none
    def symbols_total(self) -> int | None:
        """Return the number of symbols the server has, None on failure."""
        return self._call("symbols_total")

    @or_false
    def symbols_get(self, *args: object, **kwargs: object) -> tuple[SymbolInfo, ...] | None:
        """Return all symbols, or those of a group filter; None on failure.

        Refused arguments answer False, as the vendor's function does.
        """
        if len(args) > 1:
            raise ArgumentError("Invalid number of arguments")
        if args and not is_text(args[0], GROUP_UNITS_MAX):
            raise ArgumentError("Invalid 1st unnamed argument")
        group = kwargs.get("group", args[0] if args else None)
        if "group" in kwargs and not is_text(group, GROUP_UNITS_MAX):
            refuse("group")
        rows = self._call("symbols_get")
        if rows is None:
            return None
        infos = tuple(SymbolInfo(row) for row in rows)
        if isinstance(group, str):
            return tuple(info for info in infos if matches_group(info.name, group))
        return infos

    @or_none
    def symbol_info(self, *args: object) -> SymbolInfo | None:
        """Return a symbol's rules and prices, None when it is unknown. Positional only."""
        row = self._call("symbol_info", symbol_only(args))
        return None if row is None else SymbolInfo(row)

    @or_none
    def symbol_info_tick(self, *args: object) -> Tick | None:
        """Return a symbol's last tick, None when it is not in Market Watch. Positional only."""
        row = self._call("symbol_info_tick", symbol_only(args))
        return None if row is None else Tick(row)

    @or_false
    def symbol_select(self, *args: object) -> bool:
        """Put a symbol into Market Watch, or take it out with False as second argument."""
        if not 1 <= len(args) <= _SELECT_ARGS_MAX:
            raise ArgumentError("Invalid arguments")
        enable = bool(args[1]) if len(args) == _SELECT_ARGS_MAX else True
        return bool(self._call("symbol_select", symbol_only(args[:1]), enable))

    @or_none
    def market_book_add(self, *args: object) -> bool | None:
        """Open a symbol's depth of market; False when it has none."""
        return bool(self._call("market_book_add", symbol_only(args)))

    @or_none
    def market_book_release(self, *args: object) -> bool | None:
        """Close a symbol's depth of market."""
        return bool(self._call("market_book_release", symbol_only(args)))

    @or_none
    def market_book_get(self, *args: object) -> tuple[BookInfo, ...] | None:
        """Return a symbol's depth of market, None when it has none."""
        rows = self._call("market_book_get", symbol_only(args))
        return None if rows is None else tuple(BookInfo(row) for row in rows)

    @or_none
    def copy_rates_from(self, *args: object) -> Any:  # noqa: ANN401 - a numpy array
        """Return ``count`` bars up to a date: (symbol, timeframe, date_from, count)."""
        name, timeframe, date_from, count = only(args, 4)
        return self._rates("from", name, timeframe, seconds(date_from), int32(count))

    @or_none
    def copy_rates_from_pos(self, *args: object) -> Any:  # noqa: ANN401 - a numpy array
        """Return bars by position, 0 the newest: (symbol, timeframe, start_pos, count)."""
        name, timeframe, start, count = only(args, 4)
        return self._rates("pos", name, timeframe, int32(start), int32(count))

    @or_none
    def copy_rates_range(self, *args: object) -> Any:  # noqa: ANN401 - a numpy array
        """Return the bars between two dates: (symbol, timeframe, date_from, date_to)."""
        name, timeframe, date_from, date_to = only(args, 4)
        return self._rates("range", name, timeframe, seconds(date_from), seconds(date_to))

    @or_none
    def copy_ticks_from(self, *args: object) -> Any:  # noqa: ANN401 - a numpy array
        """Return ``count`` ticks from a date on: (symbol, date_from, count, flags)."""
        name, date_from, count, flags = only(args, 4)
        bounds = (seconds(date_from), int32(count))
        rows = self._call("copy_ticks", "from", symbol_only([name]), *bounds, int32(flags))
        return self._array(rows, _TICKS_DTYPE)

    @or_none
    def copy_ticks_range(self, *args: object) -> Any:  # noqa: ANN401 - a numpy array
        """Return the ticks between two dates: (symbol, date_from, date_to, flags)."""
        name, date_from, date_to, flags = only(args, 4)
        bounds = (seconds(date_from), seconds(date_to))
        rows = self._call("copy_ticks", "range", symbol_only([name]), *bounds, int32(flags))
        return self._array(rows, _TICKS_DTYPE)

    def _rates(
        self, mode: str, name: object, timeframe: object, first: float, second: float
    ) -> Any:  # noqa: ANN401 - a numpy array
        """Return bars as the vendor's structured array."""
        symbol = symbol_only([name])
        rows = self._call("copy_rates", mode, symbol, int32(timeframe), first, second)
        return self._array(rows, _RATES_DTYPE)

    def _array(self, rows: Any, dtype: Dtype) -> Any:  # noqa: ANN401 - a numpy array
        """Turn rows into a structured array; None where numpy is not installed."""
        if rows is None:
            return None
        try:
            numpy: Any = import_module("numpy")
        except ImportError:
            self._set(c.RES_E_UNSUPPORTED, "copy_* needs numpy, which is not installed")
            return None
        return numpy.array([tuple(row) for row in rows], dtype=list(dtype))
