"""The state machines of limits: loss limits with confirmation, warn bands, release budgets."""

from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.coverage import reached
from tests.oracle.numerals import NS, rounded_up

BANDS = (50, 80)
CLEAR, PAUSED, HALTED = "clear", "paused", "halted"
HOUR_NS = 3600 * NS


@dataclass(frozen=True)
class Change:
    """One thing to print about a trigger."""

    action: str
    suffix: str
    value: str | None


@dataclass(frozen=True)
class Loss:
    """A loss in minor units against its base, and whether it breaches."""

    loss: int
    base: int
    is_breach: bool

    @property
    def fraction(self) -> Fraction | None:
        """Return loss / base where there is a base."""
        return Fraction(self.loss, self.base) if self.base > 0 else None

    @property
    def value(self) -> str | None:
        """Return loss / base as a line writes it."""
        return None if self.fraction is None else rounded_up(self.fraction, 8)


@dataclass
class Bands:
    """Which warn bands have been printed."""

    printed: set[int] = field(default_factory=set)

    def rearm(self) -> None:
        """Arm all bands again, as a rollover does."""
        if self.printed:
            reached("warn_rearmed_rollover")
        self.printed.clear()

    def look(self, value: Fraction | None, threshold: Fraction, *, silent: bool) -> int | None:
        """Return the highest new band the value exceeds."""
        if value is None:
            return None
        for band in BANDS:
            if band in self.printed and value <= threshold * band / 200:
                reached("warn_rearmed_low")
                self.printed.discard(band)
        if silent:
            return None
        exceeded = {band for band in BANDS if value > threshold * band / 100}
        new = exceeded - self.printed
        if not new:
            return None
        if len(new) == 2:
            reached("warn_jumped_over_50")
        self.printed |= exceeded
        reached(f"warn_{max(new)}")
        return max(new)


@dataclass
class Budget:
    """How many releases a trigger has used within the last hour."""

    per_hour: int
    releases: list[int] = field(default_factory=list)

    def release(self, t_ns: int) -> None:
        """Count a release."""
        self.releases.append(t_ns)
        reached("release_budget_used")

    def is_spent(self, t_ns: int) -> bool:
        """Tell whether a pause at this time is sticky."""
        recent = [release for release in self.releases if t_ns - release < HOUR_NS]
        if len(recent) < len(self.releases) and len(self.releases) >= self.per_hour:
            reached("release_budget_aged")
        if len(recent) >= self.per_hour:
            reached("sticky_pause")
            return True
        return False


class LossLimit:
    """A loss limit: pauses on marked equity, halts on reported equity or when time is up."""

    def __init__(self, threshold: Fraction, confirm_ns: int, *, confirms: bool) -> None:
        self.threshold = threshold
        self.confirms = confirms
        self.confirm_ns = confirm_ns
        self.state = CLEAR
        self.since_ns = 0
        self.bands = Bands()

    @property
    def due_ns(self) -> int | None:
        """Return when a pending confirmation runs out: more than confirm_ms after the breach."""
        return self.since_ns + self.confirm_ns + 1 if self.state == PAUSED else None

    def judge(
        self, t_ns: int, marked: Loss | None, reported: Loss, *, is_fresh: bool
    ) -> list[Change]:
        """Judge both equities; marked is None while it is untrusted."""
        if self.state == HALTED:
            return []
        used = marked or reported
        changes = self._decide(t_ns, marked, reported, is_fresh=is_fresh)
        is_silent = self.state != CLEAR or used.is_breach
        if self.state == PAUSED and not used.is_breach:
            reached("confirm_warn_held_back")
        if self.state != HALTED:
            band = self.bands.look(used.fraction, self.threshold, silent=is_silent)
            if band is not None:
                changes.append(Change("warn", f"_WARN_{band}", used.value))
        if used.fraction == self.threshold and not used.is_breach:
            reached("exact_tie_does_not_fire")
        return changes

    def _decide(
        self, t_ns: int, marked: Loss | None, reported: Loss, *, is_fresh: bool
    ) -> list[Change]:
        if reported.is_breach and (is_fresh or marked is None):
            return self._halt(reported, self._reported_rule(is_fresh=is_fresh))
        if self.state == PAUSED:
            return self._pending(t_ns, marked, reported, is_fresh=is_fresh)
        if marked is None or not marked.is_breach:
            return []
        if not self.confirms:
            return self._halt(marked, "confirm_none_halts")
        reached("confirm_pause")
        self.state, self.since_ns = PAUSED, t_ns
        return [Change("pause", "", marked.value)]

    def _reported_rule(self, *, is_fresh: bool) -> str:
        if not is_fresh:
            return "reported_untrusted_halts"
        return "confirm_snapshot_halts" if self.state == PAUSED else "reported_halts_at_once"

    def _pending(
        self, t_ns: int, marked: Loss | None, reported: Loss, *, is_fresh: bool
    ) -> list[Change]:
        if is_fresh:
            return self._release(reported, "confirm_snapshot_releases")
        if self.due_ns is None or t_ns < self.due_ns:
            return []
        if marked is None:
            return self._halt(reported, "confirm_timeout_untrusted_halts")
        if marked.is_breach:
            return self._halt(marked, "confirm_timeout_breach_halts")
        return self._release(marked, "confirm_timeout_releases")

    def _halt(self, loss: Loss, rule: str) -> list[Change]:
        reached(rule)
        self.state = HALTED
        return [Change("halt", "", loss.value)]

    def _release(self, loss: Loss, rule: str) -> list[Change]:
        reached(rule)
        self.state = CLEAR
        return [Change("release", "_CLEARED", loss.value)]
