"""The incident log: a Markdown table that people keep too. Their rows are never touched."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edgeguard.clock import NS_PER_S
from edgeguard.errors import StorageError
from edgeguard.incident.store import Incident
from edgeguard.notify.templates import duration
from edgeguard.plain import printable

HEADER: Final = (
    "| ID | Date | Severity | Summary | Duration | Resolution |\n"
    "|----|------|----------|---------|----------|------------|\n"
)
NEW_FILE: Final = (
    "# Incident log\n\nEdgeGuard adds a row for each halt and pause and completes its own rows "
    "later; a row that\na person wrote or changed stays as it is.\n\n" + HEADER
)
BYTES_MAX: Final = 16 * 1024 * 1024
_ID: Final = re.compile(r"^\|\s*(INC-[0-9]{4}-[0-9]+)\s*\|", re.MULTILINE)
_ROW: Final = re.compile(r"^\|")
CELL_MAX: Final = 200


def line_of(incident: Incident) -> str:
    """Return an incident's row."""
    opened = datetime.fromtimestamp(incident.opened_ns / NS_PER_S, UTC)
    lasted = "open" if incident.is_open else duration(incident.resolved_ns - incident.opened_ns)
    cells = (
        incident.id,
        f"{opened:%Y-%m-%d}",
        incident.severity,
        incident.summary,
        lasted,
        incident.resolution or ("open" if incident.is_open else "not written down"),
    )
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def ids_in(path: Path) -> frozenset[str]:
    """Return the incidents that the log names; none where it cannot be read."""
    try:
        return frozenset(_ID.findall(_read(path)))
    except StorageError:
        return frozenset()


def write_row(path: Path, incident: Incident) -> tuple[str, bool]:
    """Put an incident's row into the log: anew, or in place of the one written before.

    Returns:
        The row that is this machine's from now on, and whether the file has it. A row that a person
        changed or removed since stays as the person left it.

    Raises:
        StorageError: the file cannot be read or written.
    """
    text = _read(path)
    line = line_of(incident)
    if incident.log_line:
        lines = text.split("\n")
        if incident.log_line not in lines:
            return incident.log_line, False
        lines[lines.index(incident.log_line)] = line
        _replace(path, "\n".join(lines))
        return line, True
    if incident.id in _ID.findall(text):
        return "", False
    _replace(path, _appended(text, line))
    return line, True


def _appended(text: str, line: str) -> str:
    """Return the text with a row behind the last row of its table."""
    if not text.strip():
        return NEW_FILE + line + "\n"
    lines = text.rstrip("\n").split("\n")
    rows = [index for index, found in enumerate(lines) if _ROW.match(found)]
    if not rows:
        return "\n".join(lines) + "\n\n" + HEADER + line + "\n"
    lines.insert(rows[-1] + 1, line)
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return text that stays within its cell."""
    plain = printable(text[:CELL_MAX])
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
        if len(data) > BYTES_MAX:
            raise StorageError(f"incident log {path} must have at most {BYTES_MAX} bytes, had more")
        return data.decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as e:
        raise StorageError(f"incident log {path} must be readable text, was not: {e}") from e


def _replace(path: Path, text: str) -> None:
    """Write the whole file beside itself and put it in its place, or leave the old one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        target = path.resolve()
        descriptor, name = tempfile.mkstemp(prefix=".incident_log", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as e:
        raise StorageError(f"incident log {path} must be writable, was not: {e.strerror}") from e
