"""Pairs: what is discarded, what is kept, what a ratio is of."""

from __future__ import annotations

from collections.abc import Iterator

from benches.harness import cpu, pairs

CLEAN, DIRTY = 0.0, cpu.DIRTY_ABOVE * 2


def _measure(values: list[float], dirt: Iterator[float]) -> pairs.Measure:
    return lambda: (values, next(dirt))


def _always(share: float) -> Iterator[float]:
    while True:
        yield share


def test_ratio_is_the_median_over_pairs_and_the_null_is_the_floor_to_itself() -> None:
    candidates = iter(([2.0], [4.0], [12.0]))
    floors = iter(([1.0], [2.0], [4.0], [8.0]))
    found = pairs.run_pairs(
        lambda: (next(candidates), CLEAN), lambda: (next(floors), CLEAN), pairs=3
    )
    assert found.ratio(50) == 2.0
    assert found.spread(50) == (2.0, 3.0)
    assert found.null(50) == 2.0
    assert found.discarded == found.dirty == 0
    assert next(floors, None) is None


def test_a_dirty_candidate_discards_its_triple_and_is_counted() -> None:
    dirt = iter((CLEAN, DIRTY, CLEAN, CLEAN, CLEAN, CLEAN, CLEAN))
    measure = _measure([1.0], dirt)
    found = pairs.run_pairs(measure, measure, pairs=2)
    assert (found.discarded, found.dirty, len(found.candidates)) == (1, 0, 2)
    assert next(dirt, None) is None


def test_a_dirty_floor_begins_no_other_triple() -> None:
    # The third run is dirty: the floor is measured anew before the next candidate.
    dirt = iter((CLEAN, CLEAN, DIRTY, CLEAN, CLEAN, CLEAN, CLEAN, CLEAN))
    measure = _measure([1.0], dirt)
    found = pairs.run_pairs(measure, measure, pairs=2)
    assert (found.discarded, found.dirty, len(found.candidates)) == (1, 0, 2)
    assert next(dirt, None) is None


def test_a_machine_that_never_rests_gives_a_provisional_figure_not_none() -> None:
    measure = _measure([1.0], _always(DIRTY))
    found = pairs.run_pairs(measure, measure, pairs=3)
    assert (found.discarded, found.dirty, len(found.candidates)) == (2, 3, 3)


def test_the_meter_sees_no_negative_share() -> None:
    assert cpu.CpuMeter().others() >= 0.0
