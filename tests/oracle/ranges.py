"""The ranges config/paper.toml states for every number; outside one the file is exit 3."""

from fractions import Fraction
from typing import NamedTuple

from tests.oracle.errors import BadConfig


class Range(NamedTuple):
    """Allowed values; a `whole` one takes integers only."""

    low: str
    high: str
    includes_low: bool
    includes_high: bool
    whole: bool = False


def _open(low: str, high: str) -> Range:
    return Range(low, high, includes_low=False, includes_high=False)


def _above(low: str, high: str) -> Range:
    return Range(low, high, includes_low=False, includes_high=True)


def _closed(low: str, high: str, *, whole: bool = False) -> Range:
    return Range(low, high, includes_low=True, includes_high=True, whole=whole)


WEEK_S = "604800"
LIMITS: dict[str, Range] = {
    "daily_loss": _open("0", "1"),
    "total_drawdown": _open("0", "1"),
    "connection_lost_s": _above("0", WEEK_S),
    "errors_per_minute": _closed("1", "1000000", whole=True),
    "confirm_ms": _closed("1", "60000", whole=True),
    "spread_multiple": _above("1", "1000"),
    "spread_clear_multiple": _above("0", "1000"),
    "spread_clear_s": _closed("0", WEEK_S),
    "spread_window_s": _above("0", WEEK_S),
    "spread_sample_ms": _closed("1", "60000", whole=True),
    "spread_samples_min": _closed("1", "1000000", whole=True),
    "spread_confirm_ticks": _closed("1", "1000", whole=True),
    "spread_freeze_max_s": _above("0", WEEK_S),
    "jump_frac": _above("0", "1000"),
    "jump_confirm_ms": _closed("1", "60000", whole=True),
    "releases_per_hour": _closed("0", "3600", whole=True),
    "price_age_max_s": _above("0", WEEK_S),
    "diverge_frac": _above("0", "1"),
}


def check(name: str, value: Fraction, allowed: Range) -> None:
    """Refuse a value outside its range."""
    low, high = Fraction(allowed.low), Fraction(allowed.high)
    above = value >= low if allowed.includes_low else value > low
    below = value <= high if allowed.includes_high else value < high
    if not above or not below or (allowed.whole and value.denominator != 1):
        raise BadConfig(f"{name} must be in range {allowed.low} to {allowed.high}, was {value}")
