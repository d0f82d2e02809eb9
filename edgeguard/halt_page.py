"""The halt page from Python: the layout, a reader that needs no extension, and the manual word.

The guard writes pages through `edgeguard._core` (`writer`); a gate reads them through it where it
is installed and through `PurePageReader` where it is not. Both readers give the same answers. The
layout is in ``docs/WIRE.md``, section "Halt page". Whatever is unexpected reads as closed.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from edgeguard.clock import Clock, SystemClock

if TYPE_CHECKING:
    from edgeguard._core import PageGate, PageWriter

_Permit = TypeVar("_Permit")
_Refusal = TypeVar("_Refusal")

PAGE_BYTES: Final = 4096
MAGIC: Final = int.from_bytes(b"EDGEGRD1", "little")
LAYOUT: Final = 1 | (PAGE_BYTES << 32)
LEASE_NS_MAX: Final = 60_000_000_000
"""Longest lease that a reader honours: a hostile lease must not hold a gate open."""
BEAT_AHEAD_NS_MAX: Final = 1_000_000
"""A beat this far ahead of the reader's clock is still fresh, ns."""
STREAK_MIN: Final = 3
"""Beats in a row without which a page is not trusted."""
RESUMED_MAX: Final = 32
SCOPES_MAX: Final = 64
TEXT_BYTES: Final = 64
HALT_UNNAMED: Final = 2**64 - 1
"""What a gate latches when a page is halted without an id: no resume ever lifts it."""
WHOLE_NS: Final = 1_000_000
"""How long a reader trusts that its file is still whole, ns."""

# Index of each word; the offset in bytes is eight times it.
W_MAGIC, W_LAYOUT, W_BOOT, W_ACCOUNT, W_LEASE = 0, 1, 2, 4, 5
W_STATE, W_BEAT, W_EPOCH, W_HALT, W_STREAK, W_MANUAL = 8, 9, 10, 11, 12, 16
W_ACCOUNT_TEXT, W_HALT_TEXT, W_RESUMED, W_SCOPES = 24, 32, 64, 128

FLAG_HOLE, FLAG_NOT_DURABLE, FLAG_SCOPES, FLAG_OVERFLOW = 1, 2, 4, 8
STATE_BYTES: Final = ("UNKNOWN", "STARTING", "ACTIVE", "PAUSED", "HALTED")
FLATTEN_BYTES: Final = ("NONE", "IN_PROGRESS", "FLAT_VERIFIED", "NOT_FLAT")
_OWN: Final = ("OPEN", "HALTED", "PAUSED", "STARTING", "STALE", "MISSING", "HOLE")
CODES: Final = (*_OWN, "WRONG_ACCOUNT", "SCOPE")
"""Codes of a check, in the order of the numbers that both readers return."""
C_OPEN, C_HALTED, C_PAUSED, C_STARTING, C_STALE = range(5)
C_MISSING, C_HOLE, C_WRONG_ACCOUNT, C_SCOPE = range(5, 9)


class StateWord(NamedTuple):
    """The state word taken apart."""

    state: int = 0
    severity: int = 0
    flatten: int = 0
    flags: int = 0
    state_seq: int = 0


class PageFacts(NamedTuple):
    """Every fact of a page; stamps and durations in ns of CLOCK_BOOTTIME."""

    word: StateWord
    beat_ns: int
    lease_ns: int
    epoch: int
    manual: int
    streak: int
    halt_id: str


Facts = tuple[tuple[int, int, int, int, int], int, int, int, int, int, str]
"""The fields of `PageFacts`, as both readers give them."""


class PageReader(Protocol):
    """What a gate needs of a page, whoever reads it."""

    def check(self) -> int:
        """Return the code's number for the account at this instant."""
        ...

    def check_scopes(self, scopes: list[int]) -> int:
        """Return the code's number with these scopes' words judged as well."""
        ...

    def latched(self) -> tuple[int, int]:
        """Return the latched halt's and manual word, 0 for none."""
        ...

    def facts(self) -> Facts | None:
        """Return every fact of the page, None where there is none."""
        ...

    def why(self) -> str:
        """Return why no page is attached."""
        ...


def hash_word(text: str) -> int:
    """Return the word that stands for an id or a scope, never 0."""
    head = hashlib.sha256(text.encode()).digest()[:8]
    return max(int.from_bytes(head, "little"), 1)


def boot_id() -> bytes:
    """Return the host's boot id as 16 bytes, zeroes where the host has none."""
    try:
        return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    except (OSError, ValueError):
        return bytes(16)


def unpack_word(word: int) -> StateWord:
    """Take a stored state word apart."""
    return StateWord(
        word & 0xFF, word >> 8 & 0xFF, word >> 16 & 0xFF, word >> 24 & 0xFF, word >> 32
    )


def writer(path: Path, account: str, lease_ns: int, epoch: int) -> PageWriter:
    """Claim the account's page for this run of the guard; it is closed when this returns.

    Args:
        path: `RUN_DIR/halt.<account>`.
        account: the account's id.
        lease_ns: how long a beat is trusted, ns.
        epoch: the guard's run, wall ns at its start.

    Raises:
        OSError: the directory refuses the page.
    """
    from edgeguard._core import PageWriter  # noqa: PLC0415  # gates run without the extension

    return PageWriter(path, account, boot_id(), lease_ns, epoch)


def reader(path: Path, account: str, clock: Clock | None = None) -> PageReader:
    """Return the fastest reader that this installation has.

    Args:
        path: `RUN_DIR/halt.<account>`; it need not exist yet.
        account: the account's id.
        clock: stands in for the host's boot clock; the Python reader then does the work.
    """
    if clock is None:
        try:
            from edgeguard._core import PageReader as NativeReader  # noqa: PLC0415  # optional
        except ImportError:
            pass
        else:
            return NativeReader(path, account, boot_id())
    return PurePageReader(path, account, clock=clock)


def native_gate(
    path: Path,
    account: str,
    permit: _Permit,
    refuse: Callable[[str, str], _Refusal],
    error: Callable[[_Refusal], BaseException],
) -> PageGate[_Permit, _Refusal] | None:
    """Return the extension's gate on a page, None without the extension; see `_core.PageGate`."""
    try:
        from edgeguard._core import PageGate  # noqa: PLC0415  # gates run without the extension
    except ImportError:
        return None
    return PageGate(path, account, boot_id(), permit=permit, refuse=refuse, error=error)


def open_page(path: Path, *, writable: bool) -> tuple[int, mmap.mmap]:
    """Open and map a page, never through a symbolic link.

    Raises:
        OSError: the file is missing or cannot be opened.
        ValueError: owner, permissions, kind or size are not those of a page.
    """
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags)
    try:
        _check_file(os.fstat(descriptor))
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        return descriptor, mmap.mmap(descriptor, PAGE_BYTES, access=access)
    except BaseException:
        os.close(descriptor)
        raise


def set_manual(path: Path, stamp_ns: int) -> None:
    """Set the manual word of a page, which closes every gate on it.

    Args:
        path: `RUN_DIR/halt.<account>`.
        stamp_ns: unique to this halt: the wall clock in ns.

    Raises:
        OSError: the page is missing or cannot be opened.
        ValueError: the file is no page of this user's; nothing was written.
    """
    descriptor, mapping = open_page(path, writable=True)
    try:
        with memoryview(mapping) as view, view.cast("Q") as words:
            if words[W_MAGIC] != MAGIC:
                raise ValueError(f"{path} must begin with EDGEGRD1, was {bytes(mapping[:8])!r}")
            # Also over one that is there: its resume may be under way, and would clear both.
            while (stamp := stamp_ns & HALT_UNNAMED) in {0, words[W_MANUAL]}:
                stamp_ns += 1
            words[W_MANUAL] = stamp
    finally:
        mapping.close()
        os.close(descriptor)


def _check_file(status: os.stat_result) -> None:
    """Refuse a file that is no page of this user's, private to this user."""
    user = os.geteuid()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("page must be a regular file")
    if user not in {status.st_uid, 0}:
        raise ValueError(f"page must belong to user {user}, was user {status.st_uid}")
    if status.st_mode & 0o077:
        raise ValueError(
            f"page must be its owner's alone (0600), was {status.st_mode & 0o7777:04o}"
        )
    if status.st_size != PAGE_BYTES:
        raise ValueError(f"page must have {PAGE_BYTES} bytes, was {status.st_size}")


class PurePageReader:
    """A gate's reader of one page in plain Python; the twin of `core_rs/src/page/reader.rs`.

    Each fact is one aligned native 64-bit load, which CPython's memoryview does not tear.
    """

    def __init__(self, path: Path, account: str, *, clock: Clock | None = None) -> None:
        """Make a reader; the page need not exist yet."""
        self._path = path
        self._account = hash_word(account)
        boot = boot_id()
        self._header = (
            MAGIC,
            LAYOUT,
            int.from_bytes(boot[:8], "little"),
            int.from_bytes(boot[8:], "little"),
        )
        self._clock: Clock = clock or SystemClock()
        self._words: memoryview | None = None
        self._mapping: mmap.mmap | None = None
        self._descriptor = -1
        self._whole_until_ns = 0
        self._halt = 0
        self._manual = 0
        self._scopes_latched: set[int] = set()
        self._why = "not looked for yet"

    def check(self) -> int:
        """Return the code's number for the account at this instant."""
        boot_ns = self._clock.boot_ns()
        if self._words is None or boot_ns >= self._whole_until_ns:
            code = self._attach(boot_ns)
            if code != C_OPEN:
                self.close()
                return C_HALTED if self._halt or self._manual else code
        return C_MISSING if self._words is None else self._judge(self._words)

    def check_scopes(self, scopes: list[int]) -> int:
        """Return the code's number with these scopes' words judged as well."""
        code = self.check()
        if self._words is None:
            return code
        closed = [scope for scope in scopes if self._is_scope_closed(self._words, scope)]
        return C_SCOPE if closed and code == C_OPEN else code

    def latched(self) -> tuple[int, int]:
        """Return the latched halt's and manual word, 0 for none."""
        return self._halt, self._manual

    def why(self) -> str:
        """Return why no page is attached."""
        return self._why

    def facts(self) -> PageFacts | None:
        """Return every fact of the page, None where there is none or its first words are not."""
        words = self._words
        if words is None or not self._is_whole() or words[:2].tolist() != [MAGIC, LAYOUT]:
            return None
        return PageFacts(
            unpack_word(words[W_STATE]),
            words[W_BEAT],
            words[W_LEASE],
            words[W_EPOCH],
            words[W_MANUAL],
            words[W_STREAK],
            _load_text(words, W_HALT_TEXT),
        )

    def close(self) -> None:
        """Let go of the page; the latch stays."""
        if self._words is not None:
            self._words.release()
            self._words = None
        if self._mapping is not None:
            self._mapping.close()
            self._mapping = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _judge(self, words: memoryview) -> int:
        if words[W_MAGIC] != MAGIC or words[W_LAYOUT] != LAYOUT:
            return C_HALTED if self._halt or self._manual else C_MISSING
        # The state last, and a beat before its streak: see `Look` in core_rs/src/page/reader.rs.
        beat = words[W_BEAT]
        lease = min(words[W_LEASE], LEASE_NS_MAX)
        streak = words[W_STREAK]
        manual = words[W_MANUAL]
        word = words[W_STATE]
        if self._observe(words, word & 0xFF, manual):
            return C_HALTED
        # Read after the beat, so that a beat ahead of this clock is never an honest one.
        boot_ns = self._clock.boot_ns()
        if not -BEAT_AHEAD_NS_MAX <= boot_ns - beat < lease or streak < STREAK_MIN:
            return C_STALE
        flags = word >> 24 & 0xFF
        if flags & FLAG_OVERFLOW:
            return C_SCOPE
        if flags & FLAG_HOLE:
            return C_HOLE
        return {2: C_OPEN, 3: C_PAUSED}.get(word & 0xFF, C_STARTING)

    def _observe(self, words: memoryview, state: int, manual: int) -> bool:
        """Take in what the page says of halts; return whether this gate is latched."""
        if self._halt or self._manual:
            resumed = words[W_RESUMED : W_RESUMED + RESUMED_MAX].tolist()
            if self._halt in resumed:
                self._halt = 0
            if self._manual in resumed:
                self._manual = 0
        if state == STATE_BYTES.index("HALTED") and not self._halt:
            self._halt = words[W_HALT] or HALT_UNNAMED
        self._manual = manual or self._manual  # the newest: what lifts it lifts those before it
        return bool(self._halt or self._manual)

    def _is_scope_closed(self, words: memoryview, scope: int) -> bool:
        """Judge one scope; one seen halted stays closed until the page says it is active again."""
        for index in range(W_SCOPES, W_SCOPES + 2 * SCOPES_MAX, 2):
            if words[index] == 0:
                break
            if words[index] == scope:
                state = words[index + 1] & 0xFF
                if state == STATE_BYTES.index("ACTIVE"):
                    self._scopes_latched.discard(scope)
                    return False
                if state == STATE_BYTES.index("HALTED"):
                    self._scopes_latched.add(scope)
                return True
        return scope in self._scopes_latched

    def _is_whole(self) -> bool:
        """Return whether the file still has a name and a page's size; a shrunk map would SIGBUS."""
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            return False
        return status.st_nlink > 0 and status.st_size == PAGE_BYTES

    def _attach(self, boot_ns: int) -> int:
        """Make sure that the page at the path is the one that is mapped; C_OPEN if it is."""
        if self._words is None or not self._is_whole():
            self.close()
            try:
                self._descriptor, self._mapping = open_page(self._path, writable=False)
            except (OSError, ValueError) as error:
                self._why = f"{self._path}: {error}"
                return C_MISSING
            self._words = memoryview(self._mapping).cast("Q")
        # Said as soon as a word of it changes, which may be before the next look.
        self._why = "page must have this layout's header and this boot's id"
        if tuple(self._words[: len(self._header)]) != self._header:
            return C_MISSING
        if self._words[W_ACCOUNT] != self._account:
            self._why = f"page is of account {_load_text(self._words, W_ACCOUNT_TEXT)!r}"
            return C_WRONG_ACCOUNT
        self._whole_until_ns = boot_ns + WHOLE_NS
        return C_OPEN


def _load_text(words: memoryview, start: int) -> str:
    """Return zero-padded text; bytes that are no utf-8 are replaced."""
    raw = words[start : start + TEXT_BYTES // 8].tobytes()
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
