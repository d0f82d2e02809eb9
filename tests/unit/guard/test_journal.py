"""The journal: what is acknowledged is there, what was changed is found, what fails is said."""

from __future__ import annotations

import json
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from edgeguard.clock import ManualClock
from edgeguard.errors import StorageError
from edgeguard.journal import Journal, Ticket, export, tail, verify
from edgeguard.journal.database import MIGRATIONS, Database

DEADLINE_S = 30.0


def settled(start: Callable[[Callable[[Ticket], None]], Ticket]) -> Ticket:
    """Return a ticket that has been settled."""
    done = threading.Event()
    ticket = start(lambda _ticket: done.set())
    assert done.wait(DEADLINE_S)
    return ticket


def fill(path: Path, rows: int) -> None:
    """Write a journal of so many rows."""
    journal = Journal(path, run=1, boot="ab")
    journal.start()
    for number in range(rows):
        journal.append("test", {"n": number}, account="A", t_ns=number)
    assert journal.close()


def test_rows_are_chained_and_read_back(tmp_path: Path) -> None:
    """What was appended is there in order, and the chain over it is sound."""
    path = tmp_path / "j.sqlite"
    fill(path, 300)
    verdict = verify(path)
    assert (verdict.rows, verdict.is_sound) == (300, True)
    assert [row["body"] for row in tail(path, 2)] == [{"n": 298}, {"n": 299}]
    assert [json.loads(line)["seq"] for line in export(path)] == list(range(1, 301))
    assert path.stat().st_mode & 0o777 == 0o600
    fill(path, 1)
    assert verify(path).rows == 301


def _run(path: Path, statement: str) -> None:
    """Run a statement as somebody who has the file and not our code."""
    with Database(path, apsw.SQLITE_OPEN_READWRITE) as database:
        database.run(statement)


def _tamper(path: Path, *statements: str) -> None:
    _run(path, "DROP TRIGGER entry_is_never_changed")
    _run(path, "DROP TRIGGER entry_is_never_removed")
    for statement in statements:
        _run(path, statement)


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE entry SET body = x'7b7d' WHERE seq = 5", 5),
        ("UPDATE entry SET t_ns = t_ns + 1 WHERE seq = 7", 7),
        ("UPDATE entry SET account = 'B' WHERE seq = 1", 1),
        ("DELETE FROM entry WHERE seq = 5", 5),
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 9", 9),
    ],
)
def test_each_tampering_is_found_and_named(tmp_path: Path, statement: str, row: int) -> None:
    """P23: a changed or removed row is named; the guard's own connection cannot do it."""
    path = tmp_path / "j.sqlite"
    fill(path, 10)
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        _run(path, statement)
    _tamper(path, statement)
    verdict = verify(path)
    assert not verdict.is_sound
    assert f"row {row}" in verdict.fault
    assert Journal(path, run=2, boot="ab").fault


def test_cut_tail_is_found_by_the_anchor(tmp_path: Path) -> None:
    """The chain cannot see that its end is missing; a hash from outside can."""
    path = tmp_path / "j.sqlite"
    fill(path, 10)
    head = verify(path)
    _tamper(path, "DELETE FROM entry WHERE seq > 6")
    assert verify(path).is_sound
    assert "row 10" in verify(path, (head.head_seq, head.head_hash)).fault


def test_state_survives_and_damage_is_found(tmp_path: Path) -> None:
    """A state value is read back by the next run, and a damaged one is an error."""
    path = tmp_path / "j.sqlite"
    journal = Journal(path, run=1, boot="ab")
    journal.start()
    assert settled(lambda told: journal.set_state("k", b"one", told)).is_durable
    assert settled(lambda told: journal.set_state("k", b"two", told)).is_durable
    journal.close()
    again = Journal(path, run=2, boot="ab")
    assert again.state("k") == b"two"
    assert again.state("none") is None
    again.close()
    _tamper(path, "UPDATE state SET value = x'00'")
    with pytest.raises(StorageError, match="checksum"):
        Journal(path, run=3, boot="ab").state("k")


def test_damaged_or_later_file_is_refused(tmp_path: Path) -> None:
    """P24: no database, a later schema, or one that others can read is one clear sentence."""
    garbage = tmp_path / "garbage.sqlite"
    garbage.write_bytes(b"not a database, and long enough to be looked at as one" * 100)
    garbage.chmod(0o600)
    with pytest.raises(StorageError, match="must open"):
        Journal(garbage, run=1, boot="ab")
    later = tmp_path / "later.sqlite"
    fill(later, 1)
    _run(later, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StorageError, match="later version"):
        Journal(later, run=1, boot="ab")
    public = tmp_path / "public.sqlite"
    fill(public, 1)
    public.chmod(0o644)
    with pytest.raises(StorageError, match="0600"):
        Journal(public, run=1, boot="ab")


def test_another_users_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P24: what lay in a directory that others could write to is not taken for one's own."""
    path = tmp_path / "journal.sqlite"
    fill(path, 1)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(StorageError, match=f"of user {os.getuid()}"):
        Journal(path, run=1, boot="ab")


def test_first_error_makes_storage_untrusted_for_good(tmp_path: Path) -> None:
    """H6: after one failed write nothing is written any more, although the disk is well again."""
    path = tmp_path / "j.sqlite"
    journal = Journal(path, run=1, boot="ab")
    journal.start()
    assert settled(lambda told: journal.append("test", {}, on_settled=told)).is_durable
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files stands in for a full disk; Python ignores its signal.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        failed = settled(lambda told: journal.append("test", {"x": "y" * 60_000}, on_settled=told))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not failed.is_durable
    assert failed.error
    after = settled(lambda told: journal.append("test", {}, on_settled=told))
    assert not after.is_durable
    assert journal.fault
    assert not journal.close()
    assert verify(path).rows == 1


def test_queue_that_is_full_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hung disk: rows beyond the bound are refused, storage is untrusted, nobody waits."""
    monkeypatch.setattr("edgeguard.journal.writer.QUEUE_MAX", 3)
    journal = Journal(tmp_path / "j.sqlite", run=1, boot="ab")
    tickets = [journal.append("test", {}) for _ in range(4)]
    assert [ticket.is_settled for ticket in tickets] == [False, False, False, True]
    assert "wait for the disk" in journal.fault


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="no such policy on this host")
def test_the_writer_takes_no_core_from_who_wakes_it(tmp_path: Path) -> None:
    """The loop goes on with its turn when it has queued a row; the writer keeps its share."""
    journal = Journal(tmp_path / "j.sqlite", run=1, boot="ab")
    journal.start()
    assert settled(lambda told: journal.append("k", {}, on_settled=told)).is_durable
    thread = next(one for one in threading.enumerate() if one.name == "edgeguard-journal")
    assert thread.native_id is not None
    assert os.sched_getscheduler(thread.native_id) == os.SCHED_BATCH
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == os.getpriority(os.PRIO_PROCESS, 0)
    assert journal.close()


def test_progress_is_now_while_nothing_waits_and_stands_still_while_something_does(
    tmp_path: Path,
) -> None:
    """P3: a beat is earned by it; a writer that hangs must not look like an idle one."""
    clock = ManualClock(boot_ns=1_000)
    journal = Journal(tmp_path / "j.sqlite", run=1, boot="ab", clock=clock)
    journal.start()
    assert settled(lambda told: journal.append("k", {}, on_settled=told)).is_durable
    hangs, may_go_on = threading.Event(), threading.Event()

    def hang(_ticket: Ticket) -> None:
        hangs.set()
        assert may_go_on.wait(DEADLINE_S)

    clock.advance(3_600_000_000_000)
    queued_ns = clock.boot_ns()
    journal.append("k", {}, on_settled=hang)
    assert hangs.wait(DEADLINE_S)
    clock.advance(100)
    assert journal.progress_boot_ns() == queued_ns
    # What comes behind it is no progress either.
    last = journal.append("k", {})
    clock.advance(100)
    assert journal.progress_boot_ns() == queued_ns
    may_go_on.set()
    assert journal.close()
    assert last.is_durable


def test_an_idle_writer_makes_progress_and_wakes_up_for_none(tmp_path: Path) -> None:
    """Twenty wake-ups a second to show that it lives were a fifth of an idle guard's time."""
    clock = ManualClock(boot_ns=1_000)
    journal = Journal(tmp_path / "j.sqlite", run=1, boot="ab", clock=clock)
    journal.start()
    clock.advance(3_600_000_000_000)
    assert journal.progress_boot_ns() == clock.boot_ns()
    assert journal.close()
    clock.advance(100)
    # Its thread has ended: nothing that is queued now gets to disk.
    assert journal.progress_boot_ns() == clock.boot_ns() - 100


def test_a_writer_that_does_not_run_makes_no_progress(tmp_path: Path) -> None:
    clock = ManualClock(boot_ns=1_000)
    journal = Journal(tmp_path / "j.sqlite", run=1, boot="ab", clock=clock)
    clock.advance(100)
    assert journal.progress_boot_ns() == 1_000
    assert journal.close()
