"""What the planner sees, what it asks for, and what it says: plain frozen data.

All `_ns` are CLOCK_BOOTTIME nanoseconds except where a name says wall. Volumes are `units`, whole
1e-8 lots, so that sums of lots come out exact.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from edgeguard.broker.paper.units import NS_PER_MS, NS_PER_S
from edgeguard.broker.rows import (
    AccountRow,
    DealRow,
    OrderRow,
    PositionRow,
    SymbolRow,
    TerminalRow,
    TickRow,
)

BUY: Final = 0
MAGIC_BASE: Final = 0x4547 << 32
"""Magic numbers of EdgeGuard's own requests are this plus the intent's number: a range that no
strategy uses by accident, and below 2**53 so that a bridge that makes doubles of it loses none."""
MAGIC_SPAN: Final = 1 << 32

End = Literal["FILLED", "PARTIAL", "REJECTED", "PROVEN_NOT_SENT", "ESCALATED"]
"""How an intent may end (`docs/PROMISES.md` P16)."""
IntentKind = Literal["close", "close_by", "delete"]


class _Data(msgspec.Struct, frozen=True, gc=False):
    """Common settings: immutable, and never part of a reference cycle."""


class Policy(_Data, frozen=True):
    """Every bound of the planner, with its unit. Defaults are the shipped values."""

    settle_ns: int = NS_PER_S
    """Least time between the two reads that prove flat; position lists were reported to lag by
    300 to 800 ms (users' reports; the vendor gives no figure)."""
    hedging_resend_ns: int = 2 * NS_PER_S
    """After this without a trace a hedging close is sent again: the server refuses doubles."""
    netting_quarantine_ns: int = 30 * NS_PER_S
    """After this without a trace a netting close counts as never sent (reliability D3)."""
    netting_unknown: Literal["quarantine", "operator"] = "quarantine"
    observation_age_ns: int = NS_PER_S
    """Oldest observation on which an order is sent."""
    quote_age_ns: int = 500 * NS_PER_MS
    """Oldest quote beside which a market order is sent; it only feeds the report."""
    quote_age_priced_ns: int = 100 * NS_PER_MS
    """Oldest quote that becomes the price of a Request or Instant order."""
    spec_age_ns: int = 60 * NS_PER_S
    """A symbol's rules are read again after this."""
    backoff_ns: tuple[int, int] = (100 * NS_PER_MS, 5 * NS_PER_S)
    """First and longest pause between attempts on one target; it doubles in between."""
    probe_ns: int = 30 * NS_PER_S
    """A market that looks closed, or a terminal that says no, is tried again this often."""
    alarm_ns: int = 4 * NS_PER_S
    """Nothing got better for this long: alarm. P18 promises 5 s."""
    realarm_ns: int = 60 * NS_PER_S
    deletes_first: int = 8
    """Deletions that may go before the largest risk is closed; after them every second order."""
    deletes_first_ns: int = 500 * NS_PER_MS
    appeared_burst: int = 20
    """Positions that appeared later are flattened at once up to this many, then at the rate."""
    appeared_refill_ns: int = NS_PER_S // 2
    deviation_points: tuple[int, int] = (20, 10_000)
    """First and widest deviation of priced orders; it doubles with every requote."""
    resync_ns: int = 2 * NS_PER_S
    """A terminal that was disconnected is believed this long after it is back."""
    lag_ns: int = NS_PER_S
    """A position still listed this long after it was closed needs evidence from history."""


class Identity(_Data, frozen=True):
    """The one account that may be traded; `trade_mode` is 0 demo, 1 contest, 2 real."""

    login: int
    server: str
    trade_mode: int


class Scope(_Data, frozen=True):
    """What one flatten covers: all positions and orders, or those of a symbol, magics, a ticket."""

    kind: Literal["account", "symbol", "strategy", "ticket"] = "account"
    symbol: str = ""
    magics: tuple[int, ...] = ()
    ticket: int = 0

    def covers(self, row: PositionRow | OrderRow) -> bool:
        """Tell whether a position or order belongs to this scope."""
        if self.kind == "account":
            return True
        if self.kind == "symbol":
            return row.symbol == self.symbol
        if self.kind == "strategy":
            return row.magic in self.magics
        if isinstance(row, PositionRow):
            return self.ticket in (row.ticket, row.identifier)
        return row.ticket == self.ticket


class Evidence(_Data, frozen=True):
    """History since before the oldest unresolved intent: what became of own requests."""

    deals: tuple[DealRow, ...]
    orders: tuple[OrderRow, ...]
    volumes: dict[int, int]
    """Units by position identifier as the position's own deals add up; signed, buys positive."""


class Observation(_Data, frozen=True):
    """One bracketed read: both account reads agreed around positions and orders."""

    start_ns: int
    end_ns: int
    session: int
    """Counts the child's lives: an observation of another life proves nothing for this one."""
    account: AccountRow
    terminal: TerminalRow
    positions: tuple[PositionRow, ...]
    orders: tuple[OrderRow, ...]
    evidence: Evidence | None = None
    fresh_deals: tuple[DealRow, ...] = ()
    """Deals that no earlier read of this process showed."""


class Intent(_Data, frozen=True):
    """One request that is about to be sent; written and fsynced before the call."""

    id: int
    kind: IntentKind
    symbol: str
    key: int | str
    """Identifier of the position (its symbol when netting), or ticket of the pending order."""
    ticket: int
    side: int
    """Side of the position (0 buy, 1 sell), not of the closing order."""
    units: int
    identifier: int = 0
    by_key: int = 0
    """For close_by the identifier of the opposite position."""
    by_ticket: int = 0

    @property
    def magic(self) -> int:
        """The magic number that marks this intent's orders and deals."""
        return MAGIC_BASE + self.id % MAGIC_SPAN


class Past(_Data, frozen=True):
    """What earlier lives of this process leave behind.

    Attributes:
        next_intent: number of the next intent, higher than any before.
        unresolved: intents that have no end yet.
        filled: intents seen executed just now, with their deals: lists may not show that yet.
        damaged: the record of them has holes, so that something unknown may still be on its way.
    """

    next_intent: int = 1
    unresolved: tuple[Intent, ...] = ()
    filled: tuple[tuple[Intent, int], ...] = ()
    damaged: bool = False


class Look(_Data, frozen=True):
    """Ask for a symbol's rules and last tick."""

    symbol: str
    with_spec: bool


class Observe(_Data, frozen=True):
    """Ask for a bracketed read; with history where `evidence` names what it must show."""

    evidence: bool = False
    identifiers: tuple[int, ...] = ()
    """Positions whose own deals must be summed."""


class Send(_Data, frozen=True):
    """Ask for one request to be journalled and sent. `quote` is the one at the decision."""

    intent: Intent
    request: dict[str, int | float | str]
    quote: TickRow | None
    spec: SymbolRow | None


class Wait(_Data, frozen=True):
    """Nothing to do before `until_ns`."""

    until_ns: int


class Idle(_Data, frozen=True):
    """No flatten is under way."""


Action = Look | Observe | Send | Wait | Idle


class Note(_Data, frozen=True, tag=True):
    """Something the planner says beside its action."""


class Resolved(Note, frozen=True, tag=True):
    """An intent has ended; `units` were executed."""

    intent: Intent
    end: End
    units: int
    why: str


class Alarm(Note, frozen=True, tag=True):
    """A person has to know; `code` is stable, `text` is a sentence."""

    code: str
    text: str


class Waiting(Note, frozen=True, tag=True):
    """What is pending and why; empty causes mean that work goes on again."""

    causes: tuple[str, ...]


class PendingsGone(Note, frozen=True, tag=True):
    """No pending order of the run's scope is left."""

    run: str
    read_ns: int


class Flat(Note, frozen=True, tag=True):
    """Two fresh reads show nothing in the run's scope: end of the first, start of the second."""

    run: str
    first_ns: int
    second_ns: int


class Reappeared(Note, frozen=True, tag=True):
    """A run that was proven flat has work again."""

    run: str
