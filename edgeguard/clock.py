"""Time as an argument: the only module that reads a clock, and a clock that a simulation moves."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

_CLOCK_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


def utc(wall_ns: int) -> str:
    """Return a moment as logs and commands write it, to the second."""
    return f"{datetime.fromtimestamp(wall_ns / NS_PER_S, UTC):%Y-%m-%d %H:%M:%S} UTC"


class Clock(Protocol):
    """Two clocks: the wall for the calendar, the boot clock for every duration."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the Unix epoch; may step."""
        ...

    def boot_ns(self) -> int:
        """Return nanoseconds since boot, through suspend; never steps."""
        ...


class SystemClock:
    """The machine's clocks. On hosts without CLOCK_BOOTTIME (Windows) monotonic stands in."""

    def wall_ns(self) -> int:
        """Return the wall clock in nanoseconds since the Unix epoch."""
        return time.time_ns()  # noqa: TID251  # the one place

    def boot_ns(self) -> int:
        """Return CLOCK_BOOTTIME in nanoseconds."""
        if _CLOCK_BOOTTIME is None:
            return time.monotonic_ns()  # noqa: TID251  # the one place
        return time.clock_gettime_ns(_CLOCK_BOOTTIME)  # noqa: TID251  # the one place


class ManualClock:
    """A clock that stands still until told: for simulations and tests."""

    def __init__(self, wall_ns: int = 0, boot_ns: int = 0) -> None:
        """Start both clocks at the given nanoseconds."""
        self._wall_ns = wall_ns
        self._boot_ns = boot_ns

    def wall_ns(self) -> int:
        """Return the wall clock as last set."""
        return self._wall_ns

    def boot_ns(self) -> int:
        """Return the boot clock as last set."""
        return self._boot_ns

    def advance(self, ns: int) -> None:
        """Move both clocks forward by `ns` >= 0 nanoseconds."""
        self._wall_ns += ns
        self._boot_ns += ns

    def step_wall(self, ns: int) -> None:
        """Step the wall clock alone, either way."""
        self._wall_ns += ns
