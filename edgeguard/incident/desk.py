"""The incident desk: opens, escalates, updates and closes incidents as the guard's state changes.

It acts on nothing but its own database, its evidence and the outbox: whatever happens here, the
guard has acted already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.config.model import Config
from edgeguard.errors import StorageError
from edgeguard.incident import changes
from edgeguard.incident.facts import describe, facts_of
from edgeguard.incident.log_file import ids_in, write_row
from edgeguard.incident.store import MACHINE, Incident, Incidents
from edgeguard.notify import templates
from edgeguard.notify.contacts import Contacts
from edgeguard.notify.outbox import Kind, Message, Outbox
from edgeguard.notify.templates import Facts

LEVEL_MAX: Final = 9
UPDATE_NS: Final = templates.UPDATE_MINUTES * 60 * NS_PER_S
GUARD_LOST: Final = templates.GUARD_LOST

Status = Mapping[str, Any] | None


@dataclass(frozen=True)
class DeskParts:
    """What the desk reaches.

    Attributes:
        config: the configuration.
        contacts: whom the messages name.
        incidents: the table of incidents.
        outbox: where messages go.
        log: the incident log, None for none.
        clock: the clocks.
        tell: told a sentence where something could not be done.
        on_opened: called with a new or escalated incident, to keep its evidence.
        on_flat: called with an incident whose accounts were proven flat.
    """

    config: Config
    contacts: Contacts
    incidents: Incidents
    outbox: Outbox
    log: Path | None
    clock: Clock
    tell: Callable[[str], None]
    on_opened: Callable[[Incident], None]
    on_flat: Callable[[Incident], None]


class Desk:
    """Keeps the incidents of one guard."""

    def __init__(self, parts: DeskParts) -> None:
        """Go on with what the database holds."""
        self._parts = parts
        self._incidents = parts.incidents
        self._told: dict[str, str] = {}
        self._last: Status = None

    def apply(self, change: changes.Change) -> None:
        """Take in one change of the guard's state."""
        match change:
            case changes.Halted():
                self._halted(change)
            case changes.Paused():
                reason = ", ".join(change.codes) or "cause unknown"
                key = f"pause:{change.account}:{change.t_ns}"
                self._paused(change.account, key, ("pause", reason), change.t_ns)
            case changes.GuardLost():
                self._guard_lost(change.account)
            case changes.Flattened():
                # Told by `tick`, with the figures of the status of that moment.
                for incident in self._incidents.open():
                    if change.account in incident.accounts:
                        self._told.pop(incident.key, None)
            case changes.Opened():
                self._close(f"pause:{change.account}:", "released: its cause cleared")
            case _:
                self._ended(change)

    def _ended(self, change: changes.Resumed | changes.GuardBack) -> None:
        if isinstance(change, changes.Resumed):
            self.resumed(change.halt_id, "")
        else:
            self._close("guard:", "the guard's heartbeats are back")

    def settle(self, standing: set[str]) -> None:
        """Close what ended while nobody looked; `standing` are all halts in force."""
        self._close("guard:", "the guard's heartbeats are back")
        for incident in self._incidents.open():
            kind, _, halt_id = incident.key.partition(":")
            if kind == "halt" and halt_id not in standing:
                self.resumed(halt_id, "resumed while ops did not run")

    def resolution(self, halt_id: str, words: str) -> None:
        """Complete a closed incident by what the journal says of its resume."""
        incident = self._incidents.by_key(f"halt:{halt_id}")
        if incident is not None and words and incident.resolution != words:
            incident = msgspec.structs.replace(incident, resolution=words)
            self._incidents.put(incident)
            self._log(incident)

    def forgotten(self, halts: Iterable[changes.Halted]) -> None:
        """Open the incidents of halts that came, and perhaps went, while nobody looked."""
        for halt in halts:
            if self._incidents.by_key(f"halt:{halt.halt_id}") is None:
                self._halted(halt)

    def seen(self, status: Status) -> None:
        """Remember what the guard said, for the moment when it says nothing any more."""
        self._last = status if status is not None else self._last

    def needs_status(self) -> bool:
        """Tell whether `tick` has something to say and wants the guard's figures for it."""
        now_ns = self._parts.clock.wall_ns()
        return any(self._is_due(incident, now_ns) for incident in self._incidents.open())

    def tick(self, status: Status) -> None:
        """Send what is due: alerts, repeats, updates, and the word that everything is closed."""
        now_ns = self._parts.clock.wall_ns()
        self.seen(status)
        for incident in self._incidents.open():
            if not incident.alerted_ns:
                self._alert(incident, status, now_ns)
            else:
                self._follow(incident, status, now_ns)

    def alarm(self, key: str, account: str, text: str, t_ns: int) -> None:
        """Pass an alarm of the guard or the broker on to people."""
        named = [i for i in self._incidents.open() if account in i.accounts]
        incident = named[-1].id if named else ""
        severity = named[-1].severity if named else "P2"
        where = f"account {account}: " if account else ""
        words = f"⚠️ {severity} ALARM: {where}{text}"
        if incident:
            words += f"\nIncident: {incident}"
        message = Message(key, incident, "alarm", severity, words, t_ns)
        self._parts.outbox.put(message, self._channels(severity, 1))

    def ticked(self, incident: Incident, items: Mapping[str, str]) -> None:
        """Tick what the machine knows: item to note."""
        now_ns = self._parts.clock.wall_ns()
        for item, note in items.items():
            self._incidents.tick(incident.id, item, MACHINE, note, now_ns)

    def _halted(self, change: changes.Halted) -> None:
        key = f"halt:{change.halt_id}"
        known = self._incidents.by_key(key)
        if known is not None and not known.is_open:
            # It was closed while it stood: whoever did that was wrong, and people hear of it again.
            known = self._changed(known, resolved_ns=0, resolution="", alerted_ns=0, flat=False)
            self._opened(known)
        if known is not None:
            if change.account not in known.accounts:
                accounts = (*known.accounts, change.account)
                summary = describe(change.trigger, change.reason, accounts)
                self._changed(known, accounts=accounts, summary=summary, flat=False)
            return
        paused = next(
            (i for i in self._incidents.open() if i.key.startswith(f"pause:{change.account}:")),
            None,
        )
        summary = describe(change.trigger, change.reason, (change.account,))
        if paused is not None:
            # What began as a pause has become a halt: the same incident, one severity up.
            words = {"key": key, "severity": "P1", "trigger": change.trigger, "summary": summary}
            raised = self._changed(paused, scope=change.scope, alerted_ns=0, **words)
            self._opened(raised)
            return
        self._open(key, "P1", (change.trigger, summary, change.scope), change.account, change.t_ns)

    def _paused(self, account: str, key: str, words: tuple[str, str], t_ns: int) -> None:
        is_known = any(
            account in i.accounts and i.key.startswith((f"pause:{account}:", "halt:"))
            for i in self._incidents.open()
        )
        if not is_known:
            trigger, reason = words
            summary = describe(trigger, reason, (account,))
            self._open(key, "P2", (trigger, summary, changes.ACCOUNT), account, t_ns)

    def _guard_lost(self, account: str) -> None:
        for incident in self._incidents.open():
            if incident.trigger == GUARD_LOST:
                if account not in incident.accounts:
                    accounts = (*incident.accounts, account)
                    self._changed(incident, accounts=accounts)
                return
        now_ns = self._parts.clock.wall_ns()
        summary = describe(GUARD_LOST, "gates are closed", (account,))
        words = (GUARD_LOST, summary, changes.ACCOUNT)
        self._open(f"guard:{account}:{now_ns}", "P1", words, account, now_ns)

    def _open(
        self, key: str, severity: str, words: tuple[str, str, str], account: str, t_ns: int
    ) -> None:
        taken = ids_in(self._parts.log) if self._parts.log is not None else frozenset[str]()
        trigger, summary, scope = words
        incident = Incident(
            id=self._incidents.new_id(t_ns, taken),
            key=key,
            severity=severity,
            trigger=trigger,
            summary=summary,
            scope=scope,
            accounts=(account,),
            opened_ns=t_ns,
        )
        self._incidents.put(incident)
        self._opened(incident)

    def _opened(self, incident: Incident) -> None:
        if incident.severity == "P1":
            self.ticked(incident, {"time_noted": templates.moment(incident.opened_ns)})
            if incident.trigger != GUARD_LOST:
                self.ticked(incident, {"kill_switch": incident.key.partition(":")[2]})
        self._log(incident)
        self._parts.on_opened(incident)

    def resumed(self, halt_id: str, words: str) -> None:
        """Close the incident of a halt that was resumed; `words` say by whom and why, if known."""
        incident = self._incidents.by_key(f"halt:{halt_id}")
        if incident is not None and incident.is_open:
            self.ticked(incident, {"resume_decision": "an operator resumed"})
            self._resolve(incident, words or "resumed by an operator")

    def _close(self, prefix: str, resolution: str) -> None:
        for incident in self._incidents.open():
            if incident.key.startswith(prefix):
                self._resolve(incident, resolution)

    def _resolve(self, incident: Incident, resolution: str) -> None:
        now_ns = self._parts.clock.wall_ns()
        done = self._changed(incident, resolved_ns=now_ns, resolution=resolution)
        self._log(done)
        accounts = tuple(templates.AccountFacts(name, "ACTIVE") for name in done.accounts)
        facts = self._facts(done, None, now_ns)
        text = templates.resolved(msgspec.structs.replace(facts, accounts=accounts))
        # A halt that came and went while nobody looked is told of by this message alone.
        if incident.alerted_ns or incident.severity == "P1":
            self._put(done, "resolved", f"{done.id}:resolved", text)

    def _is_due(self, incident: Incident, now_ns: int) -> bool:
        is_new = not incident.alerted_ns or incident.key not in self._told
        return is_new or self._repeats(incident, now_ns) or self._updates(incident, now_ns)

    def _repeats(self, incident: Incident, now_ns: int) -> bool:
        notify = self._parts.config.notify
        every_s = notify.repeat_s if incident.severity == "P1" else notify.repeat_p2_s
        is_time = now_ns - incident.alerted_ns >= every_s * NS_PER_S
        return is_time and self._parts.outbox.acknowledged(incident.id) is None

    @staticmethod
    def _updates(incident: Incident, now_ns: int) -> bool:
        return incident.severity == "P1" and now_ns - incident.updated_ns >= UPDATE_NS

    def _alert(self, incident: Incident, status: Status, now_ns: int) -> None:
        incident = self._changed(incident, alerted_ns=now_ns, updated_ns=now_ns)
        facts = self._facts(incident, status, now_ns)
        self.ticked(incident, {"accounts": ", ".join(incident.accounts)})
        if any(account.equity for account in facts.accounts):
            self.ticked(incident, {"pnl": _equities(facts)})
        self._told[incident.key] = templates.positions(facts)
        self._mark_flat(incident, facts)
        key = f"{incident.id}:{incident.severity}:alert:{incident.repeats}"
        self._put(incident, "alert", key, templates.alert(facts))

    def _follow(self, incident: Incident, status: Status, now_ns: int) -> None:
        if self._parts.outbox.was_told(incident.id):
            self.ticked(incident, {"founder_notified": "a channel has taken the alert"})
        facts = self._facts(incident, status, now_ns)
        said = templates.positions(facts)
        if self._repeats(incident, now_ns):
            repeats = incident.repeats + 1
            incident = self._changed(incident, repeats=repeats, alerted_ns=now_ns)
            facts = self._facts(incident, status, now_ns)
            key = f"{incident.id}:{incident.severity}:alert:{repeats}"
            self._put(incident, "alert", key, templates.alert(facts))
        elif status is not None and incident.severity == "P1":
            has_news = facts.is_flat and not incident.flat
            has_news |= self._is_left_open(facts) and self._told.get(incident.key) != said
            if has_news or self._updates(incident, now_ns):
                incident = self._changed(incident, updated_ns=now_ns)
                key = f"{incident.id}:update:{now_ns}:{said}"
                self._put(incident, "update", key, templates.update(facts))
        self._told[incident.key] = said
        self._mark_flat(incident, facts)

    @staticmethod
    def _is_left_open(facts: Facts) -> bool:
        return any(account.flatten == "NOT_FLAT" for account in facts.accounts)

    def _mark_flat(self, incident: Incident, facts: Facts) -> None:
        if incident.flat or not facts.is_flat or incident.severity != "P1":
            return
        incident = self._changed(incident, flat=True)
        self.ticked(
            incident,
            {
                "positions_closed": "verified flat by two fresh reads",
                "pendings_cancelled": "verified by the same reads",
            },
        )
        self._parts.on_flat(incident)

    def _facts(self, incident: Incident, status: Status, now_ns: int) -> Facts:
        contacts = self._parts.contacts
        facts = facts_of(incident, status, self._parts.config, contacts)
        if status is None:
            # What it said last is no state, but tells what stands there without protection.
            last = facts_of(incident, self._last, self._parts.config, contacts)
            accounts = tuple(
                msgspec.structs.replace(
                    now,
                    positions=then.positions,
                    orders=then.orders,
                    no_stop_loss=then.no_stop_loss,
                )
                for now, then in zip(facts.accounts, last.accounts, strict=True)
            )
            facts = msgspec.structs.replace(facts, accounts=accounts)
        level = min(facts.level, LEVEL_MAX)
        found = self._parts.outbox.acknowledged(incident.id)
        named = [c.line() for wanted in range(1, level + 1) for c in contacts.at_level(wanted)]
        return msgspec.structs.replace(
            facts,
            now_ns=now_ns,
            level=level,
            contacts=tuple(named),
            acknowledged="" if found is None else found[0],
        )

    def _put(self, incident: Incident, kind: Kind, key: str, text: str) -> None:
        level = min(incident.repeats + 1, LEVEL_MAX)
        now_ns = self._parts.clock.wall_ns()
        message = Message(key, incident.id, kind, incident.severity, text, now_ns)
        self._parts.outbox.put(message, self._channels(incident.severity, level))

    def _channels(self, severity: str, level: int) -> list[str]:
        channels = self._parts.config.notify.channel
        return [c.name for c in channels if c.level <= level and severity in c.severities]

    def _changed(self, incident: Incident, **words: Any) -> Incident:  # noqa: ANN401 - fields of the Struct
        changed = msgspec.structs.replace(incident, **words)
        self._incidents.put(changed)
        return changed

    def _log(self, incident: Incident) -> None:
        if self._parts.log is None:
            return
        try:
            line, is_there = write_row(self._parts.log, incident)
        except StorageError as e:
            self._parts.tell(str(e))
            return
        if is_there:
            self._changed(self._incidents.get(incident.id) or incident, log_line=line)
            self.ticked(incident, {"logged": str(self._parts.log)})


def _equities(facts: Facts) -> str:
    return ", ".join(f"{a.id}: {a.equity}" for a in facts.accounts if a.equity)
