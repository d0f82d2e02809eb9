"""The intent log: what is about to be sent, on disk before it is sent.

One file per account, `STATE_DIR/intents.<account>.log`, append-only lines of checksummed JSON.
After a crash it tells which requests have no known end, and which flattens were under way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import zlib
from collections import deque
from pathlib import Path
from typing import Final, Literal

import msgspec

from edgeguard.broker.planner.model import End, Intent, Past, Scope
from edgeguard.clock import NS_PER_S
from edgeguard.errors import StorageError

ROTATE_BYTES: Final = 8 * 1024 * 1024
"""A log above this is rewritten with what is still open; one older log is kept beside it."""
RESERVE_BYTES: Final = 256 * 1024
"""Kept beside the log and given up on a full disk: room for the intents of a large flatten."""
FILLED_ROTATED: Final = 256
"""Executed requests that a rewritten log keeps."""
CRC_DIGITS: Final = 8
FILLED_RECENT_NS: Final = 120 * NS_PER_S
"""A restarted parent distrusts lists about what was executed since: far above any reported lag."""
FILLED_KEPT: Final = 4096
"""Executed requests remembered: more than any terminal executes in the minute that matters."""


class SentLine(msgspec.Struct, frozen=True, tag="sent", tag_field="t"):
    """A request is about to be sent; fsynced before it is.

    Attributes:
        intent: the request.
        wall_ns: when it was about to be sent, or written ahead.
        run: the first flatten that it serves.
        boot_id: of a request written ahead of its turn, the boot on which it was; empty otherwise,
            and from its `SendingLine` on.
    """

    intent: Intent
    wall_ns: int
    run: str = ""
    boot_id: str = ""


class SendingLine(msgspec.Struct, frozen=True, tag="sending", tag_field="t"):
    """The turn of a request written ahead has come: it is about to be sent.

    Not synced. A killed process leaves it in the file, so its absence proves on the same boot that
    nothing was sent; a power cut may take it, so after one its absence proves nothing.
    """

    id: int
    wall_ns: int


class AnswerLine(msgspec.Struct, frozen=True, tag="answer", tag_field="t"):
    """What came back; for people, the evidence decides."""

    id: int
    name: str
    wall_ns: int
    retcode: int | None = None
    order: int = 0
    deal: int = 0


class EndLine(msgspec.Struct, frozen=True, tag="end", tag_field="t"):
    """How a request ended."""

    id: int
    end: End
    units: int
    why: str
    wall_ns: int


class RunLine(msgspec.Struct, frozen=True, tag="run", tag_field="t"):
    """A flatten began, was proven flat, or was stopped."""

    run: str
    state: Literal["start", "flat", "stop"]
    wall_ns: int
    scope: Scope = Scope()
    halt_id: str = ""
    command_id: str = ""
    reason: str = ""


class GuardLine(msgspec.Struct, frozen=True, tag="guard", tag_field="t"):
    """The guard was heard: from now on its silence counts, on this boot."""

    boot_id: str
    wall_ns: int


class CounterLine(msgspec.Struct, frozen=True, tag="next", tag_field="t"):
    """First line of a rewritten log: the next intent's number."""

    id: int


class TransferLine(msgspec.Struct, frozen=True, tag="transfer", tag_field="t"):
    """The newest transfer that the guard was told of; written just before it is told."""

    deal: int


Line = (
    SentLine | SendingLine | AnswerLine | EndLine | RunLine | GuardLine | CounterLine | TransferLine
)
_DECODER: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)
_ENCODER: Final = msgspec.json.Encoder()


class Contents:
    """What a log says.

    Attributes:
        next_id: one above the highest number ever used.
        unresolved: requests without an end, oldest first.
        filled: requests that a deal answered, newest last; a list may still show their positions.
        runs: flattens neither proven flat nor stopped, by id.
        guard: the last time the guard was first heard, None if never.
        last_transfer: deal of the newest transfer told, None before the first start ever.
        damaged: lines in the middle that could not be read.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.next_id = 1
        self.unresolved: dict[int, SentLine] = {}
        self.filled: deque[tuple[SentLine, int]] = deque(maxlen=FILLED_KEPT)
        self.runs: dict[str, RunLine] = {}
        self.guard: GuardLine | None = None
        self.last_transfer: int | None = None
        self.damaged = 0

    def past(self, now_wall_ns: int) -> Past:
        """Return what a planner has to know of earlier lives, at this wall time."""
        since = now_wall_ns - FILLED_RECENT_NS
        return Past(
            self.next_id,
            tuple(line.intent for line in self.unresolved.values()),
            tuple((sent.intent, deal) for sent, deal in self.filled if sent.wall_ns >= since),
            self.damaged > 0,
        )

    def take(self, line: Line) -> None:
        """Take in one line."""
        if isinstance(line, SentLine):
            self.unresolved[line.intent.id] = line
            self.next_id = max(self.next_id, line.intent.id + 1)
        elif isinstance(line, SendingLine):
            self._take_sending(line)
        elif isinstance(line, AnswerLine):
            self._take_answer(line)
        elif isinstance(line, EndLine):
            self.unresolved.pop(line.id, None)
        elif isinstance(line, RunLine):
            self._take_run(line)
        elif isinstance(line, GuardLine):
            self.guard = line
        elif isinstance(line, TransferLine):
            self.last_transfer = line.deal
        else:
            self.next_id = max(self.next_id, line.id)

    def _take_sending(self, line: SendingLine) -> None:
        ahead = self.unresolved.get(line.id)
        if ahead is not None:
            turn = msgspec.structs.replace(ahead, boot_id="", wall_ns=line.wall_ns)
            self.unresolved[line.id] = turn

    def _take_answer(self, line: AnswerLine) -> None:
        sent = self.unresolved.get(line.id)
        if line.deal and sent is not None:
            self.filled.append((sent, line.deal))

    def _take_run(self, line: RunLine) -> None:
        if line.state == "start":
            self.runs[line.run] = line
        else:
            self.runs.pop(line.run, None)


def encode_line(line: Line) -> bytes:
    """Return a line as it stands in the file: crc32 in hex, space, JSON, newline."""
    body = _ENCODER.encode(line)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode_line(text: bytes) -> Line | None:
    """Return a line's content, None where it is damaged."""
    crc, _, body = text.rstrip(b"\n").partition(b" ")
    try:
        if len(crc) != CRC_DIGITS or int(crc, 16) != zlib.crc32(body):
            return None
        return _DECODER.decode(body)
    except (ValueError, msgspec.MsgspecError):
        return None


def read_log(data: bytes) -> tuple[Contents, int]:
    """Return what a log says and how many of its bytes are whole.

    A torn tail, which a power cut leaves, is left out. A damaged line before the end is counted.
    """
    contents = Contents()
    good = 0
    offset = 0
    torn = 0
    while offset < len(data):
        end = data.find(b"\n", offset)
        if end < 0:
            break
        line = decode_line(data[offset : end + 1])
        offset = end + 1
        if line is None:
            torn += 1
            continue
        contents.damaged += torn
        torn = 0
        contents.take(line)
        good = offset
    return contents, good


class IntentLog:
    """The open log of one account; one process writes it (the parent holds the account's lock)."""

    def __init__(self, path: Path, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        """Open or create the log, cut a torn tail, and read what it says.

        Raises:
            StorageError: the file cannot be opened or read.
        """
        self._path = path
        self._reserve = path.with_suffix(".reserve")
        self._rotate_bytes = rotate_bytes
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            data = path.read_bytes()
            self.contents, good = read_log(data)
            if good < len(data):
                os.ftruncate(self._file, good)
                os.fsync(self._file)
            self._size = good
            # What is missing from a torn or damaged log may be the mark of a request that was sent.
            self._is_whole = good == len(data) and not self.contents.damaged
            _sync_directory(path.parent)
        except OSError as e:
            raise StorageError(f"intent log {path} must be readable, was not: {e.strerror}") from e
        self.fault = ""
        """Why the last write failed; empty while the log is good."""
        self._take_reserve()

    def end_unsent(self, boot: str, wall_ns: int) -> int:
        """End what was written ahead on this boot and never marked as sent; return how many.

        For a start only, before anything else is written. After a power cut, on a damaged log and
        where no boot has a name nothing is ended: what became of those is looked up.

        Args:
            boot: this boot's id, empty where the system has none.
            wall_ns: the time.
        """
        if not boot or not self._is_whole:
            return 0
        ahead = [n for n, line in self.contents.unresolved.items() if line.boot_id == boot]
        why = "written ahead of its turn, and the process ended before it came"
        for number in ahead:
            self.append(EndLine(number, "PROVEN_NOT_SENT", 0, why, wall_ns), durable=False)
        return len(ahead)

    def append(self, line: Line, *, durable: bool) -> bool:
        """Write one line; return whether it is in the file, and on disk where `durable`.

        A failure is not raised: a flatten must go on without its log, loudly.
        """
        self.contents.take(line)
        data = encode_line(line)
        try:
            self._write(data)
            if durable:
                os.fsync(self._file)
        except OSError as e:
            self.fault = e.strerror or "write failed"
            return False
        self.fault = ""
        return True

    def _write(self, data: bytes) -> None:
        """Write one whole line or nothing; on a full disk with the space set aside for that."""
        try:
            written = os.write(self._file, data)
        except OSError as e:
            if e.errno != errno.ENOSPC or not self._give_reserve():
                raise
            written = os.write(self._file, data)
        if written != len(data):
            # Half a line would spoil the next one, too.
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, "short write")
        self._size += written

    def _give_reserve(self) -> bool:
        """Free the space set aside; False where there is none."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def _take_reserve(self) -> None:
        """Set space aside for the day when the disk is full; without it the log still works."""
        with contextlib.suppress(OSError):
            if not self._reserve.exists():
                self._reserve.write_bytes(bytes(RESERVE_BYTES))

    def rotate_if_large(self) -> bool:
        """Rewrite a large log with what is still open; return whether it was rewritten."""
        if self._size <= self._rotate_bytes:
            return False
        self._take_reserve()
        fresh = self._path.with_suffix(".new")
        lines: list[Line] = [CounterLine(self.contents.next_id)]
        if self.contents.guard is not None:
            lines.append(self.contents.guard)
        if self.contents.last_transfer is not None:
            lines.append(TransferLine(self.contents.last_transfer))
        for sent, deal in list(self.contents.filled)[-FILLED_ROTATED:]:
            number = sent.intent.id
            lines += [sent, AnswerLine(number, "", sent.wall_ns, deal=deal)]
            lines.append(EndLine(number, "FILLED", sent.intent.units, "", sent.wall_ns))
        lines += self.contents.runs.values()
        lines += self.contents.unresolved.values()
        data = b"".join(encode_line(line) for line in lines)
        try:
            file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
            os.write(file, data)
            os.fsync(file)
            with contextlib.suppress(FileNotFoundError):
                self._path.with_suffix(".old").unlink()
            os.link(self._path, self._path.with_suffix(".old"))
            fresh.replace(self._path)
            _sync_directory(self._path.parent)
        except OSError as e:
            self.fault = e.strerror or "rotation failed"
            return False
        os.close(self._file)
        self._file = file
        self._size = len(data)
        return True

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _sync_directory(path: Path) -> None:
    """Make a new or renamed file's name durable, where directories can be synced."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
