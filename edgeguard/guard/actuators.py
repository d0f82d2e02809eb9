"""Doing what the trading state asks for, in its order: page, publish, persist, flatten, alarm.

All of it is started in one turn of the loop; only the disk takes longer, on threads of its own.
What nobody's safety waits for, the beat with the new state and the journal's row, comes last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, cast

import zmq

from edgeguard.codec.native import decode, encode
from edgeguard.guard.accounts import Action, GuardedAccount, Now, new_tail
from edgeguard.guard.engine_port import Decision
from edgeguard.guard.parts import Parts
from edgeguard.guard.why import gate_why
from edgeguard.messages import StateBeat
from edgeguard.transport import Socket

if TYPE_CHECKING:
    from edgeguard.messages import HaltEvent

ALARMS_KEPT: Final = 64
_GIVE_WAY: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)
"""Lets libzmq's thread run where it shares a core with the loop. It was woken by the send, but a
loop that goes on with its turn keeps the core from it until it sleeps: 70 to 100 us later."""
_DONTWAIT: Final = int(zmq.DONTWAIT)
_MORE: Final = int(zmq.DONTWAIT | zmq.SNDMORE)


class Actuators:
    """The hands of the guard."""

    def __init__(self, parts: Parts, publisher: Socket) -> None:
        """Take everything that actions reach."""
        self._parts = parts
        self._publisher = publisher
        self.alarms: list[dict[str, object]] = []
        """The last alarms, oldest first, for status."""
        self.on_told: Callable[[StateBeat, list[HaltEvent]], None] = lambda _beat, _told: None
        """Called with an account's new state and the events that led to it."""

    def decide(self, account: GuardedAccount, decision: Decision, now: Now) -> None:
        """Carry out the engine's decision: page and event first.

        Whatever runs here has gone cold since the last decision and is waited for: so it stands in
        one frame, and what the next halt needs is made afterwards.
        """
        run = (account.epoch, account.event_seq + 1)
        shown, payload, rest = account.trading.react(decision, now, account.tail, run)
        if shown is not None:
            account.show(shown)
        if payload is None:
            self._do(account, rest, [])
            return
        self._publisher.send(account.halt_topic, _MORE)
        self._publisher.send(payload, _DONTWAIT)
        _GIVE_WAY()
        account.event_seq += 1
        self._do(account, rest, [payload])
        if decision.action == "halt":
            account.tail = new_tail()

    def run(self, account: GuardedAccount, actions: Iterable[Action]) -> None:
        """Do what the account's trading state asks for, in its order."""
        self._do(account, actions, [])

    def _do(self, account: GuardedAccount, actions: Iterable[Action], told: list[bytes]) -> None:
        """Do the actions; `told` are the events of the same change that are out already."""
        for kind, scope, first, second, third in actions:
            if kind == "page":
                account.write_page()
            elif kind == "publish":
                payload = account.event(self._parts.clock.wall_ns(), scope, (first, second, third))
                self._send(account.halt_topic, payload)
                told.append(payload)
                _GIVE_WAY()
            elif kind == "persist":
                self._parts.latcher.persist()
            elif kind == "flatten":
                self._flatten(account, scope, first)
            else:
                self.alarm(account.id, first, second)
        if not told:
            return
        beat = self.beat(account)
        events = [cast("HaltEvent", decode(payload)) for payload in told]
        self.on_told(beat, events)
        for event in events:
            self._parts.storage.append("state", event, account=account.id, t_ns=event.t_ns)

    def now(self) -> tuple[int, int]:
        """Return wall and boot nanoseconds."""
        return self._parts.now()

    def beat(self, account: GuardedAccount) -> StateBeat:
        """Publish the account's heartbeat and return it."""
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
        self._parts.brokers[account.id].send(
            "flatten",
            scope=scope,
            magics=account.magics_of(scope),
            halt_id=halt_id,
            reason=halt.reason if halt is not None else "",
        )

    def _send(self, topic: bytes, payload: bytes) -> None:
        # A PUB socket drops for whoever is slow and never waits; the next beat carries it again.
        self._publisher.send(topic, _MORE)
        self._publisher.send(payload, _DONTWAIT)
