"""The incident log belongs to people: their rows are never touched, whatever stands there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeguard.clock import NS_PER_S
from edgeguard.errors import StorageError
from edgeguard.incident.log_file import NEW_FILE, ids_in, line_of, write_row
from edgeguard.incident.store import Incident

T_NS = 1_700_000_000 * NS_PER_S
ONE = Incident(
    "INC-2023-003", "halt:H1", "P1", "manual", "Manual shutdown", "account", ("A",), T_NS
)
OPEN_LINE = "| INC-2023-003 | 2023-11-14 | P1 | Manual shutdown | open | open |"
DONE = msgspec.structs.replace(
    ONE, resolved_ns=T_NS + 45 * 60 * NS_PER_S, resolution="resumed by ann", log_line=OPEN_LINE
)
DONE_LINE = "| INC-2023-003 | 2023-11-14 | P1 | Manual shutdown | 45 min | resumed by ann |"
PEOPLES = (
    "# Our log\n\n"
    "| ID | Date | Severity | Summary | Duration | Resolution |\n"
    "|----|------|----------|---------|----------|------------|\n"
    "| INC-2023-001 | 2023-01-15 | P2 | Webhook timeout | 45 min | Increased timeout |\n"
    "|  INC-2023-002|by hand, oddly spaced|\n\n"
    "A remark below the table.\n"
)


def test_a_new_log_is_a_table_that_anyone_can_read(tmp_path: Path) -> None:
    path = tmp_path / "runbooks" / "log.md"
    assert write_row(path, ONE) == (OPEN_LINE, True)
    assert path.read_text() == NEW_FILE + OPEN_LINE + "\n"


def test_its_row_goes_behind_the_peoples_and_is_completed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    path.write_text(PEOPLES)
    path.chmod(0o640)
    assert ids_in(path) == {"INC-2023-001", "INC-2023-002"}
    write_row(path, ONE)
    assert path.read_text() == PEOPLES.replace("spaced|\n", f"spaced|\n{OPEN_LINE}\n")
    assert write_row(path, DONE) == (DONE_LINE, True)
    assert path.read_text() == PEOPLES.replace("spaced|\n", f"spaced|\n{DONE_LINE}\n")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_row_that_a_person_changed_or_removed_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    for theirs in (PEOPLES + OPEN_LINE.replace("Manual", "My") + "\n", PEOPLES):
        path.write_text(theirs)
        assert write_row(path, DONE) == (OPEN_LINE, False)
        assert path.read_text() == theirs


def test_an_id_that_a_person_took_is_theirs(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    path.write_text(PEOPLES.replace("INC-2023-002", "INC-2023-003"))
    before = path.read_text()
    assert write_row(path, ONE) == ("", False)
    assert path.read_text() == before


@given(st.text(max_size=300))
def test_no_summary_breaks_the_table(summary: str) -> None:
    line = line_of(msgspec.structs.replace(ONE, summary=summary))
    assert line.isprintable()
    assert line.replace("\\\\", "").replace("\\|", "").count("|") == 7
    assert "<" not in line


def test_a_log_that_is_no_text_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StorageError, match="readable text"):
        write_row(path, ONE)
    assert path.read_bytes() == b"\xff\xfe\x00"


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.md", tmp_path / "link.md"
    real.write_text(PEOPLES)
    link.symlink_to(real)
    write_row(link, ONE)
    assert link.is_symlink()
    assert OPEN_LINE in real.read_text()
