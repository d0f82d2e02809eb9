"""The presets: each is a fragment that loads below an account, and none is looser than its firm."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from edgeguard.config.load import parse_config

ROOT = Path(__file__).parents[3]
PRESETS = sorted((ROOT / "config" / "presets").glob("*.toml"))
ACCOUNT = """
[[account]]
id = "A"
login = 7
server = "S"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000.00"
terminal = "paper"
"""
SYMBOL = """
[[symbol]]
name = "EURUSD"
digits = 5
"""


def test_there_is_a_preset_for_every_firm_of_the_reference() -> None:
    """Seven rows, seven files."""
    assert {path.stem for path in PRESETS} == {
        "apex",
        "b2broker_pamm",
        "fintokei_protrader",
        "ftmo_1step",
        "ftmo_2step",
        "myfundedcapital",
        "the5ers_high_stakes",
    }


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_loads_below_an_account(path: Path) -> None:
    """As its own comment says: in place of [account.limits]; every key of it is taken."""
    fragment = path.read_text(encoding="utf-8")
    config = parse_config(f"{ACCOUNT}{fragment}{SYMBOL}".encode(), path)
    table = tomllib.loads(fragment)
    assert list(table) == ["account"]
    limits = config.account[0].limits
    assert {key: getattr(limits, key) for key in table["account"]["limits"]} == (
        table["account"]["limits"]
    )


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_names_its_source_and_date_and_stays_inside_the_firms_limits(path: Path) -> None:
    """What the firm allows stands in a comment; the value keeps at least a tenth of it in hand."""
    text = path.read_text(encoding="utf-8")
    assert re.search(r"^# Source: .*", text, re.MULTILINE)
    assert re.search(r"read on 20\d\d-\d\d-\d\d", text.replace("\n# ", " "))
    limits = tomllib.loads(text)["account"]["limits"]
    theirs = re.search(r"^# Theirs: (.*)\.$", text, re.MULTILINE)
    for key, value in re.findall(r"(\w+) = ([\d.]+)", theirs[1] if theirs else ""):
        assert Decimal(limits[key]) <= Decimal(value) * Decimal("0.9"), key
