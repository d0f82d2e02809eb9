"""Keep account of each target: what is listed, what own requests may still take from it.

The bound of `reference/reliability.md` P15 lives here: a new close may take at most the confirmed
volume less everything that own requests took or may still take.
"""

from __future__ import annotations

from typing import Literal

from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.model import Intent
from edgeguard.broker.rows import OrderRow, PositionRow

OwnState = Literal["sent", "unknown", "placed", "partial", "done"]
Key = int | str


class Own:
    """One own request that has not ended yet.

    Attributes:
        state: what the server has said so far; ``unknown`` also where nobody can say.
        filled: units that the server said it executed.
        order: the server's order ticket, 0 where it gave none.
        answered_ns: when the outcome, or the lack of one, became known.
        traces_missing: successive good reads of history and orders without a trace of it.
        is_released: no longer blocks its target, although its end is not known yet.
    """

    __slots__ = (
        "answered_ns",
        "filled",
        "intent",
        "is_released",
        "order",
        "state",
        "traces_missing",
    )

    def __init__(self, intent: Intent, now_ns: int, state: OwnState = "sent") -> None:
        """Start as sent, or as unknown where it is adopted from an earlier life."""
        self.intent = intent
        self.state: OwnState = state
        self.filled = 0
        self.order = 0
        self.answered_ns = now_ns
        self.traces_missing = 0
        self.is_released = False

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


class Pace:
    """Attempts on one target and when the next one may be made.

    Attributes:
        fails: refusals in a row.
        next_ns: no attempt before this.
        first_fail_ns: when the present row of refusals began, 0 without one.
        cause: the last refusal in words, for the report.
    """

    __slots__ = ("cause", "fails", "first_fail_ns", "next_ns")

    def __init__(self) -> None:
        """Start without a refusal."""
        self.fails = 0
        self.next_ns = 0
        self.first_fail_ns = 0
        self.cause = ""

    def fail(self, now_ns: int, cause: str, bounds_ns: tuple[int, int], *, quick: int = 0) -> None:
        """Count a refusal and set the pause after it.

        Args:
            now_ns: the time.
            cause: the refusal in words.
            bounds_ns: first and longest pause; it doubles in between.
            quick: this many refusals in a row cost no pause.
        """
        self.fails += 1
        self.first_fail_ns = self.first_fail_ns or now_ns
        self.cause = cause
        first, longest = bounds_ns
        slow = self.fails - quick
        # The exponent is bounded, so that a week of refusals makes no huge integer.
        pause = 0 if slow <= 0 else min(longest, first << min(slow - 1, 20))
        self.next_ns = now_ns + pause

    def good(self) -> None:
        """Forget the refusals: an attempt got through."""
        self.fails = 0
        self.first_fail_ns = 0
        self.cause = ""


class Leg:
    """One position that must go; on a netting account one symbol.

    Attributes:
        key: the identifier, or the symbol when netting.
        row: the position as last listed, None where the last list does not show it.
        units: listed volume.
        cap: the most it can hold by what own requests are known to have taken; None: as listed.
        cap_ns: when the cap was set.
        deals_awaited: own deals that answers named and no read of the history has shown yet.
        appeared: it was not there when the flatten began.
        admitted: an appeared one has passed the rate limit.
        flips: how often its side changed under the same key.
        in_scope: a flatten covers it.
        blocked: only an operator may lift this (an unknown request on a netting account).
        widen: how often its price deviation has been doubled.
        volume_tries: how often its volume was refused.
        bite: most units of its next request, 0 for any: a thin book refused more than that.
    """

    __slots__ = (
        "admitted",
        "appeared",
        "bite",
        "blocked",
        "cap",
        "cap_ns",
        "deals_awaited",
        "flips",
        "identifier",
        "in_scope",
        "key",
        "owns",
        "pace",
        "risk",
        "row",
        "seen",
        "side",
        "symbol",
        "units",
        "volume",
        "volume_tries",
        "widen",
    )

    def __init__(self, key: Key, symbol: str, identifier: int) -> None:
        """Start without a listing."""
        self.key = key
        self.symbol = symbol
        self.identifier = identifier
        self.row: PositionRow | None = None
        self.seen = -1
        self.side = 0
        self.volume = 0.0
        self.units = 0
        self.risk = 0.0
        self.cap: int | None = None
        self.cap_ns = 0
        self.deals_awaited: set[int] = set()
        self.owns: list[Own] = []
        self.pace = Pace()
        self.widen = 0
        self.volume_tries = 0
        self.bite = 0
        self.appeared = False
        self.admitted = True
        self.flips = 0
        self.in_scope = False
        self.blocked = ""

    def list_row(self, row: PositionRow, seen: int) -> bool:
        """Take the position as the newest list shows it; return whether its side flipped."""
        flipped = False
        if self.row is not None or self.seen >= 0:
            flipped = row.type != self.side and row.identifier == self.identifier
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


class OrderLeg:
    """One working order that must go."""

    __slots__ = ("owns", "pace", "row", "seen", "since_ns")

    def __init__(self, row: OrderRow, now_ns: int) -> None:
        """Start as listed at `now_ns`."""
        self.row = row
        self.seen = -1
        self.since_ns = now_ns
        self.owns: list[Own] = []
        self.pace = Pace()
