"""The database file: opened, checked and migrated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import apsw

from edgeguard.errors import StorageError

SQLITE_VERSION_MIN: Final = (3, 51, 3)
"""The first SQLite without the WAL-reset fault (`reference: operations 5`)."""
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


def check_library() -> None:
    """Refuse a SQLite that can corrupt a WAL database.

    Raises:
        StorageError: it is older than 3.51.3.
    """
    found = apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")) < SQLITE_VERSION_MIN:
        wanted = ".".join(str(part) for part in SQLITE_VERSION_MIN)
        raise StorageError(f"SQLite must be {wanted} or later, was {found}; upgrade apsw")


def open_for_writing(path: Path) -> apsw.Connection:
    """Open the journal, creating or migrating it, with every commit on disk before it returns.

    Raises:
        StorageError: it cannot be opened, is damaged, or was made by a later version.
    """
    check_library()
    try:
        if not path.exists():
            # SQLite would create it with the process's umask; what it says is its owner's alone.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        elif path.stat().st_mode & 0o077 or not path.is_file() or path.is_symlink():
            raise StorageError(f"{path} must be a file that its owner alone can open (0600)")
        connection = apsw.Connection(
            str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
        )
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        _check(connection, path)
        _migrate(connection, path)
    except (apsw.Error, OSError) as error:
        raise StorageError(
            f"journal {path} must open, did not: {error}; restore it from a backup or move it "
            "away (the guard then starts HALTED)"
        ) from error
    return connection


def open_for_reading(path: Path) -> apsw.Connection:
    """Open an existing journal without the means to change it.

    Raises:
        StorageError: it is missing or cannot be opened.
    """
    check_library()
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("PRAGMA query_only = ON")
        version = connection.pragma("user_version")
    except apsw.Error as error:
        raise StorageError(f"journal {path} must open, did not: {error}") from error
    if version != len(MIGRATIONS):
        raise StorageError(
            f"journal {path} must have schema {len(MIGRATIONS)}, was {version}; use the version "
            "of EdgeGuard that wrote it"
        )
    return connection


def _check(connection: apsw.Connection, path: Path) -> None:
    answer = connection.pragma("quick_check")
    if answer != "ok":
        raise StorageError(f"journal {path} must be sound, SQLite says: {str(answer)[:200]}")


def _migrate(connection: apsw.Connection, path: Path) -> None:
    version = connection.pragma("user_version")
    if not isinstance(version, int) or version > len(MIGRATIONS):
        raise StorageError(
            f"journal {path} must have schema {len(MIGRATIONS)} or older, was {version}; it was "
            "written by a later version of EdgeGuard: use that one"
        )
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        with connection:
            connection.execute(statements)
            connection.execute(f"PRAGMA user_version = {number}")
