"""The configuration file: accounts, limits, symbols, feeds and strategies, with their defaults."""

import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.oracle.calendar_ import DAY_MINUTES, NAMED, WEEKDAYS, Session, Window, zone
from tests.oracle.errors import BadConfig, Refused
from tests.oracle.numerals import Numeral, parse, seconds_ns
from tests.oracle.ranges import LIMITS, check

REFERENCES = ("max_balance_equity", "balance", "equity", "initial_balance")
BASES = ("reference", "initial_balance")
FIRST_REFERENCES = ("history", "snapshot", "operator")
DRAWDOWN_MODES = ("trailing_equity", "static", "trailing_eod_balance")
CONFIRMS = ("reported", "none")

# Defaults as INTERFACES.md shows them; lock_at has none.
LIMIT_DEFAULTS: dict[str, str] = {
    "daily_loss": "0.03", "daily_reference": REFERENCES[0], "daily_base": BASES[0],
    "rollover_time": "17:00", "rollover_zone": "America/New_York",
    "first_reference": FIRST_REFERENCES[0], "total_drawdown": "0.06",
    "drawdown_mode": DRAWDOWN_MODES[0], "connection_lost_s": "60", "errors_per_minute": "10",
    "confirm": CONFIRMS[0], "confirm_ms": "500", "spread_multiple": "5",
    "spread_clear_multiple": "2.5", "spread_clear_s": "30", "spread_window_s": "3600",
    "spread_sample_ms": "250", "spread_samples_min": "240", "spread_confirm_ticks": "1",
    "spread_freeze_max_s": "900", "jump_frac": "0.02", "jump_confirm_ms": "500",
    "releases_per_hour": "3", "price_age_max_s": "600", "diverge_frac": "0.005",
    "on_guard_lost": "flatten",
}  # fmt: skip

CHOICES: dict[str, tuple[str, ...]] = {
    "daily_reference": REFERENCES, "daily_base": BASES, "confirm": CONFIRMS,
    "first_reference": FIRST_REFERENCES, "drawdown_mode": DRAWDOWN_MODES,
    "on_guard_lost": ("flatten", "hold"),
}  # fmt: skip
WORDS = frozenset(CHOICES) | {"rollover_time", "rollover_zone"}
LIMIT_KEYS = frozenset(LIMIT_DEFAULTS) | {"lock_at", "errors_not_counted"}
KEYS: dict[str, frozenset[str]] = {
    "account": frozenset(
        [
            "id",
            "login",
            "server",
            "trade_mode",
            "currency",
            "currency_digits",
            "initial_balance",
            "terminal",
            "limits",
            "broker",
            "broker_phone",
            "netting_unknown",
        ]
    ),
    "symbol": frozenset(
        [
            "name",
            "digits",
            "contract_size",
            "calc_mode",
            "currency_base",
            "currency_profit",
            "tick_size",
            "tick_value",
            "spread_normal_points",
            "spread_floor_points",
            "spread_profile",
            "session",
            "holidays",
            "limits",
        ]
    ),
    "feed": frozenset(
        ["name", "endpoint", "codec", "account", "symbols", "required", "heartbeat", "key"]
    ),
    "strategy": frozenset(["name", "magic", "limits"]),
}
OTHERS = {"guard", "environment", "keys", "peer", "paper", "api", "notify", "incident"}
TABLES = frozenset(KEYS) | OTHERS
ACCOUNT_REQUIRED = [
    "id",
    "login",
    "server",
    "trade_mode",
    "currency",
    "initial_balance",
    "terminal",
]
FACT_KEYS = KEYS["symbol"] - {"name", "limits", "spread_profile"}
NUMERIC_FACTS = frozenset(
    [
        "digits",
        "contract_size",
        "tick_size",
        "tick_value",
        "spread_normal_points",
        "spread_floor_points",
    ]
)


@dataclass(frozen=True)
class Limits:
    """The limits of one account; `text` holds every value as the file writes it."""

    text: dict[str, str]
    errors_not_counted: frozenset[str]
    rollover_minute: int
    lock_at: Fraction | None

    @cached_property
    def numbers(self) -> dict[str, Fraction]:
        """Return all limits that are numbers, exactly."""
        return {key: Fraction(text) for key, text in self.text.items() if key not in WORDS}

    @cached_property
    def durations(self) -> dict[str, int]:
        """Return all limits that are durations, in nanoseconds."""
        units = {key: 1000 if key.endswith("_ms") else 1 for key in self.numbers}
        return {key: seconds_ns(self.numbers[key] / units[key]) for key in units}

    def number(self, key: str) -> Fraction:
        """Return a limit as an exact number."""
        return self.numbers[key]

    def integer(self, key: str) -> int:
        """Return a whole-number limit."""
        return int(self.number(key))

    def ns(self, key: str) -> int:
        """Return a duration limit in nanoseconds, by the unit its name ends with."""
        return self.durations[key]


@dataclass(frozen=True)
class AccountSettings:
    """One [[account]]."""

    id: str
    currency: str
    currency_digits: int
    initial_balance: Fraction
    limits: Limits


@dataclass(frozen=True)
class Scoped:
    """A daily loss limit of a strategy or of one symbol."""

    scope: str
    threshold_text: str
    magics: frozenset[int] = frozenset()
    symbol: str | None = None

    def covers(self, magic: int, symbol: str) -> bool:
        """Tell whether a position belongs to this limit."""
        return symbol == self.symbol if self.symbol is not None else magic in self.magics


@dataclass(frozen=True)
class Settings:
    """The whole file as far as replay needs it."""

    config_hash: str
    accounts: tuple[AccountSettings, ...]
    symbols: dict[str, dict[str, Any]]
    profiles: dict[str, list[int | None]]
    feeds: dict[str, dict[str, Any]]
    scoped: tuple[Scoped, ...]
    environment: dict[str, Any] = field(default_factory=dict)


def load(path: Path) -> Settings:
    """Read a configuration file, or raise BadConfig."""
    try:
        raw = path.read_bytes()
        tables = tomllib.loads(raw.decode(), parse_float=Numeral)
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path.name}: {error}") from error
    try:
        return _settings(tables, hashlib.sha256(raw).hexdigest(), path.parent)
    except (Refused, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadConfig(f"{path.name}: {error}") from error


def _settings(tables: dict[str, Any], config_hash: str, folder: Path) -> Settings:
    _known("file", tables, TABLES)
    for name, keys in KEYS.items():
        for table in tables.get(name, []):
            _known(name, table, keys)
    accounts = tuple(_account(table) for table in tables.get("account", []))
    symbols = _by_name("symbol", tables)
    _unique("account", [account.id for account in accounts])
    if not accounts:
        raise BadConfig("account must be given")
    return Settings(
        config_hash=config_hash,
        accounts=accounts,
        symbols=symbols,
        profiles={name: p for name, facts in symbols.items() if (p := _profile(facts, folder))},
        feeds=_by_name("feed", tables),
        scoped=_scoped(tables),
    )


def _known(name: str, table: dict[str, Any], keys: frozenset[str]) -> None:
    unknown = sorted(set(table) - keys)
    if unknown:
        raise BadConfig(f"{name}.{unknown[0]} must be a known key")


def _unique(name: str, values: list[str]) -> None:
    if len(set(values)) != len(values):
        raise BadConfig(f"{name} must be named once")


def _by_name(table: str, tables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = tables.get(table, [])
    _unique(table, [row["name"] for row in rows])
    for row in rows:
        if table == "symbol":
            check_facts(row)
    return {row["name"]: row for row in rows}


def check_facts(facts: dict[str, Any]) -> None:
    """Refuse symbol facts that are no numbers or no session."""
    for key in NUMERIC_FACTS & set(facts):
        decimal(facts[key], key)
    session(facts)


def decimal(value: object, name: str) -> Fraction:
    """Return a finite number written as TOML string or number."""
    if isinstance(value, bool):
        raise Refused(f"{name} must be a number, was {value!r}")
    number = parse(str(value) if isinstance(value, int) else value, name)
    if number is None:
        raise Refused(f"{name} must be finite, was {value!r}")
    return number


def _account(table: dict[str, Any]) -> AccountSettings:
    for key in ACCOUNT_REQUIRED:
        if key not in table:
            raise BadConfig(f"account.{key} must be given")
    if table["trade_mode"] not in ("demo", "contest", "real"):
        raise BadConfig(f"account.trade_mode must be known, was {table['trade_mode']!r}")
    initial = decimal(table["initial_balance"], "account.initial_balance")
    if initial <= 0:
        raise BadConfig(f"account.initial_balance must be above 0, was {initial}")
    limits = _limits(table.get("limits", {}))
    first_floor = initial - limits.number("total_drawdown") * initial
    if limits.lock_at is not None and limits.lock_at < first_floor:
        raise BadConfig(f"account.limits.lock_at must be at least {first_floor}")
    return AccountSettings(
        id=table["id"],
        currency=table["currency"],
        currency_digits=int(table.get("currency_digits", 2)),
        initial_balance=initial,
        limits=limits,
    )


def _limits(table: dict[str, Any]) -> Limits:
    _known("account.limits", table, LIMIT_KEYS)
    text = dict(LIMIT_DEFAULTS)
    text.update({k: str(v) for k, v in table.items() if k in LIMIT_DEFAULTS})
    for key in set(table) & set(LIMITS):
        check(f"account.limits.{key}", decimal(table[key], key), LIMITS[key])
    if Fraction(text["spread_clear_multiple"]) > Fraction(text["spread_multiple"]):
        raise BadConfig("account.limits.spread_clear_multiple must be at most spread_multiple")
    for key, allowed in CHOICES.items():
        if text[key] not in allowed:
            raise BadConfig(f"account.limits.{key} must be one of {allowed}, was {text[key]}")
    zone(text["rollover_zone"])
    return Limits(
        text=text,
        errors_not_counted=frozenset(table.get("errors_not_counted", [])),
        rollover_minute=_minute(text["rollover_time"]),
        lock_at=decimal(table["lock_at"], "lock_at") if "lock_at" in table else None,
    )


def _minute(text: str, last: int = DAY_MINUTES - 1) -> int:
    hours, _, minutes = text.partition(":")
    if len(hours) != 2 or len(minutes) != 2 or not (hours + minutes).isdigit():
        raise BadConfig(f"time must be HH:MM, was {text!r}")
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > last:
        raise BadConfig(f"time must be HH:MM, was {text!r}")
    return minute


def session(facts: dict[str, Any]) -> Session:
    """Return a symbol's session from its facts."""
    value = facts.get("session", "24x7")
    holidays = frozenset(_date(day) for day in facts.get("holidays", []))
    if isinstance(value, str) and value in NAMED:
        return Session(NAMED[value], holidays)
    entries = [value] if isinstance(value, str) else value
    return Session(tuple(_window(entry) for entry in entries), holidays)


def _date(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _window(entry: str) -> Window:
    parts = entry.split()
    if len(parts) != 3 or parts[0] not in WEEKDAYS:
        raise BadConfig(f"session must be like Mon 09:00-17:30 Zone, was {entry!r}")
    start_text, _, end_text = parts[1].partition("-")
    start, end = _minute(start_text), _minute(end_text, DAY_MINUTES)
    zone(parts[2])
    if end <= start:
        raise BadConfig(f"session must end after it starts, was {entry!r}")
    return Window(WEEKDAYS.index(parts[0]), start, end, parts[2])


def _profile(facts: dict[str, Any], folder: Path) -> list[int | None] | None:
    """Return the spread profile of a symbol: one median per week bucket, or None."""
    if "spread_profile" not in facts:
        return None
    path = folder / facts["spread_profile"]
    try:
        symbols = json.loads(path.read_text())["symbols"]
    except OSError as error:
        raise BadConfig(f"symbol.spread_profile: {error}") from error
    buckets: list[int | None] | None = symbols.get(facts["name"], {}).get("buckets")
    if buckets is not None and len(buckets) != 672:
        raise BadConfig("symbol.spread_profile must have 672 buckets")
    return buckets


def _scoped(tables: dict[str, Any]) -> tuple[Scoped, ...]:
    rows = [t for name in ("strategy", "symbol") for t in tables.get(name, []) if "limits" in t]
    for row in rows:
        _known("limits", row["limits"], frozenset({"daily_loss"}))
        decimal(row["limits"].get("daily_loss", "0"), "daily_loss")
    strategies = [
        Scoped(
            f"strategy:{t['name']}", str(t["limits"]["daily_loss"]), magics=frozenset(t["magic"])
        )
        for t in tables.get("strategy", [])
        if "daily_loss" in t.get("limits", {})
    ]
    symbols = [
        Scoped(f"symbol:{t['name']}", str(t["limits"]["daily_loss"]), symbol=t["name"])
        for t in sorted(tables.get("symbol", []), key=lambda t: str(t["name"]))
        if "daily_loss" in t.get("limits", {})
    ]
    return tuple(strategies + symbols)
