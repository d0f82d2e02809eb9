"""Candidate and floor side by side, interleaved; the floor against itself is the null control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benches.harness import cpu, stats

Measure = Callable[[], tuple[list[float], float]]
"""One run: its samples, and the share of one core that others used meanwhile."""


@dataclass
class Pairs:
    """The runs of one comparison; `floors` and `nulls` were measured beside each candidate."""

    candidates: list[list[float]] = field(default_factory=list)
    floors: list[list[float]] = field(default_factory=list)
    nulls: list[list[float]] = field(default_factory=list)
    discarded: int = 0
    dirty: int = 0
    """Runs that were kept although others used the machine: the figure is provisional then."""

    def ratio(self, percent: float) -> float:
        """Return the median over the pairs of the ratio of two percentiles."""
        return stats.median(_ratios(self.candidates, self.floors, percent))

    def spread(self, percent: float) -> tuple[float, float]:
        """Return the lowest and the highest ratio of a pair."""
        found = _ratios(self.candidates, self.floors, percent)
        return min(found), max(found)

    def null(self, percent: float) -> float:
        """Return the same ratio of the floor to itself: what this run cannot tell from 1."""
        return stats.median(_ratios(self.nulls, self.floors, percent))

    def pooled(self) -> list[float]:
        """Return the candidate's samples of all pairs."""
        return [sample for run in self.candidates for sample in run]

    def pooled_floor(self) -> list[float]:
        """Return the floor's samples of all pairs."""
        return [sample for run in self.floors for sample in run]


def _ratios(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], percent: float
) -> list[float]:
    return stats.ratios(
        [stats.percentile(sorted(run), percent) for run in ours],
        [stats.percentile(sorted(run), percent) for run in theirs],
    )


def run_pairs(candidate: Measure, floor: Measure, pairs: int) -> Pairs:
    """Measure floor, candidate, floor, candidate, floor ... until `pairs` clean triples are there.

    A floor ends one triple and begins the next. A triple is discarded when others used more than
    `cpu.DIRTY_ABOVE` of a core in any part, and a floor in which they did begins no other; after
    half as many discarded as wanted they are kept dirty, and counted as such.
    """
    result = Pairs()
    before, dirt_before = floor()
    while len(result.candidates) < pairs:
        ours, dirt_ours = candidate()
        after, dirt_after = floor()
        is_dirty = max(dirt_before, dirt_ours, dirt_after) > cpu.DIRTY_ABOVE
        if is_dirty and result.discarded < (pairs + 1) // 2:
            result.discarded += 1
            before, dirt_before = after, dirt_after
            if dirt_after > cpu.DIRTY_ABOVE:
                before, dirt_before = floor()
            continue
        result.dirty += is_dirty
        result.candidates.append(ours)
        result.floors.append(before)
        result.nulls.append(after)
        before, dirt_before = after, dirt_after
    return result
