"""Everything of ops that is not the HTTP interface: it watches the guard and tells people.

It may fail as a whole and is started again; the interface goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from edgeguard.clock import Clock
from edgeguard.codec.native import decode
from edgeguard.config.check_keys import GUARD_PEER
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.errors import MalformedError
from edgeguard.incident.changes import Change, ChangeDetector, Resumed
from edgeguard.incident.desk import Desk, DeskParts
from edgeguard.incident.evidence import Moment, collect, collect_flat, folder_of
from edgeguard.incident.reading import alarms, head, resumed_by
from edgeguard.incident.store import Incident, Incidents, checklist_of
from edgeguard.messages import HaltEvent, StateBeat
from edgeguard.notify.contacts import Contacts
from edgeguard.notify.database import OpsDatabase
from edgeguard.notify.dispatch import Dispatcher
from edgeguard.notify.outbox import Outbox
from edgeguard.notify.senders import Sender, Telegram
from edgeguard.notify.telegram import AckPoll
from edgeguard.ops.recorder import Recorder, recorded_feeds
from edgeguard.transport import Keyring, PumpSet, make_context, subscriber

OPS_PEER: Final = "ops"
"""The name of operations' own key."""
TICK_S: Final = 0.2
ALARM_S: Final = 1.0
ALARM_MARK: Final = "alarm_seq"
ALARM_STORM_NS: Final = 60_000_000_000
"""One alarm of a kind and account is told once in so long."""

FetchStatus = Callable[[], dict[str, Any] | None]


@dataclass(frozen=True)
class OfficeParts:
    """What the office is given.

    Attributes:
        config: the configuration.
        paths: the guard's files and sockets.
        contacts: whom messages name.
        database: ``ops.sqlite``.
        senders: the channels.
        client: for Telegram's long polls.
        status: asks the guard; blocks, so it is called on threads.
        clock: the clocks.
        tell: told a sentence where something could not be done.
    """

    config: Config
    paths: Paths
    contacts: Contacts
    database: OpsDatabase
    senders: dict[str, Sender]
    client: httpx.AsyncClient
    status: FetchStatus
    clock: Clock
    tell: Callable[[str], None]


class Office:
    """Watches, writes down, tells."""

    def __init__(self, parts: OfficeParts) -> None:
        """Put the parts together; nothing runs yet."""
        self._parts = parts
        self._outbox = Outbox(parts.database)
        self._incidents = Incidents(parts.database)
        self._dispatcher = Dispatcher(self._outbox, parts.senders, parts.clock)
        self._recorder = Recorder(parts.config, parts.clock)
        self._detector = ChangeDetector()
        self._beats: dict[str, StateBeat] = {}
        self._is_settled = False
        self._group: asyncio.TaskGroup | None = None
        log = parts.config.incident.log
        self._desk = Desk(
            DeskParts(
                config=parts.config,
                contacts=parts.contacts,
                incidents=self._incidents,
                outbox=self._outbox,
                log=Path(log) if log else None,
                clock=parts.clock,
                tell=parts.tell,
                on_opened=lambda incident: self._spawn(self._keep(incident)),
                on_flat=lambda incident: self._spawn(self._keep_flat(incident)),
            )
        )

    async def run(self) -> None:
        """Run until cancelled."""
        context = make_context()
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pumps = PumpSet(asyncio.get_running_loop(), lambda error: _fail(failed, error))
        try:
            paths = self._parts.paths
            ring = Keyring.of(self._parts.config, OPS_PEER)
            halts = subscriber(
                context,
                paths.halts_pub,
                bind=False,
                topics=(b"state.", b"halt."),
                keys=ring.client(paths.halts_pub, GUARD_PEER),
            )
            pumps.add(halts, self._on_frames)
            tap = subscriber(context, paths.tap, bind=True)
            pumps.add(tap, self._recorder.on_frames)
            for source in recorded_feeds(self._parts.config):
                at = source.endpoint
                keys = ring.client(at, source.key) if source.key else None
                feed = subscriber(context, at, bind=False, keys=keys)
                pumps.add(feed, self._recorder.on_frames)
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(_raise(failed))
                group.create_task(self._dispatcher.run())
                group.create_task(self._tick())
                group.create_task(self._pass_alarms())
                for sender in self._parts.senders.values():
                    if isinstance(sender, Telegram):
                        poll = AckPoll(sender, self._parts.client, self._acknowledge)
                        group.create_task(poll.run())
        finally:
            self._group = None
            pumps.stop()
            context.destroy(linger=0)

    def _on_frames(self, frames: list[bytes]) -> None:
        try:
            message = decode(frames[-1])
        except MalformedError:
            return
        if isinstance(message, HaltEvent):
            self._detector.on_event(message)
        elif isinstance(message, StateBeat):
            self._beats[message.account] = message
            self._apply(self._detector.on_beat(message, self._parts.clock.boot_ns()))
            self._settle_once()

    def _settle_once(self) -> None:
        """When every account has been seen, close what ended while nobody looked."""
        wanted = {account.id for account in self._parts.config.account}
        if self._is_settled or not wanted <= self._beats.keys():
            return
        self._is_settled = True
        standing = {beat.halt.id for beat in self._beats.values() if beat.halt is not None}
        standing |= {s.halt_id for beat in self._beats.values() for s in beat.scopes if s.halt_id}
        self._desk.settle(standing)

    def _apply(self, changes: list[Change]) -> None:
        for change in changes:
            self._desk.apply(change)
            if isinstance(change, Resumed):
                self._spawn(self._name_resume(change.halt_id))

    async def _tick(self) -> None:
        while True:
            self._apply(self._detector.look(self._parts.clock.boot_ns()))
            if self._desk.needs_status():
                status = await asyncio.to_thread(self._parts.status)
                self._desk.tick(status)
                self._dispatcher.wake()
            await asyncio.sleep(TICK_S)

    async def _pass_alarms(self) -> None:
        """Tell people the journal's alarms; those from before the very first start are history."""
        database, journal = self._parts.database, self._parts.paths.journal
        if database.mark(ALARM_MARK) is None:
            database.set_mark(ALARM_MARK, await asyncio.to_thread(head, journal))
        while True:
            after = database.mark(ALARM_MARK) or 0
            for alarm in await asyncio.to_thread(alarms, journal, after):
                storm = alarm.t_ns // ALARM_STORM_NS
                key = f"alarm:{alarm.account}:{alarm.code}:{storm}"
                text = f"{alarm.code}: {alarm.text}"
                self._desk.alarm(key, alarm.account, text, alarm.t_ns)
                database.set_mark(ALARM_MARK, alarm.seq)
                self._dispatcher.wake()
            await asyncio.sleep(ALARM_S)

    async def _keep(self, incident: Incident) -> None:
        """Keep an incident's evidence and tick what it holds."""
        frames = self._recorder.frames()
        status = await asyncio.to_thread(self._parts.status)
        moment = Moment(status, frames, self._parts.config.incident.evidence_minutes)
        held = await asyncio.to_thread(collect, self._parts.paths, incident, moment)
        picture = held["equity_spreads.png"] or "none"
        notes = {
            "state_captured": held["state.json"] and f"state.json; picture: {picture}",
            "error_logs": held["journal.jsonl"] and f"journal.jsonl: {held['journal.jsonl']}",
            "market": held["tape.jsonl"] and f"tape.jsonl: {held['tape.jsonl']}",
        }
        wanted = checklist_of(incident.severity)
        ticks = {item: note for item, note in notes.items() if note and item in wanted}
        self._desk.ticked(incident, ticks)
        self._write_checklist(incident)

    async def _keep_flat(self, incident: Incident) -> None:
        status = await asyncio.to_thread(self._parts.status)
        await asyncio.to_thread(collect_flat, self._parts.paths, incident, status)
        self._write_checklist(incident)

    async def _name_resume(self, halt_id: str) -> None:
        words = await asyncio.to_thread(resumed_by, self._parts.paths.journal, halt_id)
        self._desk.resolution(halt_id, words)
        incident = self._incidents.by_key(f"halt:{halt_id}")
        if incident is not None:
            self._write_checklist(incident)

    def _write_checklist(self, incident: Incident) -> None:
        """Write the checklist as it stands beside the evidence."""
        ticked = self._incidents.ticked(incident.id)
        lines = [f"# {incident.id}: {incident.severity} checklist", ""]
        for item, words in checklist_of(incident.severity).items():
            found = ticked.get(item)
            note = f" ({found.by}: {found.note})" if found is not None else ""
            lines.append(f"- [{'x' if found is not None else ' '}] {words}{note}")
        path = folder_of(self._parts.paths, incident.id) / "checklist.md"
        try:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError as e:
            self._parts.tell(f"{path} must be writable, was not: {e.strerror}")

    def _acknowledge(self, incident: str, by: str) -> str:
        if self._incidents.get(incident) is None:
            return f"no incident {incident} is known"
        now_ns = self._parts.clock.wall_ns()
        self._parts.database.audit(now_ns, by, f"acknowledge {incident}", "by Telegram")
        if self._outbox.acknowledge(incident, by, "telegram", now_ns):
            return f"{incident} acknowledged"
        found = self._outbox.acknowledged(incident)
        return f"{incident} was acknowledged by {found[0] if found else 'somebody'} before"

    def _spawn(self, job: Any) -> None:  # noqa: ANN401 - a coroutine, whatever it returns
        if self._group is not None:
            self._group.create_task(job)
        else:
            job.close()


def _fail(failed: asyncio.Future[None], error: BaseException) -> None:
    if not failed.done():
        failed.set_exception(error)


async def _raise(failed: asyncio.Future[None]) -> None:
    """Bring what a pump's callback raised into the task group, so that nothing fails in silence."""
    await failed
