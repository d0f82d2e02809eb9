"""One command to a guard and the stages of its answer, by as few imports as can be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from edgeguard.clock import NS_PER_MS, NS_PER_S, SystemClock
from edgeguard.codec.minimal import COMMAND_TAG, ReplyLine, pack, read_reply
from edgeguard.errors import MalformedError

if TYPE_CHECKING:
    from edgeguard.transport.client import Wire
    from edgeguard.transport.endpoints import CurveKeys

ID_BYTES: Final = 8
NONCE_BYTES: Final = 16
IPC: Final = "ipc://"


class GuardCall:
    """An open connection to a guard's control socket that carries one command."""

    def __init__(self, endpoint: str, keys: CurveKeys | None = None) -> None:
        """Connect.

        Raises:
            UnreachableError: certainly nobody listens there.
            ConfigError: the endpoint must not be used.
        """
        self._clock = SystemClock()
        self._id = os.urandom(ID_BYTES).hex()
        self._wire = _wire(endpoint, keys)

    def send(self, verb: str, operator: str, reason: str, args: dict[str, str]) -> None:
        """Send the command.

        Raises:
            UnreachableError: the connection was refused.
        """
        nonce, t_ns = os.urandom(NONCE_BYTES), self._clock.wall_ns()
        self._wire.send(pack((COMMAND_TAG, self._id, nonce, t_ns, verb, operator, reason, args)))

    def replies(self, timeout_s: float) -> Iterator[ReplyLine]:
        """Yield the stages of the answer until the last one, the peer's end, or the time's."""
        deadline_ns = self._clock.boot_ns() + int(timeout_s * NS_PER_S)
        while (left_ms := (deadline_ns - self._clock.boot_ns()) // NS_PER_MS) > 0:
            payload = self._wire.receive(left_ms)
            if payload is None:
                if self._wire.is_closed:
                    return
                continue
            try:
                reply = read_reply(payload)
            except MalformedError:
                continue
            if reply.id == self._id:
                yield reply
                if reply.final:
                    return

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()


def _wire(endpoint: str, keys: CurveKeys | None) -> Wire:
    if endpoint.startswith(IPC):
        from edgeguard.transport.unix_wire import UnixWire  # noqa: PLC0415 - absent on Windows

        return UnixWire(endpoint.removeprefix(IPC))
    from edgeguard.transport.client import ZmqWire  # noqa: PLC0415 - heavy

    return ZmqWire(endpoint, keys)
