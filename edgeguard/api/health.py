"""Is the whole kill channel proven? From the guard's own word to the terminal's, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from edgeguard.clock import NS_PER_S
from edgeguard.config.model import Config
from edgeguard.halt_page import CODES

CHANNEL_AGE_NS_MAX: Final = 60 * NS_PER_S
"""An older proof of the channel is none."""
PAGE_FAULTS: Final = frozenset({"STALE", "MISSING", "WRONG_ACCOUNT"})
"""Answers of a gate that mean: this page does not reach the engine."""

PageCode = Callable[[str], str]
"""Returns what a gate reads on an account's page, e.g. ``OPEN`` or ``STALE``."""
Document = Mapping[str, Any]


class Part(msgspec.Struct, frozen=True):
    """One part of the kill channel."""

    part: str
    ok: bool
    text: str = ""


class Health(msgspec.Struct, frozen=True):
    """Whether every part is proven; `failing` names the first that is not."""

    ok: bool
    failing: str | None
    parts: tuple[Part, ...]


def judge_health(
    status: Document | None, config: Config, page_code: PageCode, wall_ns: int
) -> Health:
    """Return the verdict.

    Args:
        status: the guard's status document, None where no guard answered.
        config: names the accounts that must be reached.
        page_code: reads an account's halt page as a gate does.
        wall_ns: now.
    """
    if status is None:
        return _verdict([Part("guard", ok=False, text="no guard answers")])
    parts = [Part("guard", ok=True), _storage(status)]
    for account in config.account:
        parts += _account(account.id, status, config, page_code)
    parts.append(_channel(status.get("channel_proven_ns"), wall_ns))
    return _verdict(parts)


def _verdict(parts: list[Part]) -> Health:
    failing = next((part for part in parts if not part.ok), None)
    words = None if failing is None else f"{failing.part}: {failing.text}"
    return Health(failing is None, words, tuple(parts))


def _channel(proven_ns: object, wall_ns: int) -> Part:
    if not isinstance(proven_ns, int):
        return Part("channel", ok=False, text="is not proven: `edgeguard check` says what is wrong")
    is_recent = wall_ns - proven_ns <= CHANNEL_AGE_NS_MAX
    return Part("channel", is_recent, "" if is_recent else "was proven too long ago")


def _storage(status: Document) -> Part:
    storage = _table(_table(status.get("guard")).get("storage"))
    is_trusted = bool(storage.get("trusted", False))
    return Part("storage", is_trusted, "" if is_trusted else "journal or latch is not trusted")


def _account(name: str, status: Document, config: Config, page_code: PageCode) -> Iterator[Part]:
    code = page_code(name)
    is_read = code not in PAGE_FAULTS
    yield Part(f"page {name}", is_read, "" if is_read else f"a gate reads {code}")
    yield from _worker(name, _table(_table(status.get("worker")).get(name)))
    rows = cast("list[object]", status.get("accounts") or [])
    ages = [row.get("snapshot_age_ms") for row in map(_table, rows) if row.get("id") == name]
    is_fresh = any(
        isinstance(age_ms, int) and age_ms <= config.guard.snapshot_age_max_ms for age_ms in ages
    )
    yield Part(f"account {name}", is_fresh, "" if is_fresh else "no fresh account snapshot")


def _worker(name: str, worker: Document) -> Iterator[Part]:
    is_alive = bool(worker.get("alive"))
    yield Part(f"broker {name}", is_alive, "" if is_alive else "the broker's parent is silent")
    is_connected = bool(worker.get("connected"))
    may_trade = bool(worker.get("trade_allowed"))
    text = "" if is_connected else "the terminal has no connection"
    if is_connected and not may_trade:
        text = "the terminal does not allow trading: nothing could be closed"
    yield Part(f"terminal {name}", is_connected and may_trade, text)


def _table(value: object) -> Document:
    return cast("Document", value) if isinstance(value, dict) else {}


def code_of(number: int) -> str:
    """Return the word of a page reader's answer."""
    return CODES[number] if 0 <= number < len(CODES) else "MISSING"
