"""Seeded random cases: a configuration, tapes and tick files full of edge cases."""

import gzip
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from random import Random

from tests.oracle.numerals import fixed
from tests.oracle.tape_config import Plan, make_config, symbol_facts
from tests.oracle.tape_pool import STARTS
from tests.oracle.tape_scripts import LINES, STORIES, crash, open_book, rollover, snapshot
from tests.oracle.tape_world import S, World, Written

EVENTS_MIN = 50
EVENTS_MAX = 400
DAY_NS = 86_400 * S


@dataclass
class Case:
    """What one replay is called with."""

    config_path: Path
    tape_paths: list[Path] = field(default_factory=list)
    tick_specs: list[str] = field(default_factory=list)


def make_case(seed: int, directory: Path) -> Case:
    """Write the case of a seed into a directory."""
    rng = Random(seed)
    directory.mkdir(parents=True, exist_ok=True)
    plan, config_text = make_config(rng, directory)
    lines = _story(rng, plan)
    if rng.random() < 0.04:
        lines = [line for line in lines if not line.text.startswith('{"type":"account"')]
    case = Case(directory / "config.toml")
    case.config_path.write_text(_spoilt_config(rng, config_text))
    if rng.random() < 0.15:
        lines = _tick_file(rng, lines, directory, case)
    if rng.random() < 0.06:
        _spoil(rng, lines)
    for number, tape in enumerate(_split(rng, lines)):
        path = directory / f"tape{number}.jsonl"
        blank = "\n" if rng.random() < 0.3 else ""
        path.write_text(blank + "".join(line.text + "\n" for line in tape))
        case.tape_paths.append(path)
    return case


def _story(rng: Random, plan: Plan) -> list[Written]:
    """Return the lines of a random story."""
    start = rng.choice(STARTS) * S + rng.choice((0, 0, rng.randint(0, 900) * S, rng.randint(0, S)))
    world = World(rng, plan, start)
    _introduce(world)
    favourites = rng.sample(STORIES, 3)
    if rng.random() < 0.5:
        favourites.append(crash)
    events = rng.randint(EVENTS_MIN, EVENTS_MAX // 2)
    while len(world.lines) < events:
        if rng.random() < 0.75:
            action = rng.choices([line for line, _ in LINES], [w for _, w in LINES])[0]
        else:
            action = rng.choice(STORIES if rng.random() < 0.3 else favourites)
        action(world)
        world.step()
    return world.lines[:EVENTS_MAX]


def _introduce(world: World) -> None:
    """Tell the symbols the configuration leaves out, then most often show the accounts."""
    told = [(pooled, broker) for pooled in world.plan.from_tape for broker in world.brokers]
    for pooled, broker in told:
        if world.rng.random() < 0.98:
            world.simple("symbol", broker, symbol=pooled.name, **symbol_facts(pooled))
    if world.rng.random() < 0.85:
        for broker in world.brokers:
            if world.rng.random() < 0.2:
                broker.balance *= Fraction(world.rng.choice((97, 99, 101, 110, 200)), 100)
            world.snapshot(broker)
    for action in (open_book, snapshot, rollover):
        if world.rng.random() < 0.3:
            action(world)
            world.step()


def _split(rng: Random, lines: list[Written]) -> list[list[Written]]:
    """Deal the lines out to one to three tapes, each still in time order."""
    count = rng.choice((1, 1, 1, 2, 3))
    tapes: list[list[Written]] = [[] for _ in range(count)]
    for line in lines:
        rng.choice(tapes).append(line)
    return tapes


def _tick_file(rng: Random, lines: list[Written], directory: Path, case: Case) -> list[Written]:
    """Move the bare ticks of one symbol into a tick file."""
    symbols = sorted({line.tick[0] for line in lines if line.tick is not None})
    if not symbols:
        return lines
    symbol = rng.choice(symbols)
    chosen = [line for line in lines if line.tick is not None and line.tick[0] == symbol]
    day = chosen[0].t_ns // DAY_NS
    if rng.random() < 0.5:
        chosen = [line for line in chosen if line.t_ns // DAY_NS == day]
        case.tick_specs.append(f"oanda:{symbol}:{_oanda(directory, day, chosen)}")
    else:
        case.tick_specs.append(f"bookticker:{symbol}:{_bookticker(directory, chosen)}")
    return [line for line in lines if all(line is not moved for moved in chosen)]


def _oanda(directory: Path, day: int, ticks: list[Written]) -> Path:
    stamp = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y%m%d")
    path = directory / f"oanda_tick_{stamp}.zip"
    rows = [
        f"{fixed(line.t_ns - day * DAY_NS, 6)},{line.tick[1]},{line.tick[2]}\n"
        for line in ticks
        if line.tick is not None
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{stamp}_tick_quote.csv", "".join(rows))
    return path


def _bookticker(directory: Path, ticks: list[Written]) -> Path:
    path = directory / "book.csv.gz"
    rows = [
        f"{line.t_ns},{line.tick[1]},1.0,{line.tick[2]},2.0\n"
        for line in ticks
        if line.tick is not None
    ]
    with gzip.open(path, "wt") as book:
        book.write("recv_ns,bid,bid_qty,ask,ask_qty\n" + "".join(rows))
    return path


def _spoil(rng: Random, lines: list[Written]) -> None:
    """Make one line unreadable."""
    if not lines:
        return
    at = rng.randrange(len(lines))
    t_ns = lines[at].t_ns
    texts = (
        "{", "[1]", '{"type":"clock"}', f'{{"type":"unheard","t_ns":{t_ns}}}',
        f'{{"type":"clock","t_ns":{t_ns - 10**15}}}', '{"type":"clock","t_ns":"soon"}',
        f'{{"type":"heartbeat","t_ns":{t_ns},"account":"nobody","source":"engine"}}',
        f'{{"type":"error","t_ns":{t_ns},"account":"A","class":"reject"}}',
        f'{{"type":"tick","t_ns":{t_ns},"symbol":"EURUSD","bid":"abc","ask":"1"}}',
        f'{{"type":"tick","t_ns":{t_ns},"symbol":"EURUSD","bid":"1.1"}}',
        f'{{"type":"account","t_ns":{t_ns},"account":"A","balance":"x","equity":"1"}}',
        f'{{"type":"transfer","t_ns":{t_ns},"account":"A","kind":"balance"}}',
    )  # fmt: skip
    lines[at] = Written(t_ns, rng.choice(texts))


def _spoilt_config(rng: Random, text: str) -> str:
    """Now and then return a configuration that cannot be used."""
    if rng.random() >= 0.02:
        return text
    return rng.choice((
        text.replace("[account.limits]", "[account.limits]\nnonsense = 1", 1),
        text.replace("[account.limits]", '[account.limits]\nlock_at = "1"', 1),
        text + "\n[[account]]\n",
        text.replace('"Paper"', "Paper", 1),
        "",
    ))  # fmt: skip
