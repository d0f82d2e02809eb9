"""Exact numbers: reading decimal text, rounding half-even, and writing them as the lines do."""

import re
from fractions import Fraction

from tests.oracle.errors import Refused

NS = 1_000_000_000
MICRO = Fraction(1, 1_000_000)

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_NON_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})


class Numeral(str):
    """The text of a bare JSON number or literal, kept apart from a JSON string."""

    __slots__ = ()


def parse(value: object, name: str) -> Fraction | None:
    """Return the exact number, None for an invalid (non-finite) one; refuse what is no number."""
    if not isinstance(value, str):
        raise Refused(f"{name} must be a number, was {value!r}")
    if value in _NON_FINITE:
        return None
    if not _DECIMAL.fullmatch(value):
        raise Refused(f"{name} must be a number, was {value!r}")
    return Fraction(value)


def parse_integer(value: object, name: str) -> int | None:
    """Return the exact integer, None for a non-finite one; refuse everything else."""
    number = parse(value, name)
    if number is None:
        return None
    if number.denominator != 1:
        raise Refused(f"{name} must be an integer, was {value!r}")
    return number.numerator


def half_even(number: Fraction) -> int:
    """Return the nearest integer, the even one of two equally near."""
    return round(number)


def to_points(price: Fraction, digits: int) -> int:
    """Return a price in integer points of 10^-digits."""
    return half_even(price * 10**digits)


def to_minor(money: Fraction, currency_digits: int) -> int:
    """Return money in integer minor units."""
    return half_even(money * 10**currency_digits)


def snap(money: Fraction) -> Fraction:
    """Return converted money snapped to 1e-6 of the account currency."""
    return half_even(money / MICRO) * MICRO


def fixed(integer: int, digits: int) -> str:
    """Return integer x 10^-digits with exactly that many decimals."""
    sign = "-" if integer < 0 else ""
    text = str(abs(integer)).rjust(digits + 1, "0")
    if digits == 0:
        return sign + text
    return f"{sign}{text[:-digits]}.{text[-digits:]}"


def rounded_up(number: Fraction, digits: int) -> str:
    """Return a number with that many decimals, rounded towards plus infinity."""
    scaled = number * 10**digits
    return fixed(-((-scaled.numerator) // scaled.denominator), digits)


def plain(number: Fraction) -> str:
    """Return a decimal without exponent and without trailing zeros."""
    digits = 0
    while (number * 10**digits).denominator != 1:
        digits += 1
    return fixed((number * 10**digits).numerator, digits)


def seconds_ns(seconds: Fraction) -> int:
    """Return seconds as integer nanoseconds."""
    return half_even(seconds * NS)
