"""The database file: opened, checked and migrated."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import apsw

from edgeguard.errors import StorageError

SQLITE_VERSION_MIN: Final = (3, 51, 3)
"""The first SQLite without the WAL-reset fault (sqlite.org's release notes)."""
BUSY_MS: Final = 2_000

MIGRATIONS: Final = (
    """
    CREATE TABLE entry (
        seq INTEGER PRIMARY KEY,
        t_ns INTEGER NOT NULL,
        boot_ns INTEGER NOT NULL,
        boot TEXT NOT NULL,
        run INTEGER NOT NULL,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TABLE state (
        key TEXT PRIMARY KEY,
        value BLOB NOT NULL,
        sum BLOB NOT NULL,
        t_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)
"""Each brings the schema from its index to the next; `PRAGMA user_version` counts those done."""


Value = int | str | bytes
"""What a cell of a journal's table can hold."""


class Database:
    """An open database: apsw's connection with the types that the journal needs."""

    def __init__(self, path: Path, flags: int) -> None:
        """Open the file.

        Raises:
            apsw.Error: it cannot be opened.
        """
        # apsw's stub leaves parts of `execute` untyped; this is the one place that touches it.
        self._connection: Any = apsw.Connection(str(path), flags=flags)
        self._connection.set_busy_timeout(BUSY_MS)

    def run(self, statement: str, values: tuple[Value, ...] = ()) -> None:
        """Run a statement that answers nothing."""
        self._connection.execute(statement, values)

    def run_many(self, statement: str, rows: list[tuple[Value, ...]]) -> None:
        """Run a statement that answers nothing once for each row."""
        self._connection.executemany(statement, rows)

    def rows(self, statement: str, values: tuple[Value, ...] = ()) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of a query."""
        return cast("Iterator[tuple[Value, ...]]", self._connection.execute(statement, values))

    def pragma(self, name: str) -> Value | None:
        """Return what a pragma says."""
        return cast("Value | None", self._connection.pragma(name))

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit what the block does as one, or none of it.

        Not `with connection`: apsw ends that by a call that keeps the interpreter's lock, so that a
        slow fsync would stop every thread, the guard's loop and its heartbeats among them.
        """
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after most errors of the disk.
            if self._connection.in_transaction:
                with suppress(apsw.Error):
                    self.run("ROLLBACK")
            raise

    def damage(self) -> str:
        """Return what SQLite's own check finds, empty for nothing."""
        try:
            answer = self.pragma("quick_check")
        except apsw.Error as error:
            return str(error)
        return "" if answer == "ok" else str(answer)[:200]

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_library() -> None:
    """Refuse a SQLite that can corrupt a WAL database.

    Raises:
        StorageError: it is older than 3.51.3.
    """
    found = apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")) < SQLITE_VERSION_MIN:
        wanted = ".".join(str(part) for part in SQLITE_VERSION_MIN)
        raise StorageError(f"SQLite must be {wanted} or later, was {found}; upgrade apsw")


def open_for_writing(path: Path) -> Database:
    """Open the journal, creating or migrating it, with every commit on disk before it returns.

    Raises:
        StorageError: it cannot be opened, is damaged, or was made by a later version.
    """
    check_library()
    try:
        if not path.exists():
            # SQLite would create it with the process's umask; what it says is its owner's alone.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        else:
            _refuse_others_file(path)
        database = Database(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)
        database.run("PRAGMA journal_mode = WAL")
        database.run("PRAGMA synchronous = FULL")
        database.run("PRAGMA trusted_schema = OFF")
        _check(database, path)
        _migrate(database, path)
    except (apsw.Error, OSError) as error:
        raise StorageError(
            f"journal {path} must open, did not: {error}; restore it from a backup or move it "
            "away (the guard then starts HALTED)"
        ) from error
    return database


def _refuse_others_file(path: Path) -> None:
    """Refuse a journal that another user could have written, or can.

    Raises:
        StorageError: it is a link, no file, another user's, or open to others.
    """
    found = path.lstat()
    is_file = stat.S_ISREG(found.st_mode)
    if not is_file or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise StorageError(
            f"{path} must be a file that this user alone can open (0600), was "
            f"{stat.filemode(found.st_mode)} of user {found.st_uid}"
        )


def open_for_reading(path: Path) -> Database:
    """Open an existing journal without the means to change it.

    Raises:
        StorageError: it is missing or cannot be opened.
    """
    check_library()
    try:
        database = Database(path, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW)
        database.run("PRAGMA query_only = ON")
        version = database.pragma("user_version")
    except apsw.Error as error:
        raise StorageError(f"journal {path} must open, did not: {error}") from error
    if version != len(MIGRATIONS):
        raise StorageError(
            f"journal {path} must have schema {len(MIGRATIONS)}, was {version}; use the version "
            "of EdgeGuard that wrote it"
        )
    return database


def _check(database: Database, path: Path) -> None:
    damage = database.damage()
    if damage:
        raise StorageError(f"journal {path} must be sound, SQLite says: {damage}")


def _migrate(database: Database, path: Path) -> None:
    version = database.pragma("user_version")
    if not isinstance(version, int) or version > len(MIGRATIONS):
        raise StorageError(
            f"journal {path} must have schema {len(MIGRATIONS)} or older, was {version}; it was "
            "written by a later version of EdgeGuard: use that one"
        )
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        with database.transaction():
            database.run(statements)
            database.run(f"PRAGMA user_version = {number}")
