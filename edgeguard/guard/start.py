"""The rules of a start: what both copies of the latch, the pages and the boot id say together.

Pure: it is given what was read and answers what stands. A halt found anywhere stands; copies that
disagree, or cannot be read, are a halt; a run that did not end cleanly is trusted only on the same
boot and with every page in place and clear, otherwise an operator must acknowledge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from edgeguard.latch import (
    REASON_MAX,
    HaltFile,
    LatchHalt,
    LatchPause,
    LatchRecord,
    halt_words,
)

NO_BOOT: Final = "0" * 32
"""The boot id in hex of a host that has none."""


class FoundPage(msgspec.Struct, frozen=True):
    """What an account's page said before this run.

    `manual` is its manual word, `epoch` the run that wrote it.
    """

    is_halted: bool
    halt_id: str
    manual: int
    epoch: int


class Remembered(msgspec.Struct, frozen=True):
    """What was read: the latch's two copies, and a sentence for each that could not be."""

    file: LatchRecord | None
    row: LatchRecord | None
    faults: tuple[str, ...] = ()


class StartVerdict(msgspec.Struct, frozen=True):
    """What stands at the start of this run.

    `unacknowledged` says, if not empty, why an operator must acknowledge; `number` is the highest
    number of a latch record.
    """

    halts: tuple[LatchHalt, ...]
    pauses: tuple[LatchPause, ...]
    resumed: tuple[tuple[str, str], ...]
    scopes: tuple[tuple[str, str], ...]
    unacknowledged: str
    number: int


def judge_start(
    remembered: Remembered,
    pages: Mapping[str, FoundPage | None],
    halt_file: HaltFile | None,
    boot: str,
    template: LatchHalt,
) -> StartVerdict:
    """Return what stands.

    Args:
        remembered: both copies of the latch.
        pages: each configured account's page as it was found, None where there was none.
        halt_file: the HALT file.
        boot: this boot's id in hex.
        template: id and time of a halt that this start itself finds.
    """
    records = [record for record in (remembered.file, remembered.row) if record is not None]
    latest = max(records, key=lambda record: record.number, default=None)
    halts = _union(records)
    resumed = latest.resumed if latest is not None else ()
    doubt = _doubt(remembered)
    for account, page in pages.items():
        on_page = _found_on_page(account, page, resumed)
        in_file = _found_in_file(account, halt_file)
        # A manual word cannot say why; the HALT file that a person wrote beside it does.
        is_bare_word = page is not None and not page.is_halted
        found = (
            *((in_file, on_page) if is_bare_word else (on_page, in_file)),
            {"code": "STORAGE_UNTRUSTED", "reason": doubt[:REASON_MAX]} if doubt else None,
        )
        for words in found:
            if words is not None:
                halt = msgspec.structs.replace(template, account=account, **words)
                halts.setdefault((account, halt.scope), halt)
    return StartVerdict(
        halts=tuple(halts.values()),
        pauses=latest.pauses if latest is not None else (),
        resumed=resumed,
        scopes=latest.scopes if latest is not None else (),
        unacknowledged=_unacknowledged(latest, pages, boot),
        number=latest.number if latest is not None else 0,
    )


def epoch_after(wall_ns: int, remembered: Remembered) -> int:
    """Return the epoch of a run that starts at `wall_ns`.

    It is later than every run before it, whatever the wall clock was set to since: gates refuse the
    words of a run that a later one has replaced.
    """
    runs = [copy.run for copy in (remembered.file, remembered.row) if copy is not None]
    return max([wall_ns, *(run + 1 for run in runs)])


def _union(records: Sequence[LatchRecord]) -> dict[tuple[str, str], LatchHalt]:
    """Return every halt that any copy names; the earlier one where they name two."""
    halts: dict[tuple[str, str], LatchHalt] = {}
    for record in records:
        for halt in record.halts:
            known = halts.get((halt.account, halt.scope))
            if known is None or halt.t_ns < known.t_ns:
                halts[halt.account, halt.scope] = halt
    return halts


def _doubt(remembered: Remembered) -> str:
    """Return why the copies cannot be believed, empty if they can."""
    if remembered.faults:
        return "storage cannot be trusted: " + "; ".join(remembered.faults)
    if (remembered.file is None) != (remembered.row is None):
        missing = "latch.slots" if remembered.file is None else "the journal's latch row"
        return f"the copies of the latch disagree: {missing} is missing"
    return ""


def _found_on_page(
    account: str, page: FoundPage | None, resumed: Sequence[tuple[str, str]]
) -> dict[str, str] | None:
    """Return the words of the halt that an account's page tells of, None if it is clear."""
    if page is not None and page.is_halted:
        words = {
            "code": "PAGE_HALTED",
            "reason": f"the halt page said HALTED by {page.halt_id or 'nobody named'}",
        }
        # An id that was resumed already would not hold gates that know so: it gets a new one.
        if page.halt_id and (account, page.halt_id) not in resumed:
            words["id"] = page.halt_id
        return words
    if page is not None and page.manual:
        reason = "the halt page's manual word was set"
        return {"trigger": "manual", "code": "MANUAL_WORD", "reason": reason}
    return None


def _found_in_file(account: str, halt_file: HaltFile | None) -> dict[str, str] | None:
    """Return the words of the halt that the HALT file means for an account, None if none."""
    if halt_file is None:
        return None
    scope, reason = halt_words(halt_file.text)
    kind, _, name = scope.partition(":")
    words = {"trigger": "manual", "code": "HALT_FILE", "reason": reason}
    if kind in {"strategy", "symbol"} and name:
        words["scope"] = scope
    return None if kind == "account" and name != account else words


def _unacknowledged(
    latest: LatchRecord | None, pages: Mapping[str, FoundPage | None], boot: str
) -> str:
    """Return why an operator must acknowledge this start, empty if none must."""
    if latest is None:
        is_known = any(page is not None for page in pages.values())
        text = "a halt page of this boot was found, and no storage that knows of its run"
        return text if is_known else ""
    if latest.is_clean:
        return ""
    if latest.boot != boot or boot == NO_BOOT:
        return "the run before did not end cleanly, and the host was started anew since"
    # A page of another run was made or taken over by one that died before its mark was on disk. It
    # says nothing of the page of the run that did run: that may have been gone, and a halt with it.
    if any(page is not None and page.epoch != latest.run for page in pages.values()):
        return "a start died before it was on disk, and what it found is not known"
    missing = [account for account, page in pages.items() if page is None]
    if missing:
        return "the run before did not end cleanly, and no halt page was found of " + ", ".join(
            missing
        )
    return ""
