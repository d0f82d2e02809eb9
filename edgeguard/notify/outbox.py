"""The outbox: one row per message and channel, on disk before anybody is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from edgeguard.clock import NS_PER_S
from edgeguard.notify.database import OpsDatabase

Kind = Literal["alert", "update", "resolved", "alarm", "test"]
BACKOFF_S: Final = (1, 2, 4, 8, 15, 30, 60)
"""Waits between attempts; the last one stays."""
RETRY_AFTER_S_MAX: Final = 600.0
"""Longest wait that a service may ask for and get."""
AGE_NS_MAX: Final = 24 * 3600 * NS_PER_S
"""A message that could not be sent for a day is given up."""


class Message(msgspec.Struct, frozen=True):
    """One thing to tell; `key` names it, and what has the same key is the same message."""

    key: str
    incident: str
    kind: Kind
    severity: str
    text: str
    t_ns: int


class Delivery(msgspec.Struct, frozen=True):
    """One message on its way to one channel; `parts` of it have arrived already."""

    message: int
    channel: str
    incident: str
    kind: Kind
    text: str
    t_ns: int
    attempts: int
    parts: int


class Outbox:
    """Messages and their deliveries."""

    def __init__(self, database: OpsDatabase) -> None:
        """Use the ops database."""
        self._database = database

    def put(self, message: Message, channels: Sequence[str]) -> bool:
        """Queue a message for channels; return False for one that is known already.

        A newer alert of the same incident takes the place of those that still wait.
        """
        database = self._database
        with database.transaction():
            database.run(
                "INSERT OR IGNORE INTO message (key, incident, kind, severity, text, t_ns) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                *(message.key, message.incident, message.kind, message.severity, message.text),
                message.t_ns,
            )
            if not database.changes():
                return False
            row = database.row("SELECT id FROM message WHERE key = ?", message.key)
            number = int(row[0]) if row is not None else 0
            for channel in channels:
                if message.kind in {"alert", "update"}:
                    self._supersede(message, channel)
                database.run(
                    "INSERT INTO delivery (message, channel, state, due_ns) "
                    "VALUES (?, ?, 'queued', ?)",
                    *(number, channel, message.t_ns),
                )
        return True

    def due(self, channel: str, now_ns: int) -> Delivery | None:
        """Return the oldest delivery of a channel whose time has come.

        A due time further ahead than any wait means that the clock was set back: it counts as due.
        """
        ahead_ns = now_ns + int((RETRY_AFTER_S_MAX + 1) * NS_PER_S)
        row = self._database.row(
            "SELECT message, channel, incident, kind, text, t_ns, attempts, parts "
            "FROM delivery JOIN message ON id = message WHERE channel = ? AND state = 'queued' "
            "AND (due_ns <= ? OR due_ns > ?) ORDER BY message LIMIT 1",
            *(channel, now_ns, ahead_ns),
        )
        return None if row is None else Delivery(*row)

    def part_arrived(self, delivery: Delivery, parts: int) -> None:
        """Note how many parts of a long message have arrived."""
        self._set(delivery, "parts = ?", parts)

    def arrived(self, delivery: Delivery, now_ns: int) -> None:
        """Note that all of it arrived, which proves the channel."""
        with self._database.transaction():
            self._set(delivery, "state = 'sent', error = '', sent_ns = ?", now_ns)
            self._database.run(
                "INSERT OR REPLACE INTO proven VALUES (?, ?)", delivery.channel, now_ns
            )

    def failed(
        self, delivery: Delivery, now_ns: int, error: str, *, after_s: float | None, final: bool
    ) -> None:
        """Note a failure; try again later unless it is `final` or the message is too old.

        Args:
            delivery: what failed.
            now_ns: wall time.
            error: one sentence without secrets.
            after_s: how long the service asked to be left alone, seconds.
            final: no later attempt can succeed.
        """
        wait_s = float(BACKOFF_S[min(delivery.attempts, len(BACKOFF_S) - 1)])
        if after_s is not None:
            wait_s = min(max(after_s, 0.0), RETRY_AFTER_S_MAX)
        is_over = final or now_ns - delivery.t_ns > AGE_NS_MAX
        words = "state = ?, attempts = attempts + 1, error = ?, due_ns = ?"
        due_ns = now_ns + int(wait_s * NS_PER_S)
        self._set(delivery, words, "failed" if is_over else "queued", error[:500], due_ns)

    def was_told(self, incident: str) -> bool:
        """Tell whether any channel has received anything of an incident."""
        row = self._database.row(
            "SELECT 1 FROM delivery JOIN message ON id = message "
            "WHERE incident = ? AND state = 'sent' LIMIT 1",
            incident,
        )
        return row is not None

    def proven(self) -> dict[str, int]:
        """Return when each channel last delivered, wall ns."""
        return {str(name): int(t_ns) for name, t_ns in self._database.rows("SELECT * FROM proven")}

    def waiting(self) -> dict[str, tuple[int, str]]:
        """Return of each channel how many deliveries wait and the last error among them."""
        rows = self._database.rows(
            "SELECT channel, count(*), max(error) FROM delivery WHERE state = 'queued' "
            "GROUP BY channel"
        )
        return {str(channel): (int(count), str(error)) for channel, count, error in rows}

    def acknowledge(self, incident: str, by: str, via: str, now_ns: int) -> bool:
        """Note that somebody has taken an incident on; return False if somebody had."""
        insert = "INSERT OR IGNORE INTO ack VALUES (?, ?, ?, ?)"
        self._database.run(insert, incident, by[:64], via, now_ns)
        return self._database.changes() == 1

    def acknowledged(self, incident: str) -> tuple[str, str, int] | None:
        """Return who acknowledged an incident, by which way and when; None if nobody has."""
        row = self._database.row("SELECT by, via, t_ns FROM ack WHERE incident = ?", incident)
        return None if row is None else (str(row[0]), str(row[1]), int(row[2]))

    def _supersede(self, message: Message, channel: str) -> None:
        self._database.run(
            "UPDATE delivery SET state = 'superseded' WHERE channel = ? AND state = 'queued' AND "
            "parts = 0 AND message IN (SELECT id FROM message WHERE incident = ? AND kind = ?)",
            *(channel, message.incident, message.kind),
        )

    def _set(self, delivery: Delivery, words: str, *values: int | str) -> None:
        # The words are literals of this module.
        statement = f"UPDATE delivery SET {words} WHERE message = ? AND channel = ?"  # noqa: S608
        self._database.run(statement, *values, delivery.message, delivery.channel)
