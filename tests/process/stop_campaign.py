"""SIGSTOP and SIGCONT of guard and gates: what is stale opens nothing, what is fresh opens again.

    make stops N=300

Four engines in processes of their own ask all the time, two on the page and two on the wire. Every
round stops the guard, the engines or both for a random time, and says of the time afterwards when
no permit may have been given; then all of them must open again by themselves.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgeguard.clock import NS_PER_MS, NS_PER_S
from tests.process.forked_guard import ForkedGuard
from tests.process.gate_log import GAP_NS, Span
from tests.process.guard_rig import CLOCK, ROOT, World, make_config, until

LEASE_NS = NS_PER_S
"""`guard.lease_ms` of the rig's configuration, and of a gate on the wire."""
ENGINES = ("page", "page", "wire", "wire")


class Engine:
    """A process that asks its gate; see `gate_log`."""

    def __init__(self, kind: str, world: World) -> None:
        paths = world.paths
        places = {
            "page": str(paths.run_dir),
            "wire": paths.gate_router,
            "buffered": paths.halts_pub,
        }
        self.kind = kind
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-m", "tests.process.gate_log", kind, places[kind]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.pid = self._process.pid
        self.spans: list[Span] = []
        """What was told in this round."""

    def listen(self) -> list[Span]:
        """Return what the engine was told since it was asked last."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        spans = msgspec.json.decode(self._process.stdout.readline(), type=list[Span])
        self.spans += spans
        return spans

    def is_open(self) -> bool:
        return self.listen()[-1].code == "OPEN"

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Window(msgspec.Struct):
    """A time in which no check may have begun that was let through."""

    rule: str
    kind: str
    """Of which engines; empty for all."""
    from_ns: int
    to_ns: int

    def broken_by(self, engine: Engine) -> bool:
        """Return whether an engine was let through in it.

        A span has no hole above `GAP_NS`: if it reaches over a longer window, a check is in it.
        """
        if not self.counts or self.kind not in {"", engine.kind}:
            return False
        return any(
            span.code == "OPEN" and span.first_ns < self.to_ns and span.last_ns >= self.from_ns
            for span in engine.spans
        )

    @property
    def counts(self) -> bool:
        """Whether it is long enough to be judged."""
        return self.to_ns - self.from_ns > GAP_NS


class StopCampaign:
    """One world, stopped again and again."""

    def __init__(self, state_dir: Path, seed: int, engines: tuple[str, ...] = ENGINES) -> None:
        self._rng = random.Random(seed)
        config = make_config(state_dir)
        self._guard = ForkedGuard(config)
        self.world = World(config, guard=self._guard)
        self.engines: list[Engine] = []
        try:
            self.world.start()
            self.world.until_open()
            self.engines += [Engine(kind, self.world) for kind in engines]
        except BaseException:
            self.close()
            raise
        self._windows: list[Window] = []
        self.stops = {"guard": 0, "gate": 0}
        self.rounds: dict[str, int] = {}
        self.faults: dict[str, int] = {}
        self.windows = 0
        self.closed_ms = 0.0
        self.stop_ms_max = 0.0

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self.world.close()

    def run(self, stops: int) -> None:
        """Stop processes so many times, half of them guards."""
        guards: list[Callable[[], None]] = [self._stop_guard, self._stop_guard_with_old_data]
        gates: list[Callable[[], None]] = [
            self._stop_gates,
            self._stop_gates_over_a_halt,
            self.stop_gates_over_a_death,
            self._stop_both,
        ]
        while sum(self.stops.values()) < stops:
            is_guards_turn = self.stops["guard"] <= self.stops["gate"]
            self.do(self._rng.choice(guards if is_guards_turn else gates))

    def do(self, scene: Callable[[], None]) -> None:
        """Play one round, judge it, and wait until all is open again."""
        until(self._are_open, self._codes)
        self._windows = []
        for engine in self.engines:
            engine.spans = []
        scene()
        name = scene.__name__.strip("_").replace("_", " ")
        self.rounds[name] = self.rounds.get(name, 0) + 1
        until(self._are_open, self._codes)
        for window in self._windows:
            self.windows += window.counts
            for engine in self.engines:
                if window.broken_by(engine):
                    rule = f"{engine.kind}: {window.rule}"
                    self.faults[rule] = self.faults.get(rule, 0) + 1

    def _are_open(self) -> bool:
        return all(engine.is_open() for engine in self.engines)

    def _codes(self) -> str:
        return ", ".join(engine.listen()[-1].code for engine in self.engines)

    def _forbid(self, rule: str, from_ns: int, to_ns: int, kind: str = "") -> None:
        self._windows.append(Window(rule, kind, from_ns, to_ns))

    def _stop(self, who: str, *pids: int) -> int:
        """Stop processes; return when all their threads stood still."""
        self.stops[who] += len(pids)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            until(lambda pid=pid: _is_stopped(pid))
        return CLOCK.boot_ns()

    def _continue(self, *pids: int) -> int:
        """Continue processes; return when that began."""
        begun_ns = CLOCK.boot_ns()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        return begun_ns

    def _pass(self, ms: float) -> None:
        end_ns = CLOCK.boot_ns() + int(ms * NS_PER_MS)
        until(lambda: CLOCK.boot_ns() > end_ns)
        self.stop_ms_max = max(self.stop_ms_max, ms)

    def _while_ms(self) -> float:
        """Return a time below, about or above a lease."""
        spans = ((50, 700), (900, 1200), (1300, 3500))
        return self._rng.uniform(*self._rng.choice(spans))

    def _closes(self, since_ns: int, until_ns: int) -> None:
        """Note when the last check began that was let through after a guard was stopped."""
        for engine in self.engines:
            engine.listen()
            lasts = [
                min(span.last_ns, until_ns)
                for span in engine.spans
                if span.code == "OPEN" and span.first_ns < until_ns and span.last_ns > since_ns
            ]
            if lasts:
                self.closed_ms = max(self.closed_ms, (max(lasts) - since_ns) / NS_PER_MS)

    def _stop_guard(self) -> None:
        """Nothing is let through later than a lease after the stop, until it is continued."""
        stopped_ns = self._stop("guard", self._guard.pid)
        self._pass(self._while_ms())
        continued_ns = self._continue(self._guard.pid)
        self._forbid("the guard is stopped for a lease", stopped_ns + LEASE_NS, continued_ns)
        self._closes(stopped_ns, continued_ns)

    def _stop_guard_with_old_data(self) -> None:
        """What waited in the guard's sockets while it was stopped opens nothing."""
        broker = self.world.brokers[0]
        stopped_ns = self._stop("guard", self._guard.pid)
        self._pass(self._rng.uniform(1200, 3000))
        broker.answers_reads = False
        continued_ns = self._continue(self._guard.pid)
        self._closes(stopped_ns, continued_ns)
        self._pass(700)
        fresh_ns = CLOCK.boot_ns()
        broker.answers_reads = True
        self._forbid("no fresh data since the stop", stopped_ns + LEASE_NS, fresh_ns)

    def _stop_gates(self) -> None:
        """An engine that was stopped beside a guard that was not opens again by itself."""
        pids = [engine.pid for engine in self.engines]
        self._stop("gate", *pids)
        for pid in self._rng.sample(pids, len(pids)):
            self._pass(self._while_ms() / 2)
            self._continue(pid)

    def _stop_gates_over_a_halt(self) -> None:
        """An engine that slept through a halt is not let through by what it knew before."""
        pids = [engine.pid for engine in self.engines]
        self._stop("gate", *pids)
        self._pass(self._rng.uniform(10, 1500))
        halted_ns = 0
        for reply in self.world.command("halt", timeout="5"):
            halted_ns = halted_ns or CLOCK.boot_ns()
            assert reply.stage != "failed"
        self._pass(self._rng.uniform(10, 1500))
        self._continue(*pids)
        self._pass(300)
        lifted_ns = CLOCK.boot_ns()
        self._forbid("a halt stands", halted_ns, lifted_ns, "page")
        self._forbid("a halt stands for a lease", halted_ns + LEASE_NS, lifted_ns, "wire")
        halt_id = self.world.halt_id()
        until(lambda: self.world.resume(halt_id) == "resumed")

    def stop_gates_over_a_death(self) -> None:
        """An engine that slept while the guard died does not believe what waits in its queue."""
        pids = [engine.pid for engine in self.engines]
        self._stop("gate", *pids)
        self._pass(self._rng.uniform(300, 1500))
        self._guard.kill()
        dead_ns = CLOCK.boot_ns()
        self._pass(1050)
        self._continue(*pids)
        self._pass(300)
        started_ns = CLOCK.boot_ns()
        self._forbid("the guard is dead for a lease", dead_ns + LEASE_NS, started_ns)
        self.world.start()
        until(self.world.has_spoken)

    def _stop_both(self) -> None:
        """Engines that wake beside a guard that still sleeps stay out."""
        pids = [engine.pid for engine in self.engines]
        self._stop("gate", *pids)
        stopped_ns = self._stop("guard", self._guard.pid)
        self._pass(self._rng.uniform(1050, 2000))
        self._continue(*pids)
        self._pass(300)
        continued_ns = self._continue(self._guard.pid)
        self._forbid("the guard is stopped for a lease", stopped_ns + LEASE_NS, continued_ns)

    def report(self, seconds: float) -> str:
        """Return the table."""
        faults = "; ".join(f"{rule}: {count}" for rule, count in sorted(self.faults.items()))
        figures: dict[str, object] = {
            **{f"rounds of: {name}": count for name, count in sorted(self.rounds.items())},
            "stops of the guard, of gates": f"{self.stops['guard']}, {self.stops['gate']}",
            "longest stop, ms": f"{self.stop_ms_max:.0f}",
            "times in which nothing may be let in": self.windows,
            "permits in them": faults or 0,
            "last permit after a stop, ms": f"{self.closed_ms:.0f} of {LEASE_NS // NS_PER_MS}",
            "rounds that ended open": sum(self.rounds.values()),
            "time": f"{seconds:.0f} s",
        }
        lines = [f"{name:<42} {value}" for name, value in figures.items()]
        return "\n".join(lines)


def _is_stopped(pid: int) -> bool:
    """Return whether every thread of a process stands still."""
    tasks = Path(f"/proc/{pid}/task")
    return all(
        (task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks.iterdir()
    )


def run(stops: int, state_dir: Path, seed: int) -> tuple[bool, str]:
    """Run a campaign; return whether no rule was broken, and the table."""
    begun_ns = CLOCK.boot_ns()
    campaign = StopCampaign(state_dir, seed)
    try:
        campaign.run(stops)
    finally:
        campaign.close()
    return not campaign.faults, campaign.report((CLOCK.boot_ns() - begun_ns) / NS_PER_S)


def main() -> int:
    parser = argparse.ArgumentParser(description="SIGSTOP and SIGCONT of guard and gates")
    parser.add_argument("--stops", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeguard-stops-") as place:
        is_clean, table = run(options.stops, Path(place), options.seed)
    sys.stdout.write(f"{table}\nseed {options.seed}\n")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
