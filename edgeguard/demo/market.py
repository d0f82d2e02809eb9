"""Seeded markets for the demo: pure functions from a seed to quotes on a market clock.

The crash is a reconstruction of EURCHF on 15 January 2015 from published facts, not from its ticks:
bid 1.2010 before the floor was lifted at 09:30 UTC and 0.8499 at 09:49:13; a median spread of
0.00006 before and up to 0.0035 after, four quotes in five wider than five times the earlier median;
holes of 71 s and 102 s; one step of 0.136 down across a hole; 1.0195 to 1.1562 within 11 s.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Quote:
    """One quote: seconds on the market's clock, symbol, bid and ask as exact text."""

    at_s: float
    symbol: str
    bid: str
    ask: str


@dataclass(frozen=True)
class Instrument:
    """How a symbol behaves on an ordinary day.

    Attributes:
        symbol: its name.
        digits: digits after the point of its price.
        bid: first bid, points.
        spread: median spread, points.
        step: standard deviation of one step of the bid, points.
        gap_s: mean time between two quotes, seconds.
    """

    symbol: str
    digits: int
    bid: int
    spread: int
    step: float
    gap_s: float

    def quote(self, at_s: float, bid: int, spread: int) -> Quote:
        """Return a quote from points."""
        return Quote(at_s, self.symbol, self._text(bid), self._text(bid + max(spread, 1)))

    def _text(self, points: int) -> str:
        whole, fraction = divmod(points, 10**self.digits)
        return f"{whole}.{fraction:0{self.digits}d}"


INSTRUMENTS: Final = (
    Instrument("EURUSD", 5, 117_650, 8, 1.2, 2.0),
    Instrument("GBPUSD", 5, 152_300, 12, 1.6, 2.5),
    Instrument("EURCHF", 5, 120_100, 6, 0.4, 2.0),
    Instrument("XAUUSD", 3, 1_229_500, 320, 25.0, 1.5),
    Instrument("USDCHF", 5, 102_080, 10, 0.5, 3.0),
)
"""The demo's four symbols at their prices of that morning, and USDCHF, which converts francs."""
CRASH_SYMBOL: Final = "EURCHF"
CRASH_SPREAD_MAX: Final = 350
"""Widest spread of the crash, points: 0.0035."""
WIDE_SHARE: Final = 0.82
"""Share of the crash's quotes that are wider than five times the earlier median (449 of 546)."""
CRASH_GAP_S: Final = 2.0
"""Mean time between two quotes of the crash, seconds: 546 quotes in some 18 minutes."""
CRASH_PATH: Final = (
    # Seconds after 09:30:00 UTC and bid in points; the straight line between two is the trend.
    (0.0, 120_100),
    (12.0, 119_950),
    (40.0, 119_300),
    (70.0, 118_700),
    (95.0, 118_150),
    # A hole of 71 s, with 0.136 lost across it.
    (166.0, 104_550),
    (200.0, 101_950),
    (211.0, 115_620),
    (300.0, 110_400),
    (420.0, 106_100),
    # A hole of 102 s.
    (522.0, 101_200),
    (700.0, 97_300),
    (900.0, 92_800),
    (1153.0, 84_990),
    (1260.0, 101_800),
)
HOLES: Final = ((95.0, 166.0), (420.0, 522.0))
"""No EURCHF quote stands strictly inside these, seconds after 09:30."""


def ordinary(
    seed: int, start_s: float = 0.0, instruments: tuple[Instrument, ...] = INSTRUMENTS
) -> Iterator[Quote]:
    """Yield an endless ordinary market in time order from `start_s` on."""
    streams = [_walk(seed, instrument, start_s) for instrument in instruments]
    return heapq.merge(*streams, key=lambda quote: quote.at_s)


def crash(seed: int) -> Iterator[Quote]:
    """Yield the crash, its first second at 0: EURCHF as it fell, the others as on any day."""
    others = tuple(i for i in INSTRUMENTS if i.symbol != CRASH_SYMBOL)
    streams = [_walk(seed + 1, instrument, 0.0) for instrument in others]
    return heapq.merge(_fall(seed), *streams, key=lambda quote: quote.at_s)


def widened(seed: int, symbol: str, factor: int, start_s: float = 0.0) -> Iterator[Quote]:
    """Yield an ordinary market in which the spread of `symbol` is `factor` times as wide."""
    changed = tuple(
        Instrument(i.symbol, i.digits, i.bid, i.spread * factor, i.step, i.gap_s)
        if i.symbol == symbol
        else i
        for i in INSTRUMENTS
    )
    return ordinary(seed, start_s, changed)


def still(first: Mapping[str, tuple[str, str]], gap_s: float) -> Iterator[Quote]:
    """Yield the same quotes again and again: a market that waits for recorded ticks."""
    for turn in itertools.count():
        for symbol, (bid, ask) in first.items():
            yield Quote(turn * gap_s, symbol, bid, ask)


def _walk(seed: int, instrument: Instrument, start_s: float) -> Iterator[Quote]:
    """Yield a random walk that is pulled back to its first price, so that no limit breaks."""
    source = random.Random(f"{seed}/{instrument.symbol}")  # noqa: S311 - a market, not a secret
    at_s, bid = start_s, float(instrument.bid)
    # Prices follow the first at once, so that every symbol is quoted from the start.
    while True:
        spread = round(source.gauss(instrument.spread, instrument.spread * 0.1))
        yield instrument.quote(at_s, round(bid), spread)
        at_s += source.expovariate(1.0 / instrument.gap_s)
        bid += source.gauss(0.0, instrument.step) + (instrument.bid - bid) * 0.02


def _fall(seed: int) -> Iterator[Quote]:
    """Yield EURCHF along `CRASH_PATH`."""
    source = random.Random(f"{seed}/crash")  # noqa: S311 - a market, not a secret
    instrument = next(i for i in INSTRUMENTS if i.symbol == CRASH_SYMBOL)
    at_s = 0.0
    while at_s <= CRASH_PATH[-1][0]:
        noise = source.gauss(0.0, min(20.0, at_s * 0.5))
        yield instrument.quote(at_s, round(trend(at_s) + noise), _crash_spread(source, at_s))
        at_s = _after_hole(at_s, at_s + source.expovariate(1.0 / CRASH_GAP_S))


def _after_hole(before_s: float, after_s: float) -> float:
    """Return the time of the next quote: the end of a hole for one that would fall into it."""
    for start_s, end_s in HOLES:
        if before_s < end_s and after_s > start_s:
            # The last quote before a hole stands at its edge, the first after it at the other.
            return start_s if before_s < start_s else end_s
    return after_s


def trend(at_s: float) -> float:
    """Return the bid of the crash without noise, points."""
    for (start_s, start), (end_s, end) in itertools.pairwise(CRASH_PATH):
        if at_s <= end_s:
            return start + (end - start) * (at_s - start_s) / (end_s - start_s)
    return float(CRASH_PATH[-1][1])


def _crash_spread(source: random.Random, at_s: float) -> int:
    if source.random() > WIDE_SHARE:
        return source.randint(6, 30)
    # Wide from the first seconds, widest in the worst minutes.
    widest = min(CRASH_SPREAD_MAX, 60 + round(at_s * 1.5))
    return source.randint(31, widest)
