"""From frames to trading states: the market side of the guard.

Every payload goes whole to the Rust engine. Ticks of a stream that is known go there without a
look, many in one call; of everything else Python looks at the head, and decodes account snapshots
alone, of which there is one a second. What the engine decides is turned into the trading state's
words in the same turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from edgeguard.codec.foreign import ForeignCodec
from edgeguard.codec.native import decode
from edgeguard.codec.peek import Head, peek
from edgeguard.config.model import FeedConfig
from edgeguard.errors import MalformedError
from edgeguard.guard.accounts import ACCOUNT, SNAPSHOT_GOOD, GuardedAccount, Now
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.engine_port import (
    FLAG_DECISIONS,
    FLAG_HOLE,
    FLAG_IGNORED,
    FLAG_MALFORMED,
    FLAG_READ,
)
from edgeguard.guard.parts import Parts
from edgeguard.messages import AccountSnapshot, TerminalProof

TAG_TICKS: Final = 1
TAG_SNAPSHOT: Final = 3
TAG_HEARTBEAT: Final = 5
TAG_TRANSFER: Final = 6
TAG_PROOF: Final = 7
SOURCES_MAX: Final = 256
"""Names that evidence can bear; a publisher of more is called ``other``."""


FLAGS_OF_MESSAGE: Final = FLAG_HOLE | FLAG_READ
"""Flags that are about the accounts which a message names."""
NEVER_NS: Final = 2**63 - 1


class Counters(msgspec.Struct):
    """What was seen and not decided on, for status."""

    frames: int = 0
    malformed: int = 0
    foreign_account: int = 0
    wrong_identity: int = 0
    stale_snapshots: int = 0


class Pipeline:
    """Feeds the engine and carries out what it decides."""

    def __init__(self, parts: Parts, actuators: Actuators) -> None:
        """Join the engine to the accounts."""
        self._parts = parts
        self._engine = parts.engine
        self._accounts = parts.accounts
        self._actuators = actuators
        self._symbols = tuple(symbol.name for symbol in parts.config.symbol)
        self._feeds = {feed.name: feed for feed in parts.config.feed}
        self._sources: dict[str, int] = {}
        self._timer = self._source("timer")
        self._seen: dict[str, int] = {}
        self._next_step_ns = NEVER_NS
        self.on_deadline: Callable[[int], None] = lambda _due_ns: None
        """Called when `advance` is due earlier than was said before, ns of CLOCK_BOOTTIME."""
        self.proofs: dict[str, TerminalProof] = {}
        """The last proof of each account's terminal."""
        self.transfers: dict[str, int] = {}
        """Transfers told of each account in this run."""
        self.counters = Counters()

    def on_payloads(self, payloads: list[bytes]) -> None:
        """Take native messages, in their order."""
        self.counters.frames += len(payloads)
        on_ticks, at, end = self._engine.on_ticks, 0, len(payloads)
        now = (0, 0)
        while at < end:
            now = self._parts.now()
            taken = on_ticks(payloads, at, *now)
            at, flags = taken >> 8, taken & 0xFF
            if flags:
                head = peek(payloads[at - 1]) if flags & FLAGS_OF_MESSAGE else None
                self._obey(flags, head, now)
            elif at < end:
                self._take(payloads[at])
                at += 1
        self._actuators.end_turn()
        due_ns = self._engine.next_deadline_ns()
        if due_ns is not None and due_ns <= now[1]:
            # Due in this very turn: the process's timer would come a millisecond later.
            self.advance()
        else:
            self._note_deadline(due_ns)

    def foreign(self, feed: FeedConfig) -> Callable[[list[bytes]], None]:
        """Return what takes the messages of a feed in a foreign format."""
        symbols = feed.symbols or self._symbols
        codec = ForeignCodec(feed.codec, feed.name, symbols, self._parts.epoch)

        def on_frames(frames: list[bytes]) -> None:
            wall_ns, _ = self._parts.now()
            try:
                payload = codec.to_native(frames, feed.account, wall_ns)
            except MalformedError:
                # The engine counts it like any other message that is none.
                payload = b""
            if payload is not None:
                self.on_payloads([payload])

        return on_frames

    def heard(self) -> dict[str, int]:
        """Return when each feed last spoke, ns of CLOCK_BOOTTIME."""
        heard = dict(self._seen)
        names = {number: name for name, number in self._sources.items()}
        for source, boot_ns in self._engine.heard():
            name = names.get(source, "").removeprefix("feed:")
            if name in heard:
                heard[name] = max(heard[name], boot_ns)
        return heard

    def advance(self) -> None:
        """Run the engine's deadlines that are due."""
        wall_ns, boot_ns = self._parts.now()
        flags = self._engine.advance(wall_ns, boot_ns, self._timer, 0)
        if flags:
            self._obey(flags, None, (wall_ns, boot_ns))
            self._actuators.end_turn()
        if boot_ns >= self._next_step_ns:
            self._next_step_ns = NEVER_NS
        self._note_deadline(self._engine.next_deadline_ns())

    def obey(self, flags: int) -> None:
        """Carry out what a call of the engine by a command led to."""
        self._obey(flags | FLAG_DECISIONS, None, self._parts.now())
        self._actuators.end_turn()
        self._note_deadline(self._engine.next_deadline_ns())

    def _note_deadline(self, due_ns: int | None) -> None:
        """Say so when the engine must be stepped earlier than was known."""
        if due_ns is not None and due_ns < self._next_step_ns:
            self._next_step_ns = due_ns
            self.on_deadline(due_ns)

    def ask_read(self, account: GuardedAccount) -> int:
        """Ask the account's broker for a fresh read; return its number."""
        request = account.snapshots.new_request(self._parts.clock.boot_ns())
        self._parts.brokers[account.id].send("read", request=request)
        return request

    def _take(self, payload: bytes) -> None:
        now = self._parts.now()
        head = peek(payload)
        if head is not None and head.account and head.account not in self._accounts:
            self.counters.foreign_account += 1
            return
        snapshot = None
        if head is not None and head.tag in {TAG_SNAPSHOT, TAG_PROOF}:
            is_wanted, snapshot = self._look(head, payload, now)
            if not is_wanted:
                return
        source, line = (self._source("unknown"), 0)
        if head is not None:
            source, line = self._source(self._name(head)), head.seq
        flags = self._engine.on_frame(payload, *now, source, line)
        if flags:
            self._obey(flags, head, now)
        if head is not None:
            self._note(head, now[1])
        # One that the engine ignored was overtaken by a later one, which has been judged.
        if snapshot is not None and not flags & FLAG_IGNORED:
            self._took_snapshot(self._accounts[snapshot.account], snapshot, now)

    def _look(
        self, head: Head, payload: bytes, now: tuple[int, int]
    ) -> tuple[bool, AccountSnapshot | None]:
        """Look into a snapshot or a proof.

        Returns:
            Whether the engine is to have it, and the snapshot if it is a fresh one.
        """
        try:
            message = decode(payload)
        except MalformedError:
            return True, None
        if isinstance(message, TerminalProof):
            self.proofs[head.account] = message
            return True, None
        if not isinstance(message, AccountSnapshot) or head.account not in self._accounts:
            return True, None
        account = self._accounts[head.account]
        fault = account.snapshots.identity_fault(message)
        if fault:
            self.counters.wrong_identity += 1
            self._pause(account, "identity", ("guard", "WRONG_ACCOUNT"), held=True, text=fault)
            return False, None
        if not account.snapshots.take(message, now):
            self.counters.stale_snapshots += 1
            is_invalid = message.balance is None or message.equity is None
            return is_invalid, None
        return True, message

    def _took_snapshot(
        self, account: GuardedAccount, snapshot: AccountSnapshot, now: tuple[int, int]
    ) -> None:
        """A fresh snapshot of the right account has been judged: what waited for one goes on."""
        run = self._actuators.run
        run(account, account.trading.met(SNAPSHOT_GOOD))
        covered = ("hole",) if account.snapshots.covers_hole(snapshot) else ()
        for cause in (*covered, "snapshot_age", "away"):
            run(account, account.trading.release(ACCOUNT, cause))
        if snapshot.t_ns > account.flat_t_ns:
            for scope in account.exposed_scopes(snapshot):
                run(account, account.trading.exposed(now, scope))

    def _note(self, head: Head, boot_ns: int) -> None:
        """Note what the engine has taken: life of a feed, or money that moved."""
        if head.tag in {TAG_TICKS, TAG_HEARTBEAT}:
            self._saw_feed(head, boot_ns)
        elif head.tag == TAG_TRANSFER:
            self.transfers[head.account] = self.transfers.get(head.account, 0) + 1

    def _saw_feed(self, head: Head, boot_ns: int) -> None:
        name = head.source.removeprefix("feed:")
        feed = self._feeds.get(name)
        if feed is None:
            return
        is_first = name not in self._seen
        self._seen[name] = boot_ns
        if is_first and feed.required:
            for account in self._accounts.values():
                if feed.account in {"", account.id}:
                    self._actuators.run(account, account.trading.met(f"feed:{name}"))

    def _obey(self, flags: int, head: Head | None, now: Now) -> None:
        """Carry out what one call of the engine led to; `now` is the moment of that call."""
        concerned: set[str] = set()
        if flags & FLAG_DECISIONS:
            for decision in self._engine.take_decisions():
                name = decision.account
                self._actuators.decide(self._accounts[name], decision, now)
                concerned.add(name)
        if flags & FLAG_MALFORMED:
            self.counters.malformed += 1
        if flags & FLAG_HOLE:
            for account in self._named(head):
                self._pause(account, "hole", ("guard", "HOLE"))
                account.snapshots.hole_request = self.ask_read(account)
        if flags & FLAG_READ:
            names = concerned or {account.id for account in self._named(head)}
            for name in names & self._accounts.keys():
                self.ask_read(self._accounts[name])

    def _pause(
        self,
        account: GuardedAccount,
        cause: str,
        words: tuple[str, str],
        *,
        held: bool = False,
        text: str = "",
    ) -> None:
        """Pause an account by the guard's own word."""
        trigger, code = words
        wall_ns, _ = self._parts.now()
        actions = account.trading.pause(ACCOUNT, (cause, trigger, code, held, wall_ns))
        if actions and text:
            self._actuators.alarm(account.id, code, text)
        self._actuators.run(account, actions)

    def _named(self, head: Head | None) -> Iterable[GuardedAccount]:
        """Return the accounts that a message concerns: all where it names none."""
        if head is not None and head.account in self._accounts:
            return [self._accounts[head.account]]
        return list(self._accounts.values())

    def _name(self, head: Head) -> str:
        """Return the name under which evidence knows a message's source."""
        if head.tag == TAG_TICKS and head.source in self._feeds:
            return f"feed:{head.source}"
        return head.source

    def _source(self, name: str) -> int:
        number = self._sources.get(name)
        if number is None:
            if len(self._sources) >= SOURCES_MAX:
                name = "other"
            number = self._sources.setdefault(name, self._engine.register_source(name))
        return number
