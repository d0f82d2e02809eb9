"""A terminal's floats become exact decimal text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeguard.broker.values import fixed_text, plain_text, price_text, step_digits, volume_text
from tests.unit.broker.planner.play import spec


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.1 + 0.2, 2, "0.30"),
        (97000.0, 2, "97000.00"),
        (-0.001, 2, "0.00"),
        (-6.0, 2, "-6.00"),
        (1e-9, 2, "0.00"),
        (123456789.125, 0, "123456789"),
    ],
)
def test_money_has_its_currencys_digits(value: float, digits: int, text: str) -> None:
    """Rounded to the account currency, and never minus nothing."""
    assert fixed_text(value, digits) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_no_number(value: float) -> None:
    """A broken figure is absent, never a zero that looks like one."""
    assert fixed_text(value, 2) is None


@given(points=st.integers(1, 10**9), digits=st.integers(0, 8))
def test_prices_on_the_grid_are_exact(points: int, digits: int) -> None:
    """Every price on its symbol's grid prints as that grid has it."""
    exact = Decimal(points).scaleb(-digits)
    assert price_text(float(exact), digits) == f"{exact:.{digits}f}"


def test_a_price_between_points_keeps_its_digits() -> None:
    """The opening price of a netting position is an average."""
    assert price_text(1.0850033, 5) == "1.0850033"
    assert price_text(1.08500, 5) == "1.08500"


@given(units=st.integers(1, 10**12))
def test_volumes_are_exact(units: int) -> None:
    """A volume prints as the whole number of 1e-8 lots that it is."""
    assert Decimal(volume_text(units / 1e8, None)) == Decimal(units).scaleb(-8)


def test_volumes_have_the_steps_digits() -> None:
    """0.1 lot of a symbol with step 0.01 is 0.10."""
    assert volume_text(0.1, spec()) == "0.10"
    assert volume_text(3.0, spec(volume_step=1.0)) == "3"
    assert volume_text(0.015, spec()) == "0.015"
    assert [step_digits(x) for x in (1.0, 0.1, 0.01, 0.25, 0.001)] == [0, 1, 2, 2, 3]


def test_plain_text_has_no_exponent() -> None:
    """Whatever its size."""
    assert plain_text(1e-7) == "0.0000001"
    assert plain_text(1e22) == "10000000000000000000000"
