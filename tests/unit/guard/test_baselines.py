"""Baselines over a restart: one symbol at a time, none too often, and damage is told."""

from pathlib import Path
from typing import Any, cast

from edgeguard.clock import ManualClock
from edgeguard.config.load import parse_config
from edgeguard.config.model import Config
from edgeguard.guard.baselines import AT_END_MAX, ROUND_NS, Baselines, load, pairs_of

SECOND_NS = 1_000_000_000


class Book:
    """An engine whose samples are a text, and a storage that is a dictionary."""

    def __init__(self) -> None:
        self.samples: dict[tuple[str, str], bytes] = {}
        self.saved: dict[tuple[str, str], bytes] = {}
        self.order: list[str] = []
        self.loaded: list[tuple[Any, ...]] = []
        self.faults: list[str] = []

    def baseline(self, account: str, symbol: str) -> bytes | None:
        return self.samples.get((account, symbol))

    def load_baseline(self, account: str, symbol: str, data: bytes, *now: int) -> None:
        if data == b"damaged":
            raise ValueError("baseline must be this engine's JSON")
        self.loaded.append((account, symbol, data, *now))

    def read_baseline(self, account: str, symbol: str) -> bytes | None:
        return self.saved.get((account, symbol))

    def save_baseline(self, account: str, symbol: str, data: bytes) -> None:
        self.saved[account, symbol] = data
        self.order.append(symbol)


def config(*names: str) -> Config:
    account = (
        '[[account]]\nid="A"\nlogin=7\nserver="S"\ntrade_mode="demo"\ncurrency="USD"\n'
        'initial_balance="100000"\nterminal="paper"\n'
    )
    symbols = "".join(f'[[symbol]]\nname="{name}"\ndigits=5\n' for name in names)
    return parse_config((account + symbols).encode(), Path("c.toml"))


def a_round(book: Book, clock: ManualClock, *names: str) -> Baselines:
    pairs = pairs_of(config(*names))
    book.samples = dict.fromkeys(pairs, b"1")
    return Baselines(cast("Any", book), cast("Any", book), clock, pairs)


def test_each_symbol_has_its_turn_and_then_waits_for_the_next_round() -> None:
    book, clock = Book(), ManualClock()
    baselines = a_round(book, clock, "EURUSD", "GBPUSD", "USDCHF")
    for _ in range(int(ROUND_NS / SECOND_NS) - 1):
        baselines.save_next()
        clock.advance(SECOND_NS)
    assert book.order == ["EURUSD", "GBPUSD", "USDCHF"]
    book.samples = dict.fromkeys(book.samples, b"2")
    clock.advance(SECOND_NS)
    baselines.save_next()
    assert book.order[3:] == ["EURUSD"]


def test_samples_that_did_not_change_or_are_none_are_not_saved() -> None:
    book, clock = Book(), ManualClock()
    baselines = a_round(book, clock, "EURUSD", "GBPUSD")
    del book.samples["A", "GBPUSD"]
    for _ in range(5):
        baselines.save_next()
        clock.advance(ROUND_NS)
    assert book.order == ["EURUSD"]


def test_a_clean_end_saves_what_it_has_time_for() -> None:
    book, clock = Book(), ManualClock()
    names = [f"SYM{number:03}" for number in range(AT_END_MAX + 1)]
    a_round(book, clock, *names).save_at_end()
    assert book.order == names[:AT_END_MAX]


def test_what_was_saved_is_loaded_and_what_is_damaged_is_a_fault() -> None:
    book, clock = Book(), ManualClock(wall_ns=5, boot_ns=3)
    book.saved = {("A", "EURUSD"): b"1", ("A", "GBPUSD"): b"damaged", ("A", "OLD"): b"1"}
    names = config("EURUSD", "GBPUSD", "USDCHF")
    load(cast("Any", book), cast("Any", book), clock, names)
    assert book.loaded == [("A", "EURUSD", b"1", 5, 3)]
    assert len(book.faults) == 1
