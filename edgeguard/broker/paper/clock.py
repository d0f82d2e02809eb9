"""Turn UTC into the broker's wall clock, which MetaTrader writes as if it were epoch time."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from edgeguard.broker.paper.spec import ClockSpec
from edgeguard.broker.paper.units import MS_PER_S, NS_PER_MS, NS_PER_S

SECONDS_PER_DAY = 86_400
_SUMMER_S = 3_600
_HOUR_S = 3_600
_SUNDAY = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _nth_sunday(year: int, month: int, nth: int, hour: int) -> int:
    """Return the UTC second of the nth Sunday of a month at an hour; nth of -1 is the last."""
    if nth > 0:
        first = datetime(year, month, 1, hour, tzinfo=UTC)
        day = first + timedelta(days=(_SUNDAY - first.weekday()) % 7 + 7 * (nth - 1))
    else:
        last = datetime(year, month + 1, 1, hour, tzinfo=UTC) - timedelta(days=1)
        day = last - timedelta(days=(last.weekday() - _SUNDAY) % 7)
    return int((day - _EPOCH).total_seconds())


def is_summer(dst: str, utc_s: int) -> bool:
    """Tell whether summer time rules at a UTC second.

    The US moves at 02:00 New York time on the second Sunday of March and the first of November;
    the EU at 01:00 UTC on the last Sundays of March and October.
    """
    # Both change at a full hour of UTC, so that an hour needs one look at the calendar.
    return dst != "none" and _is_summer_from(dst, utc_s // _HOUR_S * _HOUR_S)


@lru_cache(maxsize=256)
def _is_summer_from(dst: str, utc_s: int) -> bool:
    year = (_EPOCH + timedelta(seconds=utc_s)).year
    if dst == "us":
        return _nth_sunday(year, 3, 2, 7) <= utc_s < _nth_sunday(year, 11, 1, 6)
    return _nth_sunday(year, 3, -1, 1) <= utc_s < _nth_sunday(year, 10, -1, 1)


def offset_s(clock: ClockSpec, now_ns: int) -> int:
    """Return the broker's offset from UTC at a moment, in seconds."""
    summer = _SUMMER_S if is_summer(clock.dst, now_ns // NS_PER_S) else 0
    return clock.utc_offset_s + summer


def broker_ms(clock: ClockSpec, now_ns: int, shift_s: int = 0) -> int:
    """Return the broker's wall clock in milliseconds, shifted by a fault's seconds if any."""
    return now_ns // NS_PER_MS + (offset_s(clock, now_ns) + shift_s) * MS_PER_S


def weekday(wall_ms: int) -> int:
    """Return the weekday of a broker wall-clock millisecond, 0 for Sunday."""
    days = wall_ms // MS_PER_S // SECONDS_PER_DAY
    # 1970-01-01 was a Thursday, which is day 4 in the vendor's count.
    return (days + 4) % 7


def second_of_day(wall_ms: int) -> int:
    """Return the second of the broker's day, 0 to 86399."""
    return wall_ms // MS_PER_S % SECONDS_PER_DAY


def day_number(wall_ms: int) -> int:
    """Return the count of broker days since 1970, which changes at the broker's midnight."""
    return wall_ms // MS_PER_S // SECONDS_PER_DAY
