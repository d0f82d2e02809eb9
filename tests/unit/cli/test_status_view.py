"""What `edgeguard status` says beside its tables."""

import pytest
from rich.console import Console

from edgeguard.cli.status import TICKETS_MAX, _scopes, _unprotected  # pyright: ignore[reportPrivateUsage] - no other way to it without a guard


def said(account: dict[str, object]) -> str:
    console = Console(width=500)
    with console.capture() as capture:
        for part in (*_unprotected(account), *_scopes(account)):
            console.print(part)
    return capture.get()


def test_positions_without_a_stop_loss_are_named() -> None:
    assert "unprotected if this machine dies: 7, 9\n" in said({"no_stop_loss": [7, 9]})
    many = list(range(TICKETS_MAX + 3))
    assert "19 and 3 more\n" in said({"no_stop_loss": many})


@pytest.mark.parametrize("account", [{}, {"no_stop_loss": [], "scopes": []}])
def test_nothing_to_name_is_no_line(account: dict[str, object]) -> None:
    assert not said(account)


def test_a_closed_strategy_is_named_while_the_account_is_open() -> None:
    halt = {"id": "H1", "reason": "ann: why"}
    closed = {"scope": "strategy:trend", "state": "HALTED", "flatten": "NOT_FLAT", "halt": halt}
    paused = {"scope": "symbol:EURUSD", "state": "PAUSED", "flatten": "NONE", "halt": None}
    text = said({"scopes": [closed, paused]})
    assert "strategy:trend is HALTED (flatten NOT_FLAT): halt H1, ann: why\n" in text
    assert "symbol:EURUSD is PAUSED (flatten NONE)\n" in text
