"""A book on paper and a planner that is told of it: no terminal, no clock but a number."""
# ruff: noqa: ANN401 - fields of any type

from __future__ import annotations

from typing import Any

import msgspec

from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner import Planner
from edgeguard.broker.planner.model import (
    Action,
    Evidence,
    Identity,
    Look,
    Note,
    Observation,
    Observe,
    Past,
    Policy,
    Scope,
    Send,
    Wait,
)
from edgeguard.broker.retcodes import classify
from edgeguard.broker.rows import (
    AccountRow,
    DealRow,
    OrderRow,
    PositionRow,
    SendRow,
    SymbolRow,
    TerminalRow,
    TickRow,
)

MS = 1_000_000
S = 1_000_000_000
HEDGING, NETTING = 2, 0
IDENTITY = Identity(5, "Demo", 0)
START_NS = 1_000 * S


def spec(name: str = "EURUSD", **change: Any) -> SymbolRow:
    row = SymbolRow(name, 5, 1e-5, 0.01, 100.0, 0.01, 3, 127, 2, 4, 1e5, 1e-5, 1.0, 0)
    return msgspec.structs.replace(row, **change)


def position(ticket: int, side: int = 0, lots: float = 0.1, **change: Any) -> PositionRow:
    row = PositionRow(ticket, ticket, "EURUSD", side, lots, 1.1, 1.1, 0.0, time_msc=ticket)
    return msgspec.structs.replace(row, **change)


def pending(ticket: int, **change: Any) -> OrderRow:
    row = OrderRow(ticket, "EURUSD", 2, 1, 0.1, 0.1, price_open=1.0, price_current=1.1)
    return msgspec.structs.replace(row, **change)


class Play:
    """Drives a planner by hand; what is sent is executed only when a test says so."""

    def __init__(  # noqa: PLR0913 - each test names what it needs
        self,
        *positions: PositionRow,
        orders: tuple[OrderRow, ...] = (),
        mode: int = HEDGING,
        policy: Policy | None = None,
        past: Past | None = None,
        scope: Scope | None = None,
        run: bool = True,
        **account: Any,
    ) -> None:
        self.now_ns = START_NS
        self.positions = list(positions)
        self.orders = list(orders)
        self.account = AccountRow(5, 0, mode, "Demo", "USD", 1e5, 0.0, 1e5, 0.0, **account)
        self.terminal = TerminalRow(connected=True, trade_allowed=True)
        self.session = 1
        self.specs: dict[str, SymbolRow] = {}
        self.tick_msc = 1
        self.deals: list[DealRow] = []
        self.history: list[OrderRow] = []
        self.notes: list[Note] = []
        self.sent: list[Send] = []
        self.reads = 0
        self.next_deal = 1
        self.planner = Planner(policy or Policy(), IDENTITY, past or Past())
        if run:
            self.planner.start(self.now_ns, "r", scope or Scope())

    # What the terminal does.

    def observation(self, *, evidence: bool = False) -> Observation:
        found = None
        if evidence:
            found = Evidence(tuple(self.deals), tuple(self.history), self._volumes())
        return Observation(
            self.now_ns,
            self.now_ns,
            self.session,
            self.account,
            self.terminal,
            tuple(self.positions),
            tuple(self.orders),
            found,
        )

    def _volumes(self) -> dict[int, int]:
        volumes: dict[int, int] = {}
        for deal in self.deals:
            sign = -1 if deal.type else 1
            change = sign * to_units(deal.volume)
            volumes[deal.position_id] = volumes.get(deal.position_id, 0) + change
        return volumes

    def opened(self, row: PositionRow) -> PositionRow:
        """Remember the deal that opened a position, for accounts whose history matters."""
        number = self._deal_number()
        self.deals.append(
            DealRow(number, 0, 1, row.type, 0, 0, row.identifier, row.symbol, row.volume, 1.1)
        )
        return row

    def _deal_number(self) -> int:
        self.next_deal += 1
        return self.next_deal

    def execute(self, send: Send, lots: float | None = None) -> DealRow | None:
        """Carry out a request in the book; return its deal."""
        intent = send.intent
        if intent.kind == "delete":
            self.orders = [o for o in self.orders if o.ticket != intent.ticket]
            return None
        done = to_units(lots) if lots is not None else intent.units
        touched = {intent.ticket, intent.by_ticket}
        left: list[PositionRow] = []
        for row in self.positions:
            units = to_units(row.volume) - (done if row.ticket in touched else 0)
            if units > 0:
                left.append(msgspec.structs.replace(row, volume=units / 1e8))
        self.positions = left
        deal = DealRow(
            self._deal_number(),
            0,
            2,
            1 - intent.side,
            1,
            intent.magic,
            intent.identifier,
            intent.symbol,
            done / 1e8,
            1.1,
        )
        self.deals.append(deal)
        return deal

    # One step.

    def next(self) -> Action:
        action = self.planner.next(self.now_ns)
        self.notes += self.planner.take_notes()
        return action

    def answer(
        self, code: int | None, *, last_error: int = 0, lots: float = 0.0, deal: int = 0
    ) -> None:
        row = None if code is None else SendRow(code, deal=deal, volume=lots, price=1.1)
        delete = self.sent[-1].intent.kind == "delete"
        self.planner.answered(self.now_ns, classify(code, last_error, is_delete=delete), row)
        self.notes += self.planner.take_notes()

    def done(self, send: Send) -> None:
        """Execute a request and say so."""
        deal = self.execute(send)
        lots = send.intent.units / 1e8
        self.answer(10009, lots=lots, deal=0 if deal is None else deal.ticket)

    def to_send(self, *, until_ns: int | None = None) -> Send | None:
        """Read, look and wait as asked until something is sent; None when time is over."""
        limit = self.now_ns + 600 * S if until_ns is None else until_ns
        while True:
            action = self.next()
            if isinstance(action, Send):
                self.sent.append(action)
                return action
            if isinstance(action, Observe):
                self.reads += 1
                self.planner.observed(self.now_ns, self.observation(evidence=action.evidence))
            elif isinstance(action, Look):
                self.look(action)
            elif isinstance(action, Wait):
                if action.until_ns > limit:
                    self.now_ns = max(self.now_ns, limit)
                    return None
                self.now_ns = action.until_ns
            else:
                return None
            self.notes += self.planner.take_notes()

    def look(self, action: Look) -> None:
        found = self.specs.get(action.symbol, spec(action.symbol)) if action.with_spec else None
        self.planner.looked(self.now_ns, action.symbol, found, TickRow(1.1, 1.10002, self.tick_msc))

    def play_out(self) -> None:
        """Execute everything that is sent until nothing more is."""
        while (send := self.to_send()) is not None:
            self.done(send)

    def said(self, kind: type[Note]) -> list[Any]:
        return [note for note in self.notes if isinstance(note, kind)]

    def later(self, duration_ns: int) -> None:
        self.now_ns += duration_ns
