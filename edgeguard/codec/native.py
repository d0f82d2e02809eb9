"""EdgeGuard's own wire: msgpack arrays of the vocabulary in `edgeguard.messages`."""

from __future__ import annotations

import msgspec

from edgeguard.errors import MalformedError
from edgeguard.messages import AnyMessage

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """Return a message as bytes."""
    return _ENCODER.encode(message)


def decode(payload: bytes) -> AnyMessage:
    """Return the message that the bytes are.

    Raises:
        MalformedError: they are none of the vocabulary.
    """
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"payload must be a message of the vocabulary: {error}") from error
