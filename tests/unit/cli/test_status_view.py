"""What `edgeguard status` says beside its tables."""

import pytest
from rich.console import Console

from edgeguard.cli.status import TICKETS_MAX, _console, _scopes, _unprotected, _view  # pyright: ignore[reportPrivateUsage] - no other way to it without a guard


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


def test_a_feeds_words_steer_no_terminal_and_forge_no_line() -> None:
    """P22: symbols of strangers, and whatever else a document holds, are shown as data."""
    hostile = "[/b][red]X\n\x1b[2Jthe gate is open\u202e\x9b"
    bad = {"crossed": 1, "unknown_symbol": 1}
    account = {
        "id": "A",
        "limits": {hostile: {"value": "1"}},
        "symbols": [{"name": hostile, "bad": bad}],
    }
    feed = {"name": hostile, "age_ms": None, "required": False, "bad": 1}
    document = {
        "state": "HALTED",
        "flatten": "NONE",
        "halt": {"id": "H", "trigger": hostile, "reason": hostile, "durable": True},
        "gate": {"open": False, "why": hostile, "opens_when": hostile},
        "accounts": [account],
        "feeds": [feed],
    }
    console = _console()
    console.width = 500
    with console.capture() as capture:
        console.print(_view(document))
    lines = capture.get().split("\n")
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith(("the gate is open", "[2J"))]
    assert sum("[/b][red]X\\n\\x1b[2Jthe gate is open\\u202e\\x9b" in line for line in lines) == 6


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
