"""Tell whether a symbol's market is open at a broker wall-clock time."""

from edgeguard.broker.paper.clock import second_of_day, weekday
from edgeguard.broker.paper.spec import SymbolSpec

_FIRST_WORKDAY = 1
_LAST_WORKDAY = 5


def is_open(spec: SymbolSpec, wall_ms: int) -> bool:
    """Return whether the schedule lets the symbol trade; a session's end second is outside it."""
    day = weekday(wall_ms)
    if spec.sessions == "24x7":
        return True
    if spec.sessions == "24x5":
        return _FIRST_WORKDAY <= day <= _LAST_WORKDAY
    second = second_of_day(wall_ms)
    return any(
        session_day == day and start <= second < end for session_day, start, end in spec.sessions
    )


def trades_on(spec: SymbolSpec, day: int) -> bool:
    """Return whether the symbol trades at all on a weekday, 0 for Sunday."""
    if spec.sessions == "24x7":
        return True
    if spec.sessions == "24x5":
        return _FIRST_WORKDAY <= day <= _LAST_WORKDAY
    return any(session_day == day for session_day, _, _ in spec.sessions)
