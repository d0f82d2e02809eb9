"""The head of a native message without decoding the rest: tag, account, source, seq.

The guard hands every payload whole to the Rust engine; this is what it must know itself on the way:
whom a message concerns and whose it is. A payload that is no message gives None and is left to the
engine, which counts it as malformed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TAGS_MAX: Final = 0x7F
_HEAD_ITEMS_MIN: Final = 5


class Head(NamedTuple):
    """First fields of a market message; `seq` is 0 where the source has none."""

    tag: int
    account: str
    source: str
    seq: int


def peek(payload: bytes) -> Head | None:
    """Return the head of a market message, None where the bytes do not begin like one."""
    try:
        first = payload[0]
        if first & 0xF0 == 0x90:  # noqa: PLR2004  # fixarray
            at = 1
        elif first == 0xDC:  # noqa: PLR2004  # array16
            at = 3
        else:
            return None
        tag = payload[at]
        if tag > TAGS_MAX:
            return None
        account, at = _text(payload, at + 1)
        source, at = _text(payload, at)
        _, at = _integer(payload, at)
        seq, _ = _integer(payload, at)
    except (IndexError, ValueError):
        return None
    return Head(tag, account, source, seq)


def _text(payload: bytes, at: int) -> tuple[str, int]:
    first = payload[at]
    if first & 0xE0 == 0xA0:  # noqa: PLR2004  # fixstr
        start, length = at + 1, first & 0x1F
    elif first == 0xD9:  # noqa: PLR2004  # str8
        start, length = at + 2, payload[at + 1]
    else:
        raise ValueError("expected a short text")
    end = start + length
    if end > len(payload):
        raise ValueError("text runs past the payload")
    return payload[start:end].decode(), end


def _integer(payload: bytes, at: int) -> tuple[int, int]:
    """Return an integer >= 0, or 0 for nil, and where the next value begins."""
    first = payload[at]
    if first <= TAGS_MAX:
        return first, at + 1
    if first == 0xC0:  # noqa: PLR2004  # nil
        return 0, at + 1
    if 0xCC <= first <= 0xCF:  # noqa: PLR2004  # uint8, 16, 32, 64
        end = at + 1 + (1 << (first - 0xCC))
        if end > len(payload):
            raise ValueError("integer runs past the payload")
        return int.from_bytes(payload[at + 1 : end], "big"), end
    raise ValueError("expected an integer")
