"""`edgeguard journal` on what a stranger may find: damaged, foreign, cut and large journals."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import apsw
import pytest

from edgeguard.cli.app import run
from edgeguard.errors import StorageError
from edgeguard.journal import Journal, verify
from edgeguard.journal.database import SQLITE_VERSION_MIN, Database, check_library

ROWS = 300


def fill(folder: Path, rows: int = ROWS, text: str = "first") -> Path:
    """Write a journal of so many rows into a state directory; return its path."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "journal.sqlite"
    journal = Journal(path, run=1, boot="ab")
    journal.start()
    for number in range(rows):
        journal.append("test", {"n": number, "text": text}, account="A", t_ns=number)
    assert journal.close(60)
    return path


def command(path: Path, *words: str) -> int:
    """Return the exit code of `edgeguard journal` on the directory of a journal."""
    return run(["journal", words[0], "--state-dir", str(path.parent), *words[1:]])


def statements(path: Path, *lines: str) -> None:
    """Change a journal as somebody who has the file and not our code."""
    with Database(path, apsw.SQLITE_OPEN_READWRITE) as database:
        for line in ("DROP TRIGGER entry_is_never_changed", "DROP TRIGGER entry_is_never_removed"):
            database.run(line)
        for line in lines:
            database.run(line)


def test_sqlite_has_the_fix_of_the_wal_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled SQLite is 3.51.3 or later; an older one, which may corrupt, is refused."""
    assert SQLITE_VERSION_MIN == (3, 51, 3)
    check_library()
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(StorageError, match=r"must be 3\.51\.3 or later, was 3\.51\.2"):
        check_library()


def test_sound_journal_is_verified_shown_and_exported(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The three commands on a whole journal, and the anchor that verify prints."""
    path = fill(tmp_path / "s")
    assert command(path, "verify") == 0
    head = capfd.readouterr().out.rstrip().rpartition(" ")[2]
    assert command(path, "verify", "--anchor", head) == 0
    assert "300 rows, sound" in capfd.readouterr().out
    assert command(path, "tail", "-n", "2") == 0
    shown = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [row["seq"] for row in shown] == [299, 300]
    assert command(path, "export") == 0
    assert len(capfd.readouterr().out.splitlines()) == ROWS


def test_removed_row_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """P23: a missing row is exit code 6 and its number; the rest is still shown."""
    path = fill(tmp_path / "s")
    statements(path, "DELETE FROM entry WHERE seq = 17")
    assert command(path, "verify") == 6
    assert "row 17 must follow, is missing" in capfd.readouterr().err
    assert command(path, "export") == 0
    assert len(capfd.readouterr().out.splitlines()) == ROWS - 1


def test_another_chain_is_found_by_the_anchor_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A whole journal of somebody else in its place: sound by itself, not with what was noted."""
    path, other = fill(tmp_path / "s"), fill(tmp_path / "o", text="another")
    head = verify(path)
    shutil.copy(other, path)
    assert command(path, "verify") == 0
    anchor = f"{head.head_seq}:{head.head_hash.hex()}"
    assert command(path, "verify", "--anchor", anchor) == 6
    assert "must be the one that was seen before" in capfd.readouterr().err


@pytest.mark.parametrize("share", [0.0, 0.002, 0.1, 0.5, 0.95])
def test_cut_file_is_one_sentence(
    tmp_path: Path, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file that ends too early is exit code 6 and a sentence; what is readable is shown."""
    path = fill(tmp_path / "s")
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    for words in ("verify", "tail", "export"):
        code = command(path, words)
        said = capfd.readouterr()
        assert code == 6 or (words != "verify" and said.out)
        assert said.err.startswith("edgeguard: ") == (code == 6)
        assert "Traceback" not in said.err


def test_every_flipped_bit_is_found_or_concerns_no_row(tmp_path: Path) -> None:
    """200 bits anywhere: verify names a fault, or all rows are what they were."""
    path = fill(tmp_path / "s")
    whole, head = path.read_bytes(), verify(path)
    rng = random.Random(1)
    found = 0
    for _ in range(200):
        data = bytearray(whole)
        at = rng.randrange(len(data) * 8)
        data[at // 8] ^= 1 << at % 8
        path.write_bytes(data)
        try:
            verdict = verify(path, (head.head_seq, head.head_hash))
        except StorageError:
            found += 1
            continue
        found += not verdict.is_sound
        if verdict.is_sound:
            assert (verdict.rows, verdict.head_hash) == (head.rows, head.head_hash)
    assert found > 100


def test_flipped_bit_in_a_row_leaves_the_others_readable(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A body that is no document any more is shown as its bytes, and verify names its row."""
    path = fill(tmp_path / "s")
    data = bytearray(path.read_bytes())
    data[data.index(b'{"n":250,')] ^= 0x20
    path.write_bytes(data)
    assert command(path, "verify") == 6
    assert "row 251 must have the hash of its words" in capfd.readouterr().err
    assert command(path, "tail", "-n", "50") == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert rows[0]["body"]["unreadable_hex"].startswith("5b22")
    assert rows[-1]["body"]["n"] == 299


def test_damage_beside_the_rows_is_found_as_well(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A page that holds no row is damaged: the chain is whole, the file is not."""
    path = fill(tmp_path / "s")
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xa5" * 4096
    path.write_bytes(data)
    assert command(path, "verify") == 6
    assert "SQLite says" in capfd.readouterr().err
