"""Reading the journal: verify the chain, show its tail, export it, read a state value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import apsw
import msgspec

from edgeguard.errors import StorageError
from edgeguard.journal.chain import GENESIS, Entry, chain_hash, state_sum
from edgeguard.journal.database import Database, open_for_reading

_COLUMNS = "seq, t_ns, boot_ns, boot, run, account, kind, body, hash"
_Row = tuple[int, int, int, str, int, str, str, bytes, bytes]


class Verdict(msgspec.Struct, frozen=True):
    """What verifying found: rows seen, the head, and the first fault as a sentence, or ""."""

    rows: int
    head_seq: int
    head_hash: bytes
    fault: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether no row was changed, removed or inserted."""
        return not self.fault


def verify(path: Path, anchor: tuple[int, bytes] | None = None) -> Verdict:
    """Look at the whole file and recompute the chain of a journal.

    Args:
        path: the journal.
        anchor: a row's number and hash known from outside (the latch, a notification): the chain
            alone cannot tell that its tail was cut off.

    Raises:
        StorageError: the file cannot be read.
    """
    with open_for_reading(path) as database:
        # The chain reads rows alone; what is damaged beside them is the database's own to find.
        verdict, damage = verify_database(database, anchor), database.damage()
    if verdict.is_sound and damage:
        return msgspec.structs.replace(verdict, fault=f"SQLite says: {damage}")
    return verdict


def verify_database(database: Database, anchor: tuple[int, bytes] | None = None) -> Verdict:
    """Recompute the chain of an open journal; see `verify`."""
    previous, rows, anchored = GENESIS, 0, b""
    try:
        for entry, recorded in _rows(database, "ORDER BY seq"):
            rows += 1
            if entry.seq != rows:
                return Verdict(rows, rows - 1, previous, f"row {rows} must follow, is missing")
            if chain_hash(previous, entry) != recorded:
                fault = f"row {entry.seq} must have the hash of its words, was changed"
                return Verdict(rows, rows - 1, previous, fault)
            previous = recorded
            if anchor is not None and entry.seq == anchor[0]:
                anchored = recorded
    except StorageError as error:
        return Verdict(rows, rows, previous, str(error))
    if anchor is not None and anchor[0] > 0 and anchored != anchor[1]:
        fault = f"row {anchor[0]} must be the one that was seen before, is missing or another"
        return Verdict(rows, rows, previous, fault)
    return Verdict(rows, rows, previous)


def tail(path: Path, count: int, after_seq: int = 0) -> list[dict[str, object]]:
    """Return the last `count` rows with a number above `after_seq`, oldest first, as documents.

    Raises:
        StorageError: the file cannot be read.
    """
    with open_for_reading(path) as database:
        newest = f"WHERE seq > {int(after_seq)} ORDER BY seq DESC LIMIT {int(count)}"
        rows = [_document(entry, digest) for entry, digest in _rows(database, newest)]
        if not rows and not after_seq and next(_rows(database, "LIMIT 1"), None) is not None:
            raise StorageError(f"journal {path} must show its rows, shows none; it is damaged")
    return rows[::-1]


def export(path: Path) -> Iterator[bytes]:
    """Yield every row as a line of JSON, oldest first.

    Raises:
        StorageError: the file cannot be read.
    """
    with open_for_reading(path) as database:
        for entry, digest in _rows(database, "ORDER BY seq"):
            yield json.dumps(_document(entry, digest), separators=(",", ":")).encode()


def read_state(database: Database, key: str) -> bytes | None:
    """Return a state value, None where there is none.

    Raises:
        StorageError: it does not match its checksum.
    """
    row = next(database.rows("SELECT value, sum FROM state WHERE key = ?", (key,)), None)
    if row is None:
        return None
    value, checksum = cast("tuple[bytes, bytes]", row)
    if state_sum(key, value) != checksum:
        raise StorageError(f"state {key!r} must match its checksum, was damaged")
    return value


def _rows(database: Database, clause: str) -> Iterator[tuple[Entry, bytes]]:
    """Yield rows and their hashes.

    Raises:
        StorageError: a row cannot be read; those before it have been yielded.
    """
    try:
        # The clause is built from integers and literals of this module alone.
        for row in database.rows(f"SELECT {_COLUMNS} FROM entry {clause}"):  # noqa: S608
            if None in cast("tuple[object, ...]", row):
                raise StorageError("every row must have all its words, one has not; it is damaged")
            seq, t_ns, boot_ns, boot, run, account, kind, body, digest = cast("_Row", row)
            yield Entry(seq, t_ns, boot_ns, boot, run, account, kind, body), digest
    except (apsw.Error, UnicodeDecodeError) as error:
        raise StorageError(f"every row must be readable, one was not: {error}") from error


def _document(entry: Entry, digest: bytes) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "t_ns": entry.t_ns,
        "boot_ns": entry.boot_ns,
        "boot": entry.boot,
        "run": entry.run,
        "account": entry.account,
        "kind": entry.kind,
        "body": _body(entry.body),
        "hash": digest.hex(),
    }


def _body(body: bytes) -> object:
    """Return a row's document; where damage left none, its bytes: the rest is still to be seen."""
    try:
        return json.loads(body)
    except ValueError:
        return {"unreadable_hex": body.hex()}
