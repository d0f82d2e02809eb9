"""Run one demo: start the processes, break a limit, watch, prove, and tell.

Everything that is shown comes from outside the guard: its status and journal, the pretend engine's
reports, and at the end a reading of the terminal itself.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.demo.messages import Helper, Report
from edgeguard.demo.plans import Plan
from edgeguard.demo.setup import ACCOUNT, FEED, Stage, prepare
from edgeguard.demo.status import StatusWatch
from edgeguard.demo.timeline import Close, Timeline, breaking_tick, build, closes, first_cause
from edgeguard.demo.trader import Trader
from edgeguard.demo.verdict import Seen, judge
from edgeguard.errors import EdgeGuardError
from edgeguard.journal.reading import tail
from edgeguard.log_files import LogFiles
from edgeguard.supervisor import Supervisor, roles_of, spawner

TURN_S: Final = 0.02
"""Pause between two turns of the demo's own loop."""
START_S: Final = 25.0
"""Longest start until the gate opens."""
BOOK_S: Final = 20.0
ORDINARY_S: Final = 6.0
"""How long the ordinary market is shown before anything breaks."""
JOURNAL_ROWS: Final = 5_000


@dataclass(frozen=True)
class Options:
    """What the person asked for."""

    plan: Plan
    directory: Path
    specs: tuple[str, ...]
    seed: int
    speed: float


@dataclass(frozen=True)
class Outcome:
    """What a demo came to.

    Attributes:
        faults: what was not as it must be, a sentence each; empty when the demo is right.
        timeline: what happened when.
        closes: what each close was and cost.
        positions_left: positions on the terminal at the end.
        orders_left: pending orders on the terminal at the end.
    """

    faults: tuple[str, ...]
    timeline: Timeline
    closes: list[Close]
    positions_left: int
    orders_left: int


class DemoError(EdgeGuardError):
    """The demo did not come to its end; says what it waited for."""


Show = Callable[[Mapping[str, Any] | None, str], None]
"""Shows the status document (None while there is none) under a headline."""


def _show_nothing(_document: Mapping[str, Any] | None, _headline: str) -> None:
    """Show nothing: until the owner of a demo sets its `show`."""


class Demo:
    """One run, from the first process to the proof; set `show` to watch it."""

    def __init__(self, options: Options) -> None:
        """Write the configuration; nothing runs yet.

        Raises:
            UsageError: a tick SPEC is wrong.
            InputError: recorded ticks cannot be read.
        """
        self._options = options
        self._plan = options.plan
        self.show: Show = _show_nothing
        self._clock = SystemClock()
        self.stage: Stage = prepare(options.directory, options.plan, options.specs)
        config, _ = load_config(self.stage.config_file)
        self.paths = Paths(config, options.directory).create()
        self._log_dir = self.paths.log_dir
        roles = roles_of(config, self.stage.config_file, self.paths)
        self._logs = LogFiles(self._log_dir)
        self._supervisor = Supervisor(roles, spawner(self._logs), self._clock, self._note)
        self._reports: queue.Queue[Report] = queue.Queue()
        self._heard: list[Report] = []
        self._helpers: list[Helper] = []
        self._status = StatusWatch(self.paths.control, self._clock)
        self._headline = "starting"

    def run(self) -> Outcome:
        """Run everything; every process has ended when this returns.

        Raises:
            DemoError: something did not happen in its time.
        """
        with ExitStack() as stack:
            stack.callback(self._supervisor.stop)
            stack.callback(self._status.close)
            publisher = self._helper("publisher", "--feed", FEED, *self._market())
            stack.callback(publisher.stop)
            self._until(lambda: self._status.state == "ACTIVE", START_S, "the gate to open")
            engine = self._helper("engine_process", "--book", str(self.stage.book_file))
            stack.callback(engine.stop)
            self._open_book(publisher, engine)
            before = self._status.counts()
            self._break(publisher, engine)
            if self._plan.halts:
                self._watch_halt()
            else:
                self._watch_pause(publisher)
            return self._prove(publisher, before)

    def _market(self) -> tuple[str, ...]:
        options = self._options
        played = ("--seed", str(options.seed), "--speed", str(options.speed))
        return (*played, *(part for spec in options.specs for part in ("--ticks", spec)))

    def _helper(self, module: str, *arguments: str) -> Helper:
        where = ("--config", str(self.stage.config_file), "--state-dir", str(self.paths.state_dir))
        self._log_dir.mkdir(parents=True, exist_ok=True)
        helper = Helper(
            module,
            ["-m", f"edgeguard.demo.{module}", *where, *arguments],
            self._reports,
            self._log_dir / f"{module}.log",
        )
        self._helpers.append(helper)
        return helper

    def _open_book(self, publisher: Helper, engine: Helper) -> None:
        self._headline = "opening the book"
        self._until(lambda: self._said("ready", "engine_process"), BOOK_S, "the engine")
        if self.stage.specs:
            publisher.tell(f"ticks {self.stage.start_ns}")
        engine.tell("open")
        self._until(lambda: self._said("book"), BOOK_S, "the book to open")
        self._headline = "ordinary market"
        end_ns = self._clock.boot_ns() + int(ORDINARY_S * NS_PER_S)
        wanted = self._reported("book")[0]
        self._until(
            lambda: (
                self._status.counts() == (wanted["positions"], wanted["orders"])
                or self._status.state == "HALTED"
            ),
            BOOK_S,
            "the guard to see the book",
        )
        self._until(
            lambda: self._clock.boot_ns() >= end_ns or self._status.state == "HALTED",
            ORDINARY_S + 1.0,
            "the ordinary market",
        )

    def _break(self, publisher: Helper, engine: Helper) -> None:
        self._headline = self.stage.story
        if self.stage.specs:
            return
        if self._plan.kills_publisher:
            publisher.kill()
        if self._plan.publisher:
            publisher.tell(self._plan.publisher)
        if self._plan.engine:
            engine.tell(self._plan.engine)

    def _watch_halt(self) -> None:
        settle_s = self._plan.settle_s
        self._until(lambda: self._event("halt"), settle_s, "the halt")
        self._headline = "halted"
        flat = "a verified flat account"
        self._until(lambda: self._status.flatten == "FLAT_VERIFIED", settle_s, flat)
        self._headline = "flat"
        refused = "the engine's gate to refuse"
        self._until(lambda: self._refused("HALTED"), 5.0, refused)
        # The guard writes its journal off its path: the row may come after the state.
        self._await_row("broker", "kind", "flat", "the proof in the journal")

    def _watch_pause(self, publisher: Helper) -> None:
        settle_s = self._plan.settle_s
        self._until(lambda: self._event("pause"), settle_s, "the pause")
        self._headline = "paused: new entries are refused, exits go through"
        self._until(lambda: self._said("exit"), 5.0, "an exit to go through")
        if self._plan.cure:
            publisher.tell(self._plan.cure)
        self._until(lambda: self._event("release"), settle_s, "the pause to release itself")
        self._until(lambda: self._status.state == "ACTIVE", 5.0, "the gate to open again")
        # Rows of a pause are gathered for some milliseconds.
        self._await_row("decision", "action", "release", "the release in the journal")
        self._headline = "released"

    def _prove(self, publisher: Helper, before: tuple[int, int] | None) -> Outcome:
        """Ask the journal, the publisher and the terminal itself what happened."""
        rows = tail(self.paths.journal, JOURNAL_ROWS)
        timeline = build(self._plan, rows, self._heard, self._tick(publisher, rows))
        trader = Trader(str(self.paths.paper_socket(ACCOUNT)))
        positions, orders = trader.counts()
        seen = Seen(self._heard, rows, timeline, before, (positions, orders))
        closed = closes(timeline, trader.deals())
        return Outcome(judge(self._plan, seen), timeline, closed, positions, orders)

    def _tick(self, publisher: Helper, rows: Sequence[Mapping[str, Any]]) -> Report | None:
        """Return the tick behind the first decision, as its publisher sent it."""
        cause = first_cause(rows, self._plan.trigger)
        if cause is None or cause.source != f"feed:{FEED}" or not publisher.is_alive():
            return None
        publisher.tell(f"sent {cause.line}")
        self._until(lambda: self._said("sent"), 2.0, "the publisher's word on the tick")
        batch: Report | None = self._reported("sent")[-1]["batch"]
        return batch and breaking_tick(batch, (cause.symbol, self.stage.symbol))

    def _turn(self) -> None:
        self._supervisor.tick()
        while True:
            try:
                self._heard.append(self._reports.get_nowait())
            except queue.Empty:
                break
        self._status.look()
        self.show(self._status.document, self._headline)

    def _until(self, holds: Callable[[], object], timeout_s: float, what: str) -> None:
        """Turn until something holds.

        Raises:
            DemoError: it does not hold in time, a helper ended, or a process cannot be started.
        """
        deadline_ns = self._clock.boot_ns() + int(timeout_s * NS_PER_S)
        while True:
            self._turn()
            if holds():
                return
            for helper in self._helpers:
                if helper.is_wanted and not helper.is_alive():
                    raise DemoError(f"the {helper.name} must run on, ended: {helper.last_words()}")
            if self._supervisor.hopeless is not None or self._clock.boot_ns() > deadline_ns:
                why = self._status.why()
                msg = f"the demo waited {timeout_s:g} s for {what} in vain ({why}); the processes' "
                raise DemoError(f"{msg}own words are in {self._log_dir}")
            time.sleep(TURN_S)

    def _reported(self, stage: str) -> list[Report]:
        return [report for report in self._heard if report["stage"] == stage]

    def _said(self, stage: str, name: str = "") -> bool:
        return any(not name or report["from"] == name for report in self._reported(stage))

    def _await_row(self, kind: str, key: str, word: str, what: str) -> None:
        """Wait for a row of that kind whose body has the word under the key."""

        def is_there() -> bool:
            rows: list[Any] = tail(self.paths.journal, JOURNAL_ROWS)
            return any(row["kind"] == kind and row["body"][key] == word for row in rows)

        self._until(is_there, 5.0, what)

    def _refused(self, code: str) -> bool:
        return any(report["code"] == code for report in self._reported("gate_refused"))

    def _event(self, action: str) -> bool:
        return any(
            report["action"] == action
            and (self._plan.halts or report["trigger"] == self._plan.trigger)
            for report in self._reported("event")
        )

    def _note(self, sentence: str) -> None:
        """Keep the supervisor's words with the processes' own."""
        self._logs.append("supervisor", sentence)
