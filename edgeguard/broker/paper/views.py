"""Show the terminal's copy of the account, which may lag behind the server or stand still."""

import msgspec

from edgeguard.broker.paper.margin import account_figures
from edgeguard.broker.paper.rows import Row, account_row, order_row, position_row, tick_row
from edgeguard.broker.paper.venue import Venue


class Listing(msgspec.Struct, frozen=True):
    """What a terminal shows at one moment. Deals from ``next_deal`` on are not in it yet."""

    positions: tuple[Row, ...]
    orders: tuple[Row, ...]
    account: Row
    ticks: dict[str, Row]
    orders_done: frozenset[int]
    next_deal: int


def take_listing(venue: Venue) -> Listing:
    """Return the account as it is now."""
    book = venue.book
    return Listing(
        positions=tuple(position_row(held) for held in book.positions.values()),
        orders=tuple(order_row(order) for order in book.orders.values()),
        account=account_row(venue, account_figures(venue)),
        ticks={name: tick_row(venue, spec) for name, spec in venue.by_name.items()},
        orders_done=frozenset(book.orders_done),
        next_deal=book.next_deal,
    )


class Views:
    """The terminal's copies: one frozen by a lost link, or a queue of changes still to show."""

    def __init__(self) -> None:
        """Start level with the server."""
        self._frozen: Listing | None = None
        self._shown: Listing | None = None
        self._coming: list[tuple[int, Listing]] = []

    def freeze(self, listing: Listing) -> None:
        """Stand still at a listing until thaw; a second freeze keeps the first."""
        if self._frozen is None:
            self._frozen = listing

    def thaw(self) -> None:
        """Catch up with the server."""
        self._frozen = None

    @property
    def is_lagging(self) -> bool:
        """Whether changes are on their way to the terminal."""
        return bool(self._coming)

    def lag(self, before: Listing, after: Listing, visible_ns: int) -> None:
        """Let a change show at a moment, never before an earlier one."""
        if not self._coming:
            self._shown = before
            self._coming = [(visible_ns, after)]
            return
        self._coming.append((max(visible_ns, self._coming[-1][0]), after))

    def current(self, now_ns: int) -> Listing | None:
        """Return what the terminal shows now, None when that is the server's own state."""
        while self._coming and self._coming[0][0] <= now_ns:
            self._shown = self._coming.pop(0)[1]
        if not self._coming:
            self._shown = None
        return self._frozen if self._frozen is not None else self._shown
