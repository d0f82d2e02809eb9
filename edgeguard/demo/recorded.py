"""Recorded ticks for the demo: the worst move in them, and their quotes from shortly before it."""

from __future__ import annotations

import bisect
import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from edgeguard.clock import NS_PER_S
from edgeguard.demo.market import Quote
from edgeguard.ticks.rows import Row, read_rows
from edgeguard.ticks.spec import TickSpec, parse_spec

MOVE_NS: Final = 600 * NS_PER_S
"""Longest time that the worst move may take: ten minutes."""
LEAD_NS: Final = 120 * NS_PER_S
"""How long before the worst move begins the stream starts."""


@dataclass(frozen=True)
class Move:
    """The largest move of one recorded symbol within `MOVE_NS`.

    Attributes:
        symbol: whose.
        start_ns: when it begins.
        end_ns: when it ends.
        size: its size in price, > 0.
        is_fall: whether the price falls.
    """

    symbol: str
    start_ns: int
    end_ns: int
    size: Decimal
    is_fall: bool


def worst_move(spec: TickSpec, digits: int) -> Move | None:
    """Return the largest move in one file, None where it has no quotes.

    Raises:
        InputError: the file cannot be read.
    """
    rows = read_rows(spec, digits)
    falls = _largest(rows, [Decimal(row.bid) for row in rows])
    rises = _largest(rows, [-Decimal(row.ask) for row in rows])
    moves = [
        Move(spec.symbol, start, end, size, is_fall)
        for is_fall, found in ((True, falls), (False, rises))
        if found is not None
        for start, end, size in [found]
    ]
    return max(moves, key=lambda move: move.size, default=None)


def _largest(rows: Sequence[Row], prices: Sequence[Decimal]) -> tuple[int, int, Decimal] | None:
    """Return start, end and size of the largest fall of `prices` within `MOVE_NS`."""
    # The maxima of the window, each later and lower than the one before it.
    highs: deque[int] = deque()
    best: tuple[int, int, Decimal] | None = None
    for index, row in enumerate(rows):
        while highs and prices[highs[-1]] <= prices[index]:
            highs.pop()
        highs.append(index)
        while rows[highs[0]].t_ns < row.t_ns - MOVE_NS:
            highs.popleft()
        size = prices[highs[0]] - prices[index]
        if best is None or size > best[2]:
            best = (rows[highs[0]].t_ns, row.t_ns, size)
    return best


def recorded_quotes(specs: Iterable[str], digits: dict[str, int], start_ns: int) -> Iterator[Quote]:
    """Yield the quotes of all files from `start_ns` on, merged by time, `start_ns` at 0 s.

    Raises:
        InputError: a file cannot be read.
    """
    streams = [_quotes(parse_spec(text), digits, start_ns) for text in specs]
    return heapq.merge(*streams, key=lambda quote: quote.at_s)


def _quotes(spec: TickSpec, digits: dict[str, int], start_ns: int) -> Iterator[Quote]:
    rows = read_rows(spec, digits[spec.symbol])
    first = bisect.bisect_left(rows, start_ns, key=lambda row: row.t_ns)
    for row in rows[first:]:
        yield Quote((row.t_ns - start_ns) / NS_PER_S, spec.symbol, row.bid, row.ask)


def first_quote(spec: TickSpec, digits: int, start_ns: int) -> tuple[str, str] | None:
    """Return bid and ask at `start_ns` or the first after it, None where there is none.

    Raises:
        InputError: the file cannot be read.
    """
    rows = read_rows(spec, digits)
    at = bisect.bisect_left(rows, start_ns, key=lambda row: row.t_ns)
    return (rows[at].bid, rows[at].ask) if at < len(rows) else None
