"""Price anomaly of one symbol: learned normal spread, pause, freeze, hold and release."""

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.calendar_ import Session, is_open, open_time, week_bucket
from tests.oracle.coverage import reached
from tests.oracle.facts import SpreadFacts
from tests.oracle.limits import Budget, Change
from tests.oracle.numerals import plain, rounded_up
from tests.oracle.settings import Limits


@dataclass(frozen=True)
class SpreadChange:
    """A pause or release with the normal it refers to."""

    change: Change
    reference: str


class Samples:
    """The spreads of the window, by time and by size."""

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self.by_time: deque[tuple[int, int]] = deque()
        self.by_size: list[int] = []

    def add(self, t_ns: int, spread: int) -> None:
        """Take a sample."""
        self.by_time.append((t_ns, spread))
        insort(self.by_size, spread)

    def expire(self, t_ns: int) -> None:
        """Drop what has left the window."""
        while self.by_time and t_ns - self.by_time[0][0] >= self.window_ns:
            _, spread = self.by_time.popleft()
            self.by_size.pop(bisect_left(self.by_size, spread))
            reached("spread_sample_expired")

    def median(self) -> int:
        """Return the lower median."""
        return self.by_size[(len(self.by_size) - 1) // 2]


class Spread:
    """The state of price_anomaly for one symbol of one account."""

    def __init__(self, limits: Limits) -> None:
        self.multiple = limits.number("spread_multiple")
        self.clear_multiple = limits.number("spread_clear_multiple")
        self.clear_ns = limits.ns("spread_clear_s")
        self.sample_ns = limits.ns("spread_sample_ms")
        self.samples_min = limits.integer("spread_samples_min")
        self.confirm_ticks = limits.integer("spread_confirm_ticks")
        self.freeze_ns = limits.ns("spread_freeze_max_s")
        self.samples = Samples(limits.ns("spread_window_s"))
        self.budget = Budget(limits.integer("releases_per_hour"))
        self.last_interval: int | None = None
        self.was_armed = False
        self.run = 0
        self.paused_ns: int | None = None
        self.is_sticky = False
        self.frozen = Fraction(0)
        self.hold_ns: int | None = None
        self.last_spread = 0

    def tick(self, t_ns: int, spread: int, facts: SpreadFacts) -> list[SpreadChange]:
        """Evaluate an accepted tick, then sample it."""
        self.last_spread = spread
        normal = self.normal(t_ns, facts)
        is_anomalous = normal is not None and spread > self.multiple * normal
        if normal is not None and spread == self.multiple * normal:
            reached("spread_tie")
        if self.paused_ns is not None:
            assert normal is not None
            self._hold(t_ns, spread, normal, facts.session)
            if self._is_freeze_over(t_ns):
                self._sample(t_ns, spread)
            return []
        changes = self._count(t_ns, normal) if is_anomalous and normal is not None else []
        if not is_anomalous:
            if self.run:
                reached("spread_confirm_broken")
            self.run = 0
            self._sample(t_ns, spread)
        elif not changes:
            reached("spread_anomaly_not_sampled")
        return changes

    def normal(self, t_ns: int, facts: SpreadFacts) -> Fraction | None:
        """Return the normal spread in points, None while not armed."""
        if self.paused_ns is not None and not self._is_freeze_over(t_ns):
            reached("spread_frozen")
            return self.frozen
        learned = self._learned(t_ns, facts)
        if learned is None and self.paused_ns is not None:
            return self.frozen
        return learned

    def _learned(self, t_ns: int, facts: SpreadFacts) -> Fraction | None:
        self.samples.expire(t_ns)
        profile = facts.profile[week_bucket(t_ns)] if facts.profile else None
        if facts.profile and profile is None:
            reached("spread_profile_empty_bucket")
        is_armed = len(self.samples.by_size) >= max(self.samples_min, 1)
        if self.was_armed and not is_armed:
            reached("spread_disarmed_again")
        self.was_armed = is_armed
        first = Fraction(self.samples.median()) if is_armed else facts.configured
        values = [value for value in (first, profile) if value is not None]
        if not values:
            reached("spread_not_armed")
            return None
        normal = max(*values, facts.floor) if values else facts.floor
        reached("spread_armed_median" if is_armed else "spread_warmup_normal")
        if normal == profile and normal != first:
            reached("spread_profile_decides")
        if normal == facts.floor and normal > max(values):
            reached("spread_floor_decides")
        return Fraction(normal)

    def _count(self, t_ns: int, normal: Fraction) -> list[SpreadChange]:
        """Count an anomalous tick and pause at the last of the run."""
        self.run += 1
        if self.run < self.confirm_ticks:
            reached("spread_confirm_run")
            return []
        reached("spread_pause")
        self.run = 0
        self.paused_ns, self.frozen, self.hold_ns = t_ns, normal, None
        self.is_sticky = self.budget.is_spent(t_ns)
        return [self._change("pause", "", normal)]

    def _change(self, action: str, suffix: str, normal: Fraction) -> SpreadChange:
        value = rounded_up(self.last_spread / normal, 8) if normal else None
        return SpreadChange(Change(action, suffix, value), plain(normal))

    def _is_freeze_over(self, t_ns: int) -> bool:
        is_over = self.paused_ns is not None and t_ns - self.paused_ns >= self.freeze_ns
        if is_over:
            reached("spread_freeze_over")
        return is_over

    def _sample(self, t_ns: int, spread: int) -> None:
        """Sample at most one tick per interval."""
        interval = t_ns // self.sample_ns
        if self.last_interval is not None and interval <= self.last_interval:
            reached("spread_same_interval")
            return
        self.last_interval = interval
        self.samples.add(t_ns, spread)
        reached("spread_sampled")

    def _hold(self, t_ns: int, spread: int, normal: Fraction, session: Session) -> None:
        """Start, keep or break the time for which every tick was small enough."""
        sessions = frozenset({session})
        if not is_open(sessions, t_ns) or spread > self.clear_multiple * normal:
            if self.hold_ns is not None:
                reached("spread_hold_broken")
            self.hold_ns = None
            return
        start = self.hold_ns
        if start is not None and open_time(sessions, start, t_ns) < t_ns - start:
            reached("spread_hold_voided_by_close")
            start = None
        if start is None:
            reached("spread_hold_started")
            self.hold_ns = t_ns

    def due_ns(self, session: Session) -> int | None:
        """Return when the hold ends, None where nothing is held or the session closes before."""
        if self.paused_ns is None or self.hold_ns is None or self.is_sticky:
            return None
        end = self.hold_ns + self.clear_ns
        if open_time(frozenset({session}), self.hold_ns, end) < self.clear_ns:
            return None
        return end

    def clear(self, t_ns: int, facts: SpreadFacts) -> list[SpreadChange]:
        """Release the pause where its hold has ended."""
        end = self.due_ns(facts.session)
        if end is None or end > t_ns:
            return []
        normal = self.normal(t_ns, facts)
        assert normal is not None
        reached("spread_cleared")
        self.budget.release(t_ns)
        self.paused_ns = self.hold_ns = None
        self.run = 0
        return [self._change("release", "_CLEARED", normal)]
