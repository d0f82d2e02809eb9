"""A blocking client of a guard's control socket or of a broker's parent, for commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError, UnreachableError
from edgeguard.messages import BrokerCommand, BrokerEvent, Command, Reply

if TYPE_CHECKING:
    from edgeguard.transport.endpoints import CurveKeys

ID_BYTES: Final = 8
NONCE_BYTES: Final = 16
IPC: Final = "ipc://"


class Wire(Protocol):
    """One connection, as raw messages."""

    is_closed: bool
    """Whether nothing can come any more."""

    def send(self, payload: bytes) -> None:
        """Send one message."""
        ...

    def receive(self, timeout_ms: int) -> bytes | None:
        """Return the last part of the next message, None when none came, in this time at most."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class ZmqWire:
    """A DEALER of libzmq: any endpoint, CURVE, and connected again by itself."""

    def __init__(self, endpoint: str, keys: CurveKeys | None) -> None:
        """Connect, without waiting for anybody to answer.

        Raises:
            ConfigError: the endpoint must not be used.
        """
        # Importing pyzmq takes longer than all else on the emergency command's way.
        from edgeguard.transport.endpoints import check_endpoint  # noqa: PLC0415
        from edgeguard.transport.sockets import dealer, make_context  # noqa: PLC0415

        check_endpoint(endpoint, keys)
        self.is_closed = False
        self._context = make_context()
        self._socket = dealer(self._context, endpoint, keys=keys)

    def send(self, payload: bytes) -> None:
        """Queue one message for whoever answers at the endpoint.

        Raises:
            UnreachableError: the connection was refused.
        """
        import zmq  # noqa: PLC0415 - imported already, by the socket

        try:
            self._socket.send(payload, zmq.DONTWAIT)
        except zmq.Again as error:
            raise UnreachableError(
                "the connection must be let in, was refused: is this the right key, and has it the "
                "right?"
            ) from error

    def receive(self, timeout_ms: int) -> bytes | None:
        """Return the last part of the next message, None when none came in time."""
        return self._socket.recv_multipart()[-1] if self._socket.poll(timeout_ms) else None

    def close(self) -> None:
        """Close the connection; what was not sent yet gets 200 ms."""
        self.is_closed = True
        self._socket.close(linger=200)
        self._context.term()


class Client:
    """One connection; use it as a context manager."""

    def __init__(
        self,
        endpoint: str,
        *,
        keys: CurveKeys | None = None,
        clock: Clock | None = None,
        wire: Wire | None = None,
    ) -> None:
        """Connect, without waiting for anybody to answer.

        Args:
            endpoint: of a guard's control socket or a broker's parent.
            keys: CURVE keys, without which TCP stays on this host.
            clock: for time-outs.
            wire: a connection that is open already.

        Raises:
            ConfigError: the endpoint must not be used.
        """
        self._clock = clock or SystemClock()
        self._wire = wire or ZmqWire(endpoint, keys)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can come any more."""
        return self._wire.is_closed

    def command(self, verb: str, *, operator: str, reason: str, **args: str) -> str:
        """Send a command to a guard and return its id; read the answer with `replies`.

        Raises:
            UnreachableError: the connection was refused.
        """
        command = Command(
            id=os.urandom(ID_BYTES).hex(),
            nonce=os.urandom(NONCE_BYTES),
            t_ns=self._clock.wall_ns(),
            verb=verb,
            operator=operator,
            reason=reason,
            args=args,
        )
        self._wire.send(encode(command))
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
        self._wire.send(encode(command))

    def broker_events(self, timeout_s: float) -> Iterator[BrokerEvent]:
        """Yield what a broker's parent says until the time is over."""
        for message in self._messages(timeout_s):
            if isinstance(message, BrokerEvent):
                yield message

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _messages(self, timeout_s: float) -> Iterator[object]:
        """Yield decoded messages until the deadline; what is malformed is passed over."""
        deadline_ns = self._clock.boot_ns() + int(timeout_s * NS_PER_S)
        while True:
            left_ms = (deadline_ns - self._clock.boot_ns()) // NS_PER_MS
            if left_ms <= 0:
                return
            payload = self._wire.receive(left_ms)
            if payload is None:
                if self._wire.is_closed:
                    return
                continue
            try:
                yield decode(payload)
            except MalformedError:
                continue


def quick_client(endpoint: str, keys: CurveKeys | None = None) -> Client:
    """Return a client that costs no import of pyzmq where the endpoint is a unix socket.

    Raises:
        UnreachableError: certainly nobody listens there.
        ConfigError: the endpoint must not be used.
    """
    if not endpoint.startswith(IPC):
        return Client(endpoint, keys=keys)
    from edgeguard.transport.unix_wire import UnixWire  # noqa: PLC0415 - absent on Windows

    return Client(endpoint, wire=UnixWire(endpoint.removeprefix(IPC)))
