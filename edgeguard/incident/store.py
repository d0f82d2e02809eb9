"""Incidents on disk: numbered, with their checklist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from edgeguard.clock import NS_PER_S
from edgeguard.notify.database import OpsDatabase, Row

P1_CHECKLIST: Final[Mapping[str, str]] = {
    "kill_switch": "Kill switch activated",
    "positions_closed": "Positions verified closed",
    "pendings_cancelled": "Pending orders cancelled",
    "state_captured": "Screenshot current state",
    "time_noted": "Note exact time of incident",
    "pnl": "Current P&L calculated",
    "accounts": "Affected accounts identified",
    "error_logs": "Error logs captured",
    "market": "Market conditions noted",
    "founder_notified": "Founder notified",
    "logged": "Incident logged in system",
    "external_parties": "External parties notified (if applicable)",
    "root_cause": "Root cause identified",
    "fix": "Fix or workaround determined",
    "resume_decision": "Resume decision made",
}
"""The runbook's P1 checklist, in its order."""
P2_CHECKLIST: Final[Mapping[str, str]] = {
    "what": "What specifically is not working",
    "positions_at_risk": "Are open positions at risk",
    "degraded": "Can we continue with degraded functionality",
    "state_captured": "Current state captured",
    "error_logs": "Check logs for errors",
    "logged": "Incident logged in system",
    "root_cause": "Identify root cause",
    "fix": "Implement fix, test, resume; or escalate to P1",
}
MACHINE: Final = "edgeguard"
_COLUMNS: Final = (
    "id, key, severity, trigger, summary, scope, accounts, opened_ns, resolved_ns, resolution, "
    "flat, log_line, repeats, alerted_ns, updated_ns"
)


class Incident(msgspec.Struct, frozen=True):
    """One incident; times in wall ns, 0 where not yet.

    Attributes:
        key: what it is about: ``halt:ID``, ``pause:ACCOUNT:T_NS`` or ``guard:ACCOUNT:T_NS``.
        accounts: the ids of the accounts it concerns.
        flat: whether the broker proved those accounts flat.
        log_line: the row of the incident log as last written by this machine.
        repeats: how often its alert was repeated.
    """

    id: str
    key: str
    severity: str
    trigger: str
    summary: str
    scope: str
    accounts: tuple[str, ...]
    opened_ns: int
    resolved_ns: int = 0
    resolution: str = ""
    flat: bool = False
    log_line: str = ""
    repeats: int = 0
    alerted_ns: int = 0
    updated_ns: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it still goes on."""
        return not self.resolved_ns


class Ticked(msgspec.Struct, frozen=True):
    """One item of the checklist that was ticked."""

    item: str
    by: str
    note: str
    t_ns: int


class Incidents:
    """The table of incidents."""

    def __init__(self, database: OpsDatabase) -> None:
        """Use the ops database."""
        self._database = database

    def new_id(self, t_ns: int, taken: frozenset[str]) -> str:
        """Return the next id of the year; `taken` are ids that the log has."""
        year = datetime.fromtimestamp(t_ns / NS_PER_S, UTC).year
        prefix = f"INC-{year}-"
        mine = self._database.rows("SELECT id FROM incident WHERE id LIKE ?", f"{prefix}%")
        ids = {str(row[0]) for row in mine} | taken
        tails = [tail for tail in (i.removeprefix(prefix) for i in ids) if tail.isdecimal()]
        return f"{prefix}{max((int(tail) for tail in tails), default=0) + 1:03}"

    def put(self, incident: Incident) -> None:
        """Write an incident, new or changed."""
        values = (
            *(incident.id, incident.key, incident.severity, incident.trigger, incident.summary),
            *(incident.scope, "\n".join(incident.accounts), incident.opened_ns),
            *(incident.resolved_ns, incident.resolution, int(incident.flat), incident.log_line),
            *(incident.repeats, incident.alerted_ns, incident.updated_ns),
        )
        marks = ", ".join("?" * len(values))
        insert = f"INSERT OR REPLACE INTO incident ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - literals
        self._database.run(insert, *values)

    def get(self, name: str) -> Incident | None:
        """Return the incident of an id."""
        return next(self._where("id = ?", name), None)

    def by_key(self, key: str) -> Incident | None:
        """Return the incident that is about something."""
        return next(self._where("key = ?", key), None)

    def open(self) -> list[Incident]:
        """Return what still goes on, oldest first."""
        return list(self._where("resolved_ns = 0 ORDER BY opened_ns"))

    def last(self, count: int) -> list[Incident]:
        """Return the last incidents, newest first."""
        return list(self._where("1 ORDER BY opened_ns DESC, id DESC LIMIT ?", count))

    def tick(self, incident: str, item: str, by: str, note: str, t_ns: int) -> bool:
        """Tick an item of the checklist; return False if it was ticked already."""
        insert = (
            "INSERT OR IGNORE INTO tick (incident, item, by, note, t_ns) VALUES (?, ?, ?, ?, ?)"
        )
        self._database.run(insert, incident, item, by[:64], note[:500], t_ns)
        return self._database.changes() == 1

    def ticked(self, incident: str) -> dict[str, Ticked]:
        """Return what is ticked of an incident's checklist."""
        rows = self._database.rows(
            "SELECT item, by, note, t_ns FROM tick WHERE incident = ?", incident
        )
        return {str(row[0]): Ticked(*row) for row in rows}

    def _where(self, clause: str, *values: int | str) -> Iterator[Incident]:
        # The clause is a literal of this class.
        query = f"SELECT {_COLUMNS} FROM incident WHERE {clause}"  # noqa: S608
        for row in self._database.rows(query, *values):
            yield _incident(row)


def checklist_of(severity: str) -> Mapping[str, str]:
    """Return the checklist of a severity: item to words."""
    return P1_CHECKLIST if severity == "P1" else P2_CHECKLIST


def _incident(row: Row) -> Incident:
    found = dict(zip(Incident.__struct_fields__, row, strict=True))
    found["accounts"] = tuple(str(found["accounts"]).split("\n")) if found["accounts"] else ()
    return msgspec.convert(found, Incident, strict=False)
