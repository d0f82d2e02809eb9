"""Carry out the planner's actions over a terminal, write intents first, and tell what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from edgeguard.broker.intents import AnswerLine, EndLine, IntentLog, RunLine, SentLine
from edgeguard.broker.planner import Planner
from edgeguard.broker.planner.flatness import remaining
from edgeguard.broker.planner.model import (
    Alarm,
    Flat,
    Idle,
    Look,
    Note,
    Observation,
    Observe,
    PendingsGone,
    Reappeared,
    Resolved,
    Scope,
    Send,
    Wait,
    Waiting,
)
from edgeguard.broker.polling import Poller
from edgeguard.broker.report import Proof, Record, Recorder, table
from edgeguard.broker.session import ReadError, TerminalSession
from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock

SPEAK_S: Final = 1.0
"""Interval at which the planner may speak while an action is being carried out."""
Tell = Callable[[str, "Flattening | None", str, object], None]
"""Called with kind, flatten, text and body of each event."""


class Flattening(msgspec.Struct, kw_only=True):
    """One flatten as commanded."""

    run: str
    halt_id: str
    command_id: str
    scope: Scope
    reason: str
    recorder: Recorder
    calls_before: int
    said_not_flat: bool = False


class Runner:
    """Drives one planner; the only one that sends orders.

    Attributes:
        active: the flattens under way or watched, by run.
        planner: its state is for reading.
    """

    def __init__(  # noqa: PLR0913 - everything it touches is handed to it
        self,
        planner: Planner,
        session: TerminalSession,
        poller: Poller,
        log: IntentLog,
        clock: Clock,
        tell: Tell,
        *,
        account: str,
        reports: Path,
    ) -> None:
        """Take the parts; `run` does the work."""
        self.planner = planner
        self.session = session
        self._poller = poller
        self._log = log
        self._clock = clock
        self._tell = tell
        self._account = account
        self._reports = reports
        self._wake = asyncio.Event()
        self.active: dict[str, Flattening] = {}
        self.last_record: Record | None = None

    # Commands.

    def start(self, flattening: Flattening) -> None:
        """Begin a flatten, or prove an old one again."""
        now = self._clock.boot_ns()
        known = self.active.get(flattening.run)
        if known is not None:
            known.command_id = flattening.command_id
            self.planner.prove_again(now, flattening.run)
        else:
            self.active[flattening.run] = flattening
            self._log.append(self._run_line(flattening, "start"), durable=True)
            self.planner.start(now, flattening.run, flattening.scope)
        self._wake.set()

    def stop(self, halt_id: str) -> int:
        """End the flattens of a halt, or all for an empty id; return how many there were."""
        found = [f for f in self.active.values() if not halt_id or f.halt_id == halt_id]
        for flattening in found:
            self._end_record(flattening)
            self.planner.stop(flattening.run)
            self._log.append(self._run_line(flattening, "stop"), durable=True)
            del self.active[flattening.run]
            if flattening.recorder.record.result != "FLAT":
                self._say_not_flat(flattening, "stopped by command")
        self._wake.set()
        return len(found)

    def watch(self, obs: Observation) -> None:
        """Take in a polled read while nothing is under way: something may have appeared."""
        if self.active and not self.planner.is_working:
            self.planner.observed(self._clock.boot_ns(), obs)
            self._say_notes()
            if self.planner.is_working:
                self._wake.set()

    # The loop.

    async def run(self) -> None:
        """Carry out actions for ever; cancel to end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._speak())
            while True:
                await self._step()

    async def _speak(self) -> None:
        """Let the planner raise alarms also while a call hangs."""
        while True:
            await asyncio.sleep(SPEAK_S)
            self.planner.tick(self._clock.boot_ns())
            self._say_notes()

    async def _step(self) -> None:
        action = self.planner.next(self._clock.boot_ns())
        self._say_notes()
        if isinstance(action, Idle):
            self._log.rotate_if_large()
            await self._sleep(None)
        elif isinstance(action, Wait):
            await self._sleep(action.until_ns)
        elif isinstance(action, Observe):
            await self._observe(action)
        elif isinstance(action, Look):
            await self._look(action)
        else:
            await self._send(action)
        self._say_notes()

    async def _sleep(self, until_ns: int | None) -> None:
        """Sleep until a command comes or the time is over."""
        timeout = None
        if until_ns is not None:
            timeout = max(0, until_ns - self._clock.boot_ns()) / NS_PER_S
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _observe(self, action: Observe) -> None:
        since = None
        if action.evidence:
            sent = [line.wall_ns for line in self._log.contents.unresolved.values()]
            since = min(sent, default=self._clock.wall_ns())
        try:
            obs = await self._poller.cycle(
                history_since_ns=since, identifiers=action.identifiers
            )
        except ReadError as e:
            self.planner.observe_failed(self._clock.boot_ns(), str(e))
            return
        if obs.session != self.session.session:
            self._connected_anew()
            return
        self._prime(obs)
        self.planner.observed(self._clock.boot_ns(), obs)
        if self.planner.state.identity_fault:
            return
        markets = self.planner.state.markets
        specs = {symbol: market.spec for symbol, market in markets.items()}
        for flattening in self.active.values():
            flattening.recorder.book(obs, flattening.scope.covers, specs)

    def _prime(self, obs: Observation) -> None:
        """Hand the planner the rules that polling has read already: fewer reads before the first order."""
        for symbol in dict.fromkeys(row.symbol for row in obs.positions):
            if self.planner.state.market(symbol).spec is None:
                spec, read_ns = self._poller.known(symbol)
                if spec is not None:
                    self.planner.looked(read_ns, symbol, spec, None)

    async def _look(self, action: Look) -> None:
        before = self.session.session
        try:
            spec, tick = await self.session.symbol(action.symbol, with_spec=action.with_spec)
        except ReadError as e:
            self.planner.observe_failed(self._clock.boot_ns(), str(e))
            return
        self.planner.looked(self._clock.boot_ns(), action.symbol, spec, tick)
        if self.session.session != before:
            self._connected_anew()

    def _connected_anew(self) -> None:
        """P13: the identity was read through another connection than the next order would use."""
        self.planner.observe_failed(self._clock.boot_ns(), "the terminal was connected anew")

    async def _send(self, send: Send) -> None:
        wall = self._clock.wall_ns()
        covering = self._covering(send)
        if not self._log.append(SentLine(send.intent, wall, covering[0].run if covering else ""), durable=True):
            self._alarm(f"the intent log cannot be written ({self._log.fault}): a crash now loses count")
        for flattening in covering:
            first = flattening.recorder.record.first_order_ns is None
            line = flattening.recorder.sent(send, wall)
            if first:
                self._tell("first_order", flattening, f"{line.kind} {line.symbol}", line)
        answer, row = await self.session.send(send.request)
        done = self._clock.wall_ns()
        self._log.append(
            AnswerLine(
                send.intent.id,
                answer.name,
                done,
                None if row is None else row.retcode,
                0 if row is None else row.order,
                0 if row is None else row.deal,
            ),
            durable=False,
        )
        self.planner.answered(self._clock.boot_ns(), answer, row)
        for flattening in covering:
            flattening.recorder.answered(send, answer, row, done)
            line = flattening.recorder.line(send.intent.id)
            if line is not None:
                self._tell("order", flattening, f"{line.kind} {line.symbol}: {answer.name}", line)

    def _covering(self, send: Send) -> list[Flattening]:
        """Return the flattens that a request serves."""
        st = self.planner.state
        intent = send.intent
        order = st.orders.get(intent.ticket) if intent.kind == "delete" else None
        leg = None if order is not None else st.legs.get(intent.key)
        row = order.row if order is not None else (None if leg is None else leg.row)
        return [f for f in self.active.values() if row is None or f.scope.covers(row)]

    # What is said.

    def _say_notes(self) -> None:
        for note in self.planner.take_notes():
            self._say(note)

    def _say(self, note: Note) -> None:
        if isinstance(note, Resolved):
            self._log.append(
                EndLine(note.intent.id, note.end, note.units, note.why, self._clock.wall_ns()),
                durable=False,
            )
            for flattening in self.active.values():
                flattening.recorder.ended(note.intent, note.end, note.why)
        elif isinstance(note, Alarm):
            self._alarm(note.text, note.code)
        elif isinstance(note, Waiting):
            for flattening in self._unproven():
                text = "; ".join(note.causes) or "going on"
                self._tell("waiting", flattening, text, {"causes": note.causes})
                if note.causes:
                    self._say_not_flat(flattening, text)
        elif isinstance(note, PendingsGone):
            flattening = self.active.get(note.run)
            if flattening is not None:
                record = flattening.recorder.record
                record.pendings_gone_ns = self._clock.wall_ns()
                self._tell("pendings_gone", flattening, "no pending order is left", None)
        elif isinstance(note, Flat):
            self._say_flat(note)
        elif isinstance(note, Reappeared):
            flattening = self.active.get(note.run)
            if flattening is not None:
                self._renew(flattening)

    def _unproven(self) -> list[Flattening]:
        runs = self.planner.state.runs
        return [f for f in self.active.values() if f.run in runs and runs[f.run].flat_ns is None]

    def _alarm(self, text: str, code: str = "INTENT_LOG") -> None:
        for flattening in self.active.values():
            flattening.recorder.record.alarms.append(f"{code}: {text}")
        concerned = next(iter(self.active.values()), None)
        self._tell("alarm", concerned, text, {"code": code})

    def _say_flat(self, note: Flat) -> None:
        flattening = self.active.get(note.run)
        if flattening is None:
            return
        self._end_record(flattening)
        record = flattening.recorder.record
        offset = self._clock.wall_ns() - self._clock.boot_ns()
        record.proof = Proof(
            note.first_ns + offset,
            note.second_ns + offset,
            (note.second_ns - note.first_ns) // NS_PER_MS,
        )
        record.result = "FLAT"
        self._log.append(self._run_line(flattening, "flat"), durable=True)
        self._write(flattening)
        self._tell("flat", flattening, "two reads show nothing left", record)

    def _say_not_flat(self, flattening: Flattening, why: str) -> None:
        record = flattening.recorder.record
        self._end_record(flattening)
        record.result = "NOT_FLAT"
        self._write(flattening)
        self._tell("not_flat", flattening, why, record)
        record.ended_ns = None
        record.result = "IN_PROGRESS"

    def _end_record(self, flattening: Flattening) -> None:
        record = flattening.recorder.record
        record.ended_ns = self._clock.wall_ns()
        record.reads = self._reads() - flattening.calls_before
        run = self.planner.state.runs.get(flattening.run)
        record.remaining = [] if run is None else remaining(self.planner.state, run)
        self.last_record = record

    def _renew(self, flattening: Flattening) -> None:
        """Go on in the same record: what was flat has work again."""
        record = flattening.recorder.record
        record.result = "IN_PROGRESS"
        record.proof = None
        record.ended_ns = None
        self._log.append(self._run_line(flattening, "start"), durable=True)

    def _write(self, flattening: Flattening) -> None:
        """Keep the record as a file; failing to is an alarm, no obstacle."""
        record = flattening.recorder.record
        name = f"flatten.{self._account}.{record.started_ns}"
        try:
            self._reports.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._reports / f"{name}.json").write_bytes(msgspec.json.encode(record))
            (self._reports / f"{name}.txt").write_text(table(record), encoding="utf-8")
        except OSError as e:
            self._tell("alarm", flattening, f"the report cannot be written: {e.strerror}", None)

    def _reads(self) -> int:
        return reads_made(self.session)

    def _run_line(self, flattening: Flattening, state: Any) -> RunLine:  # noqa: ANN401
        return RunLine(
            flattening.run,
            state,
            self._clock.wall_ns(),
            flattening.scope,
            flattening.halt_id,
            flattening.command_id,
            flattening.reason,
        )


def reads_made(session: TerminalSession) -> int:
    """Return how many calls other than orders went to the terminal."""
    return sum(count for method, count in session.calls.items() if method != "order_send")
