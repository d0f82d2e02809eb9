"""Hold volumes as integers and prices on their grid, so that sums of lots come out exact."""

from typing import Final

# One lot in units: the server counts volumes in 1e-8 lots, as MetaTrader's own servers do.
UNITS_PER_LOT: Final = 100_000_000
# Beyond any price, volume or stop there is; its cube is still a float.
_MEASURE_MAX: Final = 1e15
MS_PER_S: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000


def is_measurable(number: float) -> bool:
    """Return whether a price or volume is a number that arithmetic can hold: NaN is not."""
    return -_MEASURE_MAX < number < _MEASURE_MAX


def to_units(lots: float) -> int:
    """Return lots as a whole number of 1e-8 lots, rounded to the nearest."""
    return round(lots * UNITS_PER_LOT)


def to_lots(units: int) -> float:
    """Return a number of 1e-8 lots as lots."""
    return units / UNITS_PER_LOT


def to_points(difference: float, point: float) -> int:
    """Return a price difference as a whole number of points, rounded to the nearest."""
    return round(difference / point)
