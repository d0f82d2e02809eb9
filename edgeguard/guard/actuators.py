"""Doing what the trading state asks for, in its order: page, publish, persist, flatten, alarm.

Page and event of a decision go out at once. The latch is written at the end of the same turn, once
for every halt of that turn, and the brokers are told behind the ticks that wait by then: in the
minute in which one account halts the others do too, and all gates are to close first. The disk
takes longer, on threads of its own. What nobody's safety waits for, the beat with the new state and
the journal's rows, comes last: with the latch where that is written, else gathered for some
milliseconds. A writer that is woken for every pause would take the core and the caches from the
tick that comes next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import zmq

from edgeguard.codec.native import decode, encode
from edgeguard.guard.accounts import Action, GuardedAccount, Now, new_tail
from edgeguard.guard.engine_port import Decision
from edgeguard.guard.parts import Parts
from edgeguard.guard.rounds import ACCOUNTS_PER_TURN, Soon, let_others_run
from edgeguard.guard.why import gate_why
from edgeguard.transport import Socket

if TYPE_CHECKING:
    from edgeguard.messages import StateBeat

ALARMS_KEPT: Final = 64
_DONTWAIT: Final = int(zmq.DONTWAIT)
_MORE: Final = int(zmq.DONTWAIT | zmq.SNDMORE)
Told = tuple[str, int, bytes]
"""A published event: what changed, its time in ns and its bytes."""


class Actuators:
    """The hands of the guard."""

    def __init__(self, parts: Parts, publisher: Socket) -> None:
        """Take everything that actions reach."""
        self._parts = parts
        self._publisher = publisher
        self.alarms: list[dict[str, object]] = []
        """The last alarms, oldest first, for status."""
        self._owed: dict[str, GuardedAccount] = {}
        """Accounts whose new state no beat has told yet."""
        self._is_settling = False
        self._left: deque[tuple[GuardedAccount, list[Action]]] = deque()
        """What decisions have left to do, by account, the latch aside."""
        self._is_unwritten = False
        """Whether the latch is to be written in this turn, before any of it."""
        self._is_finishing = False
        self.soon: Soon = lambda work: work()
        """Runs what it is given after the ticks that wait; at once where nobody sets it."""
        self.later: Callable[[Callable[[], None]], object] = lambda work: work()
        """Runs what it is given some milliseconds later; at once where nobody sets it."""
        self.on_told: Callable[[GuardedAccount, list[str]], None] = lambda _account, _changes: None
        """Called with an account and the changes that were published of it."""
        parts.storage.on_waiting = self._settle_later

    def decide(self, account: GuardedAccount, decision: Decision, now: Now) -> None:
        """Carry out the engine's decision: page and event first.

        Whatever runs here has gone cold since the last decision and is waited for: so it stands in
        one frame, and what the next halt needs is made afterwards.
        """
        run = (account.epoch, account.event_seq + 1)
        shown, payload, rest = account.trading.react(decision, now, account.tail, run)
        if shown is not None:
            account.show(shown)
        told: list[Told] = []
        if payload is not None:
            self._publisher.send(account.halt_topic, _MORE)
            self._publisher.send(payload, _DONTWAIT)
            let_others_run()
            account.event_seq += 1
            told.append((decision.action, now[0], payload))
        if rest:
            # Noted before anything else can fail: whoever ends this process finds it here.
            self._note(account, rest)
            account.tail = new_tail()
        self._tell(account, told)
        line = partial(_line, decision)
        self._parts.storage.append_soon("decision", line, account=account.id, now=now)
        if rest and not self._is_finishing:
            self._is_finishing = True
            self.soon(self._go_on)

    def run(self, account: GuardedAccount, actions: Iterable[Action]) -> None:
        """Do what the account's trading state asks for, in its order."""
        if self._do(account, actions):
            self.settle()

    def end_turn(self) -> None:
        """Write the latch if a decision of this turn asks for it: once for all of them."""
        if self._is_unwritten:
            self._is_unwritten = False
            self._parts.latcher.persist()

    def finish(self) -> None:
        """Do now what decisions have left to do: no later turn of the loop comes.

        What fails takes nothing else with it; the last of what was raised is raised at the end.
        """
        fault: BaseException | None = None
        # Each time round something is done with, whether it failed or not.
        while self._left or self._owed:
            try:
                self._finish_some()
            except BaseException as error:  # noqa: BLE001  # other accounts are still to be flattened
                fault = error
        if fault is not None:
            raise fault

    def settle(self) -> None:
        """Publish the beats that are owed, and hand the rows that wait to the journal."""
        self._beat_owed()
        self._parts.storage.hand_over()

    def _note(self, account: GuardedAccount, rest: list[Action]) -> None:
        """Note what follows: the latch for the end of this turn, all else for later ones."""
        others = [action for action in rest if action[0] != "persist"]
        self._is_unwritten = self._is_unwritten or len(others) < len(rest)
        self._left.append((account, others))

    def _go_on(self) -> None:
        self._finish_some()
        self._is_finishing = bool(self._left)
        if self._is_finishing:
            self.soon(self._go_on)

    def _finish_some(self) -> None:
        """Do what a few accounts need once the latch is begun; settle after the last."""
        self.end_turn()
        for _ in range(min(ACCOUNTS_PER_TURN, len(self._left))):
            account, actions = self._left.popleft()
            self._do(account, actions)
        if not self._left:
            self.settle()

    def _beat_owed(self) -> None:
        """Beat for a few accounts, and for the others in turns that follow."""
        for _ in range(min(ACCOUNTS_PER_TURN, len(self._owed))):
            _, account = self._owed.popitem()
            self.beat(account)
        if self._owed:
            self.soon(self._beat_owed)

    def _settle_later(self) -> None:
        if not self._is_settling:
            self._is_settling = True
            self.later(self._settle)

    def _settle(self) -> None:
        self._is_settling = False
        self.settle()

    def _do(self, account: GuardedAccount, actions: Iterable[Action]) -> bool:
        """Do the actions.

        Returns:
            Whether the latch is written too: the rows that belong to it are not to wait.
        """
        is_urgent = False
        told: list[Told] = []
        for kind, scope, first, second, third in actions:
            if kind == "page":
                account.write_page()
            elif kind == "publish":
                t_ns = self._parts.clock.wall_ns()
                payload = account.event(t_ns, scope, (first, second, third))
                self._send(account.halt_topic, payload)
                told.append((first, t_ns, payload))
                let_others_run()
            elif kind == "persist":
                self._parts.latcher.persist()
                is_urgent = True
            elif kind == "flatten":
                self._flatten(account, scope, first)
            else:
                self.alarm(account.id, first, second)
        self._tell(account, told)
        return is_urgent

    def _tell(self, account: GuardedAccount, told: list[Told]) -> None:
        """Tell remote gates of events that are out, and owe them a beat and their rows."""
        if not told:
            return
        self.on_told(account, [change for change, _, _ in told])
        self._owed[account.id] = account
        boot_ns = self._parts.clock.boot_ns()
        for _, t_ns, payload in told:
            event, now = partial(decode, payload), (t_ns, boot_ns)
            self._parts.storage.append_soon("state", event, account=account.id, now=now)

    def now(self) -> tuple[int, int]:
        """Return wall and boot nanoseconds."""
        return self._parts.now()

    def beat(self, account: GuardedAccount) -> StateBeat:
        """Publish the account's heartbeat and return it."""
        self._owed.pop(account.id, None)
        beat = self.state_beat(account)
        self._send(account.state_topic, encode(beat))
        return beat

    def state_beat(self, account: GuardedAccount) -> StateBeat:
        """Return the account's full state as a heartbeat carries it."""
        return account.beat(self.now(), self._parts.config_hash, gate_why(account))

    def alarm(self, account: str, code: str, text: str) -> None:
        """Tell people: the journal's rows of this kind are what ops sends out."""
        body = {"code": code, "text": text}
        self._parts.storage.append("alarm", body, account=account)
        self.alarms.append({"t_ns": self._parts.clock.wall_ns(), "account": account, **body})
        del self.alarms[:-ALARMS_KEPT]

    def _flatten(self, account: GuardedAccount, scope: str, halt_id: str) -> None:
        halt = account.row(scope).halt
        if halt is None or halt.id != halt_id:
            # Lifted while this waited for its turn.
            return
        self._parts.brokers[account.id].send(
            "flatten",
            scope=scope,
            magics=account.magics_of(scope),
            halt_id=halt_id,
            reason=halt.reason,
        )

    def _send(self, topic: bytes, payload: bytes) -> None:
        # A PUB socket drops for whoever is slow and never waits; the next beat carries it again.
        self._publisher.send(topic, _MORE)
        self._publisher.send(payload, _DONTWAIT)


def _line(decision: Decision) -> msgspec.Raw:
    return msgspec.Raw(decision.line())
