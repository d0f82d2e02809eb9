"""A ZeroMQ DEALER over a unix socket in plain Python: the emergency command's way to a guard.

Importing pyzmq takes longer than everything else that `edgeguard halt` does before its first byte
(docs/PERFORMANCE.md, "Start-up"). This speaks as much of ZMTP 3.0 (https://rfc.zeromq.org/spec/23)
as one client needs: NULL security, one connection, no reconnecting. The socket is the one inside
the standard library's `socket`, whose tables of constants take as long to import as all the rest.
"""

from __future__ import annotations

import _socket
from select import POLLIN, poll
from typing import Final

from edgeguard.errors import UnreachableError

GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
"""Signature, version 3.0, mechanism, no server, filler: 64 bytes."""
MORE, LONG, COMMAND = 1, 2, 4
"""Flags of a frame: another one follows; 8 bytes of length in place of one; no message."""
READY, ERROR = b"\x05READY", b"\x05ERROR"
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A longer message ends the connection, as `edgeguard.transport.sockets` has it."""
ANSWER_S: Final = 1.0
"""A peer that takes nothing, or does not greet, for so long is as good as gone."""
CHUNK_BYTES: Final = 65_536


class UnixWire:
    """One connection; it ends with its peer, and nothing brings it back."""

    def __init__(self, path: str) -> None:
        """Connect to the socket at `path`.

        Raises:
            UnreachableError: nobody listens there, or who does is no ZeroMQ or hangs.
        """
        self.is_closed = False
        """Whether the peer is gone; what it said before can still be received."""
        self._seen = bytearray()
        self._is_greeted = False
        self._is_ready = False
        self._is_refused = False
        self._parts: list[bytes] = []
        self._bytes = 0
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        self._poll = poll()
        self._poll.register(self._socket, POLLIN)
        try:
            self._socket.connect(path)
            self._socket.sendall(GREETING)
            # libzmq takes a message for a false command until it has said its own READY.
            while not self._is_ready:
                self._read()
                self._next()
                if self.is_closed:
                    why = "it refused this user" if self._is_refused else "it speaks no ZMTP 3"
                    raise ConnectionAbortedError(None, why)
            self._socket.sendall(_ready())
        except OSError as e:
            self._socket.close()
            why = "it does not answer" if isinstance(e, TimeoutError) else e.strerror or e
            raise UnreachableError(f"nobody at {path}: {why}") from e

    def send(self, payload: bytes) -> None:
        """Send one message; a peer that takes none closes the wire."""
        try:
            self._socket.sendall(_frame(0, payload))
        except OSError:
            self.is_closed = True

    def receive(self, timeout_ms: int) -> bytes | None:
        """Return the last part of the next message, None when none is whole yet."""
        message = self._next()
        if message is None and not self.is_closed and self._poll.poll(timeout_ms):
            self._read()
            message = self._next()
        return message

    def close(self) -> None:
        """Close the connection; the kernel delivers what was sent."""
        self.is_closed = True
        self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(CHUNK_BYTES)
        except TimeoutError:
            raise
        except OSError:
            data = b""
        self.is_closed = self.is_closed or not data
        self._seen += data
        if not self._is_greeted and len(self._seen) >= len(GREETING):
            self._is_greeted = True
            is_zmtp = self._seen[0] == GREETING[0] and self._seen[10] >= GREETING[10]
            self.is_closed = self.is_closed or not is_zmtp
            del self._seen[: len(GREETING)]

    def _next(self) -> bytes | None:
        """Take the next whole message out of what was read; commands are passed over."""
        while self._is_greeted and (frame := self._take_frame()) is not None:
            flags, body = frame
            if flags & COMMAND:
                self._is_ready = self._is_ready or body.startswith(READY)
                self._is_refused = self._is_refused or body.startswith(ERROR)
                continue
            self._bytes += len(body)
            self._parts.append(body)
            if not flags & MORE:
                self._parts, self._bytes = [], 0
                return body
        return None

    def _take_frame(self) -> tuple[int, bytes] | None:
        seen = self._seen
        head = 9 if seen and seen[0] & LONG else 2
        if len(seen) < head:
            return None
        size = int.from_bytes(seen[1:head], "big")
        if self._bytes + size > MESSAGE_BYTES_MAX:
            self.is_closed = True
            self._seen.clear()
            return None
        if len(seen) < head + size:
            return None
        flags, body = seen[0], bytes(seen[head : head + size])
        del seen[: head + size]
        return flags, body


def _ready() -> bytes:
    """Return the handshake's command: this is a DEALER without a name."""
    kind, name = b"DEALER", b""
    properties = b"\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    properties += b"\x08Identity" + len(name).to_bytes(4, "big") + name
    return _frame(COMMAND, READY + properties)


def _frame(flags: int, body: bytes) -> bytes:
    if len(body) > 255:  # noqa: PLR2004 - the largest length of one byte
        return bytes((flags | LONG,)) + len(body).to_bytes(8, "big") + body
    return bytes((flags, len(body))) + body
