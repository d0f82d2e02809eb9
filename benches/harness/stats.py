"""Order statistics over samples, and nothing cleverer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

TAIL_MIN: Final = 1000
"""Samples that must lie beyond a percentile before p99.9 is worth printing."""
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest sample with at least `percent` of all samples at or below it.

    Raises:
        ValueError: there is no sample.
    """
    if not ordered:
        raise ValueError("samples must not be empty, were")
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(rank, 1) - 1]


def median(samples: Sequence[float]) -> float:
    """Return the middle sample, the mean of both where there are two."""
    ordered = sorted(samples)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Return p50, p90, p99 and, where enough samples lie beyond it, p99.9; and the extremes."""
    ordered = sorted(samples)
    found = {f"p{percent:g}": percentile(ordered, percent) for percent in PERCENTILES}
    if len(ordered) < TAIL_MIN:
        del found["p99.9"]
    return {"min": ordered[0], **found, "max": ordered[-1]}


def ecdf(samples: Sequence[float], points: int = 160) -> list[tuple[float, float]]:
    """Return (value, share at or below), thinned in the body and kept dense in the tail."""
    ordered = sorted(samples)
    count = len(ordered)
    shares = {i / points for i in range(1, points + 1)}
    tail = 1.0
    while tail * count >= 1:
        shares |= {1 - tail * step / 10 for step in range(1, 10)}
        tail /= 10
    ranks = sorted({min(max(math.ceil(share * count), 1), count) for share in shares})
    return [(ordered[rank - 1], rank / count) for rank in ranks]


def ratios(candidate: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Return the ratio of each pair that was measured side by side."""
    return [ours / theirs for ours, theirs in zip(candidate, floor, strict=True)]
