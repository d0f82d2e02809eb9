"""Parse arguments as strictly as the vendor's extension: wrong types are refused, never cast."""

import operator
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, SupportsFloat, SupportsIndex

# PyUnicode_AsWideChar must leave room for the final zero in a buffer of 31 units.
TEXT_UNITS_MAX: Final = 29
GROUP_UNITS_MAX: Final = 1_997
LOGIN_TEXT_UNITS_MAX: Final = 253
_INT32_BOUND: Final = 1 << 31
_UINT32_MAX: Final = 0xFFFF_FFFF
_UINT64_MAX: Final = 0xFFFF_FFFF_FFFF_FFFF

_UINT32_FIELDS: Final = frozenset({"action", "type", "type_filling", "type_time"})
_FLOAT_FIELDS: Final = frozenset({"volume", "price", "stoplimit", "sl", "tp"})
_TEXT_FIELDS: Final = frozenset({"symbol", "comment"})
# In the order the extension looks at them: the first wrong one is the one reported.
REQUEST_FIELDS: Final = (
    *("action", "magic", "order", "symbol", "volume", "price", "stoplimit", "sl", "tp"),
    *("deviation", "type", "type_filling", "type_time", "expiration", "comment"),
    *("position", "position_by"),
)


class ArgumentError(Exception):
    """An argument the extension refuses; the text is what last_error() will say beside -2."""


def refuse(name: str) -> NoReturn:
    """Refuse a named argument.

    Raises:
        ArgumentError: Always.
    """
    raise ArgumentError(f'Invalid "{name}" argument')


def is_uint(value: object, largest: int = _UINT64_MAX) -> bool:
    """Return whether a value is an int (or of a subclass) within an unsigned range."""
    return isinstance(value, int) and 0 <= value <= largest


def utf16_units(text: str) -> int:
    """Return the length of a text in UTF-16 code units; surrogate pairs count two."""
    return len(text) + sum(ord(letter) > 0xFFFF for letter in text)  # noqa: PLR2004 - the BMP


def is_text(value: object, units_max: int = TEXT_UNITS_MAX) -> bool:
    """Return whether a value is a string of at most so many UTF-16 units."""
    return isinstance(value, str) and utf16_units(value) <= units_max


def request_values(request: object) -> list[Any]:
    """Turn a request dict into values in TradeRequest order, missing keys as 0 or empty.

    Args:
        request: What the client gave; a dict or a subclass of it, unknown keys ignored.

    Returns:
        The 17 values.

    Raises:
        ArgumentError: It is not a dict, or a field has a type or range the extension refuses.
    """
    if not isinstance(request, dict):
        raise ArgumentError("Invalid arguments")
    fields: dict[Any, Any] = request  # pyright: ignore[reportUnknownVariableType]
    return [_field(fields, name) for name in REQUEST_FIELDS]


def _field(fields: Mapping[Any, Any], name: str) -> int | float | str:
    """Return one field of a request, plain; refuse it if its type or range is wrong."""
    if name in _TEXT_FIELDS:
        text = fields.get(name, "")
        return str(text) if is_text(text) else refuse(name)
    if name in _FLOAT_FIELDS:
        number = fields.get(name, 0.0)
        return float(number) if isinstance(number, float) else refuse(name)
    whole = fields.get(name, 0)
    largest = _UINT32_MAX if name in _UINT32_FIELDS else _UINT64_MAX
    return int(whole) if is_uint(whole, largest) else refuse(name)


def symbol_only(args: Sequence[object]) -> str:
    """Return the symbol of a call that takes just one.

    Raises:
        ArgumentError: There is not exactly one argument, or it is no short string.
    """
    if len(args) != 1 or not isinstance(args[0], str) or not is_text(args[0]):
        raise ArgumentError("Invalid arguments")
    return args[0]


def int32(value: object) -> int:
    """Return a whole number as the extension's format ``i`` takes it: numpy's ints pass as well.

    Raises:
        ArgumentError: It is no whole number, or beyond 32 bits.
    """
    if isinstance(value, SupportsIndex):
        whole = operator.index(value)
        if -_INT32_BOUND <= whole < _INT32_BOUND:
            return whole
    raise ArgumentError("Invalid arguments")


def double(value: object) -> float:
    """Return a number as the extension's format ``d`` takes it: Decimal and numpy pass as well.

    Raises:
        ArgumentError: It is no number.
    """
    if isinstance(value, SupportsFloat | SupportsIndex):
        return float(value)
    raise ArgumentError("Invalid arguments")


def seconds(value: object) -> float:
    """Return a date as seconds: a number as it is, a datetime by its own timestamp().

    Raises:
        ArgumentError: It is neither.
    """
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, int | float):
        return float(value)
    raise ArgumentError("Invalid arguments")


def matches_group(name: str, group: str) -> bool:
    """Return whether a symbol passes a group filter.

    A filter is a comma-separated list of masks, ``*`` standing for any text; ``!`` in front
    excludes. Exclusions win; with only exclusions everything else passes.
    """
    masks = [mask.strip() for mask in group.split(",") if mask.strip()]
    wanted = [mask for mask in masks if not mask.startswith("!")]
    unwanted = [mask[1:] for mask in masks if mask.startswith("!")]
    if any(_matches(name, mask) for mask in unwanted):
        return False
    return not wanted or any(_matches(name, mask) for mask in wanted)


def _matches(name: str, mask: str) -> bool:
    """Return whether a name fits one mask; only ``*`` is special."""
    parts = mask.split("*")
    if len(parts) == 1:
        return name == mask
    if not name.startswith(parts[0]) or not name.endswith(parts[-1]):
        return False
    rest = name[len(parts[0]) : len(name) - len(parts[-1])]
    if len(name) < len(parts[0]) + len(parts[-1]):
        return False
    for part in parts[1:-1]:
        found = rest.find(part)
        if found < 0:
            return False
        rest = rest[found + len(part) :]
    return True
