"""A blocking client of a guard's control socket or of a broker's parent, for commands."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import zmq

from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError, UnreachableError
from edgeguard.messages import BrokerCommand, BrokerEvent, Command, Reply
from edgeguard.transport.endpoints import CurveKeys, check_endpoint
from edgeguard.transport.sockets import dealer, make_context

NONCE_BYTES: Final = 16


class Client:
    """One connection; use it as a context manager."""

    def __init__(
        self, endpoint: str, *, keys: CurveKeys | None = None, clock: Clock | None = None
    ) -> None:
        """Connect, without waiting for anybody to answer.

        Raises:
            ConfigError: the endpoint must not be used.
        """
        self._clock = clock or SystemClock()
        check_endpoint(endpoint, keys)
        self._context = make_context()
        self._socket = dealer(self._context, endpoint, keys=keys)

    def command(self, verb: str, *, operator: str, reason: str, **args: str) -> str:
        """Send a command to a guard and return its id; read the answer with `replies`.

        Raises:
            UnreachableError: the connection was refused.
        """
        command = Command(
            id=secrets.token_hex(8),
            nonce=secrets.token_bytes(NONCE_BYTES),
            t_ns=self._clock.wall_ns(),
            verb=verb,
            operator=operator,
            reason=reason,
            args=args,
        )
        self._send(encode(command))
        return command.id

    def replies(self, command_id: str, timeout_s: float) -> Iterator[Reply]:
        """Yield the stages of a command's answer until the last one or the time is over."""
        for message in self._messages(timeout_s):
            if isinstance(message, Reply) and message.id == command_id:
                yield message
                if message.final:
                    return

    def send_broker(self, command: BrokerCommand) -> None:
        """Send a command to a broker's parent.

        Raises:
            UnreachableError: the connection was refused.
        """
        self._send(encode(command))

    def broker_events(self, timeout_s: float) -> Iterator[BrokerEvent]:
        """Yield what a broker's parent says until the time is over."""
        for message in self._messages(timeout_s):
            if isinstance(message, BrokerEvent):
                yield message

    def close(self) -> None:
        """Close the connection; what was not sent yet gets 200 ms."""
        self._socket.close(linger=200)
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, payload: bytes) -> None:
        try:
            self._socket.send(payload, zmq.DONTWAIT)
        except zmq.Again as error:
            raise UnreachableError(
                "the connection must be let in, was refused: is this the right key, and has it the "
                "right?"
            ) from error

    def _messages(self, timeout_s: float) -> Iterator[object]:
        """Yield decoded messages until the deadline; what is malformed is passed over."""
        deadline_ns = self._clock.boot_ns() + int(timeout_s * NS_PER_S)
        while True:
            left_ms = (deadline_ns - self._clock.boot_ns()) // NS_PER_MS
            if left_ms <= 0 or not self._socket.poll(left_ms):
                return
            try:
                yield decode(self._socket.recv_multipart()[-1])
            except MalformedError:
                continue
