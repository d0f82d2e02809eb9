"""Frame the messages between a paper terminal's process and its clients: length, then msgpack.

A frame is 4 bytes of length, big-endian, and that many bytes of a msgpack map. Three families of
requests share one socket: ``call`` is the MetaTrader5 surface, ``feed`` brings ticks, ``admin`` is
for tests and demos. Nothing else may be in a frame, so no bytes of a peer are ever executed.
"""

import struct
from typing import Any, Final

import msgspec

LENGTH: Final = struct.Struct(">I")
# Largest frame either side reads: 40 times what listing 10,000 positions takes.
FRAME_BYTES_MAX: Final = 64 * 1024 * 1024

FeedTick = tuple[str, float, float, int]


class RequestFrame(msgspec.Struct, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """One request; exactly one of ``call``, ``feed`` and ``admin`` is set.

    A feed with ``id`` 0 gets no reply. A tick is symbol, bid, ask and the source's UTC nanoseconds.
    """

    id: int = 0
    call: str | None = None
    args: list[Any] = []
    feed: list[FeedTick] | None = None
    admin: str | None = None
    params: dict[str, Any] = {}

    @property
    def method(self) -> str:
        """The called function's name, empty for the other families."""
        return self.call or ""


class ReplyFrame(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One reply; ``code`` 1 is success. ``lost`` tells the client to close its connection."""

    id: int = 0
    code: int = 1
    text: str = "Success"
    value: Any = None
    lost: bool = False


class FrameError(Exception):
    """A peer sent bytes that are no frame; the connection is of no more use."""


# What msgspec raises for bytes that are no message: also for bad UTF-8 and for endless nesting.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_ENCODER: Final = msgspec.msgpack.Encoder()
_REQUESTS: Final = msgspec.msgpack.Decoder(RequestFrame)
_REPLIES: Final = msgspec.msgpack.Decoder(ReplyFrame)


def pack(frame: RequestFrame | ReplyFrame) -> bytes:
    """Return a frame's bytes, length first."""
    body = _ENCODER.encode(frame)
    return LENGTH.pack(len(body)) + body


def unpack_request(body: bytes) -> RequestFrame:
    """Return the request in a frame's body.

    Raises:
        FrameError: The body is no request.
    """
    try:
        frame = _REQUESTS.decode(body)
    except _UNREADABLE as error:
        raise FrameError(f"request must be a known frame: {error}") from error
    if sum(part is not None for part in (frame.call, frame.feed, frame.admin)) != 1:
        raise FrameError("request must set exactly one of call, feed and admin")
    return frame


def unpack_reply(body: bytes) -> ReplyFrame:
    """Return the reply in a frame's body.

    Raises:
        FrameError: The body is no reply.
    """
    try:
        return _REPLIES.decode(body)
    except _UNREADABLE as error:
        raise FrameError(f"reply must be a known frame: {error}") from error


class FrameBuffer:
    """Collects bytes as they come and gives them back as whole frames."""

    def __init__(self) -> None:
        """Start empty."""
        self._bytes = bytearray()

    def add(self, data: bytes) -> list[bytes]:
        """Take bytes; return the bodies of all frames that are now whole.

        Raises:
            FrameError: A frame claims to be longer than FRAME_BYTES_MAX.
        """
        self._bytes += data
        bodies: list[bytes] = []
        while len(self._bytes) >= LENGTH.size:
            length = LENGTH.unpack_from(self._bytes)[0]
            if length > FRAME_BYTES_MAX:
                raise FrameError(f"frame must be at most {FRAME_BYTES_MAX} bytes, was {length}")
            end = LENGTH.size + length
            if len(self._bytes) < end:
                break
            bodies.append(bytes(self._bytes[LENGTH.size : end]))
            del self._bytes[:end]
        return bodies
