"""Local calendars: when a trading day begins, when a symbol is in session, which week bucket."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.oracle.numerals import NS

NEW_YORK = "America/New_York"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
SEARCH_DAYS = 800

Interval = tuple[int, int]


@cache
def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name."""
    return ZoneInfo(name)


def local(t_ns: int, zone_name: str) -> datetime:
    """Return the local wall time of an instant, to the whole second."""
    return datetime.fromtimestamp(t_ns // NS, zone(zone_name))


class Beginning(NamedTuple):
    """The instant a local time comes, and whether it is plain, doubled or does not exist."""

    t_ns: int
    kind: str
    day: date


@cache
def beginning(day: date, minute: int, zone_name: str) -> Beginning:
    """Return when a local time comes: the first of a doubled one, the next existing of a gap."""
    wall = datetime.combine(day + timedelta(days=minute // DAY_MINUTES), time())
    wall += timedelta(minutes=minute % DAY_MINUTES)
    tz = zone(zone_name)
    first, second = (_utc_s(wall.replace(tzinfo=tz, fold=fold)) for fold in (0, 1))
    if _wall(first, tz) == wall:
        return Beginning(first * NS, "plain" if first == second else "doubled_time", day)
    # In a gap fold 1 names an instant before it and fold 0 one after it: look for the edge.
    low, high = second, first
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _wall(middle, tz) >= wall else (middle, high)
    return Beginning(high * NS, "nonexistent_time", day)


def _utc_s(moment: datetime) -> int:
    return round(moment.timestamp())


def _wall(utc_s: int, tz: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(utc_s, tz).replace(tzinfo=None, fold=0)


def next_rollover(t_ns: int, minute: int, zone_name: str) -> Beginning:
    """Return the first beginning of a day strictly after an instant."""
    today = local(t_ns, zone_name).date()
    days = (today + timedelta(days=n) for n in range(-2, 4))
    return min(b for day in days if (b := beginning(day, minute, zone_name)).t_ns > t_ns)


def week_bucket(t_ns: int) -> int:
    """Return the 15-minute bucket of the New York local week, 0 being Sunday 00:00."""
    moment = local(t_ns, NEW_YORK)
    return (moment.weekday() + 1) % 7 * 96 + (moment.hour * 60 + moment.minute) // 15


@dataclass(frozen=True)
class Window:
    """One weekly opening in local minutes, start inclusive, end exclusive."""

    weekday: int
    start: int
    end: int
    zone: str


@dataclass(frozen=True)
class Session:
    """When something trades; no windows means round the clock."""

    windows: tuple[Window, ...]
    holidays: frozenset[date]

    @property
    def always(self) -> bool:
        """Tell whether it never closes."""
        return not self.windows and not self.holidays


ALWAYS = Session((), frozenset())


def _week(days: str, start: int, end: int) -> list[Window]:
    return [Window(WEEKDAYS.index(day), start, end, NEW_YORK) for day in days.split()]


FIVE = 17 * 60
SIX = 18 * 60
NAMED: dict[str, tuple[Window, ...]] = {
    "24x7": (),
    "24x5": tuple(
        _week("Sun", FIVE, DAY_MINUTES)
        + _week("Mon Tue Wed Thu", 0, DAY_MINUTES)
        + _week("Fri", 0, FIVE)
    ),
    "24x5_break": tuple(
        _week("Sun", SIX, DAY_MINUTES)
        + _week("Mon Tue Wed Thu", 0, FIVE)
        + _week("Mon Tue Wed Thu", SIX, DAY_MINUTES)
        + _week("Fri", 0, FIVE)
    ),
}


def _windows(session: Session) -> tuple[Window, ...]:
    if session.windows:
        return session.windows
    return tuple(Window(n, 0, DAY_MINUTES, "UTC") for n in range(7))


@cache
def _open_on(session: Session, day: date) -> tuple[Interval, ...]:
    """Return the openings of one local date, as instants."""
    if day in session.holidays:
        return ()
    return tuple(
        (
            beginning(day, window.start, window.zone).t_ns,
            beginning(day, window.end, window.zone).t_ns,
        )
        for window in _windows(session)
        if window.weekday == day.weekday()
    )


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


@cache
def _openings(sessions: frozenset[Session], first: date, days: int) -> tuple[Interval, ...]:
    dates = [first + timedelta(days=n) for n in range(days)]
    return tuple(_merged(i for s in sessions for day in dates for i in _open_on(s, day)))


def _openings_from(sessions: frozenset[Session], start: int, days: int) -> tuple[Interval, ...]:
    """Return the merged openings of any of the sessions from a day before start on."""
    first = datetime.fromtimestamp(start // NS, UTC).date() - timedelta(days=2)
    return _openings(sessions, first, days + 4)


def open_time(sessions: frozenset[Session], start: int, end: int) -> int:
    """Return how much of [start, end) lies in session, in nanoseconds."""
    if any(session.always for session in sessions):
        return max(end - start, 0)
    days = max(end - start, 0) // (86_400 * NS) + 1
    openings = _openings_from(sessions, start, days)
    return sum(max(0, min(b, end) - max(a, start)) for a, b in openings)


def is_open(sessions: frozenset[Session], t_ns: int) -> bool:
    """Tell whether an instant is in session."""
    return open_time(sessions, t_ns, t_ns + 1) == 1


@lru_cache(maxsize=65_536)
def due(sessions: frozenset[Session], start: int, need: int) -> int | None:
    """Return when the in-session time since start first amounts to need, None if not in sight."""
    if any(session.always for session in sessions):
        return start + need
    days = 8
    while days < SEARCH_DAYS:
        left = need
        for a, b in _openings_from(sessions, start, days):
            left -= max(0, b - max(a, start))
            if left <= 0:
                return b + left
        days *= 4
    return None
