"""The desk: what opens, escalates, repeats and closes, and what people are told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeguard.clock import NS_PER_S, ManualClock
from edgeguard.config.model import ChannelConfig, Config, IncidentConfig, NotifyConfig
from edgeguard.incident.changes import (
    Flattened,
    GuardBack,
    GuardLost,
    Halted,
    Opened,
    Paused,
    Resumed,
)
from edgeguard.incident.desk import Desk, DeskParts
from edgeguard.incident.store import Incident, Incidents
from edgeguard.notify.contacts import Contact, Contacts
from edgeguard.notify.database import OpsDatabase
from edgeguard.notify.outbox import Outbox
from tests.unit.api.rig import make_config

NOW = 1_700_000_000 * NS_PER_S
CHANNELS = (
    ChannelConfig(name="first", kind="discord", level=1),
    ChannelConfig(name="second", kind="discord", level=2, severities=("P1",)),
    ChannelConfig(name="third", kind="discord", level=3),
)
CONTACTS = Contacts(
    {
        "founder": Contact("Example Founder", phone="+00 1", escalation_level=1),
        "risk": Contact("Example Risk", phone="+00 2", escalation_level=2),
        "broker_support": Contact("Example Desk", phone="+00 9"),
    }
)


def status(
    flatten: str = "IN_PROGRESS", positions: int = 2, state: str = "HALTED"
) -> dict[str, Any]:
    account = {
        "id": "A",
        "state": state,
        "flatten": flatten,
        "positions": positions,
        "orders": 0,
        "equity_reported": "97000.00",
        "no_stop_loss": [7] if positions else [],
        "scopes": [],
    }
    storage = {"journal_seq": 5, "journal_hash": "ab"}
    return {"accounts": [account], "guard": {"storage": storage}}


class Room:
    """A desk with everything that it reaches, on a clock that stands still."""

    def __init__(self, folder: Path) -> None:
        self.database = OpsDatabase(folder / "ops.sqlite")
        self.incidents = Incidents(self.database)
        self.outbox = Outbox(self.database)
        self.clock = ManualClock(NOW)
        self.log = folder / "incident_log.md"
        self.opened: list[Incident] = []
        self.flat: list[Incident] = []
        self.told: list[str] = []
        base = make_config()
        self.config = Config(
            account=base.account,
            symbol=base.symbol,
            notify=NotifyConfig(channel=CHANNELS),
            incident=IncidentConfig(log=str(self.log)),
        )
        self.desk = self.new_desk()

    def new_desk(self) -> Desk:
        return Desk(
            DeskParts(
                config=self.config,
                contacts=CONTACTS,
                incidents=self.incidents,
                outbox=self.outbox,
                log=self.log,
                clock=self.clock,
                tell=self.told.append,
                on_opened=self.opened.append,
                on_flat=self.flat.append,
            )
        )

    def messages(self, channel: str = "first") -> list[str]:
        """Return every text ever queued for a channel, superseded ones too."""
        rows = self.database.rows(
            "SELECT text FROM delivery JOIN message ON id = message WHERE channel = ? ORDER BY id",
            channel,
        )
        return [str(row[0]) for row in rows]

    def halt(self, account: str = "A", halt_id: str = "H1") -> None:
        words = (account, "account", halt_id, NOW, "daily_loss", "0.0301 > 0.03")
        self.desk.apply(Halted(*words))

    def row(self) -> str:
        return self.log.read_text().strip().split("\n")[-1]


@pytest.fixture(name="room")
def _room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.database.close()


def test_a_halt_is_a_p1_with_row_evidence_and_alert(room: Room) -> None:
    room.halt()
    assert room.desk.needs_status()
    room.desk.tick(status())
    incident = room.incidents.open()[0]
    assert (incident.id, incident.severity) == ("INC-2023-001", "P1")
    assert [found.id for found in room.opened] == [incident.id]
    assert room.row().startswith("| INC-2023-001 | 2023-11-14 | P1 | Daily loss limit exceeded")
    text = room.messages()[0]
    assert text.startswith("🚨 P1 INCIDENT: Daily loss limit exceeded (0.0301 > 0.03), account A")
    assert "NOT VERIFIED CLOSED: account A: 2 positions" in text
    assert "broker +00 9" in text
    assert "Example Founder, +00 1" in text
    assert "Example Risk" not in text
    assert "Without a broker-side stop loss on A: 7" in text
    assert "Journal: 5:ab" in text
    assert room.messages("second") == []
    assert not room.desk.needs_status()
    ticked = room.incidents.ticked(incident.id)
    assert {"kill_switch", "time_noted", "accounts", "pnl", "logged"} == set(ticked)


def test_closed_is_told_when_it_is_proven_and_not_before(room: Room) -> None:
    room.halt()
    room.desk.tick(status())
    room.desk.apply(Flattened("A", "NOT_FLAT"))
    assert room.desk.needs_status()
    room.desk.tick(status("NOT_FLAT", 1))
    assert "1 positions and 0 pending orders when last read, flatten NOT_FLAT" in room.messages()[1]
    assert room.flat == []
    room.desk.apply(Flattened("A", "FLAT_VERIFIED"))
    room.desk.tick(status("FLAT_VERIFIED", 0))
    assert "Positions: CLOSED\n" in room.messages()[2]
    assert [found.id for found in room.flat] == ["INC-2023-001"]
    assert {"positions_closed", "pendings_cancelled"} <= set(room.incidents.ticked("INC-2023-001"))
    room.desk.tick(status("FLAT_VERIFIED", 0))
    assert len(room.messages()) == 3


def test_it_repeats_and_goes_up_until_somebody_acknowledges(room: Room) -> None:
    room.halt()
    room.desk.tick(status())
    for repeat in (1, 2):
        room.clock.advance(120 * NS_PER_S - 1)
        assert not room.desk.needs_status()
        room.clock.advance(1)
        assert room.desk.needs_status()
        room.desk.tick(status())
        assert f"repeat {repeat}, level {repeat + 1}" in room.messages()[-1]
    assert "Example Risk, +00 2" in room.messages()[-1]
    assert len(room.messages("second")) == 2
    assert len(room.messages("third")) == 1
    room.outbox.acknowledge("INC-2023-001", "ann", "command", NOW)
    room.clock.advance(600 * NS_PER_S)
    room.desk.tick(status())
    assert len(room.messages()) == 3


def test_a_p1_is_updated_every_quarter_of_an_hour(room: Room) -> None:
    room.halt()
    room.desk.tick(status())
    room.outbox.acknowledge("INC-2023-001", "ann", "command", NOW)
    room.clock.advance(15 * 60 * NS_PER_S)
    assert room.desk.needs_status()
    room.desk.tick(status())
    assert room.messages()[-1].startswith("📢 P1 UPDATE: ")


def test_several_accounts_of_one_halt_are_one_incident(room: Room) -> None:
    room.halt("A")
    room.halt("B")
    room.halt("B")
    assert room.incidents.open()[0].accounts == ("A", "B")
    room.desk.tick(status("FLAT_VERIFIED", 0))
    assert "Positions: NOT VERIFIED CLOSED: account B" in room.messages()[0]
    assert room.flat == []


def test_a_pause_is_a_p2_that_a_halt_raises(room: Room) -> None:
    room.desk.apply(Paused("A", ("SPREAD",), NOW))
    room.desk.tick(status("NONE", state="PAUSED"))
    assert room.messages()[0].startswith("📢 P2 INCIDENT: New entries paused (SPREAD), account A")
    room.halt()
    room.desk.tick(status())
    open_ones = room.incidents.open()
    assert [(found.id, found.severity) for found in open_ones] == [("INC-2023-001", "P1")]
    assert room.messages()[1].startswith("🚨 P1 INCIDENT: ")
    assert "| P1 |" in room.row()
    room.desk.apply(Opened("A"))
    assert room.incidents.open() == open_ones or len(room.incidents.open()) == 1


def test_a_pause_that_ends_is_closed(room: Room) -> None:
    room.desk.apply(Paused("A", ("SPREAD",), NOW))
    room.desk.tick(status("NONE", state="PAUSED"))
    room.clock.advance(90 * NS_PER_S)
    room.desk.apply(Opened("A"))
    assert room.incidents.open() == []
    assert room.row().endswith("| 1 min | released: its cause cleared |")
    assert room.messages()[-1].startswith("✅ P2 RESOLVED: ")


def test_a_resume_is_told_with_who_and_why(room: Room) -> None:
    room.halt()
    room.desk.tick(status())
    room.clock.advance(600 * NS_PER_S)
    room.desk.apply(Resumed("A", "H1"))
    room.desk.resolution("H1", "resumed by ann: checked")
    assert room.row().endswith("| 10 min | resumed by ann: checked |")
    assert "Trading: Resumed" in room.messages()[-1]
    assert "resume_decision" in room.incidents.ticked("INC-2023-001")
    room.desk.tick(status())
    assert len(room.messages()) == 2


def test_a_restart_goes_on_where_it_was(room: Room) -> None:
    room.halt()
    room.desk.tick(status())
    room.desk = room.new_desk()
    room.halt()
    room.desk.tick(status())
    assert len(room.incidents.last(10)) == 1
    assert len(room.messages()) == 1
    room.desk.settle(set())
    assert room.incidents.open() == []
    assert "resumed while ops did not run" in room.row()


def test_a_silent_guard_is_one_p1(room: Room) -> None:
    room.desk.apply(GuardLost("A"))
    room.desk.apply(GuardLost("B"))
    room.desk.tick(None)
    assert room.incidents.open()[0].accounts == ("A", "B")
    assert "GUARD DOES NOT ANSWER" in room.messages()[0]
    room.desk.apply(GuardBack("A"))
    assert room.incidents.open() == []


def test_a_storm_of_one_alarm_is_one_message(room: Room) -> None:
    room.halt()
    for _ in range(50):
        room.desk.alarm("alarm:A:PAGE_LOST:1", "A", "PAGE_LOST: gone", NOW)
    assert room.messages() == ["⚠️ P1 ALARM: account A: PAGE_LOST: gone\nIncident: INC-2023-001"]


def test_a_log_that_cannot_be_written_stops_nothing(room: Room) -> None:
    room.log.mkdir()
    room.halt()
    room.desk.tick(status())
    assert len(room.messages()) == 1
    assert "incident log" in room.told[0]


def test_ids_go_on_behind_a_persons_own(room: Room) -> None:
    room.log.write_text("| INC-2023-041 | 2023-01-01 | P3 | ours | 1 min | none |\n")
    room.halt()
    assert room.incidents.open()[0].id == "INC-2023-042"


def test_a_forgotten_halt_is_opened_and_one_closed_too_early_opens_again(room: Room) -> None:
    """Halts of the hours in which ops did not run leave rows and messages as all others do."""
    words = ("A", "account", "H7", NOW - NS_PER_S, "manual", "ann: why")
    room.desk.forgotten([Halted(*words), Halted(*words)])
    (found,) = room.incidents.open()
    assert found.key == "halt:H7"
    room.desk.settle(set())
    closed = room.incidents.get(found.id)
    assert closed is not None
    assert closed.resolution == "resumed while ops did not run"
    room.desk.forgotten([Halted(*words)])
    assert room.incidents.open() == []
    room.desk.apply(Halted(*words))
    (again,) = room.incidents.open()
    assert (again.id, again.resolution, again.alerted_ns) == (found.id, "", 0)
    assert room.row().endswith("| open | open |")


def test_a_guard_that_fell_silent_is_told_with_what_stands_unprotected(room: Room) -> None:
    """Its last word is no state, but the tickets without a stop loss are what matters then."""
    room.desk.seen(status("NONE", 2, "ACTIVE"))
    room.desk.seen(None)
    room.desk.apply(GuardLost("A"))
    room.desk.tick(None)
    text = room.messages()[-1]
    assert "Without a broker-side stop loss on A: 7" in text
    assert "2 positions and 0 pending orders when last read, flatten unknown" in text
