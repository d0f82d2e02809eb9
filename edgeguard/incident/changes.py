"""From the guard's heartbeats to what happened: pure, so that it can be tested beat by beat.

Every beat carries the full state, so a lost event costs nothing but its figures, and a late start
of the ops process sees at once what stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.messages import HaltEvent, StateBeat

ACCOUNT: Final = "account"
PAUSE_GRACE_NS: Final = 1_000 * NS_PER_MS
"""A pause that is gone, or a halt, within this is no incident of its own."""
SILENCE_NS: Final = 5 * NS_PER_S
"""A guard that sends no beats for so long is lost."""


@dataclass(frozen=True)
class Halted:
    """A halt stands that was not there before; `halt_id` is the same on all accounts it covers."""

    account: str
    scope: str
    halt_id: str
    t_ns: int
    trigger: str
    reason: str


@dataclass(frozen=True)
class Paused:
    """An account has been paused for longer than the grace."""

    account: str
    codes: tuple[str, ...]
    t_ns: int


@dataclass(frozen=True)
class Opened:
    """Neither pause nor halt stands on the account any more."""

    account: str


@dataclass(frozen=True)
class Flattened:
    """The account's flatten reached another state: ``FLAT_VERIFIED`` or ``NOT_FLAT``."""

    account: str
    flatten: str


@dataclass(frozen=True)
class Resumed:
    """A halt was lifted by an operator."""

    account: str
    halt_id: str


@dataclass(frozen=True)
class GuardLost:
    """No beats arrive any more."""

    account: str


@dataclass(frozen=True)
class GuardBack:
    """Beats arrive again."""

    account: str


Change = Halted | Paused | Opened | Flattened | Resumed | GuardLost | GuardBack


@dataclass
class _Seen:
    """What the last beat of one account said."""

    beat: StateBeat
    boot_ns: int
    halts: set[str] = field(default_factory=set[str])
    paused_since: int | None = None
    is_pause_told: bool = False
    is_open_told: bool = False
    is_lost: bool = False


class ChangeDetector:
    """Compares each beat with the one before."""

    def __init__(self) -> None:
        """Know nothing yet: the first beat of an account tells what stands."""
        self._seen: dict[str, _Seen] = {}
        self._events: dict[tuple[str, str], HaltEvent] = {}

    def on_event(self, event: HaltEvent) -> None:
        """Keep an event for its words; its beat follows."""
        if event.action == "halt":
            self._events[event.account, event.scope] = event

    def on_beat(self, beat: StateBeat, boot_ns: int) -> list[Change]:
        """Return what a beat changes; `boot_ns` is when it arrived, by this host's clock."""
        seen = self._seen.get(beat.account)
        before = None if seen is None else seen.beat
        if seen is None:
            seen = self._seen[beat.account] = _Seen(beat, boot_ns)
        changes: list[Change] = []
        if seen.is_lost:
            seen.is_lost = False
            changes.append(GuardBack(beat.account))
        seen.beat, seen.boot_ns = beat, boot_ns
        changes += self._halts(beat, seen)
        changes += self._pause(beat, seen, boot_ns)
        if beat.flatten in {"FLAT_VERIFIED", "NOT_FLAT"} and (
            before is None or before.flatten != beat.flatten
        ):
            changes.append(Flattened(beat.account, beat.flatten))
        return changes

    def look(self, boot_ns: int) -> list[Change]:
        """Return which guards have fallen silent."""
        changes: list[Change] = []
        for account, seen in self._seen.items():
            if not seen.is_lost and boot_ns - seen.boot_ns > SILENCE_NS:
                seen.is_lost = True
                changes.append(GuardLost(account))
        return changes

    def _halts(self, beat: StateBeat, seen: _Seen) -> list[Change]:
        standing = {s.halt_id: s.scope for s in beat.scopes if s.state == "HALTED" and s.halt_id}
        if beat.halt is not None:
            standing[beat.halt.id] = ACCOUNT
        changes: list[Change] = [
            self._halted(beat, halt_id, scope)
            for halt_id, scope in standing.items()
            if halt_id not in seen.halts
        ]
        changes += [
            Resumed(beat.account, halt_id) for halt_id in seen.halts if halt_id not in standing
        ]
        seen.halts = set(standing)
        return changes

    def _halted(self, beat: StateBeat, halt_id: str, scope: str) -> Halted:
        event = self._events.get((beat.account, scope))
        halt = beat.halt if scope == ACCOUNT else None
        if halt is None and event is not None and event.halt is not None:
            halt = event.halt if event.halt.id == halt_id else None
        if halt is None:
            return Halted(beat.account, scope, halt_id, beat.t_ns, "unknown", "unknown")
        return Halted(beat.account, scope, halt_id, halt.t_ns, halt.trigger, halt.reason)

    def _pause(self, beat: StateBeat, seen: _Seen, boot_ns: int) -> list[Change]:
        if beat.state == "PAUSED":
            if seen.paused_since is None:
                seen.paused_since = boot_ns
            if seen.is_pause_told or boot_ns - seen.paused_since < PAUSE_GRACE_NS:
                return []
            seen.is_pause_told, seen.is_open_told = True, False
            return [Paused(beat.account, beat.pauses, beat.t_ns)]
        seen.paused_since, seen.is_pause_told = None, False
        if beat.state != "ACTIVE" or seen.is_open_told:
            return []
        seen.is_open_told = True
        return [Opened(beat.account)]
