"""What the native pinger sends, and what it found: the file formats of ``native/wire.c``."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_COUNT = struct.Struct("<Q")
_RECORD = struct.Struct("<QIIIII")


class Record(NamedTuple):
    """One message: due so many ns after the start; `match` is its answer's topic (empty: none).

    `says` is what its answer holds: a message of that topic without it is no answer.
    """

    due_ns: int
    topic: bytes
    payload: bytes
    match: bytes = b""
    stamp_at: int = 0
    """Where in the payload a msgpack uint64 becomes the wall clock; 0: nowhere."""
    says: bytes = b""


class Answer(NamedTuple):
    """One answered record, CLOCK_MONOTONIC ns; `received` is 0 where it was lost."""

    due: int
    sent: int
    received: int


def write(path: Path, records: Iterable[Record]) -> int:
    """Write records for the pinger and return their number."""
    count = 0
    with path.open("wb") as file:
        file.write(_COUNT.pack(0))
        for one in records:
            sizes = (len(one.topic), len(one.payload), one.stamp_at, len(one.match), len(one.says))
            file.write(_RECORD.pack(one.due_ns, *sizes))
            file.write(one.topic + one.payload + one.match + one.says)
            count += 1
        file.seek(0)
        file.write(_COUNT.pack(count))
    return count


def read(path: Path) -> list[Answer]:
    """Return what the pinger found."""
    words = array("Q")
    words.frombytes(path.read_bytes())
    triples = zip(words[0::3], words[1::3], words[2::3], strict=True)
    return [Answer(*triple) for triple in triples]


def latencies_us(answers: Iterable[Answer], *, since_sent: bool = False) -> tuple[list[float], int]:
    """Return the latencies counted from when each record was due, and how many were lost.

    Since it was sent, if asked: what the pinger was late by is then left out. It never waits for an
    answer, so whoever is measured cannot make it late.
    """
    kept: list[float] = []
    lost = 0
    for one in answers:
        if one.received:
            if one.received < one.sent:
                raise ValueError("an answer must come after its question, came before")
            begun = one.sent if since_sent else one.due
            kept.append((one.received - begun) / 1000)
        else:
            lost += 1
    return kept, lost
