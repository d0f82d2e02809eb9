"""What processes say, in bounded files: they append, whoever started them reads on and cuts.

A pipe would not do: a supervisor that hangs or dies must neither stop nor kill a guard that writes.
Whoever writes to such a file does so where it may wait: never between a tick and a halt page.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import IO, Final

from edgeguard.plain import escaped

BYTES_MAX: Final = 1024 * 1024
"""A longer file is cut; its end is kept beside it, as ``NAME.log.1``."""
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
NEWS_BYTES_MAX: Final = 64 * 1024
"""Passed on at once; of a flood the end is."""


class LogFiles:
    """The log of each process in one folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when the first log is opened."""
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._silent: set[Path] = set()

    def open(self, name: str) -> IO[bytes] | None:
        """Return the log of a process to append to; None where the disk does not let it.

        Args:
            name: of the process; blanks become dots.
        """
        path = self._path(name)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.fdopen(os.open(path, _APPEND, 0o600), "ab")
            self._read.setdefault(path, file.tell())
        except OSError:
            return None
        return file

    def append(self, name: str, text: str) -> None:
        """Append a line; without a disk it is lost."""
        file = self.open(name)
        if file is not None:
            with contextlib.suppress(OSError), file:
                file.write(f"{escaped(text)}\n".encode())

    def heard(self, name: str) -> None:
        """Leave a log out of the news: its words were told already."""
        self._silent.add(self._path(name))

    def news(self) -> str:
        """Return what was appended since the last call, escaped, and cut what became too long."""
        news = [(path, self._news_of(path)) for path in self._read]
        return "".join(text for path, text in news if path not in self._silent)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '.')}.log"

    def _news_of(self, path: Path) -> str:
        begin = self._read[path]
        try:
            with path.open("r+b") as file:
                size = file.seek(0, os.SEEK_END)
                if size == begin:
                    return ""
                # A file that shrank was cut by another hand.
                begin = begin if begin <= size else 0
                file.seek(max(begin, size - NEWS_BYTES_MAX))
                text = escaped(file.read(NEWS_BYTES_MAX).decode("utf-8", "replace"))
                self._read[path] = file.tell()
                if size > BYTES_MAX:
                    _cut(path, file)
                    self._read[path] = 0
        except OSError:
            return ""
        return text


def cut_own_log(descriptor: int) -> None:
    """Cut the log that this process itself appends to, where it became too long.

    For a process that nobody supervises; a descriptor that is no file stays as it is.
    """
    try:
        own = os.fstat(descriptor)
        if not stat.S_ISREG(own.st_mode) or own.st_size <= BYTES_MAX:
            return
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        with path.open("r+b") as file:
            if os.path.samestat(own, os.fstat(file.fileno())):
                _cut(path, file)
    except OSError:
        return


def tail_of(path: Path, size_max: int) -> str:
    """Return the end of a log, escaped: of the file, and of the one that was cut before it.

    Raises:
        OSError: the log cannot be read.
    """
    data = _end(path, size_max)
    before = path.with_name(f"{path.name}.1")
    if len(data) < size_max and before.exists():
        data = _end(before, size_max - len(data)) + data
    return escaped(data.decode("utf-8", "replace"))


def _end(path: Path, size_max: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - size_max))
        return file.read(size_max)


def _cut(path: Path, file: IO[bytes]) -> None:
    """Keep the end of a file beside it, and empty it: its writer appends, so it begins anew.

    What is written between the two is lost.
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - BYTES_MAX))
    path.with_name(f"{path.name}.1").write_bytes(file.read(BYTES_MAX))
    file.truncate(0)
