"""The guard: every part, the sockets between them, and who hears of whose events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec
import zmq

from edgeguard import halt_page
from edgeguard.clock import NS_PER_MS
from edgeguard.codec.native import encode
from edgeguard.config.check_keys import GUARD_PEER
from edgeguard.config.paths import Paths
from edgeguard.guard.accounts import (
    ACCOUNT,
    STORAGE_GOOD,
    Action,
    GuardedAccount,
    new_halt_id,
)
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.baselines import Baselines, pairs_of
from edgeguard.guard.brokers import BrokerLink
from edgeguard.guard.control import Control
from edgeguard.guard.first_day import FirstDay
from edgeguard.guard.gates import Gates
from edgeguard.guard.heart import Heart
from edgeguard.guard.lifting import Lifting
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Pipeline
from edgeguard.guard.refusals import Refusals
from edgeguard.guard.status import Status
from edgeguard.guard.watch import ManualWatch
from edgeguard.latch import HaltWords, create_halt_file
from edgeguard.messages import FEED_BYTES_MAX, BrokerEvent
from edgeguard.transport import (
    Doorman,
    Keyring,
    PumpSet,
    Socket,
    make_context,
    publisher,
    puller,
    router,
    subscriber,
)

_STARTING: Final = halt_page.STATE_BYTES.index("STARTING")
_HALTED: Final = halt_page.STATE_BYTES.index("HALTED")
Restored = list[tuple[GuardedAccount, list[Action]]]
SETTLE_S: Final = 0.02
"""How long a beat with a new state, and the rows of what the latch does not hold, may wait."""
GREET_S: Final = 0.01
"""Between greetings of some brokers and of the next: their answers would come all at once."""
_QUIET_KINDS: Final = frozenset({"hello", "reading", "status", "check", "history"})
"""Words of a broker that the journal does not keep."""


class Guard:
    """All parts of one running guard."""

    def __init__(
        self,
        parts: Parts,
        paths: Paths,
        loop: asyncio.AbstractEventLoop,
        fatal: Callable[[BaseException], None],
        restored: Restored,
    ) -> None:
        """Bind the sockets and join the parts; nothing runs before `begin`.

        Args:
            parts: what the assembly made; the brokers are added here.
            paths: where the sockets are.
            loop: the loop that everything runs on.
            fatal: ends the process, closed; takes what must not have happened.
            restored: what the start found to be done, by account.

        Raises:
            ConfigError: an endpoint cannot be had.
            InUseError: an endpoint is taken.
        """
        self._parts = parts
        self._accounts = parts.accounts
        self._storage = parts.storage
        self._paths = paths
        self._loop = loop
        self._fatal = fatal
        self._restored = restored
        self._saved_references = b""
        self._is_distrusted = False
        self._is_closed = False
        self._is_stored = False
        """Whether both copies of the latch have had a record of this run."""
        pairs = pairs_of(parts.config)
        self.baselines = Baselines(parts.engine, parts.storage, parts.clock, pairs)
        self._pumps = PumpSet(loop, fatal)
        self._context = make_context()
        try:
            self._join()
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def _join(self) -> None:
        """Bind control first, so that a halt works from then on, and make what uses the sockets."""
        parts, context, paths = self._parts, self._context, self._paths
        ring = self._ring = Keyring.of(parts.config, GUARD_PEER)
        self._doorman = Doorman(context, parts.config.peer)
        control = router(context, paths.control, keys=ring.server(paths.control), door="control")
        self._publisher = publisher(
            context, paths.halts_pub, bind=True, keys=ring.server(paths.halts_pub), door="halts"
        )
        feeds = paths.feeds_bind
        self._feeds = subscriber(
            context,
            feeds,
            bind=True,
            keys=ring.server(feeds),
            door="feeds",
            message_bytes_max=FEED_BYTES_MAX,
        )
        for name in parts.accounts:
            endpoint = paths.broker(name)
            hears = (self._on_broker, self._on_broker_back)
            keys = ring.client(endpoint, f"broker.{name}", "broker")
            where = (name, endpoint)
            parts.brokers[name] = BrokerLink(context, where, parts.clock, *hears, keys=keys)
        self._actuators = Actuators(parts, self._publisher)
        self._pipeline = Pipeline(parts, self._actuators)
        self._watch = ManualWatch(paths.halt_file, parts.accounts)
        self.heart = Heart(parts, self._pipeline, self._actuators, self._watch)
        self.heart.rescues = lambda: self._pumps.rescues
        self.heart.turns = lambda: self._pumps.turns
        self.heart.renew_page = self._renew_page
        self._gates = Gates(
            self._gate_socket(), parts, self._actuators.state_beat, self.heart.may_open
        )
        self._actuators.on_told = self._gates.on_told
        self._first_day = FirstDay(parts, self._pipeline)
        lifting = self._lifting = Lifting(parts, self._pipeline, self._actuators, self._watch)
        refusals = Refusals(parts.storage, parts.clock, self._doorman)
        status = self._status = Status(parts, self._pipeline, self._actuators, self.heart)
        status.refused = refusals.counts
        self._control = Control(
            control, parts, self._actuators, lifting, status.ask, refusals=refusals
        )
        self._watch.halt = self._control.halt
        self._pace()

    def _pace(self) -> None:
        """Let what no tick is to wait for run in other turns of the loop than it was asked for."""
        loop = self._loop
        self._parts.latcher.on_durable = self._on_durable
        self._actuators.later = lambda work: loop.call_later(SETTLE_S, self._safely, work)

        def soon(work: Callable[[], None]) -> None:
            loop.call_soon(self._safely, work)

        # A callback of a callback: between the two the loop has drained its sockets once more.
        self._actuators.soon = lambda work: loop.call_soon(soon, work)
        self.heart.pace(soon, lambda work: loop.call_later(GREET_S, self._safely, work))
        self._status.pace(soon)

    def _gate_socket(self) -> Socket:
        endpoint = self._paths.gate_router
        return router(self._context, endpoint, keys=self._ring.server(endpoint), door="gate")

    def begin(self) -> None:
        """Start draining and writing, mark the run, and do what the start found to be done."""
        self._storage.start(self._on_copy)
        self._doorman.start(self._pumps)
        self._control.start(self._pumps)
        for account, actions in self._restored:
            self._actuators.run(account, actions)
        self._restored = []
        self._parts.latcher.persist()
        self._storage.append("start", {"epoch": self._parts.epoch, "faults": self._storage.faults})
        self._gates.start(self._pumps)
        self._pumps.add_feed(self._feeds, self._pipeline.on_payloads)
        self._connect_feeds()
        for broker in self._parts.brokers.values():
            broker.start(self._pumps)

    def on_deadline(self, step_at: Callable[[int], None]) -> None:
        """Have `step_at` called with the boot time at which `heart.step` is due next."""
        self._pipeline.on_deadline = step_at

    def look(self) -> None:
        """Step the engine, look for manual halts and at the disk, and tell those who wait."""
        self.heart.step()
        self._watch.look()
        if not self._is_distrusted and self._storage.fault:
            # A row that failed concerns no copy of the latch, whose writes would have told.
            self._distrust(self._storage.fault)
        self._first_day.look()
        self._control.tick()

    def save_references(self) -> None:
        """Save what the engine must have after a restart, where it changed."""
        references = self._parts.engine.references()
        if references != self._saved_references:
            self._saved_references = references
            self._storage.save_references(references)

    def halt_all(self, error: BaseException) -> None:
        """Halt every account because this process is about to end by `error`.

        Each step stands alone: what was broken may be any of them.
        """
        self._is_closed = True
        halt_id = new_halt_id(self._parts.clock)
        now = self._parts.now()
        for account in self._accounts.values():
            reason = f"{type(error).__name__}: {error}"[:200]
            halt = (halt_id, now[0], "guard", "GUARD_FAILED", reason, False)
            try:
                actions = account.trading.halt(now, ACCOUNT, halt)
                # The restarted guard flattens: this one can no longer follow an order to its end.
                kept = [action for action in actions if action[0] != "flatten"]
                self._actuators.run(account, kept)
            except BaseException:  # noqa: BLE001  # the page alone still closes the gate
                self._close_page(account, halt_id, now[0])
                # A latch cannot be written from a state that is broken, and a page ends with its
                # boot: this file is what a start after that finds.
                create_halt_file(self._paths.halt_file, HaltWords(reason, "guard"))
        with contextlib.suppress(BaseException):
            # Halts of before this error: their orders to flatten were only to wait for ticks.
            self._actuators.finish()

    def _close_page(self, account: GuardedAccount, halt_id: str, wall_ns: int) -> None:
        """Close an account's page by its state word, or failing that as anybody else would."""
        try:
            account.page.set_state((_HALTED, 1, 0, 0, 0), halt_id)
        except BaseException:  # noqa: BLE001  # even the extension may be what failed
            with contextlib.suppress(OSError):
                halt_page.set_manual(self._paths.page(account.id), wall_ns)

    def close_gates(self) -> None:
        """Close every gate for a clean end; a halt stays a halt.

        Nothing that the loop was asked to do before may open one again, or say that it is open.
        """
        self._is_closed = True
        self._pumps.stop()
        self._actuators.finish()
        for account in self._accounts.values():
            if account.state != "HALTED":
                _, severity, flatten, flags, state_seq = account.trading.word()
                word = (_STARTING, severity, flatten, flags, state_seq)
                account.page.set_state(word, "")
                beat = account.beat(self._parts.now(), "", "the guard was stopped")
                beat = msgspec.structs.replace(beat, state="STARTING")
                topic = f"state.{account.id}".encode()
                self._publisher.send_multipart((topic, encode(beat)), zmq.DONTWAIT)
                self._gates.end(beat)
        self.save_references()
        self.baselines.save_at_end()

    def shut(self, *, is_clean: bool) -> bool:
        """Write the latch for the last time and let go of everything.

        Each step stands alone, as in `halt_all`; a stop of which one failed is no clean one.

        Returns:
            Whether every step was done and all of it is on disk.
        """
        steps: tuple[Callable[[], object], ...] = (
            self._pumps.stop,
            self._lifting.abandon,
            lambda: self._storage.append("stop", {"clean": is_clean}),
            lambda: self._parts.latcher.persist(is_clean=is_clean),
        )
        is_done = True
        for step in steps:
            try:
                step()
            except BaseException:  # noqa: BLE001  # the disk and the sockets are still to be let go
                is_clean = is_done = False
        is_durable = self._storage.close()
        # 100 ms for the last heartbeat, which says that the gates are closed.
        self._context.destroy(linger=100)
        return is_durable and is_done

    def _connect_feeds(self) -> None:
        """Connect to the feeds that have an endpoint of their own."""
        for feed in self._parts.config.feed:
            if not feed.endpoint:
                continue
            if feed.codec == "native":
                keys = self._ring.client(feed.endpoint, feed.key) if feed.key else None
                socket = subscriber(self._context, feed.endpoint, bind=False, keys=keys)
                self._pumps.add_feed(socket, self._pipeline.on_payloads)
            elif feed.codec == "jsonapi":
                # Its publishers PUSH; each message reaches one puller alone.
                socket = puller(self._context, feed.endpoint)
                self._pumps.add(socket, self._pipeline.foreign(feed))
            else:
                names = feed.symbols or tuple(symbol.name for symbol in self._parts.config.symbol)
                topics = tuple(name.encode() for name in names)
                socket = subscriber(self._context, feed.endpoint, bind=False, topics=topics)
                self._pumps.add(socket, self._pipeline.foreign(feed))

    def _on_broker(self, name: str, event: BrokerEvent) -> None:
        """Take a broker's word on a flatten, and pass on what people must know."""
        account = self._accounts[name]
        words = {"flat": "FLAT_VERIFIED", "not_flat": "NOT_FLAT"}
        if event.kind in words:
            if event.kind == "flat":
                account.flat_t_ns = event.t_ns
            for scope in self._scopes_of(account, event.halt_id):
                actions = account.trading.flattened(scope, event.halt_id, words[event.kind])
                self._actuators.run(account, actions)
        elif event.kind == "history":
            self._first_day.on_event(account, event)
        elif event.kind in {"alarm", "guard_lost"}:
            self._actuators.alarm(name, event.kind.upper(), event.text)
        if event.kind not in _QUIET_KINDS:
            body = {"kind": event.kind, "halt_id": event.halt_id, "text": event.text}
            record = msgspec.Raw(event.body) if _is_json(event.body) else msgspec.Raw(b"null")
            self._storage.append("broker", {**body, "body": record}, account=name, t_ns=event.t_ns)
        self._control.on_broker(name, event)
        self._control.tick()

    def _on_broker_back(self, name: str) -> None:
        """A broker speaks again after a silence: it may have missed an order to flatten."""
        account = self._accounts[name]
        for row in account.rows():
            if row.halt is not None and row.flatten != "FLAT_VERIFIED":
                again = ("flatten", row.scope, row.halt.id, "", "")
                self._actuators.run(account, [again])
        self._pipeline.ask_read(account)

    def _scopes_of(self, account: GuardedAccount, halt_id: str) -> Iterable[str]:
        return [
            row.scope for row in account.rows() if row.halt is not None and row.halt.id == halt_id
        ]

    def _on_durable(self, account: GuardedAccount, halt_id: str) -> None:
        self._actuators.run(account, account.trading.persisted(halt_id))
        self._control.tick()

    def _on_copy(self, copy: str, number: int, error: str) -> None:
        """A write of the latch ended; called from the writers' threads."""
        try:
            settle = partial(self._settle, copy, number, error)
            self._loop.call_soon_threadsafe(self._safely, settle)
        except RuntimeError:
            # The loop is closed: this was the last write of a run that is over.
            return

    def _settle(self, copy: str, number: int, error: str) -> None:
        self._parts.latcher.settle(copy, number, error)
        if self._parts.latcher.copies.both and not self._is_stored:
            self._is_stored = True
            for account in self._accounts.values():
                self._actuators.run(account, account.trading.met(STORAGE_GOOD))
        if error:
            self._distrust(error)

    def _safely(self, work: Callable[[], None]) -> None:
        """Do what the loop was asked to do later; the loop would swallow an exception."""
        if self._is_closed:
            return
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # whatever it is, it ends the guard closed
            self._fatal(error)

    def _distrust(self, error: str) -> None:
        """The disk failed: nothing new is opened until a restart has verified it."""
        self._is_distrusted = True
        wall_ns, _ = self._parts.now()
        for account in self._accounts.values():
            pause = ("storage", "storage", "STORAGE_UNTRUSTED", True, wall_ns)
            actions = account.trading.pause(ACCOUNT, pause)
            if actions:
                self._actuators.alarm(account.id, "STORAGE_UNTRUSTED", error)
            # The pause itself cannot be persisted: asking for that again would go round in circles.
            self._actuators.run(account, [item for item in actions if item[0] != "persist"])

    def _renew_page(self, account: GuardedAccount) -> None:
        """Put a page back that somebody removed or cut; gates find it again by its name."""
        lease_ns = self._parts.config.guard.lease_ms * NS_PER_MS
        path = self._paths.page(account.id)
        account.renew(halt_page.writer(path, account.id, lease_ns, self._parts.epoch))
        self._actuators.alarm(account.id, "PAGE_LOST", f"halt page {path} was removed, is renewed")


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return False
    return True
