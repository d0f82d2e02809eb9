"""What an incident keeps: written once, on a thread, each part for itself.

A part that cannot be had leaves a line in ``README.txt`` and stops no other part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgeguard.clock import NS_PER_S
from edgeguard.codec.native import decode
from edgeguard.config.paths import Paths
from edgeguard.errors import EdgeGuardError, MalformedError
from edgeguard.incident.picture import draw, series_of
from edgeguard.incident.store import Incident
from edgeguard.incident.tape_out import tape_lines
from edgeguard.journal.reading import tail
from edgeguard.log_files import tail_of
from edgeguard.messages import AccountSnapshot, MarketMessage

JOURNAL_ROWS_MAX: Final = 5_000
LOG_BYTES_MAX: Final = 64 * 1024
REPORTS_MAX: Final = 50

Frames = Sequence[tuple[int, bytes]]
"""Receive time in wall ns and payload, oldest first."""


@dataclass(frozen=True)
class Moment:
    """What was known when the incident began: the guard's status and the market before it."""

    status: Mapping[str, Any] | None
    frames: Frames
    minutes: int


def folder_of(paths: Paths, incident: str) -> Path:
    """Return where an incident's evidence is."""
    return paths.state_dir / "incidents" / incident


def collect(paths: Paths, incident: Incident, moment: Moment) -> dict[str, str]:
    """Write the evidence; return what each part holds, in a few words."""
    folder = folder_of(paths, incident.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    messages = decoded(moment.frames)
    since_ns = incident.opened_ns - moment.minutes * 60 * NS_PER_S
    parts: dict[str, Callable[[Path], str]] = {
        "state.json": lambda path: _state(path, moment.status),
        "journal.jsonl": lambda path: _journal(path, paths.journal, since_ns),
        "account.json": lambda path: _accounts(path, messages, incident.accounts),
        "tape.jsonl": lambda path: _tape(path, messages),
        "equity_spreads.png": lambda path: _picture(path, messages, incident),
        "logs.txt": lambda path: _logs(path, paths.log_dir),
    }
    return _write_parts(folder, incident, parts)


def collect_flat(paths: Paths, incident: Incident, moment: Moment) -> None:
    """Add what the flatten brought: the state then, the broker's own records, the picture anew."""
    folder = folder_of(paths, incident.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    halt_id = incident.key.partition(":")[2]
    parts: dict[str, Callable[[Path], str]] = {
        "state_flat.json": lambda path: _state(path, moment.status),
        "flatten.jsonl": lambda path: _reports(path, paths.state_dir / "reports", halt_id),
    }
    messages = decoded(moment.frames)
    if messages:
        parts["equity_spreads.png"] = lambda path: _picture(path, messages, incident)
    _write_parts(folder, incident, parts)


def decoded(frames: Frames) -> list[tuple[int, MarketMessage]]:
    """Return the messages in the frames; what is none is passed over."""
    messages: list[tuple[int, MarketMessage]] = []
    for t_ns, payload in frames:
        try:
            message = decode(payload)
        except MalformedError:
            continue
        if isinstance(message, MarketMessage):
            messages.append((t_ns, message))
    return messages


def _write_parts(
    folder: Path, incident: Incident, parts: Mapping[str, Callable[[Path], str]]
) -> dict[str, str]:
    held: dict[str, str] = {}
    lines: list[str] = []
    for name, write in parts.items():
        try:
            held[name] = write(folder / name)
            lines.append(f"{name}: {held[name] or 'nothing was there to keep'}")
        except (OSError, ValueError, EdgeGuardError) as e:
            held[name] = ""
            lines.append(f"{name}: could not be kept: {e}")
    with (folder / "README.txt").open("a", encoding="utf-8") as file:
        file.write(f"{incident.id}: {incident.summary}\n" + "\n".join(lines) + "\n")
    return held


def _state(path: Path, status: Mapping[str, Any] | None) -> str:
    path.write_text(json.dumps(status, indent=1) + "\n", encoding="utf-8")
    return "the guard's status" if status is not None else ""


def _journal(path: Path, journal: Path, since_ns: int) -> str:
    rows = [row for row in tail(journal, JOURNAL_ROWS_MAX) if _time(row) >= since_ns]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return f"{len(rows)} rows" if rows else ""


def _time(row: Mapping[str, object]) -> int:
    t_ns = row["t_ns"]
    return t_ns if isinstance(t_ns, int) else 0


def _accounts(
    path: Path, messages: Sequence[tuple[int, MarketMessage]], accounts: Sequence[str]
) -> str:
    last: dict[str, dict[str, Any]] = {}
    for t_ns, message in messages:
        if isinstance(message, AccountSnapshot) and message.account in accounts:
            line = next(tape_lines([(t_ns, message)]))
            last[message.account] = json.loads(line)
    path.write_text(json.dumps(last, indent=1) + "\n", encoding="utf-8")
    return ", ".join(f"{name}: {len(row['positions'])} positions" for name, row in last.items())


def _tape(path: Path, messages: Sequence[tuple[int, MarketMessage]]) -> str:
    count = 0
    with path.open("wb") as file:
        for line in tape_lines(messages):
            file.write(line)
            count += 1
    return f"{count} lines; edgeguard replay --config F {path.name}" if count else ""


def _picture(path: Path, messages: Sequence[tuple[int, MarketMessage]], incident: Incident) -> str:
    title = f"{incident.id}: {incident.summary}"
    is_drawn = draw(path, series_of(messages), incident.opened_ns, title)
    return "equity and spreads around the incident" if is_drawn else ""


def _logs(path: Path, folder: Path) -> str:
    names = sorted(folder.glob("*.log")) if folder.is_dir() else []
    ends = [f"== {name.name}\n{tail_of(name, LOG_BYTES_MAX)}\n" for name in names]
    path.write_text("".join(ends), encoding="utf-8")
    return f"the ends of {len(names)} logs" if names else ""


def _reports(path: Path, folder: Path, halt_id: str) -> str:
    newest = sorted(folder.glob("flatten.*.json"), reverse=True)[:REPORTS_MAX]
    records = [json.loads(name.read_bytes()) for name in newest]
    ours = [record for record in records if record.get("halt_id") == halt_id]
    path.write_text("".join(json.dumps(record) + "\n" for record in ours), encoding="utf-8")
    return f"{len(ours)} flatten records" if ours else ""
