"""Writes small configurations and tapes for the golden cases and runs the oracle on them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from tests.oracle.reference import replay

S = 1_000_000_000
MS = 1_000_000
# Tuesday 2023-11-14 22:13:20 UTC, 17:13:20 in New York: the next 17:00 is 23 h 46 min 40 s away.
T0 = 1_700_000_000 * S

Event = dict[str, Any]
Row = tuple[Any, ...]

EURUSD: Event = {"name": "EURUSD", "digits": 5}
USDJPY: Event = {"name": "USDJPY", "digits": 3, "currency_profit": "JPY"}


class Parts(TypedDict, total=False):
    """What a golden case may say about its configuration."""

    limits: Event
    symbols: list[Event]
    account: Event
    more: str


def toml(value: object) -> str:
    """Write one TOML value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value)


def table(name: str, values: Event) -> str:
    """Write one TOML table."""
    rows = [f"{key} = {toml(value)}" for key, value in values.items()]
    return "\n".join([name, *rows, ""])


def account_table(identifier: str = "A", **values: object) -> str:
    """Write an [[account]] with what is required."""
    required = {
        "id": identifier, "login": 1, "server": "s", "trade_mode": "demo", "currency": "USD",
        "initial_balance": "100000.00", "terminal": "paper",
    }  # fmt: skip
    return table("[[account]]", required | values)


def config(
    limits: Event | None = None,
    symbols: list[Event] | None = None,
    account: Event | None = None,
    more: str = "",
) -> str:
    """Write a configuration of one account."""
    parts = [account_table(**(account or {})), table("[account.limits]", limits or {})]
    parts += [table("[[symbol]]", symbol) for symbol in symbols or [EURUSD]]
    return "\n".join([*parts, more])


@dataclass
class Golden:
    """A folder to write cases into."""

    folder: Path

    def text(self, events: Sequence[Event | str], config_text: str) -> list[str]:
        """Return the oracle's lines for a tape."""
        config_path, tape = self.folder / "c.toml", self.folder / "tape.jsonl"
        config_path.write_text(config_text)
        rows = [event if isinstance(event, str) else json.dumps(event) for event in events]
        tape.write_text("\n".join(rows) + "\n")
        return list(replay(config_path, (), [tape]))

    def lines(self, events: Sequence[Event | str], **parts: Unpack[Parts]) -> list[Event]:
        """Return the parsed lines for a tape."""
        return [json.loads(line) for line in self.text(events, config(**parts))]

    def rows(self, events: Sequence[Event | str], **parts: Unpack[Parts]) -> list[Row]:
        """Return (ns since T0, code, action, value, reference, symbol) of every line."""
        keys = ("code", "action", "value", "reference", "symbol")
        return [
            (line["t_ns"] - T0, *(line[key] for key in keys))
            for line in self.lines(events, **parts)
        ]


def tick(at: int, bid: object, ask: object, symbol: str = "EURUSD", **more: object) -> Event:
    """Return a tick line."""
    return {"type": "tick", "t_ns": T0 + at, "account": "A", "symbol": symbol,
            "bid": bid, "ask": ask} | more  # fmt: skip


def position(
    identifier: int, side: str, volume: str, price: str, symbol: str = "EURUSD", **more: object
) -> Event:
    """Return a position of an account line."""
    return {"ticket": identifier, "identifier": identifier, "symbol": symbol, "side": side,
            "volume": volume, "price_open": price, "price_current": price, "swap": "0.00",
            "profit": "0.00", "magic": 0} | more  # fmt: skip


def account(at: int, equity: object, *positions: Event, **more: object) -> Event:
    """Return an account line whose balance is the equity unless told otherwise."""
    return {"type": "account", "t_ns": T0 + at, "account": "A", "balance": equity,
            "equity": equity, "positions": list(positions)} | more  # fmt: skip


def fill(at: int, deal: int, how: str, volume: str, price: str, **more: object) -> Event:
    """Return a fill of position 7; how is entry and side, as in `out sell`."""
    entry, side = how.split()
    return {"type": "fill", "t_ns": T0 + at, "account": "A", "deal": deal, "position": 7,
            "symbol": "EURUSD", "side": side, "entry": entry, "volume": volume,
            "price": price} | more  # fmt: skip


def transfer(at: int, amount: str, kind: str = "balance") -> Event:
    """Return a transfer line."""
    return {"type": "transfer", "t_ns": T0 + at, "account": "A", "deal": 1_000 + at, "kind": kind,
            "amount": amount}  # fmt: skip


def error(at: int, **more: object) -> Event:
    """Return an error line."""
    return {"type": "error", "t_ns": T0 + at, "account": "A", "source": "engine",
            "class": "reject"} | more  # fmt: skip


def heartbeat(at: int, source: str = "engine") -> Event:
    """Return a heartbeat line."""
    return {"type": "heartbeat", "t_ns": T0 + at, "account": "A", "source": source}


def terminal(at: int, *, connected: bool = True) -> Event:
    """Return a terminal line."""
    return {"type": "terminal", "t_ns": T0 + at, "account": "A", "connected": connected}


def clock(at: int) -> Event:
    """Return a clock line."""
    return {"type": "clock", "t_ns": T0 + at}
