"""Random configurations of generated cases."""

import json
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random

from tests.oracle.golden import table
from tests.oracle.tape_pool import BOOKS, BY_NAME, ROLLOVERS, SESSIONS, WORTH, Pooled

Values = dict[str, object]

# Every limit with the values cases draw from: short windows, so that things happen.
LIMIT_CHOICES: dict[str, tuple[object, ...]] = {
    "daily_loss": ("0.03", 0.03, "0.010", "0.02", "0.0301"),
    "daily_reference": ("max_balance_equity", "balance", "equity", "initial_balance"),
    "daily_base": ("reference", "initial_balance"),
    "first_reference": ("history", "snapshot", "history", "snapshot", "history", "operator"),
    "total_drawdown": ("0.06", 0.06, "0.04", "0.1", "0.015"),
    "drawdown_mode": ("trailing_equity", "static", "trailing_eod_balance"),
    "connection_lost_s": (60, 5, "20", 2.5),
    "errors_per_minute": (10, 1, 2, 3, 4, 7),
    "confirm": ("reported", "reported", "none"),
    "confirm_ms": (500, 100, 2000, 1, 30000, 5000),
    "spread_multiple": ("5", 3, 2.5, "1.5"),
    "spread_clear_multiple": ("2.5", "1.2", 1),
    "spread_clear_s": (30, 1, 5, "2.5", 0),
    "spread_window_s": (3600, 5, 30, 600),
    "spread_sample_ms": (250, 1, 100, 1000),
    "spread_samples_min": (240, 1, 3, 5, 10),
    "spread_confirm_ticks": (1, 1, 2, 3),
    "spread_freeze_max_s": (900, 3, 10, 60),
    "jump_frac": ("0.02", "0.005", 0.1, "0.003"),
    "jump_confirm_ms": (500, 100, 3000, 20000),
    "releases_per_hour": (3, 0, 1, 2),
    "price_age_max_s": (600, 600, 5, 30, 120, 3600, 86400),
    "diverge_frac": ("0.005", "0.02"),
    "on_guard_lost": ("flatten", "hold"),
    "errors_not_counted": ([], [], ["requote"], ["bad_tick"], ["bad_account", "requote"]),
}


@dataclass
class PlannedAccount:
    """What the tape's author needs to know of an account."""

    id: str
    currency: str
    currency_digits: int
    initial: Fraction
    limits: Values

    def frac(self, key: str) -> Fraction:
        """Return a limit as a number, with INTERFACES.md's default (the first choice)."""
        return Fraction(str(self.limits.get(key, LIMIT_CHOICES[key][0])))


@dataclass
class Plan:
    """A configuration, and which symbols are only told by the tape."""

    accounts: list[PlannedAccount]
    symbols: list[Pooled]
    from_tape: list[Pooled]
    feeds: list[str]
    strategies: list[int]
    durations_ns: list[int] = field(default_factory=list)


def make_config(rng: Random, folder: Path) -> tuple[Plan, str]:
    """Return a plan and the text of its configuration."""
    symbols = _symbols(rng)
    from_tape = [symbol for symbol in symbols[1:] if rng.random() < 0.12]
    accounts = [_account(rng, name) for name in ("A", "B-2", "C")[: rng.choice((1, 1, 1, 2, 3))]]
    plan = Plan(accounts, symbols, from_tape, _feeds(rng), [])
    parts = [_account_text(account) for account in accounts]
    parts += [
        _symbol_text(rng, symbol, folder) for symbol in symbols if symbol not in plan.from_tape
    ]
    parts += [_feed_text(rng, feed, plan) for feed in plan.feeds]
    if rng.random() < 0.15:
        plan.strategies = [101, 102]
        strategy: Values = {"name": "trend", "magic": [101, 102]}
        limits = table("[strategy.limits]", {"daily_loss": rng.choice(("0.01", "0.004"))})
        parts += [table("[[strategy]]", strategy), limits]
    plan.durations_ns = _durations(accounts)
    return plan, "\n".join(parts)


def _symbols(rng: Random) -> list[Pooled]:
    names = list(rng.choice(BOOKS))
    rng.shuffle(names)
    if rng.random() < 0.2:
        names = names[: rng.randint(1, len(names))]
    return [BY_NAME[name] for name in names]


def _account(rng: Random, identifier: str) -> PlannedAccount:
    currency = rng.choice(("USD", "USD", "USD", "EUR", "GBP", "JPY", "CHF"))
    digits = 0 if currency == "JPY" else 2
    initial = Fraction(rng.choice((100_000, 100_000, 10_000, 25_000)))
    initial *= 100 if currency == "JPY" else 1
    limits: Values = {
        key: rng.choice(values) for key, values in LIMIT_CHOICES.items() if rng.random() < 0.6
    }
    if rng.random() < 0.8:
        limits["rollover_time"], limits["rollover_zone"] = rng.choice(ROLLOVERS)
    multiple = Fraction(str(limits.get("spread_multiple", 5)))
    if Fraction(str(limits.get("spread_clear_multiple", "2.5"))) > multiple:
        limits["spread_clear_multiple"] = "1.5"
    account = PlannedAccount(identifier, currency, digits, initial, limits)
    if rng.random() < 0.25:
        floor = initial * (1 - account.frac("total_drawdown"))
        lock = rng.choice((floor, initial, initial * Fraction("0.99"), initial * Fraction("1.02")))
        limits["lock_at"] = str(float(max(lock, floor)))
    return account


def _account_text(account: PlannedAccount) -> str:
    values: Values = {
        "id": account.id, "login": 1, "server": "Paper", "trade_mode": "demo",
        "currency": account.currency, "initial_balance": str(account.initial), "terminal": "paper",
    }  # fmt: skip
    if account.currency_digits != 2:
        values["currency_digits"] = account.currency_digits
    return table("[[account]]", values) + table("[account.limits]", account.limits)


def _symbol_text(rng: Random, symbol: Pooled, folder: Path) -> str:
    values: Values = {"name": symbol.name, **symbol_facts(symbol)}
    values.update(_spread_facts(rng, symbol))
    if rng.random() < 0.15:
        values["spread_profile"] = _profile(rng, symbol, folder)
    if rng.random() < 0.5:
        values["session"] = rng.choice(SESSIONS)
        if rng.random() < 0.3:
            values["holidays"] = [rng.choice(("2024-03-05", "2024-03-11", "2024-11-04"))]
    text = table("[[symbol]]", values)
    if rng.random() < 0.08:
        text += table("[symbol.limits]", {"daily_loss": rng.choice(("0.01", "0.004"))})
    return text


def symbol_facts(symbol: Pooled) -> Values:
    """Return the facts of a pooled symbol that are not defaults."""
    values: Values = {"digits": symbol.digits}
    if symbol.profit != symbol.name[3:6]:
        values["currency_profit"] = symbol.profit
    if symbol.base is not None:
        values["currency_base"] = symbol.base
    if symbol.contract is not None:
        values["contract_size"] = symbol.contract
    if symbol.mode is not None:
        values["calc_mode"] = symbol.mode
    if symbol.tick is not None:
        values["tick_size"], values["tick_value"] = symbol.tick
    return values


def _spread_facts(rng: Random, symbol: Pooled) -> Values:
    values: Values = {}
    if rng.random() < 0.6:
        values["spread_normal_points"] = symbol.spread
    if rng.random() < 0.4:
        values["spread_floor_points"] = rng.choice((1, symbol.spread // 2, symbol.spread * 2))
    return values


def _profile(rng: Random, symbol: Pooled, folder: Path) -> str:
    """Write a spread profile with empty buckets and return its name."""
    buckets = [
        None if rng.random() < 0.4 else rng.choice((symbol.spread, symbol.spread * 3))
        for _ in range(672)
    ]
    name = f"{symbol.name}.profile.json"
    profile = {"version": 1, "symbols": {symbol.name: {"buckets": buckets}}}
    (folder / name).write_text(json.dumps(profile))
    return name


def _feeds(rng: Random) -> list[str]:
    return ["quotes", "backup"][: rng.choice((0, 1, 1, 2))]


def _feed_text(rng: Random, feed: str, plan: Plan) -> str:
    names = [symbol.name for symbol in plan.symbols if symbol not in plan.from_tape]
    values: Values = {"name": feed, "required": rng.random() < 0.85}
    if rng.random() < 0.8:
        values["symbols"] = rng.sample(names, rng.randint(1, len(names)))
    return table("[[feed]]", values)


def _durations(accounts: list[PlannedAccount]) -> list[int]:
    """Return the lengths at which something falls due."""
    keys = [key for key in LIMIT_CHOICES if key.endswith(("_ms", "_s"))]
    units = {"_s": 1_000_000_000, "ms": 1_000_000}
    lengths = {int(a.frac(key) * units[key[-2:]]) for a in accounts for key in keys}
    return sorted(lengths | {60_000_000_000, 3_600_000_000_000})


def worth(currency: str, account_currency: str) -> Fraction:
    """Return roughly what a unit of one currency is in another."""
    return WORTH[currency] / WORTH[account_currency]
