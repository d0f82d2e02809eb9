"""Length-prefixed msgpack frames between the broker's parent and its child, and what they carry."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

import msgspec

_LENGTH: Final = struct.Struct(">I")
FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
"""Largest frame: far above a full history, far below what a corrupt length would claim."""


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One call of the terminal: the vendor's function by name."""

    id: int
    method: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}


class CallReply(msgspec.Struct, frozen=True, array_like=True):
    """What a call gave: `value` encoded, and `last_error` read right after it.

    `fault` is set where the call raised instead of returning.
    """

    id: int
    value: msgspec.Raw
    code: int = 1
    text: str = ""
    fault: str = ""


def pack(message: msgspec.Struct) -> bytes:
    """Return a message as one frame."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def body_length(head: bytes) -> int:
    """Return the length of the body that follows a frame's head.

    Raises:
        ValueError: it is longer than a frame may be.
    """
    (length,) = _LENGTH.unpack(head)
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"frame must have at most {FRAME_BYTES_MAX} bytes, claims {length}")
    return int(length)


HEAD_BYTES: Final = _LENGTH.size


def receive(sock: socket.socket) -> bytes:
    """Return the next frame's body from a blocking socket; empty at the end of the stream."""
    head = _exactly(sock, HEAD_BYTES)
    return _exactly(sock, body_length(head)) if head else b""


def _exactly(sock: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = sock.recv(min(count - len(parts), 1 << 20))
        if not part:
            return b""
        parts += part
    return bytes(parts)
