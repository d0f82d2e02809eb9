"""As much of msgpack as a halt by hand needs: a command out, the stages of its answer in.

`edgeguard.codec.native` does this and everything else by msgspec, whose import alone takes longer
than all of this path may (docs/PERFORMANCE.md, "Start-up"). Tests hold both to the same bytes.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

from edgeguard.errors import MalformedError

COMMAND_TAG, REPLY_TAG = 34, 35
"""Tags of `edgeguard.messages.Command` and `Reply`."""
DEPTH_MAX: Final = 8
_HEADS: Final = {
    bytes: ((0xC4, 1), (0xC5, 2), (0xC6, 4)),
    str: ((0xD9, 1), (0xDA, 2), (0xDB, 4)),
    dict: ((0xDE, 2), (0xDF, 4)),
    tuple: ((0xDC, 2), (0xDD, 4)),
}
"""The code and the bytes of length of each form, shortest first."""
_FIXED: Final = {str: (0xA0, 31), dict: (0x80, 15), tuple: (0x90, 15)}
"""Forms with the length inside the code: first code and largest length."""
_SIZED: Final = {code: (kind, size) for kind, forms in _HEADS.items() for code, size in forms}
_NUMBERS: Final = {0xCC + i: (1 << i, False) for i in range(4)} | {
    0xD0 + i: (1 << i, True) for i in range(4)
}
_WORDS: Final = {0xC0: None, 0xC2: False, 0xC3: True}
Value = object


class ReplyLine(NamedTuple):
    """One stage of an answer, with the fields of `edgeguard.messages.Reply` that people see."""

    id: str
    stage: str
    final: bool
    text: str
    body: bytes


def pack(value: Value) -> bytes:
    """Return text, bytes, an integer in [0, 2^63), a dict or a tuple of such as msgpack."""
    if isinstance(value, int):
        if value < 128:  # noqa: PLR2004 - the form without a code
            return bytes((value,))
        power = max(0, (value.bit_length() - 1) // 8)
        power = power.bit_length()
        return bytes((0xCC + power,)) + value.to_bytes(1 << power, "big")
    if isinstance(value, str):
        data = value.encode()
        return _head(str, len(data)) + data
    if isinstance(value, bytes):
        return _head(bytes, len(value)) + value
    if isinstance(value, dict):
        table = cast("dict[Value, Value]", value)
        items = [pack(key) + pack(item) for key, item in table.items()]
        return _head(dict, len(items)) + b"".join(items)
    row = cast("tuple[Value, ...]", value)
    return _head(tuple, len(row)) + b"".join(map(pack, row))


def read_reply(payload: bytes) -> ReplyLine:
    """Return the reply that the bytes are.

    Raises:
        MalformedError: they are none.
    """
    try:
        value, end = _read(payload, 0, DEPTH_MAX)
    except (IndexError, KeyError, UnicodeDecodeError, RecursionError, TypeError) as e:
        raise MalformedError(f"payload must be a reply: {e!r}") from e
    kinds = (int, str, str, bool, str, bytes)
    fields = cast("tuple[Any, ...]", value if isinstance(value, tuple) else ())
    is_reply = len(fields) >= len(kinds) and fields[0] == REPLY_TAG and end == len(payload)
    if not is_reply or not all(map(isinstance, fields, kinds)):
        raise MalformedError("payload must be a reply, was something else")
    return ReplyLine(*fields[1:6])


def _head(kind: type, size: int) -> bytes:
    first, longest = _FIXED.get(kind, (0, -1))
    if size <= longest:
        return bytes((first + size,))
    code, width = next(form for form in _HEADS[kind] if size < 1 << 8 * form[1])
    return bytes((code,)) + size.to_bytes(width, "big")


def _read(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """Return the value at an offset and the offset behind it."""
    code = data[at]
    at += 1
    if code < 0x80 or code >= 0xE0:  # noqa: PLR2004 - numbers that are their own code
        return code if code < 0x80 else code - 256, at  # noqa: PLR2004
    if code in _WORDS:
        return _WORDS[code], at
    if code in _NUMBERS:
        width, signed = _NUMBERS[code]
        return int.from_bytes(_cut(data, at, width), "big", signed=signed), at + width
    kind, size, at = _form(data, code, at)
    if kind is str or kind is bytes:
        raw = _cut(data, at, size)
        return raw.decode() if kind is str else raw, at + size
    if not depth:
        raise RecursionError
    return _many(data, at, (kind, size), depth - 1)


def _form(data: bytes, code: int, at: int) -> tuple[type, int, int]:
    for kind, (first, longest) in _FIXED.items():
        if first <= code <= first + longest:
            return kind, code - first, at
    kind, width = _SIZED[code]
    return kind, int.from_bytes(_cut(data, at, width), "big"), at + width


def _many(data: bytes, at: int, form: tuple[type, int], depth: int) -> tuple[Value, int]:
    kind, size = form
    found: list[Value] = []
    for _ in range(size * (2 if kind is dict else 1)):
        item, at = _read(data, at, depth)
        found.append(item)
    if kind is dict:
        return dict(zip(found[::2], found[1::2], strict=True)), at
    return tuple(found), at


def _cut(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise IndexError(at + size)
    return data[at : at + size]
