"""From beats to changes: each thing that happens is told once, whatever was lost in between."""

from __future__ import annotations

import msgspec
import pytest

from edgeguard.incident.changes import (
    PAUSE_GRACE_NS,
    SILENCE_NS,
    Change,
    ChangeDetector,
    Flattened,
    GuardBack,
    GuardLost,
    Halted,
    Opened,
    Paused,
    Resumed,
)
from edgeguard.messages import HaltEvent, HaltInfo, ScopeState, State, StateBeat

STEP_NS = 100_000_000
HALT = HaltInfo("H1", 5, "daily_loss", "0.0301 > 0.03", durable=True)


def beat(state: State = "ACTIVE", halt: HaltInfo | None = None, **words: object) -> StateBeat:
    base = StateBeat("A", 1, 1, 1_000, 1, state, 1, 0, "NONE", halt, "")
    return msgspec.structs.replace(base, **words)


class Watch:
    """A detector with a clock that goes on by one beat at a time."""

    def __init__(self) -> None:
        self.detector = ChangeDetector()
        self.boot_ns = 0

    def see(self, found: StateBeat, after_ns: int = STEP_NS) -> list[Change]:
        self.boot_ns += after_ns
        return self.detector.on_beat(found, self.boot_ns)


def test_a_halt_and_its_end_are_told_once() -> None:
    watch = Watch()
    assert watch.see(beat()) == [Opened("A")]
    halted = beat("HALTED", HALT, flatten="IN_PROGRESS")
    told = Halted("A", "account", "H1", 5, "daily_loss", "0.0301 > 0.03")
    assert watch.see(halted) == [told]
    assert watch.see(halted) == []
    flat = beat("HALTED", HALT, flatten="FLAT_VERIFIED")
    assert watch.see(flat) == [Flattened("A", "FLAT_VERIFIED")]
    assert watch.see(beat()) == [Resumed("A", "H1")]


def test_a_late_start_sees_what_stands() -> None:
    watch = Watch()
    found = watch.see(beat("HALTED", HALT, flatten="FLAT_VERIFIED"))
    assert [type(change) for change in found] == [Halted, Flattened]


def test_a_short_pause_is_no_incident_and_a_long_one_is_told_once() -> None:
    watch = Watch()
    watch.see(beat())
    paused = beat("PAUSED", pauses=("SPREAD",))
    assert watch.see(paused) == []
    assert watch.see(beat()) == []
    assert watch.see(paused) == []
    assert watch.see(paused, PAUSE_GRACE_NS) == [Paused("A", ("SPREAD",), 1_000)]
    assert watch.see(paused, PAUSE_GRACE_NS) == []
    assert watch.see(beat()) == [Opened("A")]


def test_a_pause_that_becomes_a_halt_is_that_halt_alone() -> None:
    watch = Watch()
    watch.see(beat())
    watch.see(beat("PAUSED", pauses=("MARKED",)))
    found = watch.see(beat("HALTED", HALT))
    assert [type(change) for change in found] == [Halted]


def test_a_scope_is_told_with_its_events_words() -> None:
    watch = Watch()
    watch.see(beat())
    event = HaltEvent(
        account="A",
        epoch=1,
        seq=1,
        t_ns=1,
        action="halt",
        scope="strategy:trend",
        state="HALTED",
        state_seq=2,
        severity=1,
        halt=HaltInfo("H2", 9, "manual", "ann: odd", durable=False),
        trigger="manual",
        code="MANUAL_HALT",
    )
    watch.detector.on_event(event)
    scopes = (ScopeState("strategy:trend", "HALTED", "H2"), ScopeState("symbol:X", "ACTIVE"))
    told = Halted("A", "strategy:trend", "H2", 9, "manual", "ann: odd")
    assert watch.see(beat(scopes=scopes)) == [told]
    assert watch.see(beat(scopes=scopes)) == []
    assert watch.see(beat()) == [Resumed("A", "H2")]


def test_a_scope_without_its_event_is_told_all_the_same() -> None:
    watch = Watch()
    scopes = (ScopeState("strategy:trend", "HALTED", "H2"),)
    found = watch.see(beat(scopes=scopes))
    assert found[0] == Halted("A", "strategy:trend", "H2", 1_000, "unknown", "unknown")


@pytest.mark.parametrize("state", ["ACTIVE", "HALTED"])
def test_silence_is_told_once_and_so_is_its_end(state: State) -> None:
    watch = Watch()
    found = beat(state, HALT if state == "HALTED" else None)
    watch.see(found)
    assert watch.detector.look(watch.boot_ns + SILENCE_NS) == []
    assert watch.detector.look(watch.boot_ns + SILENCE_NS + 1) == [GuardLost("A")]
    assert watch.detector.look(watch.boot_ns + 2 * SILENCE_NS) == []
    assert watch.see(found, 3 * SILENCE_NS)[0] == GuardBack("A")
