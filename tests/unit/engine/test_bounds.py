"""What the configuration's table of rules lets through, the engine takes.

A guard must not die at its start of a file that ``edgeguard config check`` calls sound.
"""

import zoneinfo
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from edgeguard.config import model
from edgeguard.config.check import ACCOUNTS_MAX
from edgeguard.config.kinds import Choice, Number
from edgeguard.config.load import parse_config
from edgeguard.config.rules import RULES
from edgeguard.engine import Engine

PLACES_MAX = 27
SECTIONS = {model.AccountConfig: "account", model.Limits: "limits", model.SymbolConfig: "symbol"}
BESIDE = {
    "tick_size": "tick_value = 1",
    "tick_value": "tick_size = 1",
    "spread_multiple": "spread_clear_multiple = 1",
    "spread_clear_multiple": "spread_multiple = 1000",
}
"""What another key must say so that a key may stand at its edges."""
BETWEEN = ("lock_at",)
"""Keys whose range another key narrows."""


def edges(rule: Number) -> Iterator[str]:
    """Yield the lowest and the highest value of a rule, or one next to a bound that is left out."""
    step = Decimal(1).scaleb(0 if rule.integer else -min(rule.places, PLACES_MAX))
    low, high = Decimal(rule.low), Decimal(rule.high)
    yield f"{low + step if rule.low_open else low:f}"
    yield f"{high - step if rule.high_open else high:f}"


def cases() -> Iterator[tuple[str, str, str]]:
    for section, name in SECTIONS.items():
        for key, rule in RULES[section].items():
            if isinstance(rule, Number) and key not in BETWEEN:
                for edge in edges(rule):
                    yield name, key, edge if rule.integer else f'"{edge}"'
            if isinstance(rule, Choice):
                for word in rule.words:
                    yield name, key, f'"{word}"'


ROWS = {
    "account": """
[[account]]
login = 7
server = "S"
trade_mode = "demo"
currency = "USD"
initial_balance = 100000
terminal = "paper"
""",
    "limits": "[account.limits]\n",
    "symbol": '[[symbol]]\nname = "EURUSD"\ndigits = 5\n',
}


def engine_of(text: str) -> Engine:
    return Engine(msgspec.json.encode(parse_config(text.encode(), Path("c"))), "hash", live=True)


def build(**extra: str) -> Engine:
    """Return an engine of a configuration with further lines in some of its sections."""
    text = ""
    for section, rows in ROWS.items():
        mine = extra.get(section, "").splitlines()
        keys = tuple(f"{line.split()[0]} = " for line in mine)
        kept = [row for row in rows.splitlines() if not row.startswith(keys)]
        name = ['id = "A"'] if section == "account" else []
        text += "\n".join([*kept, *name, *mine]) + "\n"
    return engine_of(text)


@pytest.mark.parametrize(("section", "key", "value"), list(cases()))
def test_every_edge_of_every_rule_is_taken(section: str, key: str, value: str) -> None:
    """The lowest, the highest and every word."""
    beside = BESIDE.get(key)
    lines = f"{key} = {value}" + (f"\n{beside}" if beside else "")
    assert build(**{section: lines}).status()


def test_every_zone_of_the_calendar_is_taken() -> None:
    """The two halves have their zones from two packages."""
    zones = sorted(zoneinfo.available_timezones() - {"localtime"})
    assert len(zones) > 400
    head, tail = ROWS["account"], ROWS["symbol"]
    for some in (zones[at : at + ACCOUNTS_MAX] for at in range(0, len(zones), ACCOUNTS_MAX)):
        accounts = "".join(
            f'{head}id = "A{at}"\n[account.limits]\nrollover_zone = "{zone}"\n'
            for at, zone in enumerate(some)
        )
        assert engine_of(accounts + tail).status()
    symbols = "".join(
        f'[[symbol]]\nname = "S{at}"\ndigits = 5\nsession = ["Mon 09:00-17:30 {zone}"]\n'
        for at, zone in enumerate(zones)
    )
    assert engine_of(f'{head}id = "A"\n{symbols}').status()


@pytest.mark.parametrize("session", ["24x7", "24x5", "24x5_break"])
def test_every_session_is_taken(session: str) -> None:
    build(symbol=f'session = "{session}"\nholidays = ["2026-12-25", "2028-02-29"]')
