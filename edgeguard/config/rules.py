"""What each configuration key may hold: kind, range and unit, one line per key.

The loader (`edgeguard.config.load`) judges values by this table, the JSON Schema
(`edgeguard.config.schema`) is written from it, and `tests/unit/config` proves that it and the
Structs of `edgeguard.config.model` name the same keys and that every default keeps its own rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Final, get_args
from zoneinfo import ZoneInfo

import msgspec

from edgeguard.config import model
from edgeguard.config.kinds import Choice, Flag, Many, Number, Rule, Text


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _is_zone(text: str) -> bool:
    if text == "localtime":  # a file of the host, not a zone: the engine's calendar reads none
        return False
    try:
        ZoneInfo(text)
    except (KeyError, OSError, ValueError):  # unknown, a folder of zones, or no plain name
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        time.fromisoformat(text)
    except ValueError:
        return False
    return re.fullmatch(r"[0-9]{2}:[0-9]{2}", text) is not None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2026-12-25")


_WINDOW = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2}) (\S+)"
)


def _is_window(text: str) -> bool:
    """Tell whether `text` is a weekday, a start before an end on that day, and a zone."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        return False
    start, end, zone = found.groups()
    return _is_time(start) and (_is_time(end) or end == "24:00") and start < end and _is_zone(zone)


PORT_MAX: Final = 65_535
PATH_MAX: Final = 4096
LINE_MAX: Final = 200
_TCP = r"tcp://(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}"
_SHAPE = _matches(rf"(?:ipc:///\S+|{_TCP})?")
_TERMINAL_SHAPE = _matches(r"paper|metatrader5|mt5linux://[^\s/:]+:[0-9]{1,5}")


def _is_endpoint(text: str) -> bool:
    return _SHAPE(text) and text.isprintable() and (text[:3] != "tcp" or _has_port(text))


def _is_terminal(text: str) -> bool:
    return _TERMINAL_SHAPE(text) and text.isprintable() and (":" not in text or _has_port(text))


def _has_port(text: str) -> bool:
    return 0 < int(text.rpartition(":")[2]) <= PORT_MAX


_NAME = Text(
    "1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit",
    _matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"),
)
_SYMBOL = Text("1 to 63 visible characters without spaces", _matches(r"[!-~]{1,63}"))
_LINE = Text(
    "one printable line of at most 200 characters",
    lambda text: len(text) <= LINE_MAX and text.isprintable(),
)
_SOME_LINE = Text(
    "one printable line of 1 to 200 characters",
    lambda text: 0 < len(text) <= LINE_MAX and text.isprintable(),
)
_CURRENCY = Text("a currency in capitals such as USD", _matches(r"[A-Z][A-Z0-9]{2,7}"))
_CURRENCY_OR_NONE = Text("a currency in capitals such as USD", _matches(r"(?:[A-Z][A-Z0-9]{2,7})?"))
_SOCKET = Text(
    "empty, ipc:///ABSOLUTE/PATH or tcp://HOST:PORT (an address beyond loopback needs CURVE keys)",
    _is_endpoint,
)
_PATH = Text("a printable path", lambda text: 0 < len(text) <= PATH_MAX and text.isprintable())
_PATH_OR_NONE = Text(
    "a printable path or empty", lambda text: len(text) <= PATH_MAX and text.isprintable()
)
_SESSION = Text("24x7, 24x5, 24x5_break or a list of windows", _matches(r"24x7|24x5|24x5_break"))
_SESSION_WINDOW = Text("a window such as Mon 09:00-17:30 Europe/Berlin", _is_window)
_DATE = Text("a date such as 2026-12-25", _is_date)
_HOST = Text("a host name or address without a port", _matches(r"[A-Za-z0-9._:-]{1,253}"))
_URL = Text(
    "a URL without blanks, or empty", _matches(r"(?:[A-Za-z][A-Za-z0-9+.-]*://\S{1,2000})?")
)
_HTTP_URL = Text("an http or https URL, or empty", _matches(r"(?:https?://\S{1,2000})?"))
_SEVERITY = Text("one of P1, P2, P3, P4", _matches(r"P[1-4]"))


def _fraction(unit: str) -> Number:
    return Number("0", "1", unit, low_open=True, high_open=True)


def _whole(low: str, high: str, unit: str) -> Number:
    return Number(low, high, unit, integer=True)


def _choice(literal: object) -> Choice:
    return Choice(get_args(literal))


_SECONDS = Number("0", "604800", "seconds", low_open=True, places=9)
_MONEY = Number("0", "1000000000000000", "account money", low_open=True)
_PRICE = Number("0", "1000000000000", "price", low_open=True)

RULES: Final[Mapping[type[msgspec.Struct], Mapping[str, Rule]]] = {
    model.GuardConfig: {
        "state_dir": _PATH,
        "run_dir": _PATH_OR_NONE,
        "control": _SOCKET,
        "feeds_bind": _SOCKET,
        "halts_pub": _SOCKET,
        "gate_router": _SOCKET,
        "environment": _NAME,
        "heartbeat_ms": _whole("10", "1000", "milliseconds"),
        "lease_ms": _whole("40", "60000", "milliseconds"),
        "snapshot_age_max_ms": _whole("100", "600000", "milliseconds"),
        "feed_silence_max_ms": _whole("100", "600000", "milliseconds"),
        "persist_ms": _whole("1", "60000", "milliseconds"),
    },
    model.ResumeConfig: {"two_person": Flag()},
    model.AccountConfig: {
        "id": _NAME,
        "login": _whole("1", "9223372036854775807", "the broker's account number"),
        "server": _SOME_LINE,
        "trade_mode": _choice(model.TradeMode),
        "currency": _CURRENCY,
        "initial_balance": _MONEY,
        "terminal": Text("paper, metatrader5 or mt5linux://HOST:PORT", _is_terminal),
        "currency_digits": _whole("0", "8", "digits after the point"),
        "broker": _SOCKET,
        "broker_phone": _LINE,
        "netting_unknown": _choice(model.NettingUnknown),
    },
    model.Limits: {
        "daily_loss": _fraction("fraction of the base"),
        "daily_reference": _choice(model.DailyReference),
        "daily_base": _choice(model.DailyBase),
        "rollover_time": Text("a local time such as 17:00", _is_time),
        "rollover_zone": Text("a known time zone such as America/New_York", _is_zone),
        "first_reference": _choice(model.FirstReference),
        "total_drawdown": _fraction("fraction of the peak"),
        "drawdown_mode": _choice(model.DrawdownMode),
        "lock_at": _MONEY,
        "connection_lost_s": _SECONDS,
        "errors_per_minute": _whole("1", "1000000", "errors in 60 s"),
        "confirm": _choice(model.Confirm),
        "confirm_ms": _whole("1", "60000", "milliseconds"),
        "spread_multiple": Number("1", "1000", "times the normal spread", low_open=True),
        "spread_clear_multiple": Number("0", "1000", "times the normal spread", low_open=True),
        "spread_clear_s": Number("0", "604800", "seconds", places=9),
        "spread_window_s": _SECONDS,
        "spread_sample_ms": _whole("1", "60000", "milliseconds"),
        "spread_samples_min": _whole("1", "1000000", "samples"),
        "spread_confirm_ticks": _whole("1", "1000", "ticks"),
        "spread_freeze_max_s": _SECONDS,
        "jump_frac": Number("0", "1000", "fraction of the last price", low_open=True),
        "jump_confirm_ms": _whole("1", "60000", "milliseconds"),
        "releases_per_hour": _whole("0", "3600", "releases in 3600 s"),
        "price_age_max_s": _SECONDS,
        "diverge_frac": Number("0", "1", "fraction of reported equity", low_open=True),
        "errors_not_counted": Many(_NAME),
        "on_guard_lost": _choice(model.OnGuardLost),
    },
    model.ScopeLimits: {"daily_loss": _fraction("fraction of the account's base")},
    model.SymbolConfig: {
        "name": _SYMBOL,
        "digits": _whole("0", "10", "digits after the point"),
        "contract_size": Number("0", "1000000000", "units of one lot", low_open=True, places=7),
        "calc_mode": _choice(model.CalcMode),
        "currency_base": _CURRENCY_OR_NONE,
        "currency_profit": _CURRENCY_OR_NONE,
        "tick_size": _PRICE,
        "tick_value": _MONEY,
        "spread_normal_points": _whole("1", "1000000000", "points"),
        "spread_floor_points": _whole("0", "1000000000", "points"),
        "spread_profile": _PATH,
        "session": Many(_SESSION_WINDOW, at_least=1, bare=_SESSION),
        "holidays": Many(_DATE),
    },
    model.FeedConfig: {
        "name": _NAME,
        "endpoint": _SOCKET,
        "codec": _choice(model.Codec),
        "account": _LINE,
        "symbols": Many(_SYMBOL),
        "required": Flag(),
        "heartbeat": Flag(),
        "key": Text(
            "the name of a [[peer]] or empty", _matches(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,62})?")
        ),
    },
    model.KeysConfig: {"dir": _PATH_OR_NONE},
    model.PeerConfig: {
        "name": _NAME,
        "public": Text(
            "40 characters of Z85 or empty",
            _matches(r"(?:[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40})?"),
        ),
        "uid": _whole("0", "4294967294", "user id"),
        "rights": Many(_choice(model.PeerRight)),
    },
    model.StrategyConfig: {
        "name": _NAME,
        "magic": Many(_whole("0", "9223372036854775807", "magic number"), at_least=1),
    },
    model.EnvironmentConfig: {"name": _NAME, "config": _PATH},
    model.PaperSymbol: {"symbol": _SYMBOL, "bid": _PRICE, "ask": _PRICE},
    model.PaperConfig: {
        "margin_mode": Choice(("hedging", "netting", "exchange")),
        "leverage": _whole("1", "10000", "times own money"),
        "prices": Many(_SOCKET),
        "latency_ms": _whole("0", "10000", "milliseconds"),
    },
    model.ApiConfig: {
        "host": _HOST,
        "port": _whole("1", "65535", "TCP port"),
        "hosts": Many(_HOST, at_least=1),
        "halt_token_file": _PATH_OR_NONE,
        "resume_token_file": _PATH_OR_NONE,
        "read_token_file": _PATH_OR_NONE,
        "tls_cert": _PATH_OR_NONE,
        "tls_key": _PATH_OR_NONE,
        "behind_proxy": Flag(),
        "wait_s": Number("0", "3600", "seconds", low_open=True),
        "requests_per_s": _whole("1", "1000", "requests in a second"),
    },
    model.NotifyConfig: {
        "contacts": _PATH_OR_NONE,
        "repeat_s": _whole("1", "86400", "seconds"),
        "repeat_p2_s": _whole("1", "86400", "seconds"),
        "deadman_url": _HTTP_URL,
        "deadman_url_file": _PATH_OR_NONE,
        "deadman_s": _whole("1", "86400", "seconds"),
    },
    model.ChannelConfig: {
        "name": _NAME,
        "kind": _choice(model.ChannelKind),
        "url": _URL,
        "url_file": _PATH_OR_NONE,
        "chat": Text("a chat id or @name", _matches(r"(?:-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})?")),
        "level": _whole("1", "9", "escalation level"),
        "severities": Many(_SEVERITY, at_least=1),
    },
    model.IncidentConfig: {
        "log": _PATH_OR_NONE,
        "evidence_minutes": _whole("1", "120", "minutes"),
        "evidence_mb": _whole("1", "4096", "megabytes"),
    },
}
"""The rule of every key that is no section of its own."""
