"""The demo's market: seeded, and true to the published facts of 15 January 2015."""

import itertools
from statistics import median

import pytest

from edgeguard.demo.market import (
    CRASH_PATH,
    CRASH_SYMBOL,
    INSTRUMENTS,
    Quote,
    crash,
    ordinary,
    widened,
)

SEEDS = [1, 2, 3]


def points(quote: Quote) -> tuple[int, int]:
    """Return bid and spread of a five-digit quote in points."""
    bid, ask = (round(float(price) * 10**5) for price in (quote.bid, quote.ask))
    return bid, ask - bid


def the_fall(seed: int) -> list[Quote]:
    end_s = CRASH_PATH[-1][0]
    quotes = itertools.takewhile(lambda quote: quote.at_s <= end_s, crash(seed))
    return [quote for quote in quotes if quote.symbol == CRASH_SYMBOL]


def test_the_same_seed_gives_the_same_market() -> None:
    """And another seed another one."""
    first, again, other = (list(itertools.islice(crash(s), 500)) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", SEEDS)
def test_time_never_goes_back_and_no_quote_is_crossed(seed: int) -> None:
    """What the guard would call bad must not come from the demo's own market."""
    for stream in (ordinary(seed), crash(seed), widened(seed, "EURUSD", 8)):
        quotes = list(itertools.islice(stream, 3000))
        assert all(a.at_s <= b.at_s for a, b in itertools.pairwise(quotes))
        assert all(float(quote.bid) < float(quote.ask) for quote in quotes)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_crash_has_the_published_shape(seed: int) -> None:
    """Start, low, spreads, holes and the step across a hole are those of the facts."""
    quotes = the_fall(seed)
    bids = [points(quote)[0] for quote in quotes]
    spreads = [points(quote)[1] for quote in quotes]
    assert bids[0] == 120_100
    assert 84_900 <= min(bids) <= 86_500
    assert 450 <= len(quotes) <= 650
    wide = sum(spread > 5 * 6 for spread in spreads) / len(spreads)
    assert 0.75 <= wide <= 0.9
    assert 300 <= max(spreads) <= 350
    gaps = sorted((b.at_s - a.at_s for a, b in itertools.pairwise(quotes)), reverse=True)
    assert [round(gap) for gap in gaps[:2]] == [102, 71]
    steps = [b - a for a, b in itertools.pairwise(bids)]
    assert -13_700 <= min(steps) <= -13_500


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ordinary_market_is_ordinary(seed: int) -> None:
    """Every symbol is quoted from the start, near its first price, at its usual spread."""
    quotes = list(itertools.islice(ordinary(seed), 5000))
    assert {quote.symbol for quote in quotes[: len(INSTRUMENTS)]} == {i.symbol for i in INSTRUMENTS}
    for instrument in INSTRUMENTS:
        own = [quote for quote in quotes if quote.symbol == instrument.symbol]
        first = float(own[0].bid)
        assert all(abs(float(quote.bid) / first - 1) < 0.002 for quote in own)
        scale = 10**instrument.digits
        spreads = [round((float(q.ask) - float(q.bid)) * scale) for q in own]
        assert abs(median(spreads) - instrument.spread) <= instrument.spread * 0.2
