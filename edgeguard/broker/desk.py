"""The parent's front desk: takes commands, starts flattens, and tells every client what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
import zmq

from edgeguard.broker.check import Check, check
from edgeguard.broker.flatten_run import Runner
from edgeguard.broker.guard_watch import GuardWatch
from edgeguard.broker.intents import IntentLog
from edgeguard.broker.planner.flatness import remaining
from edgeguard.broker.planner.model import Identity, Scope
from edgeguard.broker.polling import Poller
from edgeguard.broker.report import Record, Recorder
from edgeguard.broker.session import ReadError, TerminalSession
from edgeguard.broker.telling import Flattening
from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError
from edgeguard.messages import BrokerCommand, BrokerEvent
from edgeguard.transport import Socket

CLIENT_KEEP_NS: Final = 3600 * NS_PER_S
"""A client that has said nothing for this long is told nothing more: an emergency command asks once
and waits; what goes to a client that is gone is dropped."""
CLIENTS_MAX: Final = 64
BLIND_NS: Final = 4 * NS_PER_S
"""Reads that fail for this long raise an alarm; P18 promises 5 s."""
READS_MAX: Final = 64
"""Fresh reads that wait at one time; one read answers them all."""
BODY_BYTES_MAX: Final = 48 * 1024
"""Largest body of an event, so that the message stays under the wire's 64 KiB."""
_RIGHTS_OF: Final = {
    "hello": frozenset({"guard"}),
    "read": frozenset({"guard"}),
    "stop_flatten": frozenset({"guard"}),
    "flatten": frozenset({"guard", "halt"}),
}
"""The rights of which a peer must have one for a verb: `edgeguard halt` reaches a broker too."""
LEFT_MAX: Final = 50
"""Alarms and things left that a shortened record still names."""


class Desk:
    """Commands in, events out."""

    def __init__(
        self,
        socket: Socket,
        account: str,
        clock: Clock,
        rights: Callable[[str], frozenset[str]],
    ) -> None:
        """Take the bound ROUTER and who may do what; `open` hands over the rest."""
        self._socket = socket
        self._account = account
        self._clock = clock
        self._rights = rights
        self._clients: dict[bytes, int] = {}
        self._reading = asyncio.Event()
        self.read_requests: list[tuple[bytes, BrokerCommand]] = []
        self.check_requests: list[tuple[bytes, BrokerCommand]] = []
        self.history_requests: list[tuple[bytes, BrokerCommand]] = []
        self._checked: Check | None = None
        self.malformed = 0
        self.dropped = 0
        self.refused = 0
        self._said_blind_ns = 0
        self._verbs: dict[str, Callable[[bytes, BrokerCommand], None]] = {
            "hello": self._hello,
            "read": self._take_read,
            "check": self._take_check,
            "history": self._take_history,
            "flatten": self._flatten,
            "stop_flatten": self._stop,
            "status": self._tell_status,
        }

    def open(
        self,
        runner: Runner,
        poller: Poller,
        watch: GuardWatch,
        identity: Identity,
        symbols: tuple[str, ...],
    ) -> None:
        """Take the parts that commands are passed to."""
        self._symbols = symbols
        self._runner = runner
        self._poller = poller
        self._watch = watch
        self._identity = identity

    @property
    def _session(self) -> TerminalSession:
        return self._runner.session

    # Commands.

    def on_frames(self, frames: list[bytes]) -> None:
        """Take one message from a client: its peer's name, its address, and the payload."""
        try:
            command = decode(frames[-1])
        except MalformedError:
            self.malformed += 1
            return
        if not isinstance(command, BrokerCommand) or command.account != self._account:
            self.malformed += 1
            return
        client = frames[1]
        if not self._may(frames[0].decode(), command.verb):
            self.refused += 1
            text = f"{command.verb} must be ordered by a peer with the right to, was not"
            self._answer(client, command, "alarm", text, {"code": "RIGHTS"})
            return
        if self._note_client(client):
            self._poller.tell_again()
        take = self._verbs.get(command.verb, self._refuse)
        take(client, command)

    def _may(self, peer: str, verb: str) -> bool:
        """Return whether a peer has a right that a verb needs; a question is everybody's."""
        needed = _RIGHTS_OF.get(verb)
        return needed is None or bool(needed & self._rights(peer))

    def _hello(self, client: bytes, command: BrokerCommand) -> None:
        self._watch.hello()
        self._answer(client, command, "hello", "here", self._status())

    def _stop(self, client: bytes, command: BrokerCommand) -> None:
        count = self._runner.stop(command.halt_id)
        self._answer(client, command, "status", f"{count} flattens ended", self._status())

    def _tell_status(self, client: bytes, command: BrokerCommand) -> None:
        self._answer(client, command, "status", "as of now", self._status(full=True))

    def _refuse(self, client: bytes, command: BrokerCommand) -> None:
        known = ", ".join(self._verbs)
        text = f"verb must be one of {known}, was {command.verb}"
        self._answer(client, command, "alarm", text, {"code": "VERB"})

    def _take_read(self, client: bytes, command: BrokerCommand) -> None:
        if len(self.read_requests) >= READS_MAX:
            self._answer(client, command, "reading", "too many reads wait", {"ok": False})
            return
        self.read_requests.append((client, command))
        self._reading.set()

    def _take_check(self, client: bytes, command: BrokerCommand) -> None:
        if len(self.check_requests) < READS_MAX:
            self.check_requests.append((client, command))
            self._reading.set()

    def _take_history(self, client: bytes, command: BrokerCommand) -> None:
        if len(self.history_requests) < READS_MAX:
            self.history_requests.append((client, command))
            self._reading.set()

    def _flatten(self, client: bytes, command: BrokerCommand) -> None:
        scope = parse_scope(command.scope, command.magics)
        if scope is None:
            kinds = "account, symbol:NAME, strategy:NAME with its magics, or ticket:N"
            text = f"scope must be {kinds}, was {command.scope}"
            self._answer(client, command, "alarm", text, {"code": "SCOPE"})
            return
        self.start_flatten(command.halt_id, command.id, scope, (command.scope, command.reason))

    def start_flatten(
        self, halt_id: str, command_id: str, scope: Scope, words: tuple[str, str]
    ) -> None:
        """Begin a flatten or prove it again.

        Args:
            halt_id: the halt that it belongs to; with the scope it names the run.
            command_id: the command, and the run's name where there is no halt.
            scope: what to flatten.
            words: the scope as commanded, and the reason.
        """
        record = Record(
            account=self._account,
            login=self._identity.login,
            server=self._identity.server,
            run=f"{halt_id or command_id}/{words[0]}",
            halt_id=halt_id,
            scope=words[0],
            reason=words[1],
            started_ns=self._clock.wall_ns(),
        )
        self._runner.start(
            Flattening(
                run=record.run,
                halt_id=halt_id,
                command_id=command_id,
                scope=scope,
                reason=words[1],
                recorder=Recorder(record),
                calls_before=self._session.reads,
            )
        )

    def resume(self, log: IntentLog) -> None:
        """Take up the flattens that an earlier life of this process did not finish."""
        for line in list(log.contents.runs.values()):
            words = line.run.rpartition("/")[2]
            self.start_flatten(line.halt_id, line.command_id, line.scope, (words, line.reason))

    def guard_lost(self) -> None:
        """Do what the configuration says: flatten, or hold and alarm."""
        seconds = self._watch.silent_ns // NS_PER_S
        text = f"the guard has been silent for {seconds} s"
        self.tell("guard_lost", None, f"{text}: {self._watch.policy}", None)
        if self._watch.policy == "flatten":
            name = f"guard-lost-{self._clock.wall_ns()}"
            self.start_flatten(name, name, Scope(), ("account", text))
        else:
            self.tell("alarm", None, f"{text}; positions are held as configured", None)

    # Fresh reads.

    async def wait_for_read(self, seconds: float) -> None:
        """Wait until a fresh read is asked for or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._reading.wait()
        except TimeoutError:
            return
        self._reading.clear()

    async def answer_reads(self) -> None:
        """Read once for everybody who asked.

        Raises:
            ReadError: the read failed; those who asked have been told.
        """
        waiting, self.read_requests = self.read_requests, []
        newest = max(command.request for _, command in waiting)
        try:
            obs = await self._poller.cycle(request=newest)
        except ReadError as e:
            for client, command in waiting:
                body = {"ok": False, "request": command.request}
                self._answer(client, command, "reading", str(e), body)
            raise
        self._runner.watch(obs)
        for client, command in waiting:
            body = {"ok": True, "request": command.request}
            self._answer(client, command, "reading", "read", body)

    async def answer_checks(self) -> None:
        """Prove once for everybody who asked that the kill channel works."""
        waiting, self.check_requests = self.check_requests, []
        before = self._checked
        found = await check(
            self._session,
            self._identity,
            self._symbols,
            log_fault=self._runner.probe_log(),
            wall_ns=self._clock.wall_ns(),
        )
        before_ns = None if before is None else before.t_ns
        self._checked = msgspec.structs.replace(found, before_ns=before_ns)
        text = "the kill channel works" if self._checked.ok else "the kill channel is broken"
        for client, command in waiting:
            self._answer(client, command, "check", text, self._checked)

    async def answer_histories(self) -> None:
        """Read the deal history for each who asked what it proves of an earlier moment.

        Raises:
            ReadError: a read failed; those who asked ask again.
        """
        waiting, self.history_requests = self.history_requests, []
        for client, command in waiting:
            found = await self._poller.day_start(command.since_ns)
            self._answer(client, command, "history", found.why or "known", found)

    def read_failed(self, why: str) -> None:
        """Say once that reads fail, when they have for 4 s; a good read ends the row."""
        since = self._poller.fault_ns
        if since != self._said_blind_ns and self._clock.boot_ns() - since > BLIND_NS:
            self._said_blind_ns = since
            self.tell("alarm", None, f"the terminal cannot be read: {why}", {"code": "BLIND"})

    # Events.

    def tell(self, kind: str, flattening: Flattening | None, text: str, body: object) -> None:
        """Tell every client."""
        command_id = "" if flattening is None else flattening.command_id
        halt_id = "" if flattening is None else flattening.halt_id
        event = self._event(command_id, kind, halt_id, text, body)
        now = self._clock.boot_ns()
        for client, heard in list(self._clients.items()):
            if now - heard > CLIENT_KEEP_NS:
                del self._clients[client]
            else:
                self._send(client, event)

    def _answer(
        self, client: bytes, command: BrokerCommand, kind: str, text: str, body: object
    ) -> None:
        self._send(client, self._event(command.id, kind, command.halt_id, text, body))

    def _event(self, command_id: str, kind: str, halt_id: str, text: str, body: object) -> bytes:
        now = self._clock.wall_ns()
        event = BrokerEvent(self._account, command_id, now, kind, halt_id, text, encode_body(body))
        return encode(event)

    def _send(self, client: bytes, event: bytes) -> None:
        try:
            self._socket.send_multipart([client, event], zmq.DONTWAIT)
        except zmq.ZMQError:
            self.dropped += 1

    def _note_client(self, client: bytes) -> bool:
        """Keep when a client was heard; return whether it is new."""
        is_new = client not in self._clients
        if is_new and len(self._clients) >= CLIENTS_MAX:
            oldest = min(self._clients, key=lambda name: self._clients[name])
            del self._clients[oldest]
        self._clients[client] = self._clock.boot_ns()
        return is_new

    def _status(self, *, full: bool = False) -> dict[str, Any]:
        """Return what this process knows of itself; with `full` also what is left, by run."""
        state = self._runner.planner.state
        last = self._poller.last
        now = self._clock.boot_ns()
        status: dict[str, Any] = {
            "read_age_ms": None if last is None else (now - last.end_ns) // NS_PER_MS,
            "fault": self._poller.fault,
            "cycles": self._poller.cycles,
            "disagreements": self._session.disagreements,
            "malformed": self.malformed,
            "dropped": self.dropped,
            "checked_ns": None if self._checked is None else self._checked.t_ns,
            "checked_ok": None if self._checked is None else self._checked.ok,
            "channel_ok": None if self._checked is None else self._checked.channel_ok,
            "session": self._session.session,
            "child_kills": self._session.link.kills,
            "guard_silent_ms": self._watch.silent_ns // NS_PER_MS,
            "guard_lost": self._watch.is_lost,
            "identity_fault": state.identity_fault,
            "waiting": state.waiting_said,
            "runs": {
                run.id: "FLAT_VERIFIED" if run.flat_ns else "IN_PROGRESS"
                for run in state.runs.values()
            },
        }
        if full:
            status["remaining"] = {run.id: remaining(state, run) for run in state.runs.values()}
            status["calls"] = self._session.calls
            status["record"] = self._runner.teller.last_record
        return status


def encode_body(body: object) -> bytes:
    """Return a body as JSON; a record that is too large for the wire goes without its rows."""
    if body is None:
        return b"{}"
    data = msgspec.json.encode(body)
    if len(data) <= BODY_BYTES_MAX:
        return data
    if isinstance(body, Record):
        short: dict[str, object] = msgspec.structs.asdict(body)
        short |= {"book": (), "requests": (), "truncated": True}
        short |= {"remaining": body.remaining[:LEFT_MAX], "alarms": body.alarms[:LEFT_MAX]}
        return msgspec.json.encode(short)
    return b'{"truncated":true}'


def parse_scope(text: str, magics: tuple[int, ...]) -> Scope | None:
    """Return a scope from its text, None where it is none."""
    kind, _, name = text.partition(":")
    if text in ("account", "all", ""):
        return Scope()
    if kind == "symbol" and name:
        return Scope("symbol", symbol=name)
    if kind == "strategy" and name and magics:
        return Scope("strategy", magics=magics)
    if kind == "ticket" and name.isdecimal():
        return Scope("ticket", ticket=int(name))
    return None
