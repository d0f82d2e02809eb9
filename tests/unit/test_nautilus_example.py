"""The NautilusTrader example without NautilusTrader: which orders ask the gate."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "nautilus_strategy.py"


def order(*, is_reduce_only: bool = False) -> SimpleNamespace:
    symbol = SimpleNamespace(value="EUR/USD")
    return SimpleNamespace(
        instrument_id=SimpleNamespace(symbol=symbol), is_reduce_only=is_reduce_only, quantity=10
    )


class Strategy:
    """The surface of NautilusTrader's class that the example stands before."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.said: list[str] = []
        self.log = SimpleNamespace(error=self.said.append)

    def submit_order(self, *arguments: object, **named: object) -> None:
        self.sent.append(f"order {arguments} {named}")

    def submit_order_list(self, *arguments: object, **named: object) -> None:
        self.sent.append(f"list {arguments} {named}")

    def modify_order(self, *arguments: object, **named: object) -> None:
        self.sent.append(f"modify {arguments} {named}")


class AskedGate:
    """Answers alike to everything."""

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open

    def check(self, *, symbol: str) -> bool:
        assert symbol == "EURUSD"
        return self.is_open


def strategy(*, is_open: bool) -> Any:  # noqa: ANN401 - a class made of an example
    spec = importlib.util.spec_from_file_location("nautilus_strategy", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    mine: Any = type("Mine", (module.Guarded, Strategy), {})
    return mine(gate=AskedGate(is_open=is_open), reporter=None)


RISK: tuple[Callable[[Any], None], ...] = (
    lambda s: s.submit_order(order()),
    lambda s: s.submit_order_list(SimpleNamespace(orders=[order(is_reduce_only=True), order()])),
    lambda s: s.modify_order(order(), 11),
    lambda s: s.modify_order(order(), quantity=11, price=1),
)
HARMLESS: tuple[Callable[[Any], None], ...] = (
    lambda s: s.submit_order(order(is_reduce_only=True)),
    lambda s: s.submit_order_list(SimpleNamespace(orders=[order(is_reduce_only=True)])),
    lambda s: s.modify_order(order(), 9),
    lambda s: s.modify_order(order(), price=1),
    lambda s: s.modify_order(order(is_reduce_only=True), 11),
)


@pytest.mark.parametrize("do", RISK)
def test_what_may_open_risk_asks(do: Callable[[Any], None]) -> None:
    """P4: single orders, brackets and orders that grow go out while open alone."""
    is_open, is_closed = strategy(is_open=True), strategy(is_open=False)
    do(is_open)
    do(is_closed)
    assert len(is_open.sent) == 1
    assert is_closed.sent == []
    assert len(is_closed.said) == 1


@pytest.mark.parametrize("do", HARMLESS)
def test_what_only_reduces_passes(do: Callable[[Any], None]) -> None:
    """Exits never wait for a gate."""
    is_closed = strategy(is_open=False)
    do(is_closed)
    assert len(is_closed.sent) == 1
