"""How often each trigger fires on the shared real ticks: `make firings`.

Every figure of docs/TRIGGERS.md section 11 is printed here. A small book rides along, so that the
loss limits and the age of prices are judged too: two lots of EURUSD bought and half a lot of gold
sold where the gold ticks begin, a tenth of a bitcoin bought at its first quote.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from edgeguard.cli.app import run
from edgeguard.config.model import Limits
from edgeguard.replay import Replay
from edgeguard.ticks.rows import Row, stream_rows
from edgeguard.ticks.sift import Jump, Sieve
from edgeguard.ticks.spec import open_ticks, parse_spec

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
PAPER = ROOT / "config" / "paper.toml"
NEW_YORK = ZoneInfo("America/New_York")
NS = 1_000_000_000
MARKETS = {
    "EURUSD": ("oanda", "oanda_EURUSD_tick_*.zip", "buy", "2.00"),
    "XAUUSD": ("oanda", "oanda_XAUUSD_tick_*.zip", "sell", "0.50"),
    "BTCUSDT": ("bookticker", "binance_BTCUSDT_bookTicker_*.csv.gz", "buy", "0.10"),
}
DIGITS = {"EURUSD": 5, "XAUUSD": 3, "BTCUSDT": 2}
PERIODS = (("EURUSD", "XAUUSD"), ("BTCUSDT",))
BARE = "bare"
DEFAULT = "default"
LEARNED = "learned"
VARIANTS = {
    BARE: "nothing known of a spread (no spread_normal_points, floor 1)",
    DEFAULT: "config/paper.toml as it is shipped",
    LEARNED: "the same with a profile learned from these very ticks",
}


@dataclass
class Pause:
    """One pause of the spread trigger and what it came to."""

    symbol: str
    start_ns: int
    value: float
    normal: str
    end_ns: int | None = None
    widest: int = 0


@dataclass
class Result:
    """What one variant came to."""

    fired: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    pauses: list[Pause] = field(default_factory=list)
    ticks: int = 0


def specs_of(symbol: str) -> list[str]:
    """Return the SPECs of a symbol's shared files in time order."""
    kind, pattern, _, _ = MARKETS[symbol]
    return [f"{kind}:{symbol}:{path}" for path in sorted(SHARED.glob(pattern))]


def rows_of(symbol: str) -> Iterator[Row]:
    """Yield every shared row of a symbol."""
    for text in specs_of(symbol):
        spec = parse_spec(text)
        for _, row in stream_rows(spec.kind, open_ticks(spec), DIGITS[symbol]):
            yield row


def book(symbols: tuple[str, ...], folder: Path) -> Path:
    """Write a tape whose one line is an account with a position in each symbol.

    It stands where the last of the symbols begins, at the quotes of that moment.
    """
    t_ns = max(next(rows_of(symbol)).t_ns for symbol in symbols)
    quotes = {
        symbol: list(itertools.takewhile(lambda row: row.t_ns <= t_ns, rows_of(symbol)))[-1]
        for symbol in symbols
    }
    positions = [
        {
            "ticket": number, "identifier": number, "symbol": symbol, "side": side,
            "volume": volume, "price_open": price, "price_current": price,
            "swap": "0.00", "profit": "0.00",
        }
        for number, symbol in enumerate(symbols, 1)
        for _, _, side, volume in [MARKETS[symbol]]
        for price in [quotes[symbol].bid if side == "buy" else quotes[symbol].ask]
    ]  # fmt: skip
    line = {
        "type": "account", "t_ns": t_ns, "account": "A", "balance": "100000.00",
        "equity": "100000.00", "positions": positions,
    }  # fmt: skip
    path = folder / "book.jsonl"
    path.write_text(json.dumps(line) + "\n")
    return path


def widen(pauses: list[Pause]) -> None:
    """Note the widest spread while each pause was in force."""
    for symbol in MARKETS:
        mine = [pause for pause in pauses if pause.symbol == symbol]
        sieve = Sieve(DIGITS[symbol], Jump.of(Limits()))
        for row in rows_of(symbol):
            for t_ns, spread in sieve.take(row):
                for pause in mine:
                    if pause.start_ns <= t_ns and (pause.end_ns is None or t_ns < pause.end_ns):
                        pause.widest = max(pause.widest, spread)


def config_of(variant: str, folder: Path) -> Path:
    """Write the configuration of a variant."""
    lines = PAPER.read_text().splitlines()
    if variant == BARE:
        lines = [line for line in lines if not line.startswith(("spread_normal", "spread_floor"))]
    if variant == LEARNED:
        profile = folder / "learned.json"
        specs = [spec for symbol in MARKETS for spec in specs_of(symbol)]
        if run(["--config", str(PAPER), "learn-spreads", *specs, "-o", str(profile)]) != 0:
            sys.exit(1)
        lines = [
            row
            for line in lines
            for row in (
                [line, f'spread_profile = "{profile}"']
                if line.startswith("name = ") and line.split('"')[1] in MARKETS
                else [line]
            )
        ]
    path = folder / f"{variant}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def play(config: Path, symbols: tuple[str, ...], folder: Path, result: Result) -> None:
    """Replay the shared ticks of some symbols with the book and note every firing."""
    replay = Replay(
        config, [spec for s in symbols for spec in specs_of(s)], [book(symbols, folder)]
    )
    waiting: dict[str, Pause] = {}
    for text in replay.lines():
        line = json.loads(text)
        symbol = line["symbol"] or "account"
        code = "" if line["trigger"] != "input" else f" {line['code'].removesuffix('_CLEARED')}"
        result.fired[line["trigger"] + code, symbol, line["action"]] += 1
        if line["trigger"] != "price_anomaly":
            continue
        if line["action"] == "pause":
            pause = Pause(symbol, line["t_ns"], float(Fraction(line["value"])), line["reference"])
            waiting[symbol] = pause
            result.pauses.append(pause)
        else:
            waiting.pop(symbol).end_ns = line["t_ns"]
    result.ticks += replay.summary.ticks


def measure(variant: str, folder: Path) -> Result:
    """Run one variant over everything."""
    result = Result()
    config = config_of(variant, folder)
    for symbols in PERIODS:
        play(config, symbols, folder, result)
    return result


def clock_text(t_ns: int) -> str:
    """Return the time of day in New York."""
    return f"{datetime.fromtimestamp(t_ns // NS, UTC).astimezone(NEW_YORK):%H:%M:%S}"


def length_text(pause: Pause) -> str:
    """Return how long a pause lasted, in whole seconds."""
    if pause.end_ns is None:
        return "to the end"
    return f"{round((pause.end_ns - pause.start_ns) / NS):,} s"


def table(results: dict[str, Result]) -> Iterator[str]:
    """Yield the table of firings."""
    yield "| trigger | symbol | " + " | ".join(results) + " |"
    yield "|---|---|" + "---:|" * len(results)
    rows = {(t, s) for result in results.values() for t, s, _ in result.fired}
    rows |= {("price_anomaly", symbol) for symbol in MARKETS}
    rows |= {("daily_loss", "account"), ("total_drawdown", "account")}
    rows |= {(f"input {c}", s) for c in ("PRICE_JUMP", "PRICE_STALE") for s in MARKETS}
    for trigger, symbol in sorted(rows):
        cells = [_cell(result, trigger, symbol) for result in results.values()]
        yield f"| {trigger} | {symbol} | " + " | ".join(cells) + " |"


def _cell(result: Result, trigger: str, symbol: str) -> str:
    """Return the pauses and halts of a row, with the time they lasted and those still in force."""
    count = sum(result.fired[trigger, symbol, action] for action in ("pause", "halt"))
    mine = [p for p in result.pauses if (trigger, p.symbol) == ("price_anomaly", symbol)]
    lasted = sum(p.end_ns - p.start_ns for p in mine if p.end_ns is not None)
    sticky = sum(p.end_ns is None for p in mine)
    text = f"{count}"
    if lasted:
        text += f", {lasted // NS:,} s"
    return text + (f", {sticky} to the end" if sticky else "")


def listing(result: Result) -> Iterator[str]:
    """Yield one row for each pause of the spread trigger."""
    yield "| symbol | from (New York) | lasted | spread / normal | normal | widest, points |"
    yield "|---|---|---:|---:|---:|---:|"
    for pause in result.pauses:
        local = datetime.fromtimestamp(pause.start_ns // NS, UTC).astimezone(NEW_YORK)
        lasted = "to the end" if pause.end_ns is None else _lasted(pause.end_ns - pause.start_ns)
        yield (
            f"| {pause.symbol} | {local:%a %d %b %Y %H:%M:%S} | {lasted} | {pause.value:.2f} "
            f"| {pause.normal} | {pause.widest} |"
        )


def _lasted(length_ns: int) -> str:
    return f"{length_ns / NS:,.1f} s"


def main() -> int:
    """Print the table and the pauses of each variant."""
    parser = argparse.ArgumentParser(prog="python -m benches.firings", description=__doc__)
    parser.parse_args()
    if not SHARED.is_dir():
        sys.stderr.write(f"the shared real ticks must be in {SHARED.name} beside the checkout\n")
        return 1
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="firings-") as place:
        folder = Path(place)
        for variant in VARIANTS:
            results[variant] = measure(variant, folder)
    for variant, meaning in VARIANTS.items():
        print(f"{variant}: {meaning}")
    print(f"{results[DEFAULT].ticks:,} ticks each\n")
    print("\n".join(table(results)))
    for variant in (DEFAULT, LEARNED):
        print(f"\nprice_anomaly, {variant}:\n")
        widen(results[variant].pauses)
        print("\n".join(listing(results[variant])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
