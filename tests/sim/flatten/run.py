"""Run one scenario: the shipped runner over a paper server, killed and restarted as it says."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import traceback
from pathlib import Path
from typing import Any

import msgspec

from edgeguard.broker.flatten_run import Runner
from edgeguard.broker.intents import IntentLog, Line
from edgeguard.broker.paper import PaperServer
from edgeguard.broker.paper.admin import run as admin
from edgeguard.broker.paper.faults import FaultPlan
from edgeguard.broker.planner import Planner
from edgeguard.broker.planner.model import Identity, Policy, Scope
from edgeguard.broker.polling import Poller
from edgeguard.broker.publisher import Publisher
from edgeguard.broker.report import Record, Recorder
from edgeguard.broker.session import ReadError, TerminalSession, Timeouts
from edgeguard.broker.telling import Flattening, Teller
from tests.sim.flatten.checks import NS, ParentKilledError, Watch
from tests.sim.flatten.link import SimLink
from tests.sim.flatten.scenario import NAMES, Scenario
from tests.sim.flatten.virtual import WALL_START_NS, VirtualClock, VirtualLoop

LIVENESS_NS = 200 * NS
"""A flatten has this long after the last fault: a quarantine, a probe and pauses."""
AFTER_FLAT_NS = 3 * NS
TIMED = ("kill_child", "kill_parent")
"""Kills at a time; the others wait for the next order."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a directory of our own is made below it
RUN = "sim/account"


class Result(msgspec.Struct):
    """What one seed gave."""

    seed: int
    mode: str
    violations: list[str]
    virtual_ns: int
    sends: int
    reads: int
    firings: dict[str, int]
    flat_ns: int | None
    worked_ns: int = 0
    """From the start to the last answered order."""


class SimLog(IntentLog):
    """A log that knows how much of it a power cut would leave."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.synced_bytes = path.stat().st_size

    def append(self, line: Line, *, durable: bool) -> bool:
        written = super().append(line, durable=durable)
        if durable and written:
            self.synced_bytes = self._size
        return written


class Life:
    """One parent: from its start to its kill."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = SimLog(world.log_path)
        self.log.end_unsent(world.boot, world.clock.wall_ns())
        self.link = SimLink(world.server, world.clock, world.dice, world.watch)
        if world.scenario.order_ns:
            self.link.order_ns = world.scenario.order_ns
        self.session = TerminalSession(self.link, world.clock, Timeouts(8.0, 2.0, 4.0))  # type: ignore[arg-type]
        publisher = Publisher("A", world.clock, lambda _: None)
        self.poller = Poller(self.session, publisher, world.clock, self.log, NAMES[:1])
        account = world.scenario.spec.account
        self.planner = Planner(
            Policy(),
            Identity(account.login, account.server, account.trade_mode),
            self.log.contents.past(world.clock.wall_ns()),
        )
        teller = Teller(
            self.planner,
            self.session,
            self.log,
            world.clock,
            world.tell,
            account="A",
            reports=world.folder / "reports",
        )
        self.runner = Runner(
            self.planner,
            session=self.session,
            poller=self.poller,
            log=self.log,
            clock=world.clock,
            teller=teller,
            boot=world.boot,
        )
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, scope: Scope, *, first: bool) -> None:
        """Start the flatten, or what the log says is unfinished."""
        # A halted guard repeats its command to a parent that has forgotten a proven flatten.
        if first or self.log.contents.runs or self.world.watch.flats:
            record = Record(
                account="A",
                login=1,
                server="",
                run=RUN,
                halt_id="sim",
                scope=scope.kind,
                reason="simulation",
                started_ns=self.world.clock.wall_ns(),
            )
            self.runner.start(
                Flattening(
                    run=RUN,
                    halt_id="sim",
                    command_id="c",
                    scope=scope,
                    reason="",
                    recorder=Recorder(record),
                    calls_before=0,
                )
            )
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(self._drive()), loop.create_task(self._poll())]

    async def _drive(self) -> None:
        try:
            await self.runner.run()
        except* ParentKilledError:
            self.world.parent_killed()
        except* Exception:  # noqa: BLE001 - a crash of the shipped code is what is looked for
            self.world.watch.fail("CRASH", traceback.format_exc())

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            if self.planner.is_working:
                continue
            try:
                self.runner.watch(await self.poller.cycle())
            except ReadError:
                continue
            except ParentKilledError:
                self.world.parent_killed()

    async def kill(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.link.is_dead = True
        self.link.stop()
        self.log.close()


class World:
    """Server, clock, trouble, and the parent's present life."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.folder = folder
        self.clock = VirtualClock(loop)
        self.dice = random.Random(f"world:{scenario.seed}")
        self.scenario = scenario
        self.log_path = folder / "intents.log"
        self.server = PaperServer(scenario.spec, WALL_START_NS)
        admin(self.server, "open_book", scenario.book, WALL_START_NS)
        self.server.set_faults(scenario.plan, WALL_START_NS)
        self.watch = Watch(scenario, self.server, self.clock)
        self.watch.kill_parent = self.parent_killed
        self.watch.cut_power = self.power_cut
        loop.set_exception_handler(self._crashed)
        self.boots = 1
        self._kept_bytes: int | None = None
        self.life: Life | None = None
        self.reads = 0
        self._revive = asyncio.Event()
        self.stop_early = False
        self._prices = {s.name: (s.bid, s.ask, s.digits) for s in scenario.spec.symbols}

    def tell(self, kind: str, flattening: object, text: str, body: object) -> None:
        del flattening, body
        self.watch.told(kind, text)

    def parent_killed(self) -> None:
        """The parent was killed at a send; the world notices."""
        self._revive.set()

    def _crashed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the shipped code does between two steps may not fail either."""
        del loop
        error = context.get("exception")
        self.watch.fail("CRASH", "".join(traceback.format_exception(error)) or context["message"])

    @property
    def boot(self) -> str:
        """The present boot's id."""
        return f"boot {self.boots}"

    def power_cut(self) -> None:
        """The machine goes off right now: what was written and not synced is gone."""
        if self.life is not None:
            self._kept_bytes = self.life.log.synced_bytes
        self.parent_killed()

    async def run(self) -> Result:
        first = True
        kills = sorted(self.scenario.kills, key=lambda kill: kill.at_ns)
        self.watch.kill_at_send = [(k.at_ns, k.what) for k in kills if k.what not in TIMED]
        timed = [k for k in kills if k.what in TIMED]
        jobs = [
            self.loop.create_task(self._ticks()),
            self.loop.create_task(self._end_faults()),
            self.loop.create_task(self._seconds()),
        ]
        deadline = self.scenario.faults_end_ns + LIVENESS_NS
        self.life = Life(self)
        self.life.begin(self.scenario.scope, first=first)
        while not self._is_over() and self.loop.now_ns < deadline:
            if self.stop_early and self.watch.violations:
                break
            next_ns = timed[0].at_ns if timed else self.loop.now_ns + NS
            wait = min(NS, max(0, next_ns - self.loop.now_ns))
            await self._pause(wait)
            down = 0
            if timed and self.loop.now_ns >= timed[0].at_ns:
                kill = timed.pop(0)
                self.watch.kills[kill.what] = self.watch.kills.get(kill.what, 0) + 1
                if kill.what == "kill_child":
                    self.life.link.stop()
                else:
                    self._revive.set()
                    down = kill.down_ns
            if self._revive.is_set():
                await self._restart(down)
        over = self._is_over()
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._finish(over=over)
        return self._result()

    async def _pause(self, wait_ns: int) -> None:
        try:
            async with asyncio.timeout(wait_ns / NS):
                await self._revive.wait()
        except TimeoutError:
            return

    async def _restart(self, down_ns: int) -> None:
        assert self.life is not None
        await self._end_life()
        self.life = None
        if self._kept_bytes is not None:
            os.truncate(self.log_path, self._kept_bytes)
            self._kept_bytes = None
            self.boots += 1
        await asyncio.sleep(down_ns / NS)
        self._revive.clear()
        self.life = Life(self)
        self.watch.progress_ns = self.clock.boot_ns()
        self.life.begin(self.scenario.scope, first=False)

    async def _end_life(self) -> None:
        assert self.life is not None
        self.reads += sum(n for m, n in self.life.session.calls.items() if m != "order_send")
        await self.life.kill()

    def _is_over(self) -> bool:
        """Flat, told so, quiet for a while, and no trouble to come."""
        quiet = self.scenario.faults_end_ns
        if self.life is None or self.loop.now_ns < quiet or not self.watch.flats:
            return False
        settled = self.clock.boot_ns() - self.watch.flats[-1] > AFTER_FLAT_NS
        return (
            settled
            and not self.life.planner.is_working
            and not self.server.book.later
            and self._truly_flat()
        )

    def _truly_flat(self) -> bool:
        return self.watch.left() == (0, 0)

    async def _finish(self, *, over: bool) -> None:
        if not over and not (self.stop_early and self.watch.violations):
            left = self.watch.left()
            self.watch.fail(
                "P18", f"not flat {LIVENESS_NS // NS} s after the last fault: {left} left"
            )
        for _, text in self.watch.needs_alarm:
            self.watch.fail("P15", f"{text} after a race, without an alarm")
        await self._end_life()
        self.watch.check_log(self.log_path.read_bytes())

    def _result(self) -> Result:
        firings = {**self.server.engine.firings, **self.watch.kills}
        return Result(
            seed=self.scenario.seed,
            mode=self.scenario.mode,
            violations=self.watch.violations,
            virtual_ns=self.loop.now_ns,
            sends=self.watch.sends,
            reads=self.reads,
            firings=firings,
            worked_ns=self.watch.last_order_ns - self.watch.start_ns,
            flat_ns=self.watch.flats[0] - self.watch.start_ns if self.watch.flats else None,
        )

    async def _ticks(self) -> None:
        while True:
            for name, (bid, ask, digits) in self._prices.items():
                moved = round(bid * (1 + self.dice.gauss(0, 2e-5)), digits)
                self._prices[name] = (moved, round(moved + ask - bid, digits), digits)
                self.server.on_tick(name, *self._prices[name][:2], self.clock.wall_ns())
            self.watch.after_server()
            await asyncio.sleep(0.7)

    async def _end_faults(self) -> None:
        await asyncio.sleep(self.scenario.faults_end_ns / NS)
        self.server.set_faults(FaultPlan(), self.clock.wall_ns())
        self.watch.after_server()

    async def _seconds(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.server.advance(self.clock.wall_ns())
            self.watch.after_server()
            unproven = self.life is not None and any(
                run.flat_ns is None for run in self.life.planner.state.runs.values()
            )
            believed = self.life.planner.state.progress_ns if self.life is not None else 0
            self.watch.second(unproven=unproven, believed_ns=believed)


def simulate(scenario: Scenario, *, stop_early: bool = False) -> Result:
    """Run one scenario to its end, or to its first violation."""
    loop = VirtualLoop()
    loop.jump.limit_ns = scenario.faults_end_ns + LIVENESS_NS + 600 * NS
    # The log's writes are real; on shared memory their fsync costs nothing.
    fast = SHARED_MEMORY if Path(SHARED_MEMORY).is_dir() else None
    with tempfile.TemporaryDirectory(dir=fast) as name:

        async def main() -> Result:
            world = World(scenario, Path(name))
            world.stop_early = stop_early
            return await world.run()

        try:
            return loop.run_until_complete(main())
        finally:
            loop.close()
