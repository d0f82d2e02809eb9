"""The runbook's messages, filled from facts: a sentence is written only where it is known.

"Positions: CLOSED" stands for a flatten that the broker proved (FLAT_VERIFIED), never for a hope.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from edgeguard.clock import NS_PER_S

UPDATE_MINUTES: Final = 15
"""Interval of the updates that a P1 promises."""
POST_MORTEM_HOURS: Final = 24
FLAT: Final = "FLAT_VERIFIED"
GUARD_LOST: Final = "guard_lost"
"""The trigger of an incident whose cause is the guard's own silence."""
TICKETS_MAX: Final = 20


class AccountFacts(msgspec.Struct, frozen=True):
    """What is known of one account at the moment of writing; None where nothing is."""

    id: str
    state: str = "unknown"
    flatten: str = "unknown"
    positions: int | None = None
    orders: int | None = None
    equity: str | None = None
    no_stop_loss: tuple[int, ...] = ()
    phone: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one incident at the moment of writing; times in wall ns."""

    incident: str
    severity: str
    summary: str
    trigger: str
    scope: str
    opened_ns: int
    now_ns: int
    accounts: tuple[AccountFacts, ...] = ()
    resolution: str = ""
    level: int = 1
    repeats: int = 0
    contacts: tuple[str, ...] = ()
    anchor: str = ""
    acknowledged: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether every account's flatten is proven."""
        return bool(self.accounts) and all(account.flatten == FLAT for account in self.accounts)


def alert(facts: Facts) -> str:
    """Return the first message of an incident, or its repeat."""
    if facts.severity != "P1":
        lines = [
            f"📢 {facts.severity} INCIDENT: {facts.summary}",
            f"Time: {_hour(facts.opened_ns)}",
        ]
        lines += ["Status: New entries PAUSED", "Positions: untouched by a pause"]
    else:
        lines = [f"🚨 P1 INCIDENT: {facts.summary}", f"Time: {_hour(facts.opened_ns)}"]
        is_lost = facts.trigger == GUARD_LOST
        status = "GUARD DOES NOT ANSWER, gates closed" if is_lost else "Kill switch ACTIVATED"
        lines += [f"Status: {status}", f"Positions: {positions(facts)}"]
    lines += [f"Impact: {_impact(facts)}"]
    if facts.severity == "P1":
        lines += [f"Investigating. Updates every {UPDATE_MINUTES} minutes."]
    return "\n".join([*lines, *_warnings(facts), *_footer(facts)])


def update(facts: Facts) -> str:
    """Return a message about how things stand."""
    next_ns = facts.now_ns + UPDATE_MINUTES * 60 * NS_PER_S
    lines = [
        f"📢 {facts.severity} UPDATE: {facts.summary}",
        f"Time: {_hour(facts.now_ns)}",
        f"Status: {'Investigating' if facts.is_flat else 'Mitigating'}",
        f"Positions: {positions(facts)}",
        f"Root cause: Unknown (fired by {facts.trigger})",
        "ETA to resolution: Unknown",
        f"Next update: {_hour(next_ns)}",
    ]
    return "\n".join([*lines, *_warnings(facts), *_footer(facts)])


def resolved(facts: Facts) -> str:
    """Return the last message of an incident."""
    due = _moment(facts.opened_ns) + timedelta(hours=POST_MORTEM_HOURS)
    still = [account for account in facts.accounts if account.state != "ACTIVE"]
    trading = "Resumed"
    if still:
        trading = "Still halted - " + ", ".join(f"{a.id} is {a.state}" for a in still)
    lines = [
        f"✅ {facts.severity} RESOLVED: {facts.summary}",
        f"Time: {_hour(facts.now_ns)}",
        f"Duration: {duration(facts.now_ns - facts.opened_ns)}",
        f"Root cause: Unknown (fired by {facts.trigger})",
        f"Resolution: {facts.resolution or 'not written down'}",
    ]
    if facts.severity == "P1":
        lines.append(f"Post-mortem: Scheduled for {due:%Y-%m-%d}")
    return "\n".join([*lines, f"Trading: {trading}", f"Incident: {facts.incident}"])


def positions(facts: Facts) -> str:
    """Return what may be said of positions: CLOSED only where that is proven."""
    if facts.is_flat:
        of = "" if facts.scope == "account" else f" ({facts.scope})"
        return f"CLOSED{of}"
    if not facts.accounts:
        return "UNKNOWN"
    open_ones = [_open(account) for account in facts.accounts if account.flatten != FLAT]
    return "NOT VERIFIED CLOSED: " + "; ".join(open_ones)


def duration(ns: int) -> str:
    """Return a length of time in words."""
    minutes = max(0, ns) // (60 * NS_PER_S)
    if minutes >= 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{max(0, ns) // NS_PER_S} s"


def _open(account: AccountFacts) -> str:
    counts = [
        f"{count} {words}"
        for count, words in ((account.positions, "positions"), (account.orders, "pending orders"))
        if count is not None
    ]
    seen = " and ".join(counts) or "contents unknown"
    phone = f", broker {account.phone}" if account.phone else ""
    return f"account {account.id}: {seen} when last read, flatten {account.flatten}{phone}"


def _impact(facts: Facts) -> str:
    parts = [
        f"account {account.id}" + (f" (equity {account.equity})" if account.equity else "")
        for account in facts.accounts
    ]
    scope = "" if facts.scope == "account" else f"{facts.scope} on "
    return scope + (", ".join(parts) or "unknown")


def _warnings(facts: Facts) -> list[str]:
    """Return what protects nobody if this machine dies too."""
    lines: list[str] = []
    for account in facts.accounts:
        tickets = account.no_stop_loss
        if tickets and account.flatten != FLAT:
            named = ", ".join(str(ticket) for ticket in tickets[:TICKETS_MAX])
            more = f" and {len(tickets) - TICKETS_MAX} more" if len(tickets) > TICKETS_MAX else ""
            lines.append(f"Without a broker-side stop loss on {account.id}: {named}{more}")
    return lines


def _footer(facts: Facts) -> list[str]:
    lines = [f"Incident: {facts.incident}"]
    if facts.acknowledged:
        lines.append(f"Acknowledged by {facts.acknowledged}")
    else:
        lines.append(f"Acknowledge: edgeguard incident ack {facts.incident}")
    if facts.repeats and not facts.acknowledged:
        lines.append(f"Nobody has acknowledged: repeat {facts.repeats}, level {facts.level}")
    lines += [f"Contact: {contact}" for contact in facts.contacts]
    if facts.anchor:
        lines.append(f"Journal: {facts.anchor}")
    return lines


def moment(ns: int) -> str:
    """Return a time to the millisecond, UTC."""
    return f"{_moment(ns):%Y-%m-%d %H:%M:%S}.{ns // 1_000_000 % 1000:03} UTC"


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / NS_PER_S, UTC)


def _hour(ns: int) -> str:
    return f"{_moment(ns):%H:%M} UTC"
