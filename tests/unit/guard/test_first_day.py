"""Which reference a history gives, by the configured kind, and when it gives none."""

import pytest

from edgeguard.guard.first_day import History, reference_of

WHOLE = History(1, "", "99000.00", "99500.00", "0.00")
HELD = History(1, "position 7 was open", "99000.00", None, "0.00")
CUT = History(1, "the deal history is incomplete")


@pytest.mark.parametrize(
    ("kind", "history", "reference", "why"),
    [
        ("max_balance_equity", WHOLE, "99500.00", ""),
        ("balance", WHOLE, "99000.00", ""),
        ("equity", WHOLE, "99500.00", ""),
        ("initial_balance", WHOLE, "100000.00", ""),
        ("max_balance_equity", HELD, "", "position 7 was open"),
        ("equity", HELD, "", "position 7 was open"),
        ("balance", HELD, "99000.00", ""),
        ("balance", CUT, "", "the deal history is incomplete"),
        ("initial_balance", CUT, "", "the deal history is incomplete"),
    ],
)
def test_the_reference_or_why_none(kind: str, history: History, reference: str, why: str) -> None:
    assert reference_of(kind, "100000.00", history) == (reference, why)
