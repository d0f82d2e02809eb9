"""What every suite is handed: how thorough to be, and where to write."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Amount = TypeVar("Amount", int, float)


@dataclass
class Bench:
    """One run of the benchmarks."""

    is_full: bool
    place: Path
    """A directory of this run's own, on the disk that the durable figures are about."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def pairs(self) -> int:
        """How many clean pairs a comparison wants."""
        return 7 if self.is_full else 3

    def sized(self, full: Amount, quick: Amount) -> Amount:
        """Return the amount of work of this kind of run."""
        return full if self.is_full else quick

    def fresh(self, name: str) -> Path:
        """Return a new directory; its path is short enough for a socket."""
        path = self.place / f"{name}{next(self._numbers)}"
        path.mkdir(mode=0o700)
        return path
