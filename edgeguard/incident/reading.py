"""What the ops process takes from the guard's journal: halts, resumes, alarms, operators' words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import msgspec

from edgeguard.errors import StorageError
from edgeguard.incident.changes import Halted
from edgeguard.journal.reading import tail
from edgeguard.messages import Command, HaltEvent

ROWS_MAX: Final = 20_000
HALTS_MAX: Final = 200


class Alarm(msgspec.Struct, frozen=True):
    """One alarm of the guard or the broker; people hear of it."""

    seq: int
    t_ns: int
    account: str
    code: str
    text: str


def halts(path: Path) -> list[dict[str, Any]]:
    """Return the halts, pauses and resumes that the journal has, newest first."""
    found: list[dict[str, Any]] = []
    for row in reversed(_rows(path, 0)):
        event = _event(row)
        if event is not None:
            halt = None if event.halt is None else msgspec.structs.asdict(event.halt)
            words = {"halt": halt, "journal_seq": row["seq"]}
            found.append(msgspec.structs.asdict(event) | words)
        if len(found) == HALTS_MAX:
            break
    return found


def halts_in(rows: list[dict[str, Any]]) -> list[Halted]:
    """Return the halts among what `halts` returns, oldest first."""
    found: list[Halted] = []
    for row in reversed(rows):
        halt = cast("dict[str, Any] | None", row["halt"])
        if row["action"] == "halt" and halt is not None:
            words = (halt["id"], halt["t_ns"], halt["trigger"], halt["reason"])
            found.append(Halted(row["account"], row["scope"], *words))
    return found


def alarms(path: Path, after_seq: int) -> list[Alarm]:
    """Return the alarms behind a row, oldest first; none where there is no journal yet."""
    found: list[Alarm] = []
    for row in _rows(path, after_seq):
        if row["kind"] == "alarm" and isinstance(row["body"], dict):
            body = cast("dict[str, Any]", row["body"])
            words = (str(body.get("code", "")), str(body.get("text", "")))
            found.append(Alarm(row["seq"], row["t_ns"], row["account"], *words))
    return found


def head(path: Path) -> int:
    """Return the number of the journal's last row, 0 where there is none."""
    rows = _rows(path, 0, 1)
    return int(rows[-1]["seq"]) if rows else 0


def resumed_by(path: Path, halt_id: str) -> str:
    """Return who resumed a halt and why, empty where the journal does not say."""
    for row in reversed(_rows(path, 0)):
        if row["kind"] != "command":
            continue
        try:
            command = msgspec.convert(row["body"], Command)
        except msgspec.ValidationError:
            continue
        if command.verb == "resume" and command.args.get("halt_id") == halt_id:
            return f"resumed by {command.operator}: {command.reason}"
    return ""


def _rows(path: Path, after_seq: int, count: int = ROWS_MAX) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        return cast("list[dict[str, Any]]", tail(path, count, after_seq))
    except StorageError:
        # The guard tells of a journal that cannot be read; here it is only silent.
        return []


def _event(row: dict[str, Any]) -> HaltEvent | None:
    if row["kind"] != "state":
        return None
    try:
        return msgspec.convert(row["body"], HaltEvent)
    except msgspec.ValidationError:
        return None
