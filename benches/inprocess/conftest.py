"""The same market for the engine, the plain Python guard and the other peers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from benches.harness import guarding
from edgeguard import halt_page
from edgeguard.clock import SystemClock
from edgeguard.codec.native import encode
from edgeguard.config.load import load_config
from edgeguard.engine import Engine
from edgeguard.messages import AccountSnapshot, Position, Tick, TickBatch

BATCH = 128
FRAMES = 64
FRAME_NS = 100_000_000
START_NS = 1_772_020_800_000_000_000
LEASE_NS = halt_page.LEASE_NS_MAX
LIMITS = {
    'confirm = "none"': 'confirm = "reported"\ndaily_loss = "0.9"\ntotal_drawdown = "0.9"',
    "spread_samples_min = 1000000": "spread_samples_min = 240",
}


@dataclass(frozen=True)
class Quote:
    """One tick as a feed's callback hands it over."""

    symbol: str
    bid: float
    ask: float


Feed = list[Quote]


def quotes(symbols: int, count: int = BATCH * FRAMES) -> Feed:
    """Return a seeded market that wanders within 0.4 % and has spreads of 8 to 15 points."""
    dice = random.Random(7)
    names = guarding.symbol_names(symbols)
    mids = [138_700] * symbols
    feed: Feed = []
    for at in range(count):
        place = at % symbols
        mids[place] = min(max(mids[place] + dice.randint(-3, 3), 138_200), 139_200)
        ask = mids[place] + dice.randint(8, 15)
        feed.append(Quote(names[place], mids[place] / 1e5, ask / 1e5))
    return feed


def frames(feed: Feed, batch: int) -> list[bytes]:
    """Return the quotes as tick batches on the wire."""
    made: list[bytes] = []
    for begin in range(0, len(feed), batch):
        part = feed[begin : begin + batch]
        ticks = tuple(Tick(one.symbol, one.bid, one.ask) for one in part)
        made.append(encode(TickBatch("A", "market", 1, None, START_NS, ticks)))
    return made


def snapshot(symbols: int, positions: int) -> bytes:
    """Return an account with its positions spread over the symbols, sides by turns."""
    names = guarding.symbol_names(symbols)
    held = tuple(
        Position(
            at + 1,
            at + 1,
            names[at % symbols],
            "buy" if at // symbols % 2 == 0 else "sell",
            "0.01",
            "1.38700",
            "1.38694",
            "0.00",
            "0.00",
        )
        for at in range(positions)
    )
    money = ("1000000.00", "1000000.00", "0.00", "0.00")
    return encode(AccountSnapshot("A", "terminal", 1, 1, START_NS, *money, held))


def engine(place: Path, symbols: int = 8, positions: int = 64) -> Engine:
    """Return an engine that has the account's snapshot."""
    path = guarding.write_config(place, guarding.Shape(symbols=symbols))
    text = path.read_text()
    for old, new in LIMITS.items():
        text = text.replace(old, new)
    path.write_text(text)
    config, digest = load_config(path)
    made = Engine(msgspec.json.encode(config), digest, live=False)
    made.register_source("bench")
    assert made.on_frame(snapshot(symbols, positions), START_NS, START_NS, 0, 1) == 0
    return made


@pytest.fixture
def typical(tmp_path: Path) -> Engine:
    """An engine with 64 positions on 8 symbols."""
    return engine(tmp_path)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    """The page of an account whose gate is open for a minute."""
    clock = SystemClock()
    path = tmp_path / "halt.A"
    writer = halt_page.writer(path, "A", LEASE_NS, clock.wall_ns())
    writer.set_state((2, 0, 0, 0, 1), "")
    for _ in range(halt_page.STREAK_MIN):
        writer.beat(clock.boot_ns())
    yield path
    assert writer.is_whole()


@pytest.fixture
def measure(benchmark: Callable[..., object]) -> Callable[[Callable[[], None], int], None]:
    """Measure a function that does its work so many times in one call."""

    def run(work: Callable[[], None], times: int) -> None:
        benchmark.extra_info["times"] = times  # type: ignore[attr-defined]
        benchmark.pedantic(work, rounds=200, iterations=1, warmup_rounds=20)  # type: ignore[attr-defined]

    return run
