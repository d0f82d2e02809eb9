"""A terminal's floats as exact decimal text, without the artefacts of binary fractions."""

from __future__ import annotations

import math
from decimal import Decimal

from edgeguard.broker.paper.units import UNITS_PER_LOT
from edgeguard.broker.rows import SymbolRow

EXTRA_DIGITS = 6
"""Digits kept beyond a symbol's own: the opening price of a netting position is an average."""
LOT_DIGITS = 8


def fixed_text(value: float, digits: int) -> str | None:
    """Return a number with exactly `digits` decimals; None where it is not finite.

    Args:
        value: money in a currency of `digits` digits, or a price.
        digits: decimals, 0..10.
    """
    if not math.isfinite(value):
        return None
    text = f"{value:.{digits}f}"
    # A loss that rounds to nothing must not read as minus nothing.
    return text.removeprefix("-") if float(text) == 0 else text


def price_text(value: float, digits: int) -> str:
    """Return a price with its symbol's digits, or with more where it lies between two points."""
    if not math.isfinite(value):
        return "0"
    text = f"{value:.{digits}f}"
    if math.isclose(float(text), value, rel_tol=1e-12, abs_tol=10.0 ** -(digits + EXTRA_DIGITS)):
        return text
    return plain_text(round(value, digits + EXTRA_DIGITS))


def volume_text(lots: float, spec: SymbolRow | None) -> str:
    """Return a volume with the digits of its symbol's step; more only where it has more."""
    if not math.isfinite(lots):
        return "0"
    exact = Decimal(round(lots * UNITS_PER_LOT)).scaleb(-LOT_DIGITS)
    digits = 2 if spec is None else step_digits(spec.volume_step)
    short = round(exact, digits)
    return f"{short:.{digits}f}" if short == exact else format(exact.normalize(), "f")


def step_digits(step: float) -> int:
    """Return the decimals of a volume step: 2 for 0.01, 0 for 1."""
    exact = Decimal(round(step * UNITS_PER_LOT)).scaleb(-LOT_DIGITS).normalize()
    exponent = exact.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def plain_text(value: float) -> str:
    """Return a float's shortest decimal text, never in scientific notation."""
    if not math.isfinite(value):
        return "0"
    return format(Decimal(repr(float(value))), "f")
