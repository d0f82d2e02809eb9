"""The rules of a start, one by one: a halt anywhere stands, doubt is a halt, a crash is asked."""

from __future__ import annotations

import pytest

from edgeguard.guard.start import FoundPage, Remembered, judge_start
from edgeguard.latch import HaltFile, LatchHalt, LatchRecord

BOOT = "b" * 32
TEMPLATE = LatchHalt("", "account", "NEW", 9, "start", "START", "")
HALT = LatchHalt("A", "account", "H1", 5, "daily_loss", "C", "r")
CLEAR = FoundPage(is_halted=False, halt_id="", manual=0, epoch=1)


def record(
    number: int = 1, *halts: LatchHalt, clean: bool = False, boot: str = BOOT
) -> LatchRecord:
    return LatchRecord(number, 1, boot, clean, halts, resumed=(("A", "OLD"),))


def judge(
    file: LatchRecord | None,
    row: LatchRecord | None,
    page: FoundPage | None = CLEAR,
    *,
    faults: tuple[str, ...] = (),
    halt_file: HaltFile | None = None,
) -> tuple[list[tuple[str, str]], bool]:
    """Return the halts' ids and codes, and whether an operator must acknowledge."""
    remembered = Remembered(file, row, faults)
    verdict = judge_start(remembered, {"A": page}, halt_file, BOOT, TEMPLATE)
    assert all(halt.account == "A" for halt in verdict.halts)
    return [(halt.id, halt.code) for halt in verdict.halts], bool(verdict.unacknowledged)


@pytest.mark.parametrize(
    ("file", "row", "page", "halts", "asks"),
    [
        (None, None, None, [], False),
        (None, None, CLEAR, [], True),
        (record(clean=True), record(clean=True), None, [], False),
        (record(clean=True), record(clean=True), CLEAR, [], False),
        (record(clean=True, boot="c" * 32), record(clean=True, boot="c" * 32), None, [], False),
        (record(), record(), CLEAR, [], False),
        (record(), record(), None, [], True),
        (record(boot="c" * 32), record(boot="c" * 32), None, [], True),
        (record(2, HALT), record(1), CLEAR, [("H1", "C")], False),
        (record(1), record(2, HALT), CLEAR, [("H1", "C")], False),
        (record(1, HALT), record(2), CLEAR, [("H1", "C")], False),
        (record(), None, CLEAR, [("NEW", "STORAGE_UNTRUSTED")], False),
        (None, record(), CLEAR, [("NEW", "STORAGE_UNTRUSTED")], False),
    ],
)
def test_both_copies_and_the_page_decide(
    file: LatchRecord | None,
    row: LatchRecord | None,
    page: FoundPage | None,
    halts: list[tuple[str, str]],
    asks: bool,  # a column of the table
) -> None:
    """DESIGN section 6, "Start": each row is one of its cases."""
    assert judge(file, row, page) == (halts, asks)


def test_page_that_was_halted_keeps_its_id_unless_that_was_resumed() -> None:
    """A halt that only the page knew stands under its own id; a spent id is replaced."""
    for halt_id, expected in (("HP", "HP"), ("", "NEW"), ("OLD", "NEW")):
        page = FoundPage(is_halted=True, halt_id=halt_id, manual=0, epoch=1)
        assert judge(record(), record(), page) == ([(expected, "PAGE_HALTED")], False)


def test_manual_word_and_halt_file_are_halts() -> None:
    """P6: what was done by hand while no guard ran is a halt at the next start."""
    page = FoundPage(is_halted=False, halt_id="", manual=7, epoch=1)
    assert judge(record(), record(), page)[0] == [("NEW", "MANUAL_WORD")]
    halt_file = HaltFile((1, 2, 3), "flash crash")
    assert judge(record(), record(), halt_file=halt_file)[0] == [("NEW", "HALT_FILE")]
    other = HaltFile((1, 2, 3), '{"reason":"r","scope":"account:B"}')
    assert judge(record(), record(), halt_file=other)[0] == []


def test_fault_of_storage_is_a_halt_beside_a_narrow_halt_file() -> None:
    """What cannot be read halts the account, whatever else is known."""
    narrow = HaltFile((1, 2, 3), '{"reason":"r","scope":"symbol:XAUUSD"}')
    found, _ = judge(None, record(), faults=("torn",), halt_file=narrow)
    assert found == [("NEW", "HALT_FILE"), ("NEW", "STORAGE_UNTRUSTED")]


def test_earlier_of_two_halts_is_kept() -> None:
    """P8 across copies: the first halt's id and time stand."""
    later = LatchHalt("A", "account", "H2", 6, "t", "C", "r")
    assert judge(record(1, later), record(2, HALT))[0] == [("H1", "C")]
