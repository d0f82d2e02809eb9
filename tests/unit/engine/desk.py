"""An engine, its clocks and the publishers around it, for tests that speak in messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from edgeguard import messages
from edgeguard.config.load import parse_config
from edgeguard.engine import Decision, Engine, Flag

START_NS = 1_772_020_800_000_000_000
"""Wednesday 2026-02-25 12:00 UTC: 07:00 in New York."""
BOOT_NS = 5_000_000_000_000
SECOND = 1_000_000_000

ACCOUNT = """
[[account]]
id = "A"
login = 7
server = "S"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000.00"
terminal = "paper"
[account.limits]
"""
SYMBOL = """
[[symbol]]
name = "EURUSD"
digits = 5
spread_normal_points = 10
"""


class Desk:
    """One engine; every method is one event of the account ``A``."""

    def __init__(
        self,
        limits: str = "",
        rest: str = SYMBOL,
        *,
        live: bool = True,
        first: str = "snapshot",
    ) -> None:
        text = f'{ACCOUNT}first_reference = "{first}"\n{limits}{rest}'
        config = parse_config(text.encode(), Path("desk.toml"))
        self.engine = Engine(msgspec.json.encode(config), "hash", live=live)
        self.source = self.engine.register_source("test")
        self.wall_ns, self.boot_ns = START_NS, BOOT_NS if live else START_NS
        self.seq: dict[tuple[type, str], int] = {}
        self.flags = Flag(0)

    def wait(self, seconds: float) -> list[str]:
        """Let both clocks run and the deadlines fall due."""
        self.wall_ns += int(seconds * SECOND)
        self.boot_ns += int(seconds * SECOND)
        self.engine.advance(self.wall_ns, self.boot_ns, self.source, 0)
        return self.taken()

    def step_wall(self, seconds: float) -> None:
        """Step the wall alone."""
        self.wall_ns += int(seconds * SECOND)

    def send(self, message: messages.MarketMessage) -> list[str]:
        """Hand over a message and return the decisions as ``action code scope``."""
        payload = msgspec.msgpack.encode(message)
        self.flags = Flag(self.engine.on_frame(payload, self.wall_ns, self.boot_ns, self.source, 1))
        return self.taken()

    def taken(self) -> list[str]:
        return [brief(decision) for decision in self.engine.take_decisions()]

    def _head(self, kind: type, source: str, seq: int | None = None) -> dict[str, Any]:
        key = (kind, source)
        self.seq[key] = self.seq.get(key, 0) + 1 if seq is None else seq
        return {
            "account": "A",
            "source": source,
            "epoch": 1,
            "seq": self.seq[key],
            "t_ns": self.wall_ns,
        }

    def tick(
        self, bid: str, ask: str, *, source: str = "main", source_ns: int | None = None
    ) -> list[str]:
        ticks = (messages.Tick("EURUSD", bid, ask, source_ns),)
        head = self._head(messages.TickBatch, source)
        return self.send(messages.TickBatch(**head, ticks=ticks))

    def account(
        self,
        equity: str | None,
        *,
        balance: str | None = None,
        positions: tuple[messages.Position, ...] = (),
        request: int = 0,
        last_deal: int | None = None,
    ) -> list[str]:
        head = self._head(messages.AccountSnapshot, "terminal")
        snapshot = messages.AccountSnapshot(
            **head,
            balance=equity if balance is None else balance,
            equity=equity,
            credit="0",
            margin="0",
            positions=positions,
            request=request,
            last_deal=last_deal,
        )
        return self.send(snapshot)

    def transfer(self, amount: str, kind: str = "balance") -> list[str]:
        head = self._head(messages.Transfer, "terminal")
        return self.send(messages.Transfer(**head, deal=None, kind=kind, amount=amount))

    def fill(self, profit: str, *, deal: int = 11, position: int = 7, magic: int = 0) -> list[str]:
        """Close one lot of a long position of EURUSD."""
        head = self._head(messages.Fill, "terminal")
        fill = messages.Fill(
            **head,
            deal=deal,
            position=position,
            symbol="EURUSD",
            side="sell",
            entry="out",
            volume="1.00",
            price="1.10000",
            profit=profit,
            magic=magic,
        )
        return self.send(fill)

    def error(self, order: int | None = None, seq: int | None = None) -> list[str]:
        head = self._head(messages.ErrorEvent, "engine", seq)
        return self.send(messages.ErrorEvent(**head, class_="reject", order=order))

    def beat(self, source: str = "engine") -> list[str]:
        return self.send(messages.Heartbeat(**self._head(messages.Heartbeat, source)))

    def terminal(self, *, connected: bool = True) -> list[str]:
        head = self._head(messages.TerminalProof, "terminal")
        proof = messages.TerminalProof(**head, connected=connected, trade_allowed=True)
        return self.send(proof)

    def status(self) -> dict[str, Any]:
        return json.loads(self.engine.status())["accounts"][0]

    def halted(self) -> list[str]:
        """Return the triggers that are halted, as status shows them."""
        states = self.status()["states"]
        return [state["trigger"] for state in states if state["status"] == "halted"]


def long(price: str, volume: str = "1.00", profit: str = "0.00") -> messages.Position:
    """Return a long position of EURUSD, one point of which is one dollar per lot."""
    return messages.Position(
        ticket=7,
        identifier=7,
        symbol="EURUSD",
        side="buy",
        volume=volume,
        price_open=price,
        price_current=price,
        swap="0.00",
        profit=profit,
    )


def brief(decision: Decision) -> str:
    scope = "" if decision.scope == "account" else f" {decision.scope}"
    return f"{decision.action} {decision.code}{scope}"
