"""The table of rules, the Structs, the schema and the shipped files say the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from edgeguard.config.kinds import Choice, ExactNumber
from edgeguard.config.load import load_config
from edgeguard.config.model import AccountConfig, Config
from edgeguard.config.rules import RULES
from edgeguard.config.schema import config_schema, inner_section

CONFIGS = Path(__file__).parents[3] / "config"


def sections(section: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """Yield a section and those inside it."""
    yield section
    for kind in get_type_hints(section).values():
        inner = inner_section(kind)
        if inner is not None:
            yield from sections(inner[0])


def test_every_key_has_a_rule_and_no_rule_is_left_over() -> None:
    """A key without a rule could not be loaded; a rule without a key would be a dead letter."""
    for section in sections(Config):
        kinds = get_type_hints(section)
        plain = {name for name, kind in kinds.items() if inner_section(kind) is None}
        assert plain == set(RULES.get(section, {})), section.__name__


def test_every_default_keeps_its_own_rule() -> None:
    """What the Struct gives by default could also stand in the file."""
    for section, rules in RULES.items():
        for field in msgspec.structs.fields(section):
            default: Any = field.default
            if field.name in rules and default not in (msgspec.NODEFAULT, None):
                # The file holds lists where the Struct holds tuples.
                found = rules[field.name].read(json.loads(msgspec.json.encode(default)))
                assert found == default, field.name


def test_choices_are_those_of_the_types() -> None:
    """A word of a Literal is a word of the rule."""
    for section, rules in RULES.items():
        kinds = get_type_hints(section)
        for name, rule in rules.items():
            if isinstance(rule, Choice):
                words = {
                    word
                    for part in (kinds[name], *get_args(kinds[name]))
                    for word in get_args(part)
                }
                assert set(rule.words) <= (words or {*get_args(kinds[name])}), name


def test_every_key_is_explained_in_a_shipped_file() -> None:
    """Every key stands, set or commented out, in config/*.toml."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in CONFIGS.glob("*.toml"))
    for section in sections(Config):
        for name, kind in get_type_hints(section).items():
            inner = inner_section(kind)
            pattern = rf"\[\[?(\w+\.)*{name}\]" if inner else rf"^(#\s*)*{name} ="
            assert re.search(pattern, text, re.MULTILINE), f"{section.__name__}.{name}"


@pytest.mark.parametrize("name", ["paper.toml", "live.example.toml"])
def test_shipped_files_load(name: str) -> None:
    """What we ship is sound."""
    config, _ = load_config(CONFIGS / name)
    assert config.account


def test_paper_knows_the_symbols_of_the_shared_ticks() -> None:
    """TRIGGERS section 10 names them."""
    config, _ = load_config(CONFIGS / "paper.toml")
    known = {symbol.name for symbol in config.symbol}
    assert known >= {"EURUSD", "XAUUSD", "EURCHF", "GBPUSD", "BTCUSDT"}


def test_the_schema_names_every_key_and_refuses_others() -> None:
    """An editor that completes by the schema knows what the loader knows."""
    schema: Any = config_schema()
    limits = schema["properties"]["account"]["items"]["properties"]["limits"]
    assert limits["properties"]["daily_loss"]["anyOf"][0]["exclusiveMaximum"] == 1
    assert limits["additionalProperties"] is False
    assert schema["required"] == ["account", "symbol"]


def test_an_exact_number_drops_the_underscores_that_toml_allows() -> None:
    """100_000.5 is a number to TOML; the engine reads digits alone."""
    rule = RULES[AccountConfig]["initial_balance"]
    assert rule.read(ExactNumber("100_000.5")) == "100000.5"
