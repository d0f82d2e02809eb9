"""What every suite is handed: how thorough to be, and where to write."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benches.harness.result import Figure

Amount = TypeVar("Amount", int, float)


@dataclass
class Bench:
    """One run of the benchmarks."""

    is_full: bool
    place: Path
    """A directory of this run's own, on the disk that the durable figures are about."""
    figures: list[Figure] = field(default_factory=list)
    """What this run has measured so far."""
    wanted_pairs: int = 0
    """Pairs a comparison, 0: as many as this kind of run has."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def pairs(self) -> int:
        """How many clean pairs a comparison wants."""
        return self.wanted_pairs or self.sized(7, 2)

    def sized(self, full: Amount, quick: Amount) -> Amount:
        """Return the amount of work of this kind of run."""
        return full if self.is_full else quick

    def value(self, group: str, name: str) -> float | None:
        """Return a figure that was measured before in this run."""
        found = (one.value for one in self.figures if (one.group, one.name) == (group, name))
        return next(found, None)

    def fresh(self, name: str) -> Path:
        """Return a new directory; its path is short enough for a socket."""
        path = self.place / f"{name}{next(self._numbers)}"
        path.mkdir(mode=0o700)
        return path
