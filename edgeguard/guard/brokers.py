"""The guard's line to one broker parent: commands out, events in, and whether anybody is there."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec
import zmq

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError
from edgeguard.messages import BrokerCommand, BrokerEvent
from edgeguard.transport import Context, CurveKeys, PumpSet, dealer

SILENT_NS: Final = 3 * NS_PER_S
"""A broker that has said nothing for this long is away; it is greeted every second."""


class ChannelProof(msgspec.Struct, frozen=True):
    """What a broker's last `check` found: when, wall clock, and whether the kill channel works."""

    checked_ns: int | None = None
    channel_ok: bool | None = None


OnEvent = Callable[[str, BrokerEvent], None]
OnBack = Callable[[str], None]


class BrokerLink:
    """A DEALER to the broker's parent of one account."""

    def __init__(  # noqa: PLR0913  # one line to the outside, and who hears of it
        self,
        context: Context,
        where: tuple[str, str],
        clock: Clock,
        on_event: OnEvent,
        on_back: OnBack,
        *,
        keys: CurveKeys | None = None,
    ) -> None:
        """Connect, without waiting for anybody.

        Args:
            context: the guard's context.
            where: the account, and the endpoint at which its broker's parent listens.
            clock: the guard's clock.
            on_event: called with the account and each event.
            on_back: called when the broker speaks after a silence, before that event.
            keys: CURVE keys for a broker that listens on TCP.
        """
        self.account, self.endpoint = where
        self._clock = clock
        self._on_event = on_event
        self._on_back = on_back
        # Nothing is queued for a broker that is away: an old order to flatten must not arrive late.
        self.socket = dealer(
            context, self.endpoint, keys=keys, immediate=True, message_bytes_max=64 * 1024
        )
        self._pump: Callable[[], None] = lambda: None
        self.heard_boot_ns: int | None = None
        self.undelivered = 0
        """Commands that found nobody; flatten is repeated until it is proven."""
        self.malformed = 0
        self.proof = ChannelProof()
        """The last proof of the kill channel, whoever asked for it; told in each greeting."""

    def start(self, pumps: PumpSet) -> None:
        """Begin to take events."""
        self._pump = pumps.add(self.socket, self._on_frames).kick

    def is_away(self, boot_ns: int) -> bool:
        """Return whether the broker has been silent for too long."""
        return self.heard_boot_ns is None or boot_ns - self.heard_boot_ns > SILENT_NS

    def send(  # noqa: PLR0913  # the fields of a command, by name
        self,
        verb: str,
        *,
        request: int = 0,
        scope: str = "account",
        magics: tuple[int, ...] = (),
        halt_id: str = "",
        reason: str = "",
        since_ns: int = 0,
    ) -> bool:
        """Send a command; return whether somebody is connected to take it."""
        command = BrokerCommand(
            account=self.account,
            id=secrets.token_hex(8),
            t_ns=self._clock.wall_ns(),
            verb=verb,
            request=request,
            scope=scope,
            magics=magics,
            halt_id=halt_id,
            reason=reason,
            since_ns=since_ns,
        )
        try:
            self.socket.send(encode(command), zmq.DONTWAIT)
        except zmq.Again:
            self.undelivered += 1
            return False
        finally:
            self._pump()
        return True

    def close(self) -> None:
        """Close the socket; the pumps must have been stopped."""
        self.socket.close(linger=0)

    def _on_frames(self, frames: list[bytes]) -> None:
        try:
            event = decode(frames[-1])
        except MalformedError:
            self.malformed += 1
            return
        if not isinstance(event, BrokerEvent) or event.account != self.account:
            self.malformed += 1
            return
        boot_ns = self._clock.boot_ns()
        was_away = self.is_away(boot_ns)
        self.heard_boot_ns = boot_ns
        if was_away:
            self._on_back(self.account)
        if event.kind == "hello":
            self._keep_proof(event.body)
        self._on_event(self.account, event)

    def _keep_proof(self, body: bytes) -> None:
        try:
            self.proof = msgspec.json.decode(body, type=ChannelProof)
        except msgspec.DecodeError:
            self.malformed += 1
