"""The journal's writer: one thread, one connection, one bounded queue; commits in groups.

Nobody waits for it: callers get a ticket that is settled when the row is on disk, or never will be.
The first I/O error makes storage untrusted until the guard is restarted and has verified it, since
after a failed fsync the kernel may have dropped what it says it kept.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw
import msgspec

from edgeguard.clock import Clock, SystemClock
from edgeguard.errors import StorageError
from edgeguard.journal.chain import GENESIS, Entry, chain_hash, state_sum
from edgeguard.journal.database import Value, open_for_writing
from edgeguard.journal.reading import Verdict, read_state, verify_database

QUEUE_MAX: Final = 10_000
"""Rows waiting; one more is refused, which makes storage untrusted: the disk is hung."""
GROUP_MAX: Final = 512
"""Rows of one commit."""
BODY_BYTES_MAX: Final = 65_536
"""Larger bodies are replaced by a note of their size."""
_INSERT: Final = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

OnSettled = Callable[["Ticket"], None]


class Ticket:
    """One row or value on its way to disk; `is_durable` and `error` are final once settled."""

    __slots__ = ("_on_settled", "error", "is_durable", "is_settled", "seq")

    def __init__(self, on_settled: OnSettled | None) -> None:
        """Make an open ticket; `on_settled` is called from the writer's thread."""
        self._on_settled = on_settled
        self.is_settled = False
        self.is_durable = False
        self.error = ""
        self.seq = 0

    def settle(self, error: str = "") -> None:
        """Close the ticket, as durable where there is no error."""
        self.error = error
        self.is_durable = not error
        self.is_settled = True
        if self._on_settled is not None:
            self._on_settled(self)


class _Row(msgspec.Struct, frozen=True):
    """One entry to append, before it has a number."""

    account: str
    kind: str
    body: bytes
    t_ns: int
    boot_ns: int


class _Value(msgspec.Struct, frozen=True):
    """One state value to set."""

    key: str
    value: bytes
    t_ns: int


def give_way() -> None:
    """Keep the calling thread, a writer, from taking the core of a loop that has woken it.

    It has the same share of the processor as before: a guard on a busy host must not lose its
    heartbeats because its writer gets no turn. Hosts without the policy do without.
    """
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_BATCH, os.sched_param(0))


_Job = tuple[_Row | _Value, Ticket]


class Journal:
    """The open journal. `append` and `set_state` may be called from any thread."""

    def __init__(
        self,
        path: Path,
        *,
        run: int,
        boot: str,
        clock: Clock | None = None,
        anchor: tuple[int, bytes] | None = None,
    ) -> None:
        """Open, migrate and verify the journal, and start its thread.

        Args:
            path: `STATE_DIR/journal.sqlite`.
            run: this guard's epoch.
            boot: the host's boot id.
            clock: stamps rows whose caller gives no time.
            anchor: number and hash of a row that the latch has seen.

        Raises:
            StorageError: the file cannot be opened or is not sound; `verdict` is not set then.
        """
        self._clock = clock or SystemClock()
        self._run = run
        self._boot = boot
        self.was_created = not path.exists()
        self._database = open_for_writing(path)
        # A journal that was just made has none of the old one's rows; that the old one is gone is
        # for whoever compares it with the latch.
        known = None if self.was_created else anchor
        self.verdict: Verdict = verify_database(self._database, known)
        self._head = (self.verdict.head_seq, self.verdict.head_hash or GENESIS)
        # Its put costs the loop a tenth of a bounded queue's; `_put` keeps the bound.
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        """None ends the writer."""
        self.fault = self.verdict.fault
        """Why storage is not trusted, empty while it is."""
        self._is_busy = False
        self._progress_boot_ns = self._clock.boot_ns()
        """When the last commit ended, or the first job came after the writer had none."""
        self._thread = threading.Thread(target=self._write, name="edgeguard-journal", daemon=True)

    def begin_run(self, run: int) -> None:
        """Replace the epoch that rows bear; before `start` only."""
        self._run = run

    def start(self) -> None:
        """Start the writer's thread; until then state may be read from the calling one."""
        self._thread.start()

    def state(self, key: str) -> bytes | None:
        """Return a state value; only before `start`.

        Raises:
            StorageError: it is damaged or cannot be read.
        """
        try:
            return read_state(self._database, key)
        except apsw.Error as error:
            raise StorageError(f"state {key!r} must be readable, was not: {error}") from error

    @property
    def head(self) -> tuple[int, bytes]:
        """Number and hash of the last row on disk."""
        return self._head

    def progress_boot_ns(self) -> int:
        """Return when the writer last had nothing to do or ended a commit, ns of CLOCK_BOOTTIME.

        That is now while it lives and has nothing to do: it need not wake up to show it.
        """
        if self._is_idle() and self._thread.is_alive():
            return self._clock.boot_ns()
        return self._progress_boot_ns

    def append(  # noqa: PLR0913  # a row, by name
        self,
        kind: str,
        body: object,
        *,
        account: str = "",
        t_ns: int | None = None,
        boot_ns: int | None = None,
        on_settled: OnSettled | None = None,
    ) -> Ticket:
        """Queue one row. Never blocks and never raises: the ticket says how it ended.

        Args:
            kind: ``decision``, ``state``, ``command`` and so on.
            body: what msgspec can write as JSON.
            account: the account it concerns, empty for all.
            t_ns: wall time of the event, now if not given.
            boot_ns: its CLOCK_BOOTTIME, now if not given.
            on_settled: called from the writer's thread.
        """
        encoded = msgspec.json.encode(body)
        if len(encoded) > BODY_BYTES_MAX:
            encoded = msgspec.json.encode({"cut_bytes": len(encoded)})
        wall_ns = self._clock.wall_ns() if t_ns is None else t_ns
        boot_ns = self._clock.boot_ns() if boot_ns is None else boot_ns
        row = _Row(account, kind, encoded, wall_ns, boot_ns)
        return self._put(row, on_settled)

    def set_state(self, key: str, value: bytes, on_settled: OnSettled | None = None) -> Ticket:
        """Queue one state value; as `append`."""
        return self._put(_Value(key, value, self._clock.wall_ns()), on_settled)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Write what is queued and close; return whether all of it got to disk in time."""
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        self._database.close()
        return not self.fault

    def _put(self, job: _Row | _Value, on_settled: OnSettled | None) -> Ticket:
        ticket = Ticket(on_settled)
        if self._is_idle():
            # What it has done since it was last busy is no progress with this.
            self._progress_boot_ns = self._clock.boot_ns()
        if self._queue.qsize() < QUEUE_MAX:
            self._queue.put((job, ticket))
        else:
            self.fault = self.fault or f"more than {QUEUE_MAX} rows wait for the disk"
            ticket.settle(self.fault)
        return ticket

    def _is_idle(self) -> bool:
        return not self._is_busy and self._queue.empty()

    def _write(self) -> None:
        give_way()
        is_open = True
        while is_open:
            first = self._queue.get()
            self._is_busy = True
            group, is_open = self._take(first)
            if group:
                self._commit(group)
            self._progress_boot_ns = self._clock.boot_ns()
            self._is_busy = False

    def _take(self, first: _Job | None) -> tuple[list[_Job], bool]:
        """Return what waits behind the first job, in one group, and whether more may come."""
        group: list[_Job] = []
        job = first
        while job is not None:
            group.append(job)
            if len(group) == GROUP_MAX or self._queue.empty():
                return group, True
            job = self._queue.get()
        return group, False

    def _commit(self, group: list[_Job]) -> None:
        """Write a group in one transaction; after a fault nothing is written any more."""
        error = self.fault
        if not error:
            rows, head = self._chained(group)
            try:
                with self._database.transaction():
                    self._database.run_many(_INSERT, rows)
                    for job, _ in group:
                        if isinstance(job, _Value):
                            self._set(job)
            except apsw.Error as caught:
                error = f"{type(caught).__name__}: {caught}"
                self.fault = error
            else:
                self._head = head
        for _, ticket in group:
            ticket.settle(error)

    def _chained(self, group: list[_Job]) -> tuple[list[tuple[Value, ...]], tuple[int, bytes]]:
        """Return a group's rows as the table has them, and the head behind them."""
        rows: list[tuple[Value, ...]] = []
        seq, digest = self._head
        for job, ticket in group:
            if isinstance(job, _Row):
                seq += 1
                entry = Entry(
                    seq,
                    job.t_ns,
                    job.boot_ns,
                    self._boot,
                    self._run,
                    job.account,
                    job.kind,
                    job.body,
                )
                digest = chain_hash(digest, entry)
                rows.append((*msgspec.structs.astuple(entry), digest))
                ticket.seq = seq
        return rows, (seq, digest)

    def _set(self, job: _Value) -> None:
        self._database.run(
            "INSERT INTO state VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO UPDATE SET "
            "value = ?2, sum = ?3, t_ns = ?4",
            (job.key, job.value, state_sum(job.key, job.value), job.t_ns),
        )
