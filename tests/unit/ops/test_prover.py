"""The kill channel is proven at each turn, and never while a terminal has closing to do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edgeguard.ops.prover import Prover


def turn(status: dict[str, Any] | None) -> list[str]:
    asked: list[str] = []
    asyncio.run(Prover(("A", "B"), lambda: status, asked.append).turn())
    return asked


@pytest.mark.parametrize("flatten", ["IN_PROGRESS", "NOT_FLAT"])
def test_an_account_that_is_being_flattened_is_left_alone(flatten: str) -> None:
    accounts = [{"id": "A", "flatten": flatten}, {"id": "B", "flatten": "FLAT_VERIFIED"}]
    assert turn({"accounts": accounts}) == ["B"]


def test_without_a_guard_the_brokers_are_asked_all_the_same() -> None:
    assert turn(None) == ["A", "B"]
    assert turn({"accounts": [{"id": "A", "flatten": "NONE"}]}) == ["A", "B"]
