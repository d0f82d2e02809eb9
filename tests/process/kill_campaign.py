"""kill -9 of the guard at random points under load: no halt is lost, none reopens.

    make kill9-guard N=1000

Each round starts the guard, brings it where the round's kill is to strike, and kills it there. A
ledger says after every kill what the next start must find; gates that live through all of it, one
on the page and one on the wire, and a new one per round ask a thousand times a second.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgeguard import halt_page
from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.codec.native import encode
from edgeguard.gate import Gate
from edgeguard.journal import Verdict, verify
from edgeguard.messages import ErrorEvent, Heartbeat, MarketMessage, Reply, Tick, TickBatch
from edgeguard.transport import Client, make_context, publisher
from tests.process.asking import Asker
from tests.process.forked_guard import ForkedGuard
from tests.process.guard_rig import CLOCK, World, make_config, until

LEASE_NS = NS_PER_S
"""`guard.lease_ms` of the rig's configuration."""
HALTED = "a halt stands"
DEAD = "the guard is dead for a lease"
SHARES = {
    "start": 20,
    "open": 12,
    "dead": 3,
    "halt": 35,
    "resume": 20,
    "file": 4,
    "word": 4,
    "loss": 2,
}
"""Kills of each kind in a hundred."""
KINDS = {
    "start": "while it starts",
    "open": "open, under load",
    "dead": "open, and not started again for a lease",
    "halt": "during a commanded halt",
    "resume": "during a resume",
    "file": "after a HALT file was created",
    "word": "after the manual word was set",
    "loss": "around an automatic halt",
}


class Load(threading.Thread):
    """Ticks, errors and heartbeats without end, and a status command now and then."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self._paths = world.paths
        self._stop_event = threading.Event()
        self.messages = 0
        self.ticks = 0

    def run(self) -> None:
        context = make_context()
        feeds = publisher(context, self._paths.feeds_bind, bind=False)
        epoch = CLOCK.wall_ns()
        number = 0
        while not self._stop_event.wait(0.002):
            number += 1
            feeds.send_multipart((b"A.main", encode(self._batch(epoch, number))))
            self.messages += 1
            if number % 50 == 0:
                feeds.send_multipart((b"A.engine", encode(_beside(epoch, number // 50))))
                self.messages += 1
            if number % 200 == 0:
                with Client(self._paths.control) as client:
                    client.command("status", operator="load", reason="load")
        context.destroy(linger=0)

    def end(self) -> None:
        self._stop_event.set()
        self.join()

    def _batch(self, epoch: int, number: int) -> TickBatch:
        bid = 1.1 + number % 7 * 1e-5
        ticks = tuple(Tick("EURUSD", bid, round(bid + 1e-4, 5)) for _ in range(20))
        self.ticks += len(ticks)
        return TickBatch("A", "main", epoch, number, CLOCK.wall_ns(), ticks)


def _beside(epoch: int, number: int) -> MarketMessage:
    """Return an error, one in a hundred, else a heartbeat; each counts on its own."""
    if number % 100 == 0:
        return ErrorEvent("A", "engine", epoch, number // 100, CLOCK.wall_ns(), "load")
    return Heartbeat("A", "engine", epoch, number - number // 100, CLOCK.wall_ns())


class Row(msgspec.Struct):
    """What the kills of one kind came to."""

    kills: int = 0
    acknowledged: int = 0
    """Halts of which somebody was told that they stand, or that the page showed."""
    durable: int = 0
    lost: int = 0
    changed: int = 0
    """Halts that came back under another id."""
    phantoms: int = 0
    """Halts that nothing had asked for."""


class Campaign:
    """One world, killed again and again."""

    def __init__(self, state_dir: Path, seed: int) -> None:
        self._rng = random.Random(seed)
        config = make_config(state_dir)
        self._guard = ForkedGuard(config, "real")
        self.world = World(config, guard=self._guard)
        self._load = Load(self.world)
        self._load.start()
        self._local = Asker(Gate(self.world.paths.run_dir, "A"), "page")
        self._remote = Asker(Gate(self.world.paths.gate_router, "A"), "wire")
        self._fresh: Asker | None = None
        self._stands_ns = 0
        self._owed = self._is_unsure = False
        self._owed_id: str = ""
        self._row = Row()
        self.rows = {kind: Row() for kind in SHARES}
        self.faults: dict[str, int] = {}
        self.checks = self.permits = self.acknowledged_starts = 0
        self.restarts_ms: list[float] = []
        self.closed_ms: list[float] = []
        self._verdict = Verdict(0, 0, b"", "not verified")

    def close(self) -> None:
        self._load.end()
        for asker in (self._local, self._remote, self._fresh):
            if asker is not None:
                self._retire(asker)
        self.world.close()

    def run(self, kills: int, among: tuple[str, ...] = tuple(SHARES)) -> None:
        """Kill so many times, then resume and look whether everything still opens."""
        kinds = self._rng.choices(among, [SHARES[kind] for kind in among], k=kills)
        rounds: dict[str, Callable[[], None]] = {
            "start": self._kill_at_start,
            "open": self._kill_open,
            "dead": self._kill_open,
            "halt": self._kill_in_halt,
            "resume": self._kill_in_resume,
            "file": self._kill_after_file,
            "word": self._kill_after_word,
            "loss": self._kill_at_loss,
        }
        for kind in kinds:
            self._start()
            if kind != "start":
                self._settle()
            # What a start finds is judged on the account of the kill before it.
            self._row = self.rows[kind]
            for asker in self._askers():
                asker.scene = KINDS[kind]
            rounds[kind]()
            self._row.kills += 1
            if kind == "dead":
                self._stay_dead()
        self._start()
        self._settle()

    def verify_journal(self) -> None:
        """Look whether the journal holds against what the guard says of it."""
        storage = self.world.status()["guard"]["storage"]
        anchor = (storage["journal_seq"], bytes.fromhex(storage["journal_hash"]))
        self._verdict = verify(self.world.paths.journal, anchor)

    def _askers(self) -> list[Asker]:
        return [asker for asker in (self._local, self._remote, self._fresh) if asker is not None]

    def _retire(self, asker: Asker) -> None:
        asker.close()
        self.checks += asker.checks
        self.permits += asker.permits
        for rule, count in asker.faults.items():
            self.faults[rule] = self.faults.get(rule, 0) + count

    def _start(self) -> None:
        """Start the guard, and an engine beside it whose gate remembers nothing."""
        if self._fresh is not None:
            self._retire(self._fresh)
        for asker in (self._local, self._remote):
            asker.allow(DEAD)
        self._fresh = Asker(Gate(self.world.paths.run_dir, "A"), "new on page")
        if self._owed:
            self._fresh.forbid(HALTED, self._stands_ns)
        self._begun_ns = CLOCK.boot_ns()
        self.world.start()

    def _settle(self) -> None:
        """Judge what the start found by the ledger, then bring the guard to open."""
        world = self.world
        until(world.has_spoken)
        self.restarts_ms.append((CLOCK.boot_ns() - self._begun_ns) / NS_PER_MS)
        self._judge()
        if "UNACKNOWLEDGED" in world.observer.beats[-1].pauses:
            assert world.command("acknowledge")[-1].stage == "done"
            self.acknowledged_starts += 1
        if self._owed:
            until(lambda: world.observer.beats[-1].flatten == "FLAT_VERIFIED")
            self._lift()
            until(lambda: world.resume(self._owed_id) == "resumed")
            self._owed = False
        world.until_open()
        self._until_all_open()

    def _until_all_open(self) -> None:
        """Wait until the gates that lived through it all let in as well."""
        for asker in (self._local, self._remote):
            seen = asker.permits
            until(lambda asker=asker, seen=seen: asker.permits > seen)

    def _judge(self) -> None:
        """Compare the first word of a new run with what the last one left behind."""
        row, beat = self._row, self.world.observer.beats[-1]
        halt_id = beat.halt.id if beat.halt is not None else ""
        is_halted = beat.state == "HALTED"
        row.lost += self._owed and not is_halted
        row.changed += bool(self._owed and self._owed_id and is_halted and halt_id != self._owed_id)
        row.phantoms += is_halted and not self._owed and not self._is_unsure
        self._owed, self._owed_id, self._is_unsure = is_halted, halt_id, False
        if is_halted:
            self._stands(CLOCK.boot_ns())

    def _stands(self, since_ns: int) -> None:
        """From then on a permit is a reopening; the gate on the wire has a lease to hear of it."""
        self._stands_ns = since_ns
        for asker in self._askers():
            grace_ns = LEASE_NS if asker is self._remote else 0
            asker.forbid(HALTED, since_ns + grace_ns)

    def _lift(self) -> None:
        for asker in self._askers():
            asker.allow(HALTED)

    def _kill_later(self, within_s: float) -> Callable[[], None]:
        """Kill after a random time; return what waits until that is done."""
        timer = threading.Timer(self._rng.uniform(0, within_s), self._kill)
        timer.start()
        return timer.join

    def _kill(self) -> None:
        self._guard.kill()
        dead_ns = CLOCK.boot_ns()
        for asker in self._askers():
            asker.forbid(DEAD, dead_ns + LEASE_NS)
        self._dead_ns = dead_ns

    def _stay_dead(self) -> None:
        """Look for a lease and a half whether anything is let through."""
        until(lambda: CLOCK.boot_ns() > self._dead_ns + LEASE_NS * 3 // 2)
        last_ns = max(asker.last_permit_ns for asker in self._askers())
        self.closed_ms.append(max(0, last_ns - self._dead_ns) / NS_PER_MS)

    def _kill_at_start(self) -> None:
        self._kill_later(0.3)()

    def _kill_open(self) -> None:
        self._kill_later(0.05)()

    def _kill_in_halt(self) -> None:
        with Client(self.world.paths.control) as client:
            sent = client.command("halt", operator="t", reason="kill", timeout="5")
            done = self._kill_later(self._rng.choice((0.005, 0.02, 0.1)))
            self._is_unsure = True
            for reply in client.replies(sent, 0.3):
                self._heard(reply)
            done()

    def _heard(self, reply: Reply) -> None:
        """Note what the guard said of a halt."""
        if not self._owed:
            self._stands(CLOCK.boot_ns())
            self._owed = True
            self._owed_id = str(msgspec.json.decode(reply.body)["halts"][0]["id"])
            self._row.acknowledged += 1
        self._row.durable += reply.stage == "durable"

    def _kill_in_resume(self) -> None:
        for reply in self.world.command("halt", timeout="5"):
            self._heard(reply)
        with Client(self.world.paths.control) as client:
            self._lift()
            words = {"reason": "test", "halt_id": self._owed_id}
            sent = client.command("resume", operator="tester", **words)
            done = self._kill_later(self._rng.choice((0.005, 0.02, 0.1)))
            self._owed, self._is_unsure = False, True
            for reply in client.replies(sent, 0.3):
                # "done" comes when both copies have it: from then on the halt must be gone.
                self._is_unsure = self._is_unsure and reply.stage != "done"
                self._owed = reply.stage == "refused"
            done()

    def _kill_after_file(self) -> None:
        self.world.paths.halt_file.write_text("campaign\n")
        self._owed, self._owed_id = True, ""
        self._row.acknowledged += 1
        self._kill_later(0.1)()
        self._stands(self._dead_ns + LEASE_NS)

    def _kill_after_word(self) -> None:
        halt_page.set_manual(self.world.paths.page("A"), CLOCK.wall_ns())
        set_ns = CLOCK.boot_ns()
        self._owed, self._owed_id = True, ""
        self._row.acknowledged += 1
        self._local.forbid(HALTED, set_ns)
        self._kill_later(0.1)()
        # On the wire nobody hears of the word from a guard that died before it saw it.
        self._stands(self._dead_ns)
        self._stands_ns = set_ns

    def _kill_at_loss(self) -> None:
        """Break the daily loss; the page is asked right before the kill whether it halted."""
        self.world.brokers[0].equity = "96000.00"
        end_ns = CLOCK.boot_ns() + self._rng.randrange(600) * NS_PER_MS
        until(lambda: CLOCK.boot_ns() > end_ns)
        self._is_unsure = True
        answer = self.world.gate.check()
        if getattr(answer, "code", "") == "HALTED":
            self._stands(CLOCK.boot_ns())
            self._owed, self._owed_id = True, ""
            self._row.acknowledged += 1
        self._kill()
        self.world.brokers[0].equity = "100000.00"

    def report(self, seconds: float) -> str:
        """Return the table."""
        lines = [f"{'killed':<42} kills  halts  durable  lost  other id  unasked"]
        total = Row()
        for kind, row in self.rows.items():
            for name in Row.__struct_fields__:
                setattr(total, name, getattr(total, name) + getattr(row, name))
            lines.append(_line(KINDS[kind], row))
        lines.append(_line("all", total))
        restarts = sorted(self.restarts_ms)
        last_ms = f"{max(self.closed_ms, default=0):.0f} of {LEASE_NS // NS_PER_MS}"
        starts_ms = f"p50 {statistics.median(restarts):.0f} max {restarts[-1]:.0f}"
        figures = {
            "permits while a halt stood": self.count_faults(HALTED),
            "permits later than a lease after death": self.count_faults(DEAD),
            "last permit after death, ms": f"{last_ms}, in {len(self.closed_ms)} deaths watched",
            "answers of gates": f"{self.checks}, {self.permits} permits",
            "starts that an operator acknowledged": self.acknowledged_starts,
            "ticks and messages sent": f"{self._load.ticks} and {self._load.messages}",
            "start to first word, ms": starts_ms,
            "journal": f"{self._verdict.rows} rows, {self._verdict.fault or 'sound'}",
            "time": f"{seconds:.0f} s",
        }
        figures.update({f"FAULT {name}": count for name, count in self.faults.items()})
        lines += [f"{name:<42} {value}" for name, value in figures.items()]
        return "\n".join(lines)

    def count_faults(self, rule: str) -> int:
        """Return how many permits were given against a rule."""
        return sum(count for name, count in self.faults.items() if f": {rule}: " in name)

    @property
    def is_clean(self) -> bool:
        """Return whether no rule was broken."""
        bad = [row.lost + row.changed + row.phantoms for row in self.rows.values()]
        return not any(bad) and not self.faults and self._verdict.is_sound


def _line(name: str, row: Row) -> str:
    return (
        f"{name:<42} {row.kills:>5}  {row.acknowledged:>5}  {row.durable:>7}  {row.lost:>4}"
        f"  {row.changed:>8}  {row.phantoms:>7}"
    )


def run(
    kills: int, state_dir: Path, seed: int, among: tuple[str, ...] = tuple(SHARES)
) -> tuple[bool, str]:
    """Run a campaign; return whether no rule was broken, and the table."""
    begun_ns = CLOCK.boot_ns()
    campaign = Campaign(state_dir, seed)
    try:
        campaign.run(kills, among)
        campaign.verify_journal()
    finally:
        campaign.close()
    seconds = (CLOCK.boot_ns() - begun_ns) / NS_PER_S
    return campaign.is_clean, campaign.report(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 of the guard at random points")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--among", nargs="+", choices=tuple(SHARES), default=tuple(SHARES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeguard-kills-") as place:
        is_clean, table = run(options.kills, Path(place), options.seed, tuple(options.among))
    sys.stdout.write(f"{table}\nseed {options.seed}, {os.cpu_count()} cores\n")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
