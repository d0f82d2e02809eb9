"""The runbook's templates say what is known, and long texts are cut where a reader would."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edgeguard.clock import NS_PER_S
from edgeguard.notify.splitting import NUMBER_ROOM, PARTS_MAX, split, width
from edgeguard.notify.templates import AccountFacts, Facts, alert, resolved, update

NOON = 1_700_000_000 * NS_PER_S
FLAT = AccountFacts("A", "HALTED", "FLAT_VERIFIED", 0, 0, "97000.00")
OPEN = AccountFacts("B", "HALTED", "NOT_FLAT", 3, 1, "50000.00", (7, 8), "+00 1")
FACTS = Facts(
    incident="INC-2026-001",
    severity="P1",
    summary="Daily loss limit exceeded (0.0301 > 0.03), account A",
    trigger="daily_loss",
    scope="account",
    opened_ns=NOON,
    now_ns=NOON + 300 * NS_PER_S,
    accounts=(FLAT,),
    contacts=("Example Founder, +00",),
    anchor="17:abcd",
)


def test_a_p1_alert_is_the_runbooks() -> None:
    assert alert(FACTS).split("\n") == [
        "🚨 P1 INCIDENT: Daily loss limit exceeded (0.0301 > 0.03), account A",
        "Time: 22:13 UTC",
        "Status: Kill switch ACTIVATED",
        "Positions: CLOSED",
        "Impact: account A (equity 97000.00)",
        "Investigating. Updates every 15 minutes.",
        "Incident: INC-2026-001",
        "Acknowledge: edgeguard incident ack INC-2026-001",
        "Contact: Example Founder, +00",
        "Journal: 17:abcd",
    ]


def test_closed_is_said_only_of_what_is_proven() -> None:
    for flatten in ("NONE", "IN_PROGRESS", "NOT_FLAT", "unknown"):
        unproven = msgspec.structs.replace(FLAT, flatten=flatten)
        facts = msgspec.structs.replace(FACTS, accounts=(unproven,))
        for text in (alert(facts), update(facts)):
            assert "Positions: CLOSED" not in text
            assert "NOT VERIFIED CLOSED: account A" in text
    assert "Positions: UNKNOWN" in alert(msgspec.structs.replace(FACTS, accounts=()))
    both = msgspec.structs.replace(FACTS, accounts=(FLAT, OPEN))
    text = alert(both)
    assert "account B: 3 positions and 1 pending orders when last read" in text
    assert "broker +00 1" in text
    assert "Without a broker-side stop loss on B: 7, 8" in text


def test_the_update_and_the_end_are_the_runbooks() -> None:
    lines = update(FACTS).split("\n")
    assert lines[0].startswith("📢 P1 UPDATE: ")
    assert lines[2] == "Status: Investigating"
    assert lines[4:7] == [
        "Root cause: Unknown (fired by daily_loss)",
        "ETA to resolution: Unknown",
        "Next update: 22:33 UTC",
    ]
    done = msgspec.structs.replace(
        FACTS,
        accounts=(msgspec.structs.replace(FLAT, state="ACTIVE"),),
        resolution="resumed by ann: checked",
        now_ns=NOON + 3720 * NS_PER_S,
    )
    assert resolved(done).split("\n")[2:] == [
        "Duration: 1 h 2 min",
        "Root cause: Unknown (fired by daily_loss)",
        "Resolution: resumed by ann: checked",
        "Post-mortem: Scheduled for 2023-11-15",
        "Trading: Resumed",
        "Incident: INC-2026-001",
    ]
    halted = msgspec.structs.replace(done, accounts=(FLAT,))
    assert "Trading: Still halted - A is HALTED" in resolved(halted)


def test_a_pause_claims_nothing_about_positions() -> None:
    text = alert(msgspec.structs.replace(FACTS, severity="P2"))
    assert "Positions: untouched by a pause" in text
    assert "CLOSED" not in text
    assert "ACTIVATED" not in text


def test_a_silent_guard_is_no_activated_switch() -> None:
    text = alert(msgspec.structs.replace(FACTS, trigger="guard_lost", accounts=()))
    assert "ACTIVATED" not in text


@given(st.text(max_size=3000), st.integers(50, 400))
def test_every_part_fits_and_nothing_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(width(part) <= limit for part in parts)
    if len(parts) == 1:
        assert parts == [text]
        return
    bodies = [part.split("\n", 1)[1] for part in parts]
    if len(parts) < PARTS_MAX:
        assert _letters("".join(bodies)) == _letters(text)


def _letters(text: str) -> str:
    return text.replace("\n", "").replace(" ", "")


def test_an_endless_text_is_bounded() -> None:
    parts = split("word " * 100_000, 2000)
    assert len(parts) == PARTS_MAX
    assert "the rest is in the incident's evidence" in parts[-1]
    assert len(f"({PARTS_MAX}/{PARTS_MAX})\n") <= NUMBER_ROOM
