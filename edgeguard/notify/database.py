"""``STATE_DIR/ops.sqlite``: outbox, incidents and audit of the ops process.

It is no part of the guard's journal: losing it costs no safety. Commands such as `edgeguard
incident ack` write to it beside a running ops process; each commit is on disk before it returns.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, cast

import apsw

from edgeguard.errors import StorageError

BUSY_MS: Final = 500
AUDIT_ROWS_MAX: Final = 100_000
MIGRATIONS: Final = (
    """
    CREATE TABLE message (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        incident TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        text TEXT NOT NULL,
        t_ns INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE delivery (
        message INTEGER NOT NULL REFERENCES message (id),
        channel TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        parts INTEGER NOT NULL DEFAULT 0,
        due_ns INTEGER NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        sent_ns INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (message, channel)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX delivery_due ON delivery (channel, state, due_ns);
    CREATE TABLE proven (
        channel TEXT PRIMARY KEY,
        t_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ack (
        incident TEXT PRIMARY KEY,
        by TEXT NOT NULL,
        via TEXT NOT NULL,
        t_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE incident (
        id TEXT PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        severity TEXT NOT NULL,
        trigger TEXT NOT NULL,
        summary TEXT NOT NULL,
        scope TEXT NOT NULL,
        accounts TEXT NOT NULL,
        opened_ns INTEGER NOT NULL,
        resolved_ns INTEGER NOT NULL DEFAULT 0,
        resolution TEXT NOT NULL DEFAULT '',
        flat INTEGER NOT NULL DEFAULT 0,
        log_line TEXT NOT NULL DEFAULT '',
        repeats INTEGER NOT NULL DEFAULT 0,
        alerted_ns INTEGER NOT NULL DEFAULT 0,
        updated_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tick (
        incident TEXT NOT NULL,
        item TEXT NOT NULL,
        by TEXT NOT NULL,
        note TEXT NOT NULL,
        t_ns INTEGER NOT NULL,
        PRIMARY KEY (incident, item)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        t_ns INTEGER NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        outcome TEXT NOT NULL
    ) STRICT;
    CREATE TABLE mark (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)
"""Each brings the schema from its index to the next; `PRAGMA user_version` counts those done."""

Value = int | str
Row = tuple[Any, ...]


class OpsDatabase:
    """The open file. One connection; used from one thread."""

    def __init__(self, path: Path) -> None:
        """Open, create or migrate it.

        Raises:
            StorageError: it cannot be used.
        """
        try:
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
            self._connection: Any = apsw.Connection(str(path), flags=flags)
            self._connection.set_busy_timeout(BUSY_MS)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "trusted_schema = OFF"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._migrate(path)
        except (apsw.Error, OSError) as e:
            raise StorageError(f"{path} must open, did not: {e}; move it away to go on") from e

    def run(self, statement: str, *values: Value) -> None:
        """Run a statement that answers nothing."""
        self._connection.execute(statement, values)

    def rows(self, statement: str, *values: Value) -> Iterator[Row]:
        """Yield the rows of a query."""
        return cast("Iterator[Row]", self._connection.execute(statement, values))

    def row(self, statement: str, *values: Value) -> Row | None:
        """Return the first row of a query, if any."""
        return next(self.rows(statement, *values), None)

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        return cast("int", self._connection.changes())

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit what the block does as one, or none of it."""
        with self._connection:
            yield

    def audit(self, t_ns: int, who: str, what: str, outcome: str) -> None:
        """Write down who asked what; the oldest rows make room."""
        with self.transaction():
            insert = "INSERT INTO audit (t_ns, who, what, outcome) VALUES (?, ?, ?, ?)"
            self.run(insert, t_ns, who[:200], what[:200], outcome[:1000])
            oldest = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?"
            self.run(oldest, AUDIT_ROWS_MAX)

    def mark(self, name: str) -> int | None:
        """Return a remembered number."""
        row = self.row("SELECT value FROM mark WHERE name = ?", name)
        return None if row is None else int(row[0])

    def set_mark(self, name: str, value: int) -> None:
        """Remember a number."""
        self.run("INSERT OR REPLACE INTO mark VALUES (?, ?)", name, value)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _migrate(self, path: Path) -> None:
        # Two processes may create it at once: the second one waits, then finds nothing to do.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            version = cast("int", self._connection.pragma("user_version"))
            if version > len(MIGRATIONS):
                raise StorageError(f"{path} was made by a later version of EdgeGuard: use that one")
            for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
                self._connection.execute(statements)
                self._connection.execute(f"PRAGMA user_version = {number}")
        finally:
            self._connection.execute("COMMIT")
