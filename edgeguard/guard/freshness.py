"""Whether an account's snapshots are fresh: the twin of `core_rs/src/freshness.rs`, on one table.

Arrival alone proves nothing: a queue hands out old snapshots as if they were new. A snapshot counts
when it answers a read that was asked for lately, or when it is not later than such a one was, by
the publisher's own stamp.
"""

from __future__ import annotations

from typing import Final, NamedTuple

ASKED_MAX: Final = 64
"""Reads whose answers may still count."""
STEP_NS: Final = 500_000_000
"""A step of the wall against the boot clock that makes every known lag worthless."""


class Seen(NamedTuple):
    """What is looked at in a snapshot of the right account."""

    epoch: int
    t_ns: int
    request: int
    has_money: bool


class Freshness:
    """Judges one account's snapshots; times in ns."""

    def __init__(self, age_max_ns: int, first: int) -> None:
        """Judge by an age; `first` is a number that no run before has used for a read."""
        self._age_max_ns = age_max_ns
        self._request = first
        self._asked: dict[int, int] = {}
        self._lag_ns: int | None = None
        self._offset_ns: int | None = None
        self._last: Seen | None = None
        self.good_boot_ns: int | None = None
        """When the last good snapshot arrived, ns of CLOCK_BOOTTIME."""

    def ask(self, boot_ns: int) -> int:
        """Return the number of a read that is asked for now."""
        self._request += 1
        if len(self._asked) >= ASKED_MAX:
            del self._asked[next(iter(self._asked))]
        self._asked[self._request] = boot_ns
        return self._request

    def take(self, seen: Seen, now: tuple[int, int]) -> bool:
        """Take in a snapshot of the right account; return whether it is fresh."""
        wall_ns, boot_ns = now
        self._look(wall_ns - boot_ns)
        lag_ns = wall_ns - seen.t_ns
        asked_ns = self._asked.get(seen.request)
        is_answer = asked_ns is not None and boot_ns - asked_ns <= self._age_max_ns
        last = self._last
        is_older = last is not None and last.epoch == seen.epoch and seen.t_ns <= last.t_ns
        if is_older and not is_answer:
            return False
        if is_answer:
            self._lag_ns = lag_ns
        if self._lag_ns is None or lag_ns - self._lag_ns > self._age_max_ns:
            return False
        # The smallest lag is nearest to the truth.
        self._lag_ns = min(self._lag_ns, lag_ns)
        self._last = seen
        if not seen.has_money:
            return False
        self.good_boot_ns = boot_ns
        return True

    def forget(self) -> None:
        """Distrust everything that was seen or asked for: the guard was away."""
        self.good_boot_ns = None
        self._lag_ns = None
        self._asked.clear()

    @property
    def needs_answer(self) -> bool:
        """Whether stamps say nothing until a read that is asked for has been answered."""
        return self._lag_ns is None

    def is_fresh(self, boot_ns: int) -> bool:
        """Return whether the last good snapshot is young enough."""
        good = self.good_boot_ns
        return good is not None and boot_ns - good <= self._age_max_ns

    def _look(self, offset_ns: int) -> None:
        """A wall clock that was set makes the lags before and after it incomparable."""
        known_ns = offset_ns if self._offset_ns is None else self._offset_ns
        self._offset_ns = offset_ns
        if abs(offset_ns - known_ns) > STEP_NS:
            self._lag_ns = None
