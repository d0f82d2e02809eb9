"""From the guard's status to what a message may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from edgeguard.config.model import Config
from edgeguard.incident.store import Incident
from edgeguard.notify.contacts import Contacts
from edgeguard.notify.templates import AccountFacts, Facts

Document = Mapping[str, Any]
TRIGGERS: Final[Mapping[str, str]] = {
    "daily_loss": "Daily loss limit exceeded",
    "total_drawdown": "Total drawdown limit exceeded",
    "connection_lost": "Connection lost",
    "error_rate": "Too many errors",
    "price_anomaly": "Abnormal spread or price",
    "manual": "Manual shutdown",
    "guard_lost": "The guard sends no heartbeats",
    "pause": "New entries paused",
}
"""The runbook's words for what fired."""


def describe(trigger: str, reason: str, accounts: tuple[str, ...]) -> str:
    """Return an incident's one-line description."""
    words = TRIGGERS.get(trigger, trigger)
    detail = f" ({reason})" if reason else ""
    return f"{words}{detail}, account {', '.join(accounts)}"


def facts_of(
    incident: Incident, status: Document | None, config: Config, contacts: Contacts
) -> Facts:
    """Return what is known; a guard that does not answer leaves almost nothing.

    Args:
        incident: what it is about.
        status: the guard's status document, None where it does not answer.
        config: has the brokers' phones.
        contacts: has the broker's desk where the configuration names none.
    """
    phones = {account.id: account.broker_phone for account in config.account}
    desk = contacts.broker()
    rows = {} if status is None else _rows(status)
    accounts = [
        _account(name, rows.get(name), incident.scope, phones.get(name) or _phone(desk))
        for name in incident.accounts
    ]
    return Facts(
        incident=incident.id,
        severity=incident.severity,
        summary=incident.summary,
        trigger=incident.trigger,
        scope=incident.scope,
        opened_ns=incident.opened_ns,
        now_ns=incident.opened_ns,
        accounts=tuple(accounts),
        resolution=incident.resolution,
        level=incident.repeats + 1,
        repeats=incident.repeats,
        anchor=_anchor(status),
    )


def _phone(desk: object) -> str:
    return str(getattr(desk, "phone", "") or "")


def _rows(status: Document) -> dict[str, Document]:
    found = cast("list[Document]", status.get("accounts") or [])
    return {str(row.get("id")): row for row in found}


def _account(name: str, row: Document | None, scope: str, phone: str) -> AccountFacts:
    if row is None:
        return AccountFacts(name, phone=phone)
    place: Document = row
    if scope != "account":
        scopes = cast("list[Document]", row.get("scopes") or [])
        place = next((item for item in scopes if item.get("scope") == scope), row)
    equity = row.get("equity_reported") or row.get("equity_used")
    return AccountFacts(
        id=name,
        state=str(place.get("state", "unknown")),
        flatten=str(place.get("flatten", "unknown")),
        positions=_count(row.get("positions")),
        orders=_count(row.get("orders")),
        equity=None if equity is None else str(equity),
        no_stop_loss=tuple(cast("list[int]", row.get("no_stop_loss") or [])),
        phone=phone,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _anchor(status: Document | None) -> str:
    """Return the journal's head, so that a message proves later what the journal held then."""
    if status is None:
        return ""
    guard = cast("Document", status.get("guard") or {})
    storage = cast("Document", guard.get("storage") or {})
    seq, digest = storage.get("journal_seq"), str(storage.get("journal_hash", ""))
    return f"{seq}:{digest}" if seq and digest else ""
