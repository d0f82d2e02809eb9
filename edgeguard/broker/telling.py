"""Turn what the planner says into log lines, records and events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from edgeguard.broker.intents import EndLine, IntentLog, RunLine
from edgeguard.broker.planner import Planner
from edgeguard.broker.planner.flatness import remaining
from edgeguard.broker.planner.model import (
    Alarm,
    Flat,
    Note,
    PendingsGone,
    Reappeared,
    Resolved,
    Scope,
    Waiting,
)
from edgeguard.broker.report import Proof, Record, Recorder
from edgeguard.broker.report_table import table
from edgeguard.broker.session import TerminalSession
from edgeguard.clock import NS_PER_MS, Clock

Tell = Callable[[str, "Flattening | None", str, object], None]
"""Called with kind, flatten, text and body of each event."""
REPORTS_MAX: Final = 1000
"""Reports kept for one account; beyond that the oldest go."""


class Flattening(msgspec.Struct, kw_only=True):
    """One flatten as commanded."""

    run: str
    halt_id: str
    command_id: str
    scope: Scope
    reason: str
    recorder: Recorder
    calls_before: int


class Teller:
    """Speaks for one runner.

    Attributes:
        active: the flattens under way or watched, by run.
        last_record: the record that last came to an end of some kind.
    """

    def __init__(  # noqa: PLR0913 - everything it touches is handed to it
        self,
        planner: Planner,
        session: TerminalSession,
        log: IntentLog,
        clock: Clock,
        tell: Tell,
        *,
        account: str,
        reports: Path,
    ) -> None:
        """Take the parts."""
        self._planner = planner
        self._session = session
        self._log = log
        self._clock = clock
        self._account = account
        self._reports = reports
        self.tell = tell
        self.active: dict[str, Flattening] = {}
        self.last_record: Record | None = None

    def notes(self) -> None:
        """Say everything that the planner has to say."""
        for note in self._planner.take_notes():
            self._say(note)

    def log_run(self, flattening: Flattening, state: Literal["start", "flat", "stop"]) -> None:
        """Write a flatten's beginning or end to the intent log."""
        line = RunLine(
            flattening.run,
            state,
            self._clock.wall_ns(),
            flattening.scope,
            flattening.halt_id,
            flattening.command_id,
            flattening.reason,
        )
        self._log.append(line, durable=True)

    def alarm(self, text: str, code: str) -> None:
        """Tell a person, and keep it in every record under way."""
        for flattening in self.active.values():
            flattening.recorder.record.alarms.append(f"{code}: {text}")
        concerned = next(iter(self.active.values()), None)
        self.tell("alarm", concerned, text, {"code": code})

    def end_record(self, flattening: Flattening) -> Record:
        """Bring a record up to date: what is left, and how many reads it took."""
        record = flattening.recorder.record
        record.ended_ns = self._clock.wall_ns()
        record.reads = self._session.reads - flattening.calls_before
        run = self._planner.state.runs.get(flattening.run)
        record.remaining = [] if run is None else remaining(self._planner.state, run)
        self.last_record = record
        return record

    def not_flat(self, flattening: Flattening, why: str) -> None:
        """Say that a flatten is held up or was stopped, with what is left."""
        record = self.end_record(flattening)
        record.result = "NOT_FLAT"
        self._write(flattening)
        self.tell("not_flat", flattening, why, record)
        record.ended_ns = None
        record.result = "IN_PROGRESS"

    def _say(self, note: Note) -> None:
        if isinstance(note, Resolved):
            self._say_resolved(note)
        elif isinstance(note, Alarm):
            self.alarm(note.text, note.code)
        elif isinstance(note, Waiting):
            self._say_waiting(note)
        elif isinstance(note, (PendingsGone, Flat, Reappeared)):
            flattening = self.active.get(note.run)
            if flattening is not None:
                self._say_stage(flattening, note)

    def _say_resolved(self, note: Resolved) -> None:
        line = EndLine(note.intent.id, note.end, note.units, note.why, self._clock.wall_ns())
        self._log.append(line, durable=False)
        for flattening in self.active.values():
            flattening.recorder.ended(note.intent, note.end, note.why)

    def _say_waiting(self, note: Waiting) -> None:
        runs = self._planner.state.runs
        for flattening in self.active.values():
            run = runs.get(flattening.run)
            if run is None or run.flat_ns is not None:
                continue
            text = "; ".join(note.causes) or "going on"
            self.tell("waiting", flattening, text, {"causes": note.causes})
            if note.causes:
                self.not_flat(flattening, text)

    def _say_stage(self, flattening: Flattening, note: PendingsGone | Flat | Reappeared) -> None:
        record = flattening.recorder.record
        if isinstance(note, PendingsGone):
            record.pendings_gone_ns = self._clock.wall_ns()
            self.tell("pendings_gone", flattening, "no pending order is left", None)
        elif isinstance(note, Flat):
            self._say_flat(flattening, note)
        else:
            # The record goes on: what was flat has work again.
            record.result = "IN_PROGRESS"
            record.proof = None
            record.ended_ns = None
            self.log_run(flattening, "start")

    def _say_flat(self, flattening: Flattening, note: Flat) -> None:
        record = self.end_record(flattening)
        offset = self._clock.wall_ns() - self._clock.boot_ns()
        apart_ms = (note.second_ns - note.first_ns) // NS_PER_MS
        record.proof = Proof(note.first_ns + offset, note.second_ns + offset, apart_ms)
        record.result = "FLAT"
        self.log_run(flattening, "flat")
        self._write(flattening)
        self.tell("flat", flattening, "two reads show nothing left", record)

    def _write(self, flattening: Flattening) -> None:
        """Keep the record as a file; failing to is an alarm, no obstacle."""
        record = flattening.recorder.record
        name = f"flatten.{self._account}.{record.started_ns}"
        try:
            self._reports.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._reports / f"{name}.json").write_bytes(msgspec.json.encode(record))
            (self._reports / f"{name}.txt").write_text(table(record), encoding="utf-8")
            self._forget_oldest()
        except OSError as e:
            text = f"the report cannot be written: {e.strerror}"
            self.tell("alarm", flattening, text, {"code": "REPORT"})

    def _forget_oldest(self) -> None:
        """Keep the newest reports only; their names sort by time."""
        for suffix in ("json", "txt"):
            kept = sorted(self._reports.glob(f"flatten.{self._account}.*.{suffix}"))
            for old in kept[:-REPORTS_MAX]:
                old.unlink(missing_ok=True)
