"""Join a paper spec, its changing book and the moment of the call: what every rule reads."""

from typing import Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.clock import broker_ms
from edgeguard.broker.paper.sessions import is_open
from edgeguard.broker.paper.spec import PaperSpec, SymbolSpec
from edgeguard.broker.paper.state import Book, Deal, Order, Position, Quote, Switches
from edgeguard.broker.paper.units import MS_PER_S, to_units

ALL_SYMBOLS: Final = "*"


class Venue:
    """One simulated broker. ``now_ns`` is set by whoever calls in; nothing here reads a clock."""

    __slots__ = ("book", "by_name", "margin_cache", "now_ns", "spec")

    def __init__(self, spec: PaperSpec, book: Book) -> None:
        """Take the rules and the state; a quote appears for each symbol that has none."""
        self.spec = spec
        self.book = book
        self.now_ns = 0
        # Margin changes with positions, not with prices: it is kept until a deal drops it.
        self.margin_cache: float | None = None
        self.by_name: dict[str, SymbolSpec] = {symbol.name: symbol for symbol in spec.symbols}
        for symbol in spec.symbols:
            if symbol.name not in book.quotes:
                book.quotes[symbol.name] = first_quote(symbol)

    @property
    def is_hedging(self) -> bool:
        """Whether the account keeps several positions on one symbol."""
        return self.spec.account.margin_mode == c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING

    @property
    def switches(self) -> Switches:
        """What admins and faults have flipped."""
        return self.book.switches

    @property
    def wall_ms(self) -> int:
        """The broker's wall clock in milliseconds."""
        return broker_ms(self.spec.clock, self.now_ns, self.book.switches.shift_s)

    @property
    def wall_s(self) -> int:
        """The broker's wall clock in seconds."""
        return self.wall_ms // MS_PER_S

    def quote(self, symbol: str) -> Quote:
        """Return the last prices of a known symbol."""
        return self.book.quotes[symbol]

    def market_open(self, symbol: SymbolSpec) -> bool:
        """Return whether orders on a symbol may execute now; an admin's word beats the schedule."""
        switches = self.book.switches
        names = {symbol.name, ALL_SYMBOLS}
        if names & switches.shut or names & switches.closed:
            return False
        if names & switches.open:
            return True
        return is_open(symbol, self.wall_ms)

    def freeze_level(self, symbol: SymbolSpec) -> int:
        """Return the freeze level in points, a fault's where one is set."""
        override = self.book.switches.freeze_level
        return symbol.freeze_level if override is None else override

    def stops_level(self, symbol: SymbolSpec) -> int:
        """Return the stops level in points, a fault's where one is set."""
        override = self.book.switches.stops_level
        return symbol.stops_level if override is None else override

    @property
    def closes_oldest_first(self) -> bool:
        """Whether the account is FIFO, by its rules or by a fault; a netting one never is."""
        return self.is_hedging and (self.spec.account.fifo_close or self.book.switches.fifo)

    def take_order_ticket(self) -> int:
        """Return the next order ticket; a new position takes its opening order's."""
        ticket = self.book.next_order
        self.book.next_order = ticket + 1
        return ticket

    def take_deal_ticket(self) -> int:
        """Return the next deal ticket, from a counter of its own."""
        ticket = self.book.next_deal
        self.book.next_deal = ticket + 1
        return ticket

    def positions_on(self, symbol: str) -> list[Position]:
        """Return the open positions on a symbol, oldest first."""
        return [entry for entry in self.book.positions.values() if entry.symbol == symbol]

    def position_on(self, symbol: str) -> Position | None:
        """Return the one position of a netting account on a symbol, if any."""
        return next(iter(self.positions_on(symbol)), None)

    def position_of(self, identifier: int) -> Position | None:
        """Return the open position of an identifier, whatever its ticket is now."""
        found = (held for held in self.book.positions.values() if held.identifier == identifier)
        return next(found, None)

    def put_position(self, held: Position) -> None:
        """Put a position on the book under its present ticket.

        The rest of a partly filled order may open again what was closed in between: its ticket
        is then no longer gone.
        """
        self.book.tickets_gone.discard(held.ticket)
        self.book.positions[held.ticket] = held
        self.margin_cache = None

    def drop_position(self, held: Position) -> None:
        """Take a position off the book under its present ticket."""
        del self.book.positions[held.ticket]
        self.book.tickets_gone.add(held.ticket)
        self.margin_cache = None

    def add_deal(self, deal: Deal) -> None:
        """Record a deal and move the balance by all its money."""
        self.book.deals[deal.ticket] = deal
        self.book.counters.deals += 1
        self.margin_cache = None
        change = deal.profit + deal.swap + deal.commission + deal.fee
        self.book.balance = self.money(self.book.balance + change)

    def retire_order(self, order: Order, state: int) -> None:
        """Move an order to history in its final state."""
        order.state = state
        order.time_done_msc = self.wall_ms
        self.book.orders.pop(order.ticket, None)
        self.book.orders_done[order.ticket] = order

    def money(self, amount: float) -> float:
        """Return an amount rounded to the account currency's digits."""
        return round(amount, self.spec.account.currency_digits)


def first_quote(symbol: SymbolSpec) -> Quote:
    """Return the quote a symbol starts with, its spec's prices or none."""
    return Quote(
        bid=symbol.bid,
        ask=symbol.ask,
        fed_bid=symbol.bid,
        fed_ask=symbol.ask,
        left_units_buy=to_units(symbol.depth_lots),
        left_units_sell=to_units(symbol.depth_lots),
        bid_high=symbol.bid,
        bid_low=symbol.bid,
        ask_high=symbol.ask,
        ask_low=symbol.ask,
        session_open=symbol.bid,
        selected=symbol.selected,
    )
