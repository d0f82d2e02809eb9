"""The guard's hold on disk: the journal and both copies of the latch, each on a thread of its own.

A latch write is started in both copies at once and waits for neither. A halt counts as durable when
one copy has it, a resume when both have it: that is what makes "halted if any says so" safe.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from edgeguard.clock import Clock
from edgeguard.config.paths import Paths
from edgeguard.errors import StorageError
from edgeguard.guard.start import Remembered
from edgeguard.journal import Journal, Ticket, give_way
from edgeguard.latch import LatchFile, LatchRecord, decode_record, encode_record

LATCH_KEY: Final = "latch"
REFERENCES_KEY: Final = "references"
LATCH_QUEUE_MAX: Final = 1_000
WAITING_MAX: Final = 256
"""Rows that wait to be handed over together; with one more all of them are."""
CLOSE_S: Final = 2.0
"""How long a stop waits for the disk."""

OnCopy = Callable[[str, int, str], None]
"""Called from a writer's thread with the copy's name, the record's number and the error or ""."""


class LatchThread:
    """Writes `latch.slots`; of records that wait, only the newest is written."""

    def __init__(self, file: LatchFile, on_copy: OnCopy) -> None:
        """Start the thread."""
        self._file = file
        self._on_copy = on_copy
        self._queue: queue.Queue[LatchRecord | None] = queue.Queue(LATCH_QUEUE_MAX)
        self._thread = threading.Thread(target=self._run, name="edgeguard-latch", daemon=True)
        self._thread.start()

    def put(self, record: LatchRecord) -> None:
        """Queue a record; never blocks."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self._on_copy("file", record.number, "more latch records wait than the queue holds")

    def close(self, timeout_s: float) -> bool:
        """Write what is queued and end; return whether that was done in time."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        give_way()
        is_open = True
        while is_open:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            records = [record for record in waiting if record is not None]
            is_open = len(records) == len(waiting)
            if records:
                self._write(max(records, key=lambda record: record.number))
        self._file.close()

    def _write(self, record: LatchRecord) -> None:
        try:
            self._file.write(record)
        except StorageError as error:
            self._on_copy("file", record.number, str(error))
        except BaseException as error:  # noqa: BLE001  # a dead thread would look like a slow disk
            self._on_copy("file", record.number, repr(error))
        else:
            self._on_copy("file", record.number, "")


class _Waiting(NamedTuple):
    """A row that may wait; its body is made when it is handed over."""

    kind: str
    make_body: Callable[[], object]
    account: str
    now: tuple[int, int]


class Storage:
    """Journal and latch of one guard."""

    def __init__(self, paths: Paths, *, run: int, boot: str, clock: Clock) -> None:
        """Open everything that opens; `remember` has a sentence for what does not."""
        faults: list[str] = []
        self._latch_file: LatchFile | None = None
        self.journal: Journal | None = None
        self._latch: LatchThread | None = None
        self._on_copy: OnCopy = lambda _copy, _number, _error: None
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self.on_waiting: Callable[[], None] = self.hand_over
        """Called when a row begins to wait: to have `hand_over` called before long."""
        file_record = self._open_latch(paths, faults)
        anchor = None
        if file_record is not None and file_record.head_seq:
            anchor = (file_record.head_seq, file_record.head_hash)
        row_record = self._open_journal(paths, run, boot, anchor, faults)
        self._records = (file_record, row_record)
        self.faults: list[str] = faults
        """A sentence for each thing that failed, in this run."""

    def remember(self) -> Remembered:
        """Return both copies of the latch as they were, and what failed so far."""
        return Remembered(*self._records, tuple(self.faults))

    @property
    def is_trusted(self) -> bool:
        """Whether journal and latch opened, were sound and have taken every write since."""
        journal = self.journal
        return not self.faults and journal is not None and not journal.fault

    @property
    def fault(self) -> str:
        """Why storage is not trusted, empty if it is."""
        journal_fault = self.journal.fault if self.journal is not None else ""
        return "; ".join([*self.faults, *([journal_fault] if journal_fault else [])])

    @property
    def head(self) -> tuple[int, bytes]:
        """Number and hash of the journal's last row on disk."""
        return self.journal.head if self.journal is not None else (0, b"")

    def progress_boot_ns(self) -> int:
        """Return when the journal's writer last made progress, ns of CLOCK_BOOTTIME."""
        journal = self.journal
        return journal.progress_boot_ns() if journal is not None else self._clock.boot_ns()

    def begin_run(self, run: int) -> None:
        """Give the rows of this run the epoch that follows from what was read; before `start`."""
        if self.journal is not None:
            self.journal.begin_run(run)

    def read_references(self) -> bytes | None:
        """Return the engine's references as last saved; before `start` only."""
        return self._read(REFERENCES_KEY)

    def read_baseline(self, account: str, symbol: str) -> bytes | None:
        """Return a symbol's spread samples as last saved; before `start` only."""
        return self._read(_baseline_key(account, symbol))

    def _read(self, key: str) -> bytes | None:
        if self.journal is None:
            return None
        try:
            return self.journal.state(key)
        except StorageError as error:
            self.faults.append(str(error))
            return None

    def start(self, on_copy: OnCopy) -> None:
        """Start the writers' threads."""

        def told(copy: str, number: int, error: str) -> None:
            if error and copy == "file":
                self.faults.append(error)
            on_copy(copy, number, error)

        self._on_copy = told
        if self.journal is not None:
            self.journal.start()
        if self._latch_file is not None:
            self._latch = LatchThread(self._latch_file, told)

    def write_latch(self, record: LatchRecord) -> None:
        """Start writing both copies; `on_copy` hears of each. Rows that wait go along."""
        self._write_copies(record)
        self.hand_over()

    def _write_copies(self, record: LatchRecord) -> None:
        if self._latch is not None:
            self._latch.put(record)
        else:
            self._on_copy("file", record.number, "latch.slots is not open")
        if self.journal is None:
            self._on_copy("row", record.number, "the journal is not open")
            return

        def settled(ticket: Ticket) -> None:
            self._on_copy("row", record.number, ticket.error)

        self.journal.set_state(LATCH_KEY, encode_record(record), settled)

    def append(
        self, kind: str, body: object, *, account: str = "", t_ns: int | None = None
    ) -> None:
        """Queue a journal row; without a journal it is lost, which status says."""
        self.hand_over()
        if self.journal is not None:
            self.journal.append(kind, body, account=account, t_ns=t_ns)

    def append_soon(
        self, kind: str, make_body: Callable[[], object], *, account: str, now: tuple[int, int]
    ) -> None:
        """Let a row wait for others, so that the writer is woken once for all of them.

        Its order among all rows is that of the calls: whatever is queued later takes it along.

        Args:
            kind: as of `append`.
            make_body: returns the body, later.
            account: whose row it is.
            now: wall and boot ns that the row bears.
        """
        self._waiting.append(_Waiting(kind, make_body, account, now))
        if len(self._waiting) == 1:
            self.on_waiting()
        elif len(self._waiting) > WAITING_MAX:
            self.hand_over()

    def hand_over(self) -> None:
        """Queue the rows that wait; one whose body cannot be made is lost alone."""
        while self._waiting:
            kind, make_body, account, (t_ns, boot_ns) = self._waiting.popleft()
            if self.journal is not None:
                body = make_body()
                self.journal.append(kind, body, account=account, t_ns=t_ns, boot_ns=boot_ns)

    def save_references(self, data: bytes) -> None:
        """Queue the engine's references."""
        if self.journal is not None:
            self.journal.set_state(REFERENCES_KEY, data)

    def save_baseline(self, account: str, symbol: str, data: bytes) -> None:
        """Queue a symbol's spread samples."""
        if self.journal is not None:
            self.journal.set_state(_baseline_key(account, symbol), data)

    def close(self) -> bool:
        """Write what is queued and close; return whether all of it is on disk."""
        is_handed_over = True
        try:
            self.hand_over()
        except BaseException:  # noqa: BLE001  # the copies of the latch are still to be closed
            is_handed_over = False
        is_latch_done = self._latch is None or self._latch.close(CLOSE_S)
        is_journal_done = self.journal is None or self.journal.close(CLOSE_S)
        return is_handed_over and is_latch_done and is_journal_done and self.is_trusted

    def _open_latch(self, paths: Paths, faults: list[str]) -> LatchRecord | None:
        try:
            self._latch_file = LatchFile(paths.latch)
            return self._latch_file.read()
        except StorageError as error:
            faults.append(str(error))
            return None

    def _open_journal(
        self,
        paths: Paths,
        run: int,
        boot: str,
        anchor: tuple[int, bytes] | None,
        faults: list[str],
    ) -> LatchRecord | None:
        try:
            self.journal = Journal(
                paths.journal, run=run, boot=boot, clock=self._clock, anchor=anchor
            )
            if not self.journal.verdict.is_sound:
                faults.append(f"journal: {self.journal.verdict.fault}")
            data = self.journal.state(LATCH_KEY)
            return decode_record(data) if data is not None else None
        except StorageError as error:
            faults.append(str(error))
            return None


def _baseline_key(account: str, symbol: str) -> str:
    return f"baseline/{account}/{symbol}"


class Copies(msgspec.Struct):
    """Which latch record each copy has on disk, by number; and the first fault of each."""

    file: int = 0
    row: int = 0
    faults: dict[str, str] = {}

    def settle(self, copy: str, number: int, error: str) -> None:
        """Take in how one write ended."""
        if error:
            self.faults.setdefault(copy, error)
        elif copy == "file":
            self.file = max(self.file, number)
        else:
            self.row = max(self.row, number)

    @property
    def any(self) -> int:
        """The newest record that at least one copy has."""
        return max(self.file, self.row)

    @property
    def both(self) -> int:
        """The newest record that both copies have reached."""
        return min(self.file, self.row)
