"""Learn what a spread normally is: the lower median of each quarter hour of the New York week.

The result is the `spread_profile` that the price-anomaly trigger reads. Only counts of spreads are
kept, so that years of ticks need no more memory than days, and files may come in any order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from edgeguard.errors import InputError
from edgeguard.ticks.rows import stream_rows
from edgeguard.ticks.sift import Jump, Sieve
from edgeguard.ticks.spec import TickFile, TickSpec
from edgeguard.ticks.week import BUCKETS, WeekClock

PROFILE_VERSION: Final = 1
SAMPLES_MIN_DEFAULT: Final = 20
PROGRESS_ROWS: Final = 20_000
"""Rows between two calls of the progress function."""
_BI5_BYTES: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LearnedFile(msgspec.Struct, frozen=True):
    """Where a profile comes from: one tick file, its rows and its sha256."""

    name: str
    sha256: str
    rows: int


class LearnedSymbol(msgspec.Struct, frozen=True):
    """One symbol of a profile; the engine reads `buckets` alone, the rest is provenance."""

    buckets: list[int | None]
    """Lower median in points per quarter hour of the New York week; null: too few samples."""
    samples: list[int]
    digits: int
    ticks: int
    """Accepted ticks; a bad or suspicious one teaches nothing."""
    bad: dict[str, int]
    first: str
    last: str
    """Times of the first and last accepted tick, by the files' own clock."""
    files: list[LearnedFile]


class Profile(msgspec.Struct, frozen=True):
    """The file that `edgeguard learn-spreads` writes."""

    version: int
    symbols: dict[str, LearnedSymbol]
    learned_by: str
    samples_min: int
    zone: str


@dataclass(frozen=True)
class Rules:
    """How to learn one symbol."""

    digits: int
    jump: Jump
    week: WeekClock
    samples_min: int = SAMPLES_MIN_DEFAULT


def _counters() -> list[Counter[int]]:
    return [Counter() for _ in range(BUCKETS)]


@dataclass
class Learner:
    """The spreads of one symbol so far: per bucket, how often each was seen."""

    rules: Rules
    spreads: list[Counter[int]] = field(default_factory=_counters)
    bad: Counter[str] = field(default_factory=Counter[str])
    files: list[LearnedFile] = field(default_factory=list[LearnedFile])
    first_ns: int | None = None
    last_ns: int | None = None

    def add_file(
        self, spec: TickSpec, file: TickFile, progress: Callable[[int], None] | None = None
    ) -> None:
        """Learn from one opened file; each file is sifted on its own, so their order is free.

        Args:
            spec: what the file is.
            file: its bytes.
            progress: told how many more rows are done, now and then.

        Raises:
            InputError: a row cannot be read; names file and line.
        """
        sieve = Sieve(self.rules.digits, self.rules.jump)
        rows = 0
        for line, row in stream_rows(spec.kind, file, self.rules.digits):
            try:
                for t_ns, spread in sieve.take(row):
                    self._count(t_ns, spread)
            except ArithmeticError as e:
                msg = f"{file.name}:{line}: bid and ask must be numbers, were {row.bid} {row.ask}"
                raise InputError(msg) from e
            rows += 1
            if progress is not None and rows % PROGRESS_ROWS == 0:
                progress(PROGRESS_ROWS)
        if progress is not None:
            progress(rows % PROGRESS_ROWS)
        self.bad += sieve.bad
        self.files.append(LearnedFile(file.name, hashlib.sha256(file.data).hexdigest(), rows))

    def _count(self, t_ns: int, spread: int) -> None:
        self.spreads[self.rules.week.bucket(t_ns)][spread] += 1
        self.first_ns = t_ns if self.first_ns is None else min(self.first_ns, t_ns)
        self.last_ns = t_ns if self.last_ns is None else max(self.last_ns, t_ns)

    def learned(self) -> LearnedSymbol:
        """Return what was learned so far."""
        samples = [counter.total() for counter in self.spreads]
        buckets = [
            quantile(counter, 1, 2) if count >= self.rules.samples_min else None
            for counter, count in zip(self.spreads, samples, strict=True)
        ]
        return LearnedSymbol(
            buckets=buckets,
            samples=samples,
            digits=self.rules.digits,
            ticks=sum(samples),
            bad=dict(sorted(self.bad.items())),
            first=_text(self.first_ns),
            last=_text(self.last_ns),
            files=sorted(self.files, key=lambda file: (file.name, file.sha256)),
        )


def quantile(counter: Counter[int], numerator: int, denominator: int) -> int | None:
    """Return ``sorted[(n - 1) * numerator // denominator]`` of counted values; None without any."""
    count = counter.total()
    at = (count - 1) * numerator // denominator
    for value in sorted(counter):
        at -= counter[value]
        if at < 0:
            return value
    return None


def rows_in(spec: TickSpec, file: TickFile) -> int:
    """Return about how many rows a file has, for a progress bar."""
    if spec.kind == "dukascopy":
        return len(file.data) // _BI5_BYTES
    headers = int(spec.kind in {"bookticker", "mt5csv"})
    return file.data.count(b"\n") + (not file.data.endswith(b"\n")) - headers


def encode(profile: Profile) -> bytes:
    """Return a profile's bytes: the same for the same learning."""
    return msgspec.json.format(msgspec.json.encode(profile), indent=0) + b"\n"


def _text(t_ns: int | None) -> str:
    if t_ns is None:
        return ""
    stamp = _EPOCH + timedelta(microseconds=t_ns // 1000)
    return stamp.replace(tzinfo=None).isoformat(timespec="milliseconds")
