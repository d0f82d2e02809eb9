"""Doing what the trading state asks for, in its order: page, publish, persist, flatten, alarm.

All of it is started in one turn of the loop; only the disk takes longer, on threads of its own.
What nobody's safety waits for, the beat with the new state and the journal's row, comes last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Final

import zmq

from edgeguard.codec.native import encode
from edgeguard.guard.accounts import ACCOUNT, Action, GuardedAccount, ScopeRow
from edgeguard.guard.engine_port import Decision
from edgeguard.guard.parts import Parts
from edgeguard.guard.why import gate_why
from edgeguard.messages import HaltEvent, StateBeat
from edgeguard.transport import Socket

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

    def run(
        self,
        account: GuardedAccount,
        actions: Iterable[Action],
        decision: Decision | None = None,
    ) -> None:
        """Do the actions in their order.

        Args:
            account: whose trading state asked.
            actions: what it asked for.
            decision: the engine's decision behind them, whose numbers the event then carries.
        """
        told: list[HaltEvent] = []
        rows: list[ScopeRow] | None = None
        for kind, scope, first, second, third in actions:
            if kind == "page":
                rows = account.rows()
                account.write_page(rows)
            elif kind == "publish":
                row = account.row(scope, rows)
                told.append(self._publish(account, row, (first, second, third), decision))
                _GIVE_WAY()
            elif kind == "persist":
                self._parts.latcher.persist()
            elif kind == "flatten":
                self._flatten(account, scope, first)
            else:
                self.alarm(account.id, first, second)
        if told:
            self.on_told(self.beat(account), told)
        for event in told:
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

    def _publish(
        self,
        account: GuardedAccount,
        row: ScopeRow,
        words: tuple[str, str, str],
        decision: Decision | None,
    ) -> HaltEvent:
        change, trigger, code = words
        _, severity, _, _, state_seq = account.trading.word()
        event = HaltEvent(
            account=account.id,
            epoch=account.epoch,
            seq=account.next_event_seq(),
            t_ns=self._parts.clock.wall_ns(),
            action=change,  # type: ignore[arg-type]  # the trading state has these four words alone
            scope=row.scope,
            state=row.state if row.scope != ACCOUNT else account.state,
            state_seq=state_seq,
            severity=severity,
            halt=row.halt_info(),
            trigger=trigger,
            code=code,
            value=decision.value if decision is not None else None,
            threshold=decision.threshold if decision is not None else None,
            reference=decision.reference if decision is not None else None,
            symbol=decision.symbol if decision is not None else None,
        )
        self._send(account.halt_topic, encode(event))
        return event

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
