"""Order statistics of the benchmarks."""

from __future__ import annotations

import random

import pytest

from benches.harness import stats


def test_percentiles_are_samples_with_enough_at_or_below() -> None:
    ordered = [float(one) for one in range(1, 101)]
    assert stats.percentile(ordered, 50) == 50
    assert stats.percentile(ordered, 99) == 99
    assert stats.percentile(ordered, 99.9) == 100
    assert stats.percentile([7.0], 0.1) == 7


def test_no_sample_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        stats.percentile([], 50)


def test_median_of_an_even_number_is_between_the_two() -> None:
    assert stats.median([4.0, 1.0, 3.0, 2.0]) == 2.5
    assert stats.median([3.0, 1.0, 2.0]) == 2


def test_p999_is_quoted_only_with_samples_beyond_it() -> None:
    assert "p99.9" not in stats.summary([1.0] * 999)
    assert "p99.9" in stats.summary([1.0] * 1000)


def test_ecdf_rises_to_one_and_keeps_the_extremes() -> None:
    dice = random.Random(1)
    samples = [dice.expovariate(1.0) for _ in range(5000)]
    points = stats.ecdf(samples)
    assert points == sorted(points)
    assert points[-1] == (max(samples), 1.0)
    assert len(points) < 400
    for value, share in points:
        assert sum(one <= value for one in samples) / len(samples) == pytest.approx(share)


def test_ratios_are_of_pairs() -> None:
    assert stats.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="zip"):
        stats.ratios([1.0], [1.0, 2.0])
