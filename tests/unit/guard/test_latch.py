"""The latch file and the HALT file: what a write leaves behind, whatever happens to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeguard.errors import StorageError
from edgeguard.latch import (
    FILE_BYTES,
    SLOT_BYTES,
    LatchFile,
    LatchHalt,
    LatchRecord,
    halt_words,
    read_halt_file,
    remove_halt_file,
)

HALT = LatchHalt("A", "account", "H1", 5, "daily_loss", "DAILY_LOSS_EXCEEDS_MAX", "0.0301 > 0.03")


def record(number: int, *halts: LatchHalt) -> LatchRecord:
    return LatchRecord(number, 1, "ab", is_clean=False, halts=halts)


def test_newest_record_is_read_back(tmp_path: Path) -> None:
    """Slots are written in turn; the higher number counts, also after a reopening."""
    path = tmp_path / "latch.slots"
    file = LatchFile(path)
    assert file.was_created
    assert file.read() is None
    for number in range(1, 6):
        file.write(record(number, HALT))
        assert file.read() == record(number, HALT)
    file.close()
    again = LatchFile(path)
    assert not again.was_created
    assert again.read() == record(5, HALT)
    assert path.stat().st_size == FILE_BYTES
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [0, 8, 20, 51, 60, 120])
def test_torn_slot_is_an_error_not_an_older_word(tmp_path: Path, cut: int) -> None:
    """H7: what a half-written slot said is not known, so nothing is concluded from the other."""
    path = tmp_path / "latch.slots"
    file = LatchFile(path)
    file.write(record(1))
    file.write(record(2, HALT))
    with path.open("r+b") as raw:
        raw.seek(cut)
        raw.write(b"\xff" * 4)
    with pytest.raises(StorageError, match="torn or damaged"):
        file.read()


def test_record_that_does_not_fit_is_refused_and_leaves_the_last(tmp_path: Path) -> None:
    """A record over the slot's size is an error; the slot of before is untouched."""
    file = LatchFile(tmp_path / "latch.slots")
    file.write(record(1, HALT))
    many = tuple(
        LatchHalt("A" * 60, f"symbol:S{i}", "H" * 60, 1, "t", "c", "r" * 200)
        for i in range(SLOT_BYTES // 300)
    )
    with pytest.raises(StorageError, match="at most"):
        file.write(record(2, *many))
    assert file.read() == record(1, HALT)


def test_file_that_is_not_private_is_refused(tmp_path: Path) -> None:
    """A latch that others can write, of another size, or behind a link is not believed."""
    path = tmp_path / "latch.slots"
    LatchFile(path).close()
    path.chmod(0o644)
    with pytest.raises(StorageError, match="0600"):
        LatchFile(path)
    path.chmod(0o600)
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(StorageError, match="0600"):
        LatchFile(path)
    link = tmp_path / "link.slots"
    link.symlink_to(path)
    with pytest.raises(StorageError):
        LatchFile(link)


def test_halt_file_is_whatever_stands_there(tmp_path: Path) -> None:
    """Text, nothing, garbage and even a directory under the name are a halt."""
    path = tmp_path / "HALT"
    assert read_halt_file(path) is None
    for content in (b"", b"flash crash", b"\xff\xfe\0\0"):
        path.write_bytes(content)
        assert read_halt_file(path) is not None
    path.unlink()
    path.mkdir()
    assert read_halt_file(path) is not None


def test_removing_takes_the_very_file_that_was_seen(tmp_path: Path) -> None:
    """A HALT file created after the resume was judged stays."""
    path = tmp_path / "HALT"
    path.write_text("one")
    seen = read_halt_file(path)
    assert seen is not None
    path.rename(tmp_path / "kept")
    path.write_text("two")
    assert not remove_halt_file(path, seen.identity)
    assert path.read_text() == "two"
    now = read_halt_file(path)
    assert now is not None
    assert remove_halt_file(path, now.identity)
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("all", "the HALT file is there")),
        ("flash crash\n", ("all", "flash crash")),
        ("a\x1b[31m\n{}", ("all", "a [31m {}")),
        ('{"v":1,"reason":"r","operator":"ana","scope":"account:A"}\n', ("account:A", "ana: r")),
        ('{"reason":"r","scope":"symbol:A\\u001b[2J"}', ("all", "r")),
        ('{"reason":"r","scope":"symbol:' + "x" * 200 + '"}', ("all", "r")),
        ('{"reason": 7}', ("all", '{"reason": 7}')),
        ("[]", ("all", "[]")),
    ],
)
def test_halt_files_words(text: str, words: tuple[str, str]) -> None:
    """The command's own line may narrow the scope; anything else halts everything."""
    assert halt_words(text) == words
