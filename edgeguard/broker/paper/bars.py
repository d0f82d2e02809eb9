"""Keep recent ticks and build bars from them, for the copy_* calls."""

from collections import deque
from typing import Final

from edgeguard.broker.paper.units import MS_PER_S

BarRow = tuple[int, float, float, float, float, int, int, int]
TickRow = tuple[int, float, float, float, int, int, int, float]

# Ticks kept for each symbol: hours of an ordinary feed, and a bounded memory.
TICKS_MAX: Final = 100_000
_QUOTE_FLAGS: Final = 6
_MINUTE_S: Final = 60
_HOUR_FLAG: Final = 0x4000
_WEEK_FLAG: Final = 0x8000
_MONTH_FLAG: Final = 0xC000


class TickHistory:
    """The last ticks of each symbol: broker milliseconds, bid, ask, and the symbol's digits."""

    def __init__(self) -> None:
        """Start empty."""
        self._ticks: dict[str, deque[tuple[int, float, float]]] = {}
        self._digits: dict[str, int] = {}

    def add(self, symbol: str, time_msc: int, bid: float, ask: float, digits: int) -> None:
        """Remember a tick, forgetting the oldest beyond TICKS_MAX."""
        self._digits[symbol] = digits
        self._ticks.setdefault(symbol, deque(maxlen=TICKS_MAX)).append((time_msc, bid, ask))

    def of(self, symbol: str) -> list[tuple[int, float, float]]:
        """Return a symbol's ticks, oldest first."""
        return list(self._ticks.get(symbol, ()))

    def digits(self, symbol: str) -> int:
        """Return a symbol's digits."""
        return self._digits.get(symbol, 0)


def timeframe_s(timeframe: int) -> int:
    """Return the seconds of a TIMEFRAME_ constant; a month counts as 30 days."""
    if timeframe >= _MONTH_FLAG:
        return 30 * 24 * 60 * _MINUTE_S * (timeframe - _MONTH_FLAG)
    if timeframe >= _WEEK_FLAG:
        return 7 * 24 * 60 * _MINUTE_S * (timeframe - _WEEK_FLAG)
    if timeframe >= _HOUR_FLAG:
        return 60 * _MINUTE_S * (timeframe - _HOUR_FLAG)
    return _MINUTE_S * timeframe


def _all_bars(history: TickHistory, symbol: str, timeframe: int) -> list[BarRow]:
    """Build every bar the kept ticks give, on bid prices, oldest first."""
    length = timeframe_s(timeframe)
    if length <= 0:
        return []
    scale = 10 ** history.digits(symbol)
    made: list[BarRow] = []
    for time_msc, bid, ask in history.of(symbol):
        start = time_msc // MS_PER_S // length * length
        spread = round((ask - bid) * scale)
        if made and made[-1][0] == start:
            _, first, high, low, _, count, narrow, _ = made[-1]
            bar = (start, first, max(high, bid), min(low, bid), bid, count + 1)
            made[-1] = (*bar, min(narrow, spread), 0)
        else:
            made.append((start, bid, bid, bid, bid, 1, spread, 0))
    return made


def bars(
    history: TickHistory, mode: str, symbol: str, timeframe: int, bounds: tuple[float, float]
) -> list[BarRow]:
    """Return bars: "from" a time backwards, "pos" counted from the newest, or a "range".

    Args:
        history: The kept ticks.
        mode: "from", "pos" or "range".
        symbol: The symbol.
        timeframe: A TIMEFRAME_ constant.
        bounds: Broker seconds (the newest bar's position for "pos"), then the number of bars
            (broker seconds for "range").

    Returns:
        The bars, oldest first.
    """
    first, second = bounds
    made = _all_bars(history, symbol, timeframe)
    if mode == "range":
        return [bar for bar in made if first <= bar[0] <= second]
    if mode == "pos":
        end = len(made) - int(first)
        return made[max(0, end - int(second)) : max(0, end)]
    return [bar for bar in made if bar[0] <= first][-int(second) :]


def _tick_row(tick: tuple[int, float, float]) -> TickRow:
    """Return a row of copy_ticks_*."""
    time_msc, bid, ask = tick
    return (time_msc // MS_PER_S, bid, ask, 0.0, 0, time_msc, _QUOTE_FLAGS, 0.0)


def ticks_from(history: TickHistory, symbol: str, first: float, count: float) -> list[TickRow]:
    """Return at most ``count`` ticks from a broker second on."""
    found = [tick for tick in history.of(symbol) if tick[0] >= first * MS_PER_S]
    return [_tick_row(tick) for tick in found[: int(count)]]


def ticks_range(history: TickHistory, symbol: str, first: float, last: float) -> list[TickRow]:
    """Return the ticks between two broker seconds, both included."""
    inside = (t for t in history.of(symbol) if first * MS_PER_S <= t[0] <= last * MS_PER_S)
    return [_tick_row(tick) for tick in inside]
