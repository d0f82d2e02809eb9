"""Make up what a symbol did before the paper server began, so that clients find a past to read.

Each hour is drawn from a stream of its own, backwards from the price at which the past must end,
and its minutes within the hour's extremes: bars of every timeframe agree with each other and with
the four ticks of each minute, and the same server gives the same past in every process.
"""

import random
from collections.abc import Iterator
from typing import Final

import msgspec

from edgeguard.broker.paper.sessions import is_open
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.units import MS_PER_S

# time, open, high, low, close, ticks, spread in points, real volume: a row of copy_rates_*.
BarRow = tuple[int, float, float, float, float, int, int, int]

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
# Ticks of a minute: at its open, its two extremes and its close.
TICKS_PER_MINUTE: Final = 4
# Ticks reach back this far, bars as far as the spec says: terminals keep fewer ticks as well.
TICK_DAYS: Final = 7
_TICK_GAP_MS: Final = MINUTE_S * MS_PER_S // TICKS_PER_MINUTE
# Standard deviation of an hour's move as a fraction of the price: about 0.3 % a day.
_HOUR_FRACTION: Final = 6e-4


class _Hour(msgspec.Struct, frozen=True):
    """One hour that traded: the starts of its open minutes and its four prices, on the bid."""

    minutes: tuple[int, ...]
    opened: float
    high: float
    low: float
    closed: float


class Past:
    """A symbol's made-up past. Times are broker seconds; prices bids in quote currency.

    Nothing lies before ``first_s``.
    """

    def __init__(self, spec: SymbolSpec, end_s: int, quote: tuple[float, float], days: int) -> None:
        """Take the rules, the end, the bid and ask to end at, and how many days to reach back.

        Args:
            spec: The symbol; its digits round the prices, its sessions leave closed hours out.
            end_s: The minute of this broker second and all later ones are not part of the past.
            quote: Bid and ask at the end, quote currency.
            days: Days before the end, 0 for no past at all.
        """
        self._spec = spec
        self._end_s = end_s // MINUTE_S * MINUTE_S
        self.first_s = (self._end_s - days * DAY_S) // HOUR_S * HOUR_S
        self._bid, self._ask = quote
        self._points = round((quote[1] - quote[0]) / spec.point)
        # Newest first, as far back as anyone has asked.
        self._hours: list[_Hour] = []
        self._next_s = (self._end_s - 1) // HOUR_S * HOUR_S

    def bars(self, *, minutes: bool) -> Iterator[BarRow]:
        """Yield bars of a minute or an hour, newest first, until the past has no more."""
        for hour in self._back():
            if minutes:
                yield from reversed(self._minutes(hour))
            else:
                prices = (hour.opened, hour.high, hour.low, hour.closed)
                count = TICKS_PER_MINUTE * len(hour.minutes)
                yield (hour.minutes[0] // HOUR_S * HOUR_S, *prices, count, self._points, 0)

    def ticks(self, first_ms: float, last_ms: float) -> Iterator[tuple[int, float, float]]:
        """Yield broker milliseconds, bid and ask between two moments, both included, in order."""
        oldest_ms = max(first_ms, (self._end_s - TICK_DAYS * DAY_S) * MS_PER_S)
        hours: list[_Hour] = []
        for hour in self._back():
            if (hour.minutes[-1] + MINUTE_S) * MS_PER_S <= oldest_ms:
                break
            hours.append(hour)
        for hour in reversed(hours):
            for time_msc, bid in self._ticks_of(hour):
                if time_msc > last_ms:
                    return
                if time_msc >= oldest_ms:
                    yield time_msc, bid, self._round(bid + self._ask - self._bid)

    def _ticks_of(self, hour: _Hour) -> Iterator[tuple[int, float]]:
        """Yield the four ticks of each minute; the nearer extreme comes first."""
        for start, opened, high, low, closed, *_ in self._minutes(hour):
            way = (opened, low, high, closed) if closed >= opened else (opened, high, low, closed)
            for place, bid in enumerate(way):
                yield start * MS_PER_S + place * _TICK_GAP_MS, bid

    def _round(self, price: float) -> float:
        """Round to the symbol's digits; a price never falls to nothing."""
        return max(round(price, self._spec.digits), self._spec.point)

    def _back(self) -> Iterator[_Hour]:
        """Yield the hours that traded, newest first, drawing those nobody has asked for yet."""
        place = 0
        while True:
            while place == len(self._hours):
                if self._next_s < self.first_s:
                    return
                self._draw()
            yield self._hours[place]
            place += 1

    def _draw(self) -> None:
        """Draw the next hour back, if its market was open."""
        start = self._next_s
        self._next_s -= HOUR_S
        end = min(start + HOUR_S, self._end_s)
        minutes = tuple(
            at for at in range(start, end, MINUTE_S) if is_open(self._spec, at * MS_PER_S)
        )
        if not minutes:
            return
        draw = random.Random(f"{self._spec.name}:{start}")  # noqa: S311 - prices to play with
        closed = self._hours[-1].opened if self._hours else self._bid
        size = _HOUR_FRACTION * (len(minutes) * MINUTE_S / HOUR_S) ** 0.5
        opened = self._round(closed * (1.0 - draw.gauss(0.0, size)))
        high = self._round(max(opened, closed) * (1.0 + abs(draw.gauss(0.0, size / 2))))
        low = self._round(min(opened, closed) * (1.0 - abs(draw.gauss(0.0, size / 2))))
        self._hours.append(_Hour(minutes, opened, high, low, closed))

    def _minutes(self, hour: _Hour) -> list[BarRow]:
        """Return an hour's minutes, oldest first: they begin, end, rise and fall as it does."""
        draw = random.Random(f"{self._spec.name}:{hour.minutes[0]}:m")  # noqa: S311
        count = len(hour.minutes)
        size = hour.opened * _HOUR_FRACTION / count**0.5
        walk = [0.0]
        for _ in range(count):
            walk.append(walk[-1] + draw.gauss(0.0, size))
        drift = (hour.closed - hour.opened - walk[-1]) / count
        path = [
            self._round(min(max(hour.opened + step + drift * place, hour.low), hour.high))
            for place, step in enumerate(walk)
        ]
        at_high, at_low = draw.randrange(count), draw.randrange(count)
        made: list[BarRow] = []
        for place, start in enumerate(hour.minutes):
            opened, closed = path[place], path[place + 1]
            high = hour.high if place == at_high else max(opened, closed)
            low = hour.low if place == at_low else min(opened, closed)
            made.append((start, opened, high, low, closed, TICKS_PER_MINUTE, self._points, 0))
        return made
