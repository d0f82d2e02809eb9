"""Raw ZeroMQ sockets with EdgeGuard's bounds: queue lengths, message size, no lingering."""

from __future__ import annotations

import os
from typing import Any, Final

import zmq

from edgeguard.errors import ConfigError, InUseError
from edgeguard.messages import MESSAGE_BYTES_MAX
from edgeguard.transport.endpoints import CurveKeys, check_endpoint, claim_ipc

Context = zmq.Context[Any]
Socket = zmq.Socket[bytes]

FEED_HWM: Final = 200_000
"""Messages queued on a feed (no loss at 300,000/s, `docs/PERFORMANCE.md`)."""
CONTROL_HWM: Final = 1_000
REPLY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Largest answer that a client of ours takes from a guard or broker that it trusts."""
HEARTBEAT_MS: Final = 1_000
HEARTBEAT_LOST_MS: Final = 3_000
"""ZMTP heartbeats, so that a half-open TCP peer is noticed."""


HANDSHAKE_MS: Final = 5_000
"""How long a peer may take to say who it is before its connection is dropped."""


def own_uid() -> int:
    """Return the effective user id; 0 on systems without one."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


def make_context() -> Context:
    """Return a context of this process's own; close it with `destroy(linger=0)`."""
    return zmq.Context(io_threads=1)


def publisher(  # noqa: PLR0913  # options of a socket, by name
    context: Context,
    endpoint: str,
    *,
    bind: bool,
    hwm: int = FEED_HWM,
    keys: CurveKeys | None = None,
    watched: bool = False,
    door: str = "",
) -> Socket:
    """Return a PUB socket, or an XPUB (`watched`) that reads its subscriptions."""
    socket: Socket = context.socket(zmq.XPUB if watched else zmq.PUB)
    socket.setsockopt(zmq.SNDHWM, hwm)
    return _open(socket, endpoint, bind=bind, keys=keys, door=door)


def subscriber(  # noqa: PLR0913  # options of a socket, by name
    context: Context,
    endpoint: str,
    *,
    bind: bool,
    topics: tuple[bytes, ...] = (b"",),
    hwm: int = FEED_HWM,
    keys: CurveKeys | None = None,
    door: str = "",
    message_bytes_max: int = MESSAGE_BYTES_MAX,
) -> Socket:
    """Return a SUB socket that takes `topics` (prefixes)."""
    socket: Socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, hwm)
    for topic in topics:
        socket.setsockopt(zmq.SUBSCRIBE, topic)
    return _open(
        socket,
        endpoint,
        bind=bind,
        keys=keys,
        door=door,
        message_bytes_max=message_bytes_max,
    )


def router(
    context: Context, endpoint: str, *, keys: CurveKeys | None = None, door: str = ""
) -> Socket:
    """Return a bound ROUTER; what cannot be sent to a peer is dropped, never waited for."""
    socket: Socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.SNDHWM, CONTROL_HWM)
    socket.setsockopt(zmq.RCVHWM, CONTROL_HWM)
    # A client that comes back under its old name takes over from its dead connection.
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    return _open(socket, endpoint, bind=True, keys=keys, door=door)


def puller(context: Context, endpoint: str, *, hwm: int = FEED_HWM) -> Socket:
    """Return a connected PULL socket, for foreign publishers that PUSH their ticks."""
    socket: Socket = context.socket(zmq.PULL)
    socket.setsockopt(zmq.RCVHWM, hwm)
    return _open(socket, endpoint, bind=False, keys=None)


def dealer(  # noqa: PLR0913  # options of a socket, by name
    context: Context,
    endpoint: str,
    *,
    keys: CurveKeys | None = None,
    hwm: int = CONTROL_HWM,
    message_bytes_max: int = REPLY_BYTES_MAX,
    immediate: bool = False,
) -> Socket:
    """Return a connected DEALER. `immediate`: refuse to queue while nobody listens."""
    socket: Socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.SNDHWM, hwm)
    socket.setsockopt(zmq.RCVHWM, hwm)
    socket.setsockopt(zmq.IMMEDIATE, int(immediate))
    return _open(socket, endpoint, bind=False, keys=keys, message_bytes_max=message_bytes_max)


def _open(  # noqa: PLR0913  # options of a socket, by name
    socket: Socket,
    endpoint: str,
    *,
    bind: bool,
    keys: CurveKeys | None,
    message_bytes_max: int = MESSAGE_BYTES_MAX,
    door: str = "",
) -> Socket:
    """Set what all sockets have in common and bind or connect.

    A `door` is what the context's doorman knows the socket by: it is asked for every connection,
    and without one nobody is let in.

    Raises:
        ConfigError: the endpoint must not or cannot be used.
        InUseError: somebody else listens there.
    """
    try:
        check_endpoint(endpoint, keys)
        _set_common(socket, endpoint, message_bytes_max)
        if door:
            socket.setsockopt(zmq.ZAP_DOMAIN, door.encode())
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        if keys is not None:
            _use_keys(socket, keys, is_server=bind)
        if bind:
            claim_ipc(endpoint)
            socket.bind(endpoint)
        else:
            socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        verb = "bound" if bind else "connected to"
        if error.errno == zmq.EADDRINUSE:
            raise InUseError(f"{endpoint} is in use; stop its owner or choose another") from error
        raise ConfigError(f"{endpoint} cannot be {verb}: {error}") from error
    except BaseException:
        socket.close(linger=0)
        raise
    return socket


def _set_common(socket: Socket, endpoint: str, message_bytes_max: int) -> None:
    """Set the bounds of every socket, and on TCP what notices a dead peer."""
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, message_bytes_max)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    if endpoint.startswith("tcp://"):
        socket.setsockopt(zmq.IPV6, int(endpoint.startswith("tcp://[")))
        socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_LOST_MS)


def _use_keys(socket: Socket, keys: CurveKeys, *, is_server: bool) -> None:
    """Set CURVE on a socket; a server's clients are judged by the context's doorman."""
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())
    if is_server:
        # Without a doorman libzmq would take any client's key: with this it takes none.
        if not socket.getsockopt(zmq.ZAP_DOMAIN):
            socket.setsockopt(zmq.ZAP_DOMAIN, b"none")
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
    else:
        socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())
