"""The kinds of values that a configuration key may hold: number, text, word, flag, list.

Each kind reads a value or says what it must be, stands in for a faulty one, and has a JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final, cast

NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
"""A decimal as text: digits, at most one point with digits on both sides, a short exponent."""
DIGITS_MAX: Final = 28
"""Digits of a decimal: what fits 96 bits, so that the engine compares it exactly."""

_WIDE: Final = Context(prec=100)

Value = str | int | bool | tuple[str | int, ...]
"""What a checked key holds."""


class Unfit(Exception):  # noqa: N818 - an internal signal of this package, never raised outside it
    """A value broke its rule; `requirement` completes the sentence "KEY must ..."."""

    def __init__(self, requirement: str, suffix: str = "") -> None:
        """Take the requirement, and a `suffix` such as ``[2]`` where an item of a list is meant."""
        super().__init__(requirement)
        self.requirement = requirement
        self.suffix = suffix


class ExactNumber(str):
    """A TOML float, kept as the text that the file holds."""

    __slots__ = ()


@dataclass(frozen=True)
class Number:
    """An exact decimal (kept as text) or, with `integer`, a whole number, in a range."""

    low: str
    high: str
    unit: str
    integer: bool = False
    low_open: bool = False
    high_open: bool = False
    places: int = DIGITS_MAX
    """Digits after the point at most."""

    def interval(self) -> str:
        """Return the range as it is written in mathematics, e.g. ``in (0, 1)``."""
        left = "(" if self.low_open else "["
        right = ")" if self.high_open else "]"
        return f"be in {left}{self.low}, {self.high}{right}"

    def read(self, value: object) -> Value:
        """Return the checked value, or raise `Unfit`."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise Unfit("be a whole number" if self.integer else "be a number")
        if self.integer and not isinstance(value, int):
            raise Unfit("be a whole number")
        text = str(value).strip().replace("_", "") if isinstance(value, ExactNumber) else str(value)
        if not NUMBER.fullmatch(text):
            raise Unfit('be a number such as 0.03 or "0.03"')
        number = Decimal(text)
        if not self._holds(number):
            raise Unfit(self.interval())
        if len(number.as_tuple().digits) > DIGITS_MAX:
            raise Unfit(f"have at most {DIGITS_MAX} digits")
        if number != number.quantize(Decimal(1).scaleb(-self.places), context=_WIDE):
            raise Unfit(f"have at most {self.places} digits after the point")
        return int(text) if self.integer else text

    def _holds(self, number: Decimal) -> bool:
        low, high = Decimal(self.low), Decimal(self.high)
        above = number > low if self.low_open else number >= low
        below = number < high if self.high_open else number <= high
        return above and below

    def stand_in(self) -> Value:
        """Return a value of the right type, to take the place of a faulty one."""
        return int(self.high) if self.integer else self.high

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the key."""
        bounds: dict[str, object] = {
            "exclusiveMinimum" if self.low_open else "minimum": _json_number(self.low),
            "exclusiveMaximum" if self.high_open else "maximum": _json_number(self.high),
        }
        note = f"{self.unit}; must {self.interval()}"
        if self.integer:
            return {"type": "integer", **bounds, "description": note}
        text: dict[str, object] = {"type": "string", "pattern": f"^{NUMBER.pattern}$"}
        return {"anyOf": [{"type": "number", **bounds}, text], "description": note}


@dataclass(frozen=True)
class Text:
    """Text that passes `holds`; `meaning` completes "must be ..."."""

    meaning: str
    holds: Callable[[str], bool]

    def read(self, value: object) -> Value:
        """Return the checked value, or raise `Unfit`."""
        if not isinstance(value, str) or isinstance(value, ExactNumber) or not self.holds(value):
            raise Unfit(f"be {self.meaning}")
        return value

    def stand_in(self) -> Value:
        """Return a value of the right type, to take the place of a faulty one."""
        return ""

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the key."""
        return {"type": "string", "description": f"must be {self.meaning}"}


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def read(self, value: object) -> Value:
        """Return the checked value, or raise `Unfit`."""
        if not isinstance(value, str) or value not in self.words:
            raise Unfit(f"be one of {', '.join(self.words)}")
        return value

    def stand_in(self) -> Value:
        """Return a value of the right type, to take the place of a faulty one."""
        return self.words[0]

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the key."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, value: object) -> Value:
        """Return the checked value, or raise `Unfit`."""
        if not isinstance(value, bool):
            raise Unfit("be true or false")
        return value

    def stand_in(self) -> Value:
        """Return a value of the right type, to take the place of a faulty one."""
        return False

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the key."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Many:
    """A list of values that keep one rule, or with `bare`, also one such value by itself."""

    item: Number | Text | Choice
    at_least: int = 0
    bare: Text | None = None

    def read(self, value: object) -> Value:
        """Return the checked value, or raise `Unfit` with the index of the faulty item."""
        if self.bare is not None and isinstance(value, str):
            return self.bare.read(value)
        if not isinstance(value, list):
            raise Unfit("be a list")
        items = cast("list[object]", value)
        if len(items) < self.at_least:
            raise Unfit(f"be a list of at least {self.at_least}")
        return tuple(self._item(index, item) for index, item in enumerate(items))

    def _item(self, index: int, item: object) -> str | int:
        try:
            checked = self.item.read(item)
        except Unfit as fault:
            raise Unfit(fault.requirement, f"[{index}]") from None
        assert isinstance(checked, str | int)  # noqa: S101 - the three return nothing else
        return checked

    def stand_in(self) -> Value:
        """Return a value of the right type, to take the place of a faulty one."""
        return ()

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the key."""
        listed: dict[str, object] = {"type": "array", "items": self.item.schema()}
        if self.at_least:
            listed["minItems"] = self.at_least
        return listed if self.bare is None else {"anyOf": [self.bare.schema(), listed]}


Rule = Number | Text | Choice | Flag | Many


def _json_number(text: str) -> int | float:
    """Return a bound as JSON writes it: whole where it is whole."""
    return int(text) if text.lstrip("-").isdigit() else float(text)
