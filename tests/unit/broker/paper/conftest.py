"""Benches that most tests of the paper terminal start from."""

import pytest

from edgeguard.broker.paper import presets
from tests.unit.broker.paper.bench import Bench


@pytest.fixture
def hedging() -> Bench:
    """A hedging account with all presets and 100,000 USD."""
    return Bench(presets.hedging())


@pytest.fixture
def netting() -> Bench:
    """A netting account with all presets and 100,000 USD."""
    return Bench(presets.netting())
