"""The latch on disk: what must survive anything, in two copies that do not share a fate.

One copy is a row of the journal, the other `latch.slots`: a file of two slots, allocated once, so
that it can be written on a full disk, each slot with a number and a checksum, written in turn. A
torn write leaves the other slot. The record names every halt in force and marks the run: a start
that finds the mark of a run that did not end cleanly knows what to distrust. Beside both stands
`STATE_DIR/HALT`, which anyone with the right may create and only the guard's resume removes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from pathlib import Path
from typing import Final

import msgspec

from edgeguard.errors import StorageError
from edgeguard.plain import printable

SLOT_BYTES: Final = 64 * 1024
"""Room for one record: some 150 accounts with a halt each."""
FILE_BYTES: Final = 2 * SLOT_BYTES
SLOT_MAGIC: Final = b"EGLATCH1"
_HEADER: Final = struct.Struct("<8sQI")
_SUM_BYTES: Final = 32
REASON_MAX: Final = 200
"""Characters of a halt's reason kept in the latch; the journal has it whole."""
HALT_FILE_MAX: Final = 4096
"""Bytes of the HALT file that are read."""
SCOPE_MAX: Final = 128
"""Longest scope in characters that a HALT file may name."""


class LatchHalt(msgspec.Struct, frozen=True, array_like=True):
    """One halt in force: `scope` is ``account``, ``strategy:NAME`` or ``symbol:NAME``."""

    account: str
    scope: str
    id: str
    t_ns: int
    trigger: str
    code: str
    reason: str


class LatchPause(msgspec.Struct, frozen=True, array_like=True):
    """One pause that only an operator ends."""

    account: str
    scope: str
    cause: str
    trigger: str
    code: str
    since_ns: int


class LatchRecord(msgspec.Struct, frozen=True, array_like=True):
    """Everything the latch holds.

    `number` counts writes; `run` is the guard's epoch (wall ns at its start), `boot` its boot id in
    hex; `is_clean` says that the run ended by its own will; `head` is the journal's last row.
    """

    number: int
    run: int
    boot: str
    is_clean: bool
    halts: tuple[LatchHalt, ...] = ()
    pauses: tuple[LatchPause, ...] = ()
    resumed: tuple[tuple[str, str], ...] = ()
    """Pairs of account and halt id, oldest first."""
    scopes: tuple[tuple[str, str], ...] = ()
    """Pairs of account and scope that were resumed, so that gates see them active again."""
    head_seq: int = 0
    head_hash: bytes = b""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(LatchRecord)


def encode_record(record: LatchRecord) -> bytes:
    """Return a record as bytes."""
    return _ENCODER.encode(record)


def decode_record(data: bytes) -> LatchRecord:
    """Return the record that the bytes are.

    Raises:
        StorageError: they are none.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StorageError(f"latch record must decode, did not: {error}") from error


class LatchFile:
    """The two-slot file. Every method does blocking I/O: call it from the latch's own thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, allocating it once.

        Raises:
            StorageError: it cannot be opened, or is not a private file of this user.
        """
        self._path = path
        self.was_created = False
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise StorageError(f"{path} must be writable, was not: {error}") from error

    def read(self) -> LatchRecord | None:
        """Return the newest record, None in a file that was never written.

        Raises:
            StorageError: a slot holds something that is no whole record: it was torn or damaged,
                and what it said is not known.
        """
        records: list[LatchRecord] = []
        for slot in range(2):
            try:
                data = os.pread(self._descriptor, SLOT_BYTES, slot * SLOT_BYTES)
            except OSError as error:
                raise StorageError(f"{self._path} must be readable, was not: {error}") from error
            if data.strip(b"\0"):
                records.append(self._decode(slot, data))
        return max(records, key=lambda record: record.number, default=None)

    def write(self, record: LatchRecord) -> None:
        """Write a record to the slot that is not the newest and wait until it is on disk.

        Raises:
            StorageError: it is too large, or the disk refuses; the other slot is untouched.
        """
        body = encode_record(record)
        head = _HEADER.pack(SLOT_MAGIC, record.number, len(body))
        data = head + hashlib.sha256(head + body).digest() + body
        if len(data) > SLOT_BYTES:
            raise StorageError(
                f"latch record must have at most {SLOT_BYTES} bytes, was {len(data)}; "
                "resume halts of strategies and symbols, or watch fewer accounts with one guard"
            )
        offset = record.number % 2 * SLOT_BYTES
        try:
            written = os.pwrite(self._descriptor, data, offset)
            if written != len(data):
                raise StorageError(f"{self._path} took {written} of {len(data)} bytes")
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise StorageError(f"{self._path} must take a write, did not: {error}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags)
        except FileNotFoundError:
            return self._create()
        status = os.fstat(descriptor)
        is_private = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o077
        if not is_private or status.st_uid != os.geteuid() or status.st_size != FILE_BYTES:
            os.close(descriptor)
            raise StorageError(
                f"{self._path} must be a file of {FILE_BYTES} bytes that this user alone can open "
                f"(0600), was {status.st_size} bytes, {stat.filemode(status.st_mode)}"
            )
        return descriptor

    def _create(self) -> int:
        """Allocate the file under another name first: a short one is never seen under its own."""
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        # Written, not merely reserved: later writes must need no block of a full disk.
        os.pwrite(descriptor, bytes(FILE_BYTES), 0)
        os.fsync(descriptor)
        os.replace(temporary, self._path)  # noqa: PTH105  # a Path method would hide the fsync pair
        sync_directory(self._path.parent)
        self.was_created = True
        return descriptor

    def _decode(self, slot: int, data: bytes) -> LatchRecord:
        magic, number, length = _HEADER.unpack_from(data)
        start = _HEADER.size + _SUM_BYTES
        body = data[start : start + length]
        total = hashlib.sha256(data[: _HEADER.size] + body).digest()
        if magic != SLOT_MAGIC or len(body) != length or total != data[_HEADER.size : start]:
            raise StorageError(f"slot {slot} of {self._path} must be whole, was torn or damaged")
        record = decode_record(body)
        if record.number != number:
            raise StorageError(f"slot {slot} of {self._path} must agree on its number, did not")
        return record


def sync_directory(path: Path) -> None:
    """Wait until a directory's names are on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class HaltFile(msgspec.Struct, frozen=True):
    """What the HALT file is right now: its identity and what it says."""

    identity: tuple[int, int, int]
    """Device, inode and change time in ns: a resume removes this very file and no later one."""
    text: str


def read_halt_file(path: Path) -> HaltFile | None:
    """Return the HALT file, None where there is none.

    Whatever stands under the name halts: a directory, a link, an unreadable file.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return HaltFile((0, 0, 0), f"{path} cannot be looked at: {error}")
    text = ""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, HALT_FILE_MAX).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except OSError as error:
        text = f"{path.name} is there and cannot be read: {error}"
    return HaltFile((status.st_dev, status.st_ino, status.st_ctime_ns), text)


class HaltWords(msgspec.Struct, frozen=True):
    """What the command writes into the HALT file; anything else there is a reason in words."""

    reason: str = ""
    operator: str = ""
    scope: str = "all"


def create_halt_file(path: Path, words: HaltWords) -> bool:
    """Create the HALT file, durably, as `edgeguard halt` does; return whether one stands now.

    For a guard that can write no latch any more. The command has a way of its own, which must not
    wait for this module's imports.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(words) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def halt_words(text: str) -> tuple[str, str]:
    """Return the scope and the reason that a HALT file's text gives.

    The scope is ``all`` unless the text is the command's own JSON line and says otherwise: a file
    that anybody made by hand halts everything.
    """
    try:
        words = msgspec.json.decode(text, type=HaltWords)
    except (msgspec.MsgspecError, ValueError):
        return "all", printable(text)[:REASON_MAX] or "the HALT file is there"
    reason = f"{words.operator}: {words.reason}" if words.operator else words.reason
    return _scope(words.scope), printable(reason)[:REASON_MAX] or "the HALT file is there"


def _scope(text: str) -> str:
    """Return a scope that a name can be; what is none means everything."""
    return text if text and text.isprintable() and len(text) <= SCOPE_MAX else "all"


def remove_halt_file(path: Path, identity: tuple[int, int, int]) -> bool:
    """Remove the HALT file that a resume was about; return False if another is in its place.

    Raises:
        StorageError: it cannot be removed.
    """
    current = read_halt_file(path)
    if current is None:
        return True
    if current.identity != identity:
        return False
    try:
        path.unlink()
        sync_directory(path.parent)
    except OSError as error:
        raise StorageError(f"{path} must be removable, was not: {error}") from error
    return True
