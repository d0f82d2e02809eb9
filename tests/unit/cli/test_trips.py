"""What would trip it: the engine's prices are exact to the point, and status shows them."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from edgeguard import messages
from edgeguard.cli.trips import inputs
from edgeguard.config.load import parse_config
from edgeguard.engine import Engine

START_NS = 1_772_020_800_000_000_000
CONFIG = """
[[account]]
id = "A"
login = 7
server = "S"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000.00"
terminal = "paper"
[account.limits]
first_reference = "snapshot"
confirm = "none"
jump_frac = 100
[[symbol]]
name = "EURUSD"
digits = 5
[[symbol]]
name = "USDJPY"
digits = 3
[symbol.limits]
daily_loss = "0.01"
[[strategy]]
name = "trend"
magic = [101]
[strategy.limits]
daily_loss = "0.005"
[[strategy]]
name = "idle"
magic = [102]
[strategy.limits]
daily_loss = "0.001"
"""
EURUSD_LONG, EURUSD_SHORT = ("EURUSD", "buy", "1.10000"), ("EURUSD", "sell", "1.10010")
USDJPY_SHORT = ("USDJPY", "sell", "110.012")
BOOKS: dict[str, tuple[tuple[tuple[str, str, str], str, int], ...]] = {
    "long": ((EURUSD_LONG, "2.00", 0),),
    "short": ((EURUSD_SHORT, "2.00", 0),),
    "netted": ((EURUSD_LONG, "3.00", 0), (EURUSD_SHORT, "1.00", 0)),
    "converted": ((USDJPY_SHORT, "1.00", 0), (EURUSD_LONG, "0.10", 0)),
    "a strategy's share": ((EURUSD_LONG, "2.00", 0), (EURUSD_LONG, "0.70", 101)),
    "a strategy against the account": ((EURUSD_LONG, "2.00", 0), (EURUSD_SHORT, "0.70", 101)),
    "a strategy in two symbols": ((EURUSD_LONG, "0.30", 101), (USDJPY_SHORT, "0.40", 101)),
}
"""Symbol, side and present price; lots; magic number."""
OWN = ("daily_loss strategy:trend", "daily_loss symbol:USDJPY")
"""The limits of the scopes that some book has positions of."""
Json = dict[str, Any]


def give(engine: Engine, message: msgspec.Struct, after_ns: int) -> None:
    t_ns = START_NS + after_ns
    assert engine.on_frame(msgspec.msgpack.encode(message), t_ns, t_ns, 0, 1) & 4 == 0


def ticks(*quotes: tuple[str, str, str]) -> messages.TickBatch:
    rows = tuple(messages.Tick(*quote) for quote in quotes)
    return messages.TickBatch("A", "market", 1, None, START_NS, rows)


def held(book: str) -> Engine:
    """Return an engine whose account holds a book, each position at its present price."""
    engine = Engine(
        msgspec.json.encode(parse_config(CONFIG.encode(), Path("c"))), "hash", live=False
    )
    positions = tuple(
        messages.Position(n, n, symbol, side, volume, price, price, "0.00", "0.00", magic)  # type: ignore[arg-type]
        for n, ((symbol, side, price), volume, magic) in enumerate(BOOKS[book], 1)
    )
    snapshot = messages.AccountSnapshot(
        "A", "terminal", 1, None, START_NS, "100000.00", "100000.00", "0", "0", positions
    )
    give(engine, snapshot, 0)
    give(engine, ticks(("EURUSD", "1.10000", "1.10010"), ("USDJPY", "110.000", "110.012")), 1)
    assert engine.take_decisions() == []
    return engine


def symbols(engine: Engine) -> dict[str, Json]:
    return {row["name"]: row for row in json.loads(engine.status())["accounts"][0]["symbols"]}


def moved(row: Json, price: str, less: int) -> tuple[str, str, str]:
    """Return a quote whose `side` stands at `price`, `less` points nearer to the present."""
    digits, side = row["digits"], row["what_would_trip"]["side"]
    unit = 10**digits
    target, present = round(float(price) * unit), round(float(row[side]) * unit)
    target += less if target < present else -less
    spread = row["spread"]
    bid = target if side == "bid" else target - spread
    return (row["name"], f"{bid / unit:.{digits}f}", f"{(bid + spread) / unit:.{digits}f}")


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("limit", ["daily_loss", "total_drawdown", *OWN])
def test_the_price_breaks_the_limit_and_one_point_less_does_not(book: str, limit: str) -> None:
    """For every symbol with positions, all else unchanged; asking changes nothing."""
    trigger, _, scope = limit.partition(" ")
    for name, row in symbols(held(book)).items():
        trips: Json | None = row["what_would_trip"]
        price = trips.get(limit) if trips is not None else None
        if price is None:
            continue
        for less, is_halted in ((1, False), (0, True)):
            engine = held(book)
            symbols(engine)
            give(engine, ticks(moved(symbols(engine)[name], price, less)), 2)
            halts = [(d.trigger, d.scope) for d in engine.take_decisions() if d.action == "halt"]
            assert ((trigger, scope or "account") in halts) == is_halted, (name, price, less)


def test_a_scopes_limit_is_told_where_it_has_positions_and_nowhere_else() -> None:
    """Also where it stands against the account: then its price lies on the other side."""
    long = symbols(held("long"))["EURUSD"]["what_would_trip"]
    assert set(long) == {"side", "daily_loss", "total_drawdown"}
    both = symbols(held("a strategy in two symbols"))
    assert all(both["USDJPY"]["what_would_trip"][limit] for limit in OWN)
    assert set(both["EURUSD"]["what_would_trip"]) & set(OWN) == {OWN[0]}
    against = symbols(held("a strategy against the account"))["EURUSD"]["what_would_trip"]
    assert float(against["daily_loss"]) < 1.1 < float(against[OWN[0]])


def shown(account: Json) -> str:
    console = Console(width=120, record=True, file=StringIO())
    for table in inputs(account):
        console.print(table)
    return console.export_text()


def test_status_shows_where_each_limit_breaks() -> None:
    """A row for each symbol with positions, none for the others."""
    text = shown(json.loads(held("long").status())["accounts"][0])
    head, row, _ = text.split("\n")
    assert " ".join(head.split()) == "would trip side now daily_loss total_drawdown"
    assert " ".join(row.split()) == "EURUSD bid 1.10000 1.08499 1.06999"


def test_status_shows_the_limits_of_scopes_below_the_symbols() -> None:
    """Under the same name as the limit, at the prices of the same side."""
    text = shown(json.loads(held("a strategy's share").status())["accounts"][0])
    rows = [" ".join(row.split()) for row in text.split("\n")]
    assert rows[1].startswith("EURUSD bid 1.10000 1.0")
    assert rows[2] == "strategy:trend 1.09285 -"


def test_status_shows_bad_ticks_by_cause_and_symbol() -> None:
    """And those of symbols that nobody knows."""
    engine = held("long")
    give(engine, ticks(("EURUSD", "NaN", "1"), ("EURUSD", "1.2", "1.1"), ("NOSUCH", "1", "1")), 2)
    text = shown(json.loads(engine.status())["accounts"][0])
    words = text[text.index("bad ticks") :].split("\n")
    causes = "bad ticks crossed non finite not positive running back unknown symbol"
    assert words[0].split() == causes.split()
    assert words[1].split() == ["EURUSD", "1", "1", "0", "0", "0"]
    assert words[2].split() == ["(others)", "-", "-", "-", "-", "1"]


def test_nothing_to_say_is_nothing_said() -> None:
    """Without positions and bad ticks there is no table."""
    assert shown({"symbols": []}) == ""
