"""Keep account of each target: what is listed, what own requests may still take from it.

The bound of `docs/PROMISES.md` P15 lives here: a new close may take at most the confirmed
volume less everything that own requests took or may still take.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.model import Intent
from edgeguard.broker.rows import OrderRow, PositionRow

OwnState = Literal["sent", "unknown", "placed", "partial", "done"]
Key = int | str
"""A position's identifier, or its symbol on a netting account."""


@dataclass(slots=True, eq=False)
class Own:
    """One own request that has not ended yet.

    Attributes:
        intent: the request.
        answered_ns: when the outcome, or the lack of one, became known.
        state: what the server has said so far; ``unknown`` also where nobody can say.
        order: the server's order ticket, 0 where it gave none.
        traces_missing: successive good reads of history and orders without a trace of it.
        is_released: no longer blocks its target, although its end is not known yet.
    """

    intent: Intent
    answered_ns: int
    state: OwnState = "sent"
    order: int = 0
    traces_missing: int = 0
    is_released: bool = False

    @property
    def blocks(self) -> bool:
        """Whether nothing else may touch its target: the outcome is open."""
        return not self.is_released

    def marks(self, row: OrderRow) -> bool:
        """Tell whether a working or historical order is this request's."""
        intent = self.intent
        if row.magic == intent.magic or (self.order and row.ticket == self.order):
            return True
        return (
            intent.kind == "close_by"
            and row.position_by_id != 0
            and {row.position_id, row.position_by_id} == {intent.identifier, intent.by_key}
        )


@dataclass(slots=True, eq=False)
class Pace:
    """Attempts on one target and when the next one may be made.

    Attributes:
        fails: refusals in a row.
        next_ns: no attempt before this.
        cause: the last refusal in words, for the report.
    """

    fails: int = 0
    next_ns: int = 0
    cause: str = ""

    def fail(self, now_ns: int, cause: str, bounds_ns: tuple[int, int], *, quick: int = 0) -> None:
        """Count a refusal and set the pause after it.

        Args:
            now_ns: the time.
            cause: the refusal in words.
            bounds_ns: first and longest pause; it doubles in between.
            quick: this many refusals in a row cost no pause.
        """
        self.fails += 1
        self.cause = cause
        first, longest = bounds_ns
        slow = self.fails - quick
        # The exponent is bounded, so that a week of refusals makes no huge integer.
        pause = 0 if slow <= 0 else min(longest, first << min(slow - 1, 20))
        self.next_ns = now_ns + pause

    def again(self, now_ns: int, cause: str) -> None:
        """Allow another, different request at once: it is not this one's fault."""
        self.cause = cause
        self.next_ns = now_ns

    def good(self) -> None:
        """Forget the refusals: an attempt got through."""
        self.fails = 0
        self.cause = ""


@dataclass(slots=True, eq=False)
class Leg:
    """One position that must go; on a netting account one symbol.

    Attributes:
        key, symbol, identifier: which position; the identifier may change under a netting key.
        row: the position as last listed, None where the last list does not show it.
        seen: the read that last listed it, -1 before the first.
        side, volume, units: as last listed.
        risk: what a further move costs plus what is lost; the largest goes first.
        cap: the most it can hold by what own requests are known to have taken; None: as listed.
        cap_ns: when the cap was set.
        deals_awaited: own deals that answers named and no read of the history has shown yet.
        owns: own requests that have not ended.
        pace: attempts.
        widen: how often its price deviation has been doubled.
        volume_tries: how often its volume was refused.
        bite: most units of its next request, 0 for any: a thin book refused more than that.
        appeared: it was not there when the flatten began.
        admitted: an appeared one has passed the rate limit.
        flips: how often its side changed under the same key.
        in_scope: a flatten covers it.
        blocked: only an operator may lift this (an unknown request on a netting account).
    """

    key: Key
    symbol: str
    identifier: int
    row: PositionRow | None = None
    seen: int = -1
    side: int = 0
    volume: float = 0.0
    units: int = 0
    risk: float = 0.0
    cap: int | None = None
    cap_ns: int = 0
    deals_awaited: set[int] = field(default_factory=set[int])
    owns: list[Own] = field(default_factory=list[Own])
    pace: Pace = field(default_factory=Pace)
    widen: int = 0
    volume_tries: int = 0
    bite: int = 0
    appeared: bool = False
    admitted: bool = True
    flips: int = 0
    in_scope: bool = False
    blocked: str = ""

    def list_row(self, row: PositionRow, seen: int) -> bool:
        """Take the position as the newest list shows it; return whether its side flipped."""
        flipped = self.seen >= 0 and row.type != self.side and row.identifier == self.identifier
        if row.identifier != self.identifier:
            self.identifier = row.identifier
            self.uncap()
        self.row = row
        self.seen = seen
        self.side = row.type
        if row.volume != self.volume:
            self.volume = row.volume
            self.units = to_units(row.volume)
        return flipped

    def unlist(self) -> None:
        """Note that the newest list does not show the position."""
        self.row = None
        self.volume = 0.0
        self.units = 0

    @property
    def locked(self) -> bool:
        """Whether an own request with an open outcome forbids another."""
        return any(own.blocks for own in self.owns)

    @property
    def available(self) -> int:
        """Units that a new close may take: P15."""
        return self.units if self.cap is None else max(0, min(self.units, self.cap))

    def take(self, units: int, deal: int, now_ns: int) -> None:
        """Lower the cap by units that a deal has taken: the list may go on showing them."""
        self.cap = max(0, self.available - units)
        self.cap_ns = now_ns
        if deal:
            self.deals_awaited.add(deal)

    def uncap(self) -> None:
        """Believe the list again."""
        self.cap = None
        self.deals_awaited.clear()


@dataclass(slots=True, eq=False)
class OrderLeg:
    """One working order that must go.

    Attributes:
        row: as last listed.
        since_ns: when it was first seen.
        seen: the read that last listed it.
        owns: own deletions of it that have not ended.
        pace: attempts.
    """

    row: OrderRow
    since_ns: int
    seen: int = -1
    owns: list[Own] = field(default_factory=list[Own])
    pace: Pace = field(default_factory=Pace)
