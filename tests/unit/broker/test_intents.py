"""The intent log survives torn tails, damage, full disks and rotation, and forgets nothing open."""

import errno
import os
from pathlib import Path
from unittest import mock

import pytest

from edgeguard.broker.intents import (
    AnswerLine,
    EndLine,
    GuardLine,
    IntentLog,
    Line,
    RunLine,
    SendingLine,
    SentLine,
    decode_line,
    encode_line,
    read_log,
)
from edgeguard.broker.planner.model import Intent, Scope
from edgeguard.errors import StorageError


def intent(number: int) -> Intent:
    return Intent(number, "close", "EURUSD", number, number, 0, 100, number)


def sent(number: int, wall_ns: int = 0) -> SentLine:
    return SentLine(intent(number), wall_ns)


LINES: list[Line] = [
    sent(1),
    AnswerLine(1, "DONE", 5, 10009, 3, 4),
    EndLine(1, "FILLED", 100, "deal 4", 6),
    RunLine("h/account", "start", 7, Scope("symbol", symbol="EURUSD"), "h", "c", "why"),
    GuardLine("boot", 8),
    sent(2),
    SentLine(Intent(3, "delete", "EURUSD", 3, 3, 2, 100), 9, "h/account", "boot"),
    SendingLine(3, 10),
]


def test_every_line_comes_back() -> None:
    """Encoding and decoding are each other's inverse, and one changed bit is noticed."""
    for line in LINES:
        data = encode_line(line)
        assert decode_line(data) == line
        for place in range(len(data) - 1):
            damaged = bytearray(data)
            damaged[place] ^= 1
            assert decode_line(bytes(damaged)) is None


def test_a_tail_torn_at_any_byte_is_cut(tmp_path: Path) -> None:
    """A power cut leaves any prefix: what is whole is kept, the rest is cut off the file."""
    data = b"".join(encode_line(line) for line in LINES)
    ends = [len(b"".join(encode_line(x) for x in LINES[:n])) for n in range(len(LINES) + 1)]
    for size in range(len(data) + 1):
        path = tmp_path / "log"
        path.write_bytes(data[:size])
        log = IntentLog(path)
        log.close()
        whole = max(end for end in ends if end <= size)
        assert path.stat().st_size == whole
        assert log.contents.damaged == 0


def test_contents_tell_what_is_open(tmp_path: Path) -> None:
    """Requests without an end, flattens without one, the guard, and the next number."""
    log = IntentLog(tmp_path / "log")
    for line in LINES:
        assert log.append(line, durable=True)
    log.close()
    contents = IntentLog(tmp_path / "log").contents
    assert list(contents.unresolved) == [2, 3]
    assert contents.runs["h/account"].scope == Scope("symbol", symbol="EURUSD")
    assert contents.next_id == 4
    assert contents.guard == GuardLine("boot", 8)
    assert contents.past(10).filled == ((intent(1), 4),)
    assert contents.past(10**15).filled == ()


def test_a_flat_or_stopped_flatten_is_not_open() -> None:
    """Only what was neither proven flat nor stopped goes on after a restart."""
    for state in ("flat", "stop"):
        lines = [RunLine("r", "start", 1), RunLine("r", state, 2)]
        contents, _ = read_log(b"".join(encode_line(line) for line in lines))
        assert contents.runs == {}


def test_damage_in_the_middle_is_counted() -> None:
    """A damaged line before a good one is counted; the good ones around it are kept."""
    data = encode_line(sent(1)) + b"garbage\n" + encode_line(sent(2))
    contents, good = read_log(data)
    assert contents.damaged == 1
    assert list(contents.unresolved) == [1, 2]
    assert good == len(data)


def test_rotation_keeps_what_is_open(tmp_path: Path) -> None:
    """A large log is rewritten; numbers go on, the old one is kept beside it."""
    path = tmp_path / "intents.A.log"
    log = IntentLog(path, rotate_bytes=2000)
    for number in range(1, 50):
        log.append(sent(number), durable=False)
        if number != 7:
            log.append(EndLine(number, "FILLED", 1, "", 0), durable=False)
    log.append(RunLine("r", "start", 1), durable=False)
    assert log.rotate_if_large()
    assert not log.rotate_if_large()
    log.append(sent(50), durable=True)
    log.close()
    contents = IntentLog(path).contents
    assert list(contents.unresolved) == [7, 50]
    assert list(contents.runs) == ["r"]
    assert contents.next_id == 51
    assert (tmp_path / "intents.A.old").exists()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_told_and_not_raised(tmp_path: Path, call: str) -> None:
    """A flatten goes on without its log, loudly: append says False and why."""
    log = IntentLog(tmp_path / "log")
    with mock.patch.object(os, call, side_effect=OSError(errno.ENOSPC, "No space left")):
        assert not log.append(sent(1), durable=True)
        assert log.fault == "No space left"
    assert log.append(sent(2), durable=True)
    assert log.fault == ""
    log.close()


def test_a_full_disk_gives_up_the_reserve(tmp_path: Path) -> None:
    """ENOSPC frees the space set aside, and the intent is written after all."""
    log = IntentLog(tmp_path / "intents.A.log")
    reserve = tmp_path / "intents.A.reserve"
    assert reserve.exists()
    real = os.write

    def full(file: int, data: bytes) -> int:
        if reserve.exists():
            raise OSError(errno.ENOSPC, "No space left")
        return real(file, data)

    with mock.patch.object(os, "write", full):
        assert log.append(sent(1), durable=True)
    assert not reserve.exists()
    log.close()


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """A short write leaves nothing that would spoil the next line."""
    path = tmp_path / "log"
    log = IntentLog(path)
    real = os.write

    def half(file: int, data: bytes) -> int:
        return real(file, data[: len(data) // 2])

    with mock.patch.object(os, "write", half):
        assert not log.append(sent(1), durable=True)
    assert log.append(sent(2), durable=True)
    log.close()
    contents = IntentLog(path).contents
    assert contents.damaged == 0
    assert list(contents.unresolved) == [2]


def test_an_unreadable_log_is_one_sentence(tmp_path: Path) -> None:
    """A directory in its place is refused."""
    with pytest.raises(StorageError, match="must be readable"):
        IntentLog(tmp_path)


def ahead(number: int, boot: str = "boot 1") -> SentLine:
    return SentLine(intent(number), 1, boot_id=boot)


def opened(path: Path, *lines: Line, more: bytes = b"") -> IntentLog:
    path.write_bytes(b"".join(encode_line(line) for line in lines) + more)
    return IntentLog(path)


def test_an_unmarked_intent_of_this_boot_was_never_sent(tmp_path: Path) -> None:
    """Written ahead and not marked: the process ended before its turn. It has one end, on disk."""
    path = tmp_path / "log"
    log = opened(path, sent(1), ahead(2), SendingLine(2, 7), ahead(3))
    assert log.end_unsent("boot 1", 9) == 1
    assert log.end_unsent("boot 1", 9) == 0
    log.close()
    contents, _ = read_log(path.read_bytes())
    assert list(contents.unresolved) == [1, 2]
    assert contents.unresolved[2] == SentLine(intent(2), 7)
    assert contents.next_id == 4


@pytest.mark.parametrize("boot", ["boot 2", ""])
def test_an_unmarked_intent_of_another_boot_is_unknown(tmp_path: Path, boot: str) -> None:
    """A power cut may have taken the mark: what became of the request has to be looked up."""
    log = opened(tmp_path / "log", ahead(1), ahead(2, ""))
    assert log.end_unsent(boot, 9) == 0
    assert [found.id for found in log.contents.past(9).unresolved] == [1, 2]
    log.close()


@pytest.mark.parametrize("damage", [b"garbage\n", b"garbage"])
def test_no_mark_is_missed_in_a_damaged_log(tmp_path: Path, damage: bytes) -> None:
    """What cannot be read may have been the mark, in the middle as well as at the end."""
    for after in (b"", encode_line(GuardLine("boot 1", 8))):
        log = opened(tmp_path / "log", ahead(1), more=damage + after)
        assert log.end_unsent("boot 1", 9) == 0
        assert list(log.contents.unresolved) == [1]
        log.close()


def test_rotation_keeps_what_was_written_ahead(tmp_path: Path) -> None:
    """A rewritten log tells the marked from the unmarked as the old one did."""
    log = IntentLog(tmp_path / "log", rotate_bytes=10)
    for line in (ahead(1), SendingLine(1, 7), ahead(2)):
        log.append(line, durable=True)
    assert log.rotate_if_large()
    log.close()
    again = IntentLog(tmp_path / "log")
    assert again.contents.unresolved == {1: SentLine(intent(1), 7), 2: ahead(2)}
    again.close()
