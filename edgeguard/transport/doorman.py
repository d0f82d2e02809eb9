"""Who is let in: answers libzmq's authentication requests (ZAP) for every socket that we bind.

libzmq asks on ``inproc://zeromq.zap.01`` before it lets a connection speak. The answer names the
peer, and that name comes with each of its messages; what a peer may do is looked up by it. On TCP
with keys a peer is its public key, on ``ipc://`` the user id that the kernel vouches for
(SO_PEERCRED), on TCP without keys, which never leaves this host, nobody in particular.

pyzmq's own authenticator judges neither user ids nor rights, and runs in a thread or on
`zmq.asyncio`; this one is a pure judgement behind one REP socket on the loop that is there already.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, cast

import zmq
from zmq.utils import z85

from edgeguard.config.model import PeerConfig
from edgeguard.errors import ConfigError
from edgeguard.transport.pump import PumpSet
from edgeguard.transport.sockets import Context, Socket, own_uid

ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
VERSION: Final = b"1.0"
BUDGET: Final = 16
"""Connections judged in one turn of the loop."""
ALL: Final = frozenset({"read", "feed", "halt", "resume", "guard"})
LOCAL: Final = "@local"
"""The guard's own user, or root, on an ``ipc://`` socket: it owns the files, so it may do all."""
LOOPBACK: Final = "@loopback"
"""Anybody on this host, by TCP without keys: may do anything but resume."""
LOOPBACK_RIGHTS: Final = ALL - {"resume"}
DOORS: Final = {
    "control": frozenset({"read", "halt", "resume"}),
    "feeds": frozenset({"feed"}),
    "halts": frozenset({"read"}),
    "gate": frozenset({"read"}),
    "broker": frozenset({"guard", "halt", "read"}),
}
"""For each door the rights of which a peer must have one."""
_PEER_CREDENTIALS: Final = re.compile(r"[^:]*:(\d{1,10}):\d{1,10}:\d{1,10}")
"""How libzmq writes the peer of a unix socket: ``localhost:UID:GID:PID``."""


class Peer(NamedTuple):
    """Somebody who was let in."""

    name: str
    rights: frozenset[str]


class Book:
    """Everybody who may come in, by key and by user id."""

    def __init__(self, peers: Iterable[PeerConfig], uid: int) -> None:
        """Take the configured peers and the user id of this process."""
        self._by_key: dict[str, Peer] = {}
        self._by_uid = {0: Peer(LOCAL, ALL), uid: Peer(LOCAL, ALL)}
        self._rights = {LOCAL: ALL, LOOPBACK: LOOPBACK_RIGHTS}
        for config in peers:
            peer = Peer(config.name, frozenset(config.rights))
            self._rights[peer.name] = peer.rights
            if config.public:
                self._by_key[config.public] = peer
            elif config.uid is not None:
                self._by_uid.setdefault(config.uid, peer)

    def rights(self, name: str) -> frozenset[str]:
        """Return what the peer of that name may do; nothing for a name that nobody has."""
        return self._rights.get(name, frozenset())

    def judge(self, door: str, address: str, mechanism: bytes, credentials: list[bytes]) -> str:
        """Return the name of the peer that is let in.

        Args:
            door: the socket's ZAP domain.
            address: the peer's address as libzmq tells it.
            mechanism: ``CURVE`` or ``NULL``.
            credentials: for CURVE the 32 bytes of the client's public key.

        Raises:
            Unwelcome: it is not let in; the text is the cause that is counted.
        """
        peer = self._find(address, mechanism, credentials)
        if not peer.rights & DOORS.get(door, frozenset()):
            raise Unwelcome("rights")
        return peer.name

    def _find(self, address: str, mechanism: bytes, credentials: list[bytes]) -> Peer:
        if mechanism == b"CURVE":
            key = credentials[0] if len(credentials) == 1 else b""
            found = self._by_key.get(z85.encode(key).decode()) if len(key) == 32 else None  # noqa: PLR2004
            if found is None:
                raise Unwelcome("unknown_key")
            return found
        if mechanism != b"NULL":
            raise Unwelcome("mechanism")
        local = _PEER_CREDENTIALS.fullmatch(address)
        if local is None:
            # Without keys our sockets are bound to loopback alone (`check_endpoint`).
            return Peer(LOOPBACK, LOOPBACK_RIGHTS)
        found = self._by_uid.get(int(local[1]))
        if found is None:
            raise Unwelcome("unknown_user")
        return found


class Unwelcome(Exception):  # noqa: N818  # it is no error of ours
    """A connection that is refused; the text is why."""


class Doorman:
    """Answers libzmq's requests for the sockets of one context."""

    def __init__(self, context: Context, peers: Iterable[PeerConfig]) -> None:
        """Bind the place where libzmq asks; must come before the sockets are bound.

        Raises:
            ConfigError: the context has a doorman already.
        """
        self._book = Book(peers, own_uid())
        self._socket: Socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        try:
            self._socket.bind(ZAP_ENDPOINT)
        except zmq.ZMQError as error:
            self._socket.close(linger=0)
            raise ConfigError(f"a context must have one doorman, had: {error}") from error
        self.refused: Counter[str] = Counter()
        """Connections refused, by cause."""
        self.rights = self._book.rights

    def start(self, pumps: PumpSet) -> None:
        """Begin to answer; until then connections wait."""
        pumps.add(self._socket, self._on_request, budget=BUDGET)

    def _on_request(self, frames: list[bytes]) -> None:
        _, request, domain, address, _, mechanism, *credentials = frames
        name, status, text = "", b"400", b"refused"
        door, place = (frame.decode("utf-8", "replace") for frame in (domain, address))
        try:
            name = self._book.judge(door, place, mechanism, credentials)
            status, text = b"200", b"OK"
        except Unwelcome as cause:
            self.refused[str(cause)] += 1
        reply = [VERSION, request, status, text, name.encode(), b""]
        self._socket.send_multipart(reply, zmq.DONTWAIT)


def receive_named(socket: Socket) -> list[bytes]:
    """Return the next message with its peer's name as the first frame, empty if there is none.

    Raises:
        zmq.Again: no message waits.
    """
    frames = cast("list[Any]", socket.recv_multipart(zmq.DONTWAIT, copy=False))
    try:
        name = cast("str", frames[-1].get("User-Id"))
    except zmq.ZMQError:
        # Only a socket without a door, as within one process, has messages of nobody.
        name = ""
    return [name.encode(), *(bytes(frame.buffer) for frame in frames)]
