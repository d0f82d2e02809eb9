"""Which recorded ticks teach a spread: TRIGGERS section 2 on rows of a file."""

from fractions import Fraction

import pytest

from edgeguard.ticks.rows import Row
from edgeguard.ticks.sift import Accepted, Jump, Sieve

MS = 1_000_000
JUMP = Jump(Fraction("0.02"), 500 * MS)


def sift(*rows: tuple[int, str, str]) -> tuple[list[Accepted], dict[str, int]]:
    sieve = Sieve(5, JUMP)
    accepted = [one for row in rows for one in sieve.take(Row(*row))]
    return accepted, dict(sieve.bad)


def test_every_cause_of_a_bad_tick_is_counted_and_teaches_nothing() -> None:
    """Bid = ask and an equal stamp are fine."""
    accepted, bad = sift(
        (10, "1.10000", "1.10010"),
        (10, "1.10000", "1.10000"),
        (11, "NaN", "1.10010"),
        (11, "1.10000", "Infinity"),
        (11, "0", "1.10010"),
        (11, "-1.1", "1.10010"),
        (11, "1.10010", "1.10000"),
        (9, "1.10000", "1.10010"),
        (12, "1.10000", "1.10011"),
    )
    assert accepted == [(10, 10), (10, 0), (12, 11)]
    assert bad == {"non_finite": 2, "not_positive": 2, "crossed": 1, "running_back": 1}


def test_prices_become_points_by_half_even_rounding() -> None:
    """As the engine rounds them."""
    assert sift((1, "1.100005", "1.100015"), (2, "1.1", "1.1000249"))[0] == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("mid", "accepted"),
    [("1.05001", [(1, 2), (3, 2)]), ("1.00002", [(1, 2), (3, 2)]), ("1.20000", [(1, 2)])],
)
def test_a_suspect_waits_for_the_next_tick(mid: str, accepted: list[Accepted]) -> None:
    """A tick near the suspect confirms it, one near the last accepted discards it."""
    ask = str(Fraction(mid) + Fraction("0.00002"))
    ask = f"{float(Fraction(ask)):.5f}"
    assert sift((1, "1.00000", "1.00002"), (2, "1.05000", "1.05009"), (3, mid, ask))[0] == accepted


def test_an_unresolved_suspect_is_believed_at_its_deadline() -> None:
    """The latest one, with the deadline's time; a bad row's time moves the clock as well."""
    accepted, _ = sift(
        (0, "1.00000", "1.00002"),
        (1, "1.10000", "1.10003"),
        (2, "1.20000", "1.20004"),
        (500 * MS, "2", "1"),
        (500 * MS + 1, "2", "1"),
    )
    assert accepted == [(0, 2), (500 * MS + 1, 4)]
