"""The processes' logs: bounded, escaped, and passed on while they are written."""

import os
import stat
from pathlib import Path

from edgeguard.log_files import BYTES_MAX, NEWS_BYTES_MAX, LogFiles, cut_own_log, tail_of


def say(logs: LogFiles, text: bytes, name: str = "broker A") -> None:
    file = logs.open(name)
    assert file is not None
    with file:
        file.write(text)


def test_news_are_what_was_appended_since(tmp_path: Path) -> None:
    """Words of an earlier run stay unsaid; a log that is told otherwise is left out."""
    say(LogFiles(tmp_path / "log"), b"long ago\n")
    logs = LogFiles(tmp_path / "log")
    say(logs, b"first\n")
    say(logs, b"second\n", "guard")
    logs.append("up", "guard started")
    logs.heard("up")
    assert logs.news() == "first\nsecond\n"
    assert logs.news() == ""
    assert "guard started\n" in (tmp_path / "log" / "up.log").read_text()
    assert stat.S_IMODE((tmp_path / "log" / "broker.A.log").stat().st_mode) == 0o600


def test_a_flood_is_bounded_on_disk_and_in_the_news(tmp_path: Path) -> None:
    """A writer that goes on appending begins anew; the end of what it said is kept."""
    logs = LogFiles(tmp_path)
    file = logs.open("guard")
    assert file is not None
    with file:
        for _ in range(3):
            file.write(b"x" * (BYTES_MAX + 1) + b"END\n")
            file.flush()
            news = logs.news()
            assert len(news) == NEWS_BYTES_MAX
            assert news.endswith("END\n")
            sizes = [path.stat().st_size for path in tmp_path.iterdir()]
            assert sorted(sizes) == [0, BYTES_MAX]
        file.write(b"anew\n")
    assert logs.news() == "anew\n"
    assert tail_of(tmp_path / "guard.log", 12) == "xxxEND\nanew\n"


def test_nothing_steers_a_terminal(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path)
    say(logs, b"a\x1b[2J\tb\r\xff\n")
    assert logs.news() == "a\\x1b[2J\tb\\r\N{REPLACEMENT CHARACTER}\n"
    assert "\x1b" not in tail_of(tmp_path / "broker.A.log", 100)
    logs.append("up", "two\x07")
    assert (tmp_path / "up.log").read_text() == "two\\x07\n"


def test_without_a_disk_there_is_no_log_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    logs = LogFiles(tmp_path / "file")
    assert logs.open("guard") is None
    logs.append("up", "lost")
    assert logs.news() == ""


def test_a_process_alone_cuts_its_own_log(tmp_path: Path) -> None:
    """What is too long begins anew, its end is kept beside it; no file, no cut."""
    file = LogFiles(tmp_path).open("broker.A.by-hand")
    assert file is not None
    path = tmp_path / "broker.A.by-hand.log"
    with file:
        file.write(b"x" * BYTES_MAX)
        file.flush()
        cut_own_log(file.fileno())
        assert path.stat().st_size == BYTES_MAX
        file.write(b"END\n")
        file.flush()
        cut_own_log(file.fileno())
        file.write(b"anew\n")
    assert path.read_bytes() == b"anew\n"
    assert tail_of(path, 9) == "END\nanew\n"
    reading, writing = os.pipe()
    cut_own_log(writing)
    os.close(writing)
    os.close(reading)


def test_a_link_in_a_logs_place_is_not_written_through(tmp_path: Path) -> None:
    """A command of root's must not append where another user's link points."""
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "guard.log").symlink_to(target)
    assert LogFiles(tmp_path).open("guard") is None
    assert target.read_text() == "kept"
