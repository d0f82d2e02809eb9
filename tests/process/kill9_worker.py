"""Kill -9 the broker's real processes inside flattens: `python -m tests.process.kill9_worker`.

A real parent and child flatten a real paper terminal; at a random order, and a random moment after
it, one of them is killed. Every flatten must end flat by the server's own word, with an end for
every request in the intent log, and without a deal that opened or reversed anything.
"""
# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from edgeguard.broker.intents import read_log
from edgeguard.clock import NS_PER_MS
from tests.process.broker_rig import Rig, make_config, mixed_book, rig
from tests.process.broker_trouble import CLOSING, QUICK, assert_accounted, child_pid, own_deals

RIG_KILLS: Final = 50
"""Kills after which terminal and parent are new ones, so that their histories stay short."""
LATENCY_MS: Final = 10
FLAT_S: Final = 120.0
"""Bound on any flatten here, far above what a loaded machine needs to start a child again."""
HEAD: Final = (
    "account",
    "killed",
    "kills",
    "open intents",
    "orders",
    "no answer",
    "flat",
    "faults",
)
KINDS: Final = tuple((mode, who) for mode in ("hedging", "netting") for who in ("child", "parent"))


class Tally(msgspec.Struct):
    """What some kills gave."""

    mode: str
    who: str
    kills: int = 0
    open_intents: int = 0
    """Requests without an end in the log at the moment of the kill."""
    orders: int = 0
    unknown: int = 0
    """Requests whose answer never came or proved nothing."""
    flat: int = 0
    faults: list[str] = msgspec.field(default_factory=list[str])


def play(made: Rig, draw: random.Random, tally: Tally, number: int) -> None:
    """One flatten with one kill in it."""
    halt = f"{tally.who}{number}"
    made.command("hello")
    made.admin("open_book", **mixed_book(number % 4))
    made.command("flatten", halt_id=halt, reason="kill -9")
    for _ in range(draw.randint(0, 3)):
        made.until("order")
    # A moment by the clock, not by an event: anywhere in a request, a read or between them.
    moment_ns = made.clock.boot_ns() + int(draw.random() * 2 * LATENCY_MS * NS_PER_MS)
    while made.clock.boot_ns() < moment_ns:
        continue
    tally.kills += 1
    kill(made, tally)
    made.until("flat", halt_id=halt, seconds=FLAT_S)
    made.command("stop_flatten")
    made.until("status")
    try:
        assert_accounted(made)
    except AssertionError as error:
        tally.faults.append(f"{halt}: {str(error).splitlines()[0]}")
    else:
        tally.flat += 1


def kill(made: Rig, tally: Tally) -> None:
    """Kill who is to be killed; after the parent's death start the next one."""
    assert made.process is not None
    if tally.who == "child":
        pid = child_pid(made)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        tally.open_intents += _open_intents(made)
        return
    made.kill()
    tally.open_intents += _open_intents(made)
    assert made.client is not None
    made.client.close()
    made.start()
    made.ready()
    # The guard does the same when it sees the broker again while the account is halted.
    made.command("flatten", halt_id=f"{tally.who}{tally.kills - 1}", reason="again")


def _open_intents(made: Rig) -> int:
    contents, _ = read_log(made.paths.intents(made.account).read_bytes())
    return len(contents.unresolved)


def run(mode: str, who: str, kills: int, seed: int) -> Tally:
    """Kill one kind of process on one kind of account."""
    tally = Tally(mode, who)
    draw = random.Random(f"{mode}{who}{seed}")
    while tally.kills < kills and not tally.faults:
        config = make_config(mode, latency_ms=LATENCY_MS)
        with (
            tempfile.TemporaryDirectory(prefix="egk") as name,
            rig(Path(name), config, QUICK) as made,
        ):
            for _ in range(min(RIG_KILLS, kills - tally.kills)):
                play(made, draw, tally, tally.kills)
            _count(made, tally)
    return tally


def _count(made: Rig, tally: Tally) -> None:
    deals = own_deals(made)
    wrong = [deal for deal in deals if deal["entry"] not in CLOSING]
    tally.faults += [f"deal {deal['ticket']} opened or reversed" for deal in wrong]
    data = made.paths.intents(made.account).read_bytes()
    tally.orders += data.count(b'"t":"sent"')
    tally.unknown += data.count(b'"t":"sent"') - data.count(b'"t":"answer"')


def table(tallies: list[Tally]) -> str:
    """Return the tallies as people read them."""
    total = Tally("all", "")
    for t in tallies:
        total.kills += t.kills
        total.open_intents += t.open_intents
        total.orders += t.orders
        total.unknown += t.unknown
        total.flat += t.flat
        total.faults += t.faults
    lines: list[tuple[str, ...]] = [HEAD]
    for t in (*tallies, total):
        counts = (t.kills, t.open_intents, t.orders, t.unknown, t.flat, len(t.faults))
        lines.append((t.mode, t.who, *map(str, counts)))
    return "\n".join("  ".join(f"{cell:>12}" for cell in line) for line in lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.process.kill9_worker")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    share, rest = divmod(options.kills, len(KINDS))
    tallies: list[Tally] = []
    for at, (mode, who) in enumerate(KINDS):
        count = share + (at < rest)
        if count:
            tallies.append(run(mode, who, count, options.seed))
            print(f"{mode} {who}: {count} kills", file=sys.stderr)
    print(table(tallies))
    faults = [fault for tally in tallies for fault in tally.faults]
    for fault in faults:
        print(f"FAULT {fault}")
    kills, flat = sum(t.kills for t in tallies), sum(t.flat for t in tallies)
    print(f"{kills} kills, {flat} times flat and accounted for, {len(faults)} faults")
    return 0 if kills == flat == options.kills and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
