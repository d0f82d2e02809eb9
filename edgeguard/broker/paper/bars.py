"""Keep recent ticks and build bars from them and from what came before, for the copy_* calls."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.clock import SECONDS_PER_DAY, weekday
from edgeguard.broker.paper.past import HOUR_S, MINUTE_S, BarRow, Past
from edgeguard.broker.paper.units import MS_PER_S

TickRow = tuple[int, float, float, float, int, int, int, float]

# Ticks kept for each symbol: hours of an ordinary feed, and a bounded memory.
TICKS_MAX: Final = 100_000
_QUOTE_FLAGS: Final = 6
_HOUR_FLAG: Final = 0x4000
TIMEFRAMES: Final = frozenset(
    value for name, value in c.ALL.items() if name.startswith("TIMEFRAME_")
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TickHistory:
    """The last ticks of each symbol, broker milliseconds, bid and ask, and the past before them."""

    def __init__(self) -> None:
        """Start empty."""
        self._ticks: dict[str, deque[tuple[int, float, float]]] = {}
        self._digits: dict[str, int] = {}
        self._pasts: dict[str, Past] = {}

    def begin(self, symbol: str, past: Past) -> None:
        """Put a past before a symbol's first tick."""
        self._pasts[symbol] = past

    def add(self, symbol: str, time_msc: int, bid: float, ask: float, digits: int) -> None:
        """Remember a tick, forgetting the oldest beyond TICKS_MAX."""
        self._digits[symbol] = digits
        self._ticks.setdefault(symbol, deque(maxlen=TICKS_MAX)).append((time_msc, bid, ask))

    def ticks(
        self, symbol: str, first_ms: float, last_ms: float
    ) -> Iterator[tuple[int, float, float]]:
        """Yield a symbol's ticks between two moments, both included, oldest first."""
        past = self._pasts.get(symbol)
        if past is not None:
            yield from past.ticks(first_ms, last_ms)
        for tick in self._ticks.get(symbol, ()):
            if first_ms <= tick[0] <= last_ms:
                yield tick

    def is_before(self, symbol: str, time_s: float, timeframe: int) -> bool:
        """Return whether a moment lies before all bars there could be, without drawing them."""
        past = self._pasts.get(symbol)
        return past is not None and time_s < bar_start(past.first_s, timeframe)

    def parts(self, symbol: str, *, minutes: bool) -> Iterator[BarRow]:
        """Yield what bars are put together from, newest first: live minutes, then the past."""
        live = sorted(self._live(symbol).values(), reverse=True)
        past = self._pasts.get(symbol)
        before = iter(()) if past is None else past.bars(minutes=minutes)
        # A broker's clock that was set back overlaps the past: what really came counts.
        ends_s = live[-1][0] if live else None
        return chain(live, (bar for bar in before if ends_s is None or bar[0] < ends_s))

    def _live(self, symbol: str) -> dict[int, BarRow]:
        """Return the minutes that the kept ticks give, on bid prices, by their start."""
        scale = 10 ** self._digits.get(symbol, 0)
        made: dict[int, BarRow] = {}
        for time_msc, bid, ask in self._ticks.get(symbol, ()):
            start = time_msc // MS_PER_S // MINUTE_S * MINUTE_S
            tick = (start, bid, bid, bid, bid, 1, round((ask - bid) * scale), 0)
            made[start] = _joined(made[start], tick) if start in made else tick
        return made


def _joined(older: BarRow, newer: BarRow) -> BarRow:
    """Return one bar of two that follow each other, at the older one's start."""
    start, opened, high, low, _, count, narrow, volume = older
    _, _, other_high, other_low, closed, other_count, other_narrow, other_volume = newer
    extremes = (max(high, other_high), min(low, other_low))
    totals = (count + other_count, min(narrow, other_narrow), volume + other_volume)
    return (start, opened, *extremes, closed, *totals)


def bar_start(time_s: int, timeframe: int) -> int:
    """Return the start of the bar a broker second falls in.

    Weeks start on Sunday and months on their first day, as the terminal's do.
    """
    if timeframe == c.TIMEFRAME_MN1:
        month = (_EPOCH + timedelta(seconds=time_s)).replace(day=1, hour=0, minute=0, second=0)
        return int((month - _EPOCH).total_seconds())
    if timeframe == c.TIMEFRAME_W1:
        day = time_s // SECONDS_PER_DAY
        return (day - weekday(time_s * MS_PER_S)) * SECONDS_PER_DAY
    hours = timeframe - _HOUR_FLAG
    length = HOUR_S * hours if hours > 0 else MINUTE_S * timeframe
    return time_s // length * length


def _bars_back(history: TickHistory, symbol: str, timeframe: int) -> Iterator[BarRow]:
    """Yield the bars of a timeframe, newest first."""
    made: BarRow | None = None
    for part in history.parts(symbol, minutes=timeframe < _HOUR_FLAG):
        start = bar_start(part[0], timeframe)
        if made is not None and made[0] == start:
            made = (start, *_joined(part, made)[1:])
            continue
        if made is not None:
            yield made
        made = (start, *part[1:])
    if made is not None:
        yield made


def bars(
    history: TickHistory, mode: str, symbol: str, timeframe: int, bounds: tuple[float, float]
) -> list[BarRow]:
    """Return bars: "from" a time backwards, "pos" counted from the newest, or a "range".

    Args:
        history: The kept ticks and the past before them.
        mode: "from", "pos" or "range".
        symbol: The symbol.
        timeframe: A TIMEFRAME_ constant.
        bounds: Broker seconds (the newest bar's position for "pos"), then the number of bars
            (broker seconds for "range").

    Returns:
        The bars, oldest first.
    """
    first, second = bounds
    last_s = {"range": second, "from": first}.get(mode)
    if last_s is not None and history.is_before(symbol, last_s, timeframe):
        return []
    newest_first = _bars_back(history, symbol, timeframe)
    if mode == "range":
        found: list[BarRow] = []
        for bar in newest_first:
            if bar[0] < first:
                break
            if bar[0] <= second:
                found.append(bar)
        return found[::-1]
    if mode == "pos":
        return list(islice(newest_first, int(first), int(first) + int(second)))[::-1]
    until = (bar for bar in newest_first if bar[0] <= first)
    return list(islice(until, int(second)))[::-1]


def _tick_row(tick: tuple[int, float, float]) -> TickRow:
    """Return a row of copy_ticks_*."""
    time_msc, bid, ask = tick
    return (time_msc // MS_PER_S, bid, ask, 0.0, 0, time_msc, _QUOTE_FLAGS, 0.0)


def ticks_from(history: TickHistory, symbol: str, first: float, count: float) -> list[TickRow]:
    """Return at most ``count`` ticks from a broker second on."""
    found = history.ticks(symbol, first * MS_PER_S, float("inf"))
    return [_tick_row(tick) for tick in islice(found, int(count))]


def ticks_range(history: TickHistory, symbol: str, first: float, last: float) -> list[TickRow]:
    """Return the ticks between two broker seconds, both included."""
    return [_tick_row(t) for t in history.ticks(symbol, first * MS_PER_S, last * MS_PER_S)]
