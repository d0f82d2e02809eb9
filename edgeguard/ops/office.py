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

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.codec.native import decode
from edgeguard.config.check_keys import GUARD_PEER
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.errors import MalformedError
from edgeguard.incident.changes import Change, ChangeDetector, Resumed
from edgeguard.incident.desk import Desk, DeskParts
from edgeguard.incident.evidence import Moment, collect, collect_flat, folder_of
from edgeguard.incident.reading import alarms, halts, halts_in, head, resumed_by
from edgeguard.incident.store import Incident, Incidents, checklist_of
from edgeguard.messages import FEED_BYTES_MAX, HaltEvent, StateBeat
from edgeguard.notify.contacts import Contacts
from edgeguard.notify.database import OpsDatabase
from edgeguard.notify.dispatch import Dispatcher
from edgeguard.notify.outbox import Outbox
from edgeguard.notify.senders import Sender, Telegram
from edgeguard.notify.telegram import AckPoll
from edgeguard.ops.recorder import Recorder, recorded_feeds
from edgeguard.transport import Context, Keyring, PumpSet, Socket, make_context, subscriber

OPS_PEER: Final = "ops"
"""The name of operations' own key."""
TICK_S: Final = 0.2
ALARM_S: Final = 1.0
ALARM_MARK: Final = "alarm_seq"
HALT_MARK: Final = "halts_seen_ns"
CHANNEL_S: Final = 5.0
CHANNEL_NS: Final = 30 * NS_PER_S
"""How long the kill channel may stay unproven before people hear of it."""
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
        confirm: asks the guard for a resume as the second operator; blocks; None if one is enough.
        health: judges the kill channel by a status; returns the first unproven part, or nothing.
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
    confirm: Callable[[str, str], str] | None
    health: Callable[[dict[str, Any] | None], str]
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
        # Held here: a socket that nobody holds is closed with a warning, not by the context.
        sockets: list[Socket] = []
        try:
            self._listen(context, pumps, sockets)
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(_raise(failed))
                group.create_task(self._dispatcher.run())
                group.create_task(self._tick())
                group.create_task(self._pass_alarms())
                group.create_task(self._watch_channel())
                for poll in self._polls():
                    group.create_task(poll.run())
        finally:
            self._group = None
            pumps.stop()
            for socket in sockets:
                socket.close(linger=0)
            context.destroy(linger=0)

    def _listen(self, context: Context, pumps: PumpSet, sockets: list[Socket]) -> None:
        """Subscribe to the guard's beats, and to what an incident's tape is made of."""
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
        tap = subscriber(context, paths.tap, bind=True, message_bytes_max=FEED_BYTES_MAX)
        pumps.add(tap, self._recorder.on_frames)
        sockets += [halts, tap]
        for source in recorded_feeds(self._parts.config):
            at = source.endpoint
            keys = ring.client(at, source.key) if source.key else None
            feed = subscriber(context, at, bind=False, keys=keys)
            pumps.add(feed, self._recorder.on_frames)
            sockets.append(feed)

    def _polls(self) -> list[AckPoll]:
        """Return what listens to the people in Telegram's chats."""
        client = self._parts.client
        confirm = None if self._parts.confirm is None else self._confirm
        bots = [s for s in self._parts.senders.values() if isinstance(s, Telegram)]
        return [AckPoll(bot, client, self._acknowledge, confirm) for bot in bots]

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
        self._spawn(self._settle(standing))

    async def _settle(self, standing: set[str]) -> None:
        """Take up what happened while ops did not run, and finish what it had begun."""
        database, journal = self._parts.database, self._parts.paths.journal
        rows = await asyncio.to_thread(halts, journal)
        # Halts from before the very first start are history.
        known_ns = database.mark(HALT_MARK)
        now_ns = self._parts.clock.wall_ns()
        found = halts_in(rows) if known_ns is not None else []
        self._desk.forgotten(halt for halt in found if halt.t_ns > (known_ns or 0))
        database.set_mark(HALT_MARK, now_ns)
        unfinished = self._incidents.open()
        self._desk.settle(standing)
        for incident in unfinished:
            if not (folder_of(self._parts.paths, incident.id) / "README.txt").exists():
                self._spawn(self._keep(incident))
            kind, _, halt_id = incident.key.partition(":")
            if kind == "halt" and halt_id not in standing:
                self._spawn(self._name_resume(halt_id))
        self._dispatcher.wake()

    async def _watch_channel(self) -> None:
        """Tell people when the kill channel stays unproven, again at each interval, and its end."""
        every_ns = self._parts.config.notify.repeat_p2_s * NS_PER_S
        since_ns = told_ns = 0
        while True:
            await asyncio.sleep(CHANNEL_S)
            status = await asyncio.to_thread(self._parts.status)
            self._desk.seen(status)
            failing, now_ns = self._parts.health(status), self._parts.clock.wall_ns()
            if not failing:
                if told_ns:
                    self._desk.alarm(
                        f"channel:{now_ns}", "", "the kill channel is proven again", now_ns
                    )
                since_ns = told_ns = 0
                continue
            since_ns = since_ns or now_ns
            is_due = not told_ns or now_ns - told_ns >= every_ns
            if now_ns - since_ns >= CHANNEL_NS and is_due:
                told_ns = now_ns
                text = f"THE KILL CHANNEL IS NOT PROVEN: {failing}; a halt may not reach the broker"
                self._desk.alarm(f"channel:{now_ns}", "", text, now_ns)
                self._dispatcher.wake()

    def _apply(self, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change, Resumed):
                # Who resumed it and why stands in the journal; the message is to say so.
                self._spawn(self._end(change.halt_id))
            else:
                self._desk.apply(change)

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
        moment = Moment(status, self._recorder.frames(), 0)
        await asyncio.to_thread(collect_flat, self._parts.paths, incident, moment)
        self._write_checklist(incident)

    async def _end(self, halt_id: str) -> None:
        words = await asyncio.to_thread(resumed_by, self._parts.paths.journal, halt_id)
        self._desk.resumed(halt_id, words)
        incident = self._incidents.by_key(f"halt:{halt_id}")
        if incident is not None:
            self._write_checklist(incident)
        self._dispatcher.wake()

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

    async def _confirm(self, halt_id: str, by: str) -> str:
        assert self._parts.confirm is not None  # noqa: S101 - asked before
        said = await asyncio.to_thread(self._parts.confirm, halt_id, by)
        now_ns = self._parts.clock.wall_ns()
        self._parts.database.audit(now_ns, by, f"resume {halt_id}", f"by Telegram: {said}")
        return said

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
