"""Remote gates: their pings are echoed, and a state that closes is told to them unasked.

The echo alone holds a remote gate open, and what is lost here costs nothing but time: the next echo
says it again. So a push is sent to whoever asked lately, without waiting and without an answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import zmq

from edgeguard.clock import NS_PER_MS
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError
from edgeguard.guard.accounts import GuardedAccount
from edgeguard.guard.parts import Parts
from edgeguard.messages import Echo, Ping, StateBeat
from edgeguard.transport import PumpSet, Socket

GATES_MAX: Final = 32
"""Gates of one account that are told unasked, some 0.13 ms of a halt's turn; any further ones are
echoed like all, and hear of it by that."""
OPENING: Final = frozenset({"release", "resume"})
"""Changes that are not pushed: a push can only close, so of these it would tell nothing."""


class Gates:
    """Everybody at the gate socket."""

    def __init__(
        self,
        socket: Socket,
        parts: Parts,
        state_beat: Callable[[GuardedAccount], StateBeat],
        may_open: Callable[[GuardedAccount, int], bool],
    ) -> None:
        """Take the ROUTER's socket; nothing is answered before `start`.

        Args:
            socket: where gates ping.
            parts: the accounts and the clock.
            state_beat: returns an account's full state.
            may_open: whether a word that holds an account's gates open is earned at a boot time.
        """
        self._socket = socket
        self._parts = parts
        self._state_beat = state_beat
        self._may_open = may_open
        self._lease_ns = parts.config.guard.lease_ms * NS_PER_MS
        self._kick: Callable[[], None] = lambda: None
        self._is_ended = False
        self._asked: dict[str, OrderedDict[bytes, int]] = {
            name: OrderedDict() for name in parts.accounts
        }
        """When each gate pinged last, ns of CLOCK_BOOTTIME, by account and connection."""

    def start(self, pumps: PumpSet) -> None:
        """Begin to answer."""
        self._kick = pumps.add(self._socket, self._on_ping).kick

    def on_told(self, account: GuardedAccount, changes: Iterable[str]) -> None:
        """Tell an account's gates its new state where something was halted or paused."""
        if self._asked[account.id] and any(change not in OPENING for change in changes):
            self._push(self._state_beat(account))

    def end(self, beat: StateBeat) -> None:
        """Tell an account's gates that the guard stops; no ping is echoed from then on."""
        self._is_ended = True
        self._push(beat)

    def _push(self, beat: StateBeat) -> None:
        """Send a state to the account's gates that pinged within a lease."""
        asked = self._asked[beat.account]
        since_ns = self._parts.clock.boot_ns() - self._lease_ns
        payload = encode(beat)
        for gate in [gate for gate, at_ns in asked.items() if at_ns <= since_ns]:
            del asked[gate]
        for gate in asked:
            self._send(gate, payload)
        self._kick()

    def _on_ping(self, frames: list[bytes]) -> None:
        """Echo a gate's ping with the full state, while heartbeats are earned."""
        _, boot_ns = self._parts.now()
        try:
            ping = decode(frames[-1])
        except MalformedError:
            return
        account = self._parts.accounts.get(ping.account) if isinstance(ping, Ping) else None
        if not isinstance(ping, Ping) or account is None:
            return
        self._remember(self._asked[account.id], frames[0], boot_ns)
        if self._is_ended or not self._may_open(account, boot_ns):
            return
        echo = Echo(ping.nonce[:64], ping.gate_ns, self._state_beat(account))
        self._send(frames[0], encode(echo))

    def _remember(self, asked: OrderedDict[bytes, int], gate: bytes, boot_ns: int) -> None:
        """Note who asked; where there is no room, in place of one that is silent for a lease."""
        if gate not in asked and len(asked) >= GATES_MAX:
            silent, at_ns = next(iter(asked.items()))
            if boot_ns - at_ns < self._lease_ns:
                return
            del asked[silent]
        asked[gate] = boot_ns
        asked.move_to_end(gate)

    def _send(self, gate: bytes, payload: bytes) -> None:
        """Send without waiting: whoever is gone or does not read has its lease."""
        try:
            self._socket.send_multipart((gate, payload), zmq.DONTWAIT)
        except zmq.ZMQError:
            return
