"""What a demo runs on: its directory, its configuration, its book and where its ticks begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from edgeguard.config.paths import Paths
from edgeguard.demo.book import DESK, Book, breaking_book
from edgeguard.demo.market import CRASH_SYMBOL, INSTRUMENTS
from edgeguard.demo.plans import Plan
from edgeguard.demo.recorded import LEAD_NS, Move, first_quote, worst_move
from edgeguard.errors import InputError, UsageError
from edgeguard.ticks.spec import parse_spec

ACCOUNT: Final = "demo"
FEED: Final = "market"
BALANCE: Final = Decimal(100_000)
DAILY_LOSS: Final = Decimal("0.03")
"""The shipped default of the limit that a recorded book is to break."""


@dataclass(frozen=True)
class Facts:
    """What the demo's configuration says of a symbol; spreads in points."""

    digits: int
    contract_size: int
    calc_mode: str
    profit: str
    normal: int
    floor: int


FACTS: Final[Mapping[str, Facts]] = {
    "EURUSD": Facts(5, 100_000, "FOREX", "USD", 12, 6),
    "GBPUSD": Facts(5, 100_000, "FOREX", "USD", 13, 6),
    "EURCHF": Facts(5, 100_000, "FOREX", "CHF", 10, 6),
    "USDCHF": Facts(5, 100_000, "FOREX", "CHF", 10, 6),
    "XAUUSD": Facts(3, 100, "CFDLEVERAGE", "USD", 320, 200),
    "BTCUSDT": Facts(2, 1, "CFDLEVERAGE", "USD", 500, 500),
}
"""The symbols that a demo may trade."""


@dataclass(frozen=True)
class Stage:
    """Everything that is decided before the first process starts.

    Attributes:
        config_file: the written configuration.
        book_file: the written book.
        specs: recorded ticks to stream; empty for the seeded market.
        start_ns: where in recorded ticks the stream begins; 0 for the seeded market.
        story: what will happen.
        symbol: whose price breaks a loss limit.
    """

    config_file: Path
    book_file: Path
    specs: tuple[str, ...]
    start_ns: int
    story: str
    symbol: str


def prepare(directory: Path, plan: Plan, specs: Sequence[str]) -> Stage:
    """Write configuration and book of a demo into its state directory.

    Raises:
        UsageError: the directory was used before, or a SPEC is wrong or names a symbol that the
            demo does not know.
        InputError: recorded ticks cannot be read, or hold nothing to break a limit with.
    """
    paths = Paths(None, directory).create()
    if paths.journal.exists() or paths.pages():
        raise UsageError(f"--state-dir must be a fresh directory for a demo, {directory} is not")
    book, quotes, start_ns, story, symbol = DESK, _first_quotes(), 0, plan.story, CRASH_SYMBOL
    if specs:
        move = _worst(specs)
        book = _book(move)
        start_ns = move.start_ns - LEAD_NS
        quotes = _recorded_first(specs, start_ns)
        way = "falls" if move.is_fall else "rises"
        symbol = move.symbol
        story = f"{symbol} {way} by {move.size} within ten recorded minutes"
    config_file, book_file = directory / "demo.toml", directory / "book.json"
    config_file.write_text(config_text(plan, paths, quotes), encoding="utf-8")
    book_file.write_bytes(msgspec.json.encode(book))
    return Stage(config_file, book_file, tuple(specs), start_ns, story, symbol)


def config_text(plan: Plan, paths: Paths, quotes: Mapping[str, tuple[str, str]]) -> str:
    """Return the demo's configuration as TOML: the shipped defaults but for what `plan` says."""
    lines = [
        "[guard]",
        'state_dir = "."',
        'environment = "demo"',
        "",
        "[[account]]",
        f'id = "{ACCOUNT}"',
        "login = 5000001",
        'server = "Paper-Demo"',
        'trade_mode = "demo"',
        'currency = "USD"',
        f'initial_balance = "{BALANCE}.00"',
        'terminal = "paper"',
        "[account.limits]",
        'first_reference = "snapshot"',
        *(f"{key} = {value}" for key, value in plan.limits.items()),
    ]
    for name in quotes:
        lines += _symbol_lines(name, FACTS[name])
    lines += [
        "",
        "[[feed]]",
        f'name = "{FEED}"',
        f'endpoint = "ipc://{paths.run_dir}/{FEED}.ipc"',
        "required = true",
        "heartbeat = true",
    ]
    for name, (bid, ask) in quotes.items():
        lines += ["", "[[paper.quotes]]", f'symbol = "{name}"', f'bid = "{bid}"', f'ask = "{ask}"']
    return "\n".join(lines) + "\n"


def _symbol_lines(name: str, facts: Facts) -> list[str]:
    return [
        "",
        "[[symbol]]",
        f'name = "{name}"',
        f"digits = {facts.digits}",
        f'contract_size = "{facts.contract_size}"',
        f'calc_mode = "{facts.calc_mode}"',
        f'currency_base = "{name[:3]}"',
        f'currency_profit = "{facts.profit}"',
        f"spread_normal_points = {facts.normal}",
        f"spread_floor_points = {facts.floor}",
    ]


def _first_quotes() -> dict[str, tuple[str, str]]:
    """Return the first quote of each symbol of the seeded market."""
    firsts = (i.quote(0.0, i.bid, i.spread) for i in INSTRUMENTS)
    return {quote.symbol: (quote.bid, quote.ask) for quote in firsts}


def _worst(specs: Sequence[str]) -> Move:
    moves: list[Move] = []
    for text in specs:
        spec = parse_spec(text)
        if spec.symbol not in FACTS:
            known = ", ".join(FACTS)
            raise UsageError(f"the demo knows the symbols {known}, not {spec.symbol}")
        move = worst_move(spec, FACTS[spec.symbol].digits)
        if move is not None and move.size > 0:
            moves.append(move)
    if not moves:
        raise InputError("the tick files must hold a move to break a limit with, had none")
    return max(moves, key=_loss_per_lot)


def _loss_per_lot(move: Move) -> Decimal:
    """Return what a move costs one lot, in the symbol's profit currency."""
    return move.size * FACTS[move.symbol].contract_size


def _book(move: Move) -> Book:
    limit = BALANCE * DAILY_LOSS
    return breaking_book(move.symbol, _loss_per_lot(move), limit, is_long=move.is_fall)


def _recorded_first(specs: Sequence[str], start_ns: int) -> dict[str, tuple[str, str]]:
    quotes: dict[str, tuple[str, str]] = {}
    for text in specs:
        spec = parse_spec(text)
        found = first_quote(spec, FACTS[spec.symbol].digits, start_ns)
        if found is not None:
            quotes.setdefault(spec.symbol, found)
    return quotes
