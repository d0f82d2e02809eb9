"""Conversion of a paper account: through as many symbols as it takes."""

import pytest

from edgeguard.broker.paper_rates import conversion_rates
from edgeguard.config.model import SymbolConfig

QUOTES = {"EURUSD": (1.2, 1.2), "EURCHF": (1.5, 1.5)}


def test_francs_reach_dollars_through_the_euro() -> None:
    """CHF -> EUR -> USD, and back by the inverse."""
    symbols = [SymbolConfig("EURUSD", 5), SymbolConfig("EURCHF", 5)]
    rates = conversion_rates(symbols, QUOTES, "USD")
    assert rates["CHFUSD"] == pytest.approx(0.8)
    assert rates["USDCHF"] == pytest.approx(1.25)
    assert rates["EURUSD"] == pytest.approx(1.2)


def test_what_no_quote_reaches_has_no_rate() -> None:
    """A symbol without a quote, or a currency that nothing connects, is left out."""
    symbols = [SymbolConfig("USDJPY", 3), SymbolConfig("GBPNZD", 5), SymbolConfig("EURCHF", 5)]
    assert conversion_rates(symbols, QUOTES, "USD") == {}
