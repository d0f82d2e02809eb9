"""Simulate a trade server and its terminal as one deterministic object that reads no clock.

Time comes in as ``now_ns`` with every call; randomness comes from a fault plan's seed alone. The
same spec, calls and ticks give the same answers, byte for byte. NOT FOR REAL TRADING.
"""

from collections import deque
from typing import Final

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.answer import Answer, Request
from edgeguard.broker.paper.bars import TickHistory
from edgeguard.broker.paper.deals import balance_deal
from edgeguard.broker.paper.disturb import World, disturb, pending_fill, undo
from edgeguard.broker.paper.faults import (
    CALL_CODES,
    EXECUTED,
    SEND_FAULTS,
    WORLD_FAULTS,
    FaultEngine,
    FaultPlan,
    Firing,
)
from edgeguard.broker.paper.past import Past
from edgeguard.broker.paper.quotes import take_tick
from edgeguard.broker.paper.rollover import run as roll_over
from edgeguard.broker.paper.rows import result_row
from edgeguard.broker.paper.spec import PaperSpec
from edgeguard.broker.paper.state import Book
from edgeguard.broker.paper.surface import HANDLERS, Args, Desk, Reply, checked, failed
from edgeguard.broker.paper.trade import send
from edgeguard.broker.paper.triggers import expire, run_late
from edgeguard.broker.paper.units import NS_PER_MS
from edgeguard.broker.paper.venue import Venue
from edgeguard.broker.paper.views import take_listing


class CallFate(msgspec.Struct, kw_only=True):
    """What the faults have in store for one call.

    ``before_ns`` and ``after_ns`` delay the execution and the answer; ``hang`` withholds the
    answer, of every client when ``hang_all``, for ``hang_ns`` (0: until it is ended); ``code`` is
    a failure the client will see, below 1, and ``execute`` whether the request is carried out
    before it. ``args`` are the call's own, checked.
    """

    before_ns: int = 0
    after_ns: int = 0
    hang: bool = False
    hang_all: bool = False
    hang_ns: int = 0
    code: int = c.RES_S_OK
    execute: bool = True
    args: Args = ()
    sends: list[Firing] = []


# Trade requests the audit keeps, the oldest forgotten first: far more than one flatten sends.
AUDIT_MAX: Final = 100_000


class AuditEntry(msgspec.Struct, frozen=True):
    """One trade request: when the server took it, what it asked, what it was answered."""

    now_ns: int
    request_id: int
    request: Request
    answer: Answer


class PaperServer:
    """A paper broker: account, market, terminal and its misbehaviour behind one call method."""

    def __init__(self, spec: PaperSpec, now_ns: int, book: Book | None = None) -> None:
        """Open an account as the spec says, or go on with a saved book.

        Args:
            spec: The rules.
            now_ns: The present, UTC.
            book: State to go on with; None pays the spec's balance and credit in.
        """
        self.spec = spec
        self.venue = Venue(spec, Book() if book is None else book)
        self.venue.now_ns = now_ns
        self.world = World(self.venue)
        self.engine = FaultEngine(spec.faults, now_ns)
        self.history = TickHistory()
        self.audit: deque[AuditEntry] = deque(maxlen=AUDIT_MAX)
        if book is None:
            self._first_deposit()
        self._make_past()
        self.advance(now_ns)

    def _make_past(self) -> None:
        """Put the past that the spec asks for before each symbol that has a price."""
        for symbol in self.spec.symbols:
            quote = self.venue.quote(symbol.name)
            if self.spec.past_days and quote.bid > 0.0:
                ends = (quote.bid, quote.ask)
                past = Past(symbol, self.venue.wall_s, ends, self.spec.past_days)
                self.history.begin(symbol.name, past)

    def _first_deposit(self) -> None:
        """Set the switches as the spec has them and pay the opening money in."""
        terminal = self.spec.terminal
        self.venue.switches.trade_allowed = terminal.trade_allowed
        self.venue.switches.tradeapi_disabled = terminal.tradeapi_disabled
        account = self.spec.account
        if account.balance:
            balance_deal(self.venue, c.DEAL_TYPE_BALANCE, account.balance, "Initial deposit")
        if account.credit:
            balance_deal(self.venue, c.DEAL_TYPE_CREDIT, account.credit, "Initial credit")

    @property
    def book(self) -> Book:
        """The changing state; save it with msgspec to go on later."""
        return self.venue.book

    def advance(self, now_ns: int) -> None:
        """Let time pass: late fills, expiry, midnight, ends of fault windows.

        A time before the last one changes nothing: the server's clock never runs back.
        """
        self.venue.now_ns = max(self.venue.now_ns, now_ns)
        for rule in self.world.windows.pop_due(self.venue.now_ns):
            undo(self.world, rule)
        run_late(self.venue)
        roll_over(self.venue)
        expire(self.venue)

    def on_tick(self, symbol: str, bid: float, ask: float, now_ns: int, source_ns: int = 0) -> bool:
        """Move a symbol's price and run what that sets off.

        Args:
            symbol: A symbol's name.
            bid: Bid, quote currency.
            ask: Ask, at least the bid.
            now_ns: The present, UTC.
            source_ns: When the source made the tick, 0 if it does not say.

        Returns:
            False when the symbol is unknown or the prices make no sense.
        """
        self.advance(now_ns)
        taken = take_tick(self.venue, symbol, bid, ask, source_ns)
        switches = self.venue.switches
        if taken and not (switches.quotes_off or switches.ticks_stopped):
            quote = self.venue.quote(symbol)
            digits = self.venue.by_name[symbol].digits
            self.history.add(symbol, quote.time_msc, quote.bid, quote.ask, digits)
        return taken

    @property
    def next_due_ns(self) -> int | None:
        """The next moment something happens by itself, None when nothing will."""
        moments = [later.due_ns for later in self.book.later]
        if self.world.windows.next_ns is not None:
            moments.append(self.world.windows.next_ns)
        return min(moments, default=None)

    def set_faults(self, plan: FaultPlan, now_ns: int) -> None:
        """Replace the fault plan; windows that are open end now."""
        self.advance(now_ns)
        for rule in self.world.windows.pop_all():
            undo(self.world, rule)
        self.engine.set_plan(plan, self.venue.now_ns)

    def begin(self, method: str, args: Args, now_ns: int) -> CallFate:
        """Take in a call and decide its fate; the world's faults happen here.

        Args:
            method: A name of the MetaTrader5 surface.
            args: Its arguments as surface.py wants them.
            now_ns: The present, UTC.

        Returns:
            The fate to hand to finish, after waiting ``before_ns``.
        """
        self.advance(now_ns)
        if method != "order_send" and method not in HANDLERS:
            return CallFate(code=c.RES_E_UNSUPPORTED, execute=False)
        try:
            fate = CallFate(args=checked(method, args))
        except msgspec.ValidationError:
            return CallFate(code=c.RES_E_INVALID_PARAMS, execute=False)
        for firing in self.engine.on_call(method, self.venue.now_ns):
            name = firing.rule.name
            if name in WORLD_FAULTS:
                disturb(self.world, firing, request_of(fate.args))
            elif name in SEND_FAULTS:
                fate.sends.append(firing)
            else:
                _apply_call_fault(fate, firing)
        return fate

    def finish(self, method: str, fate: CallFate, now_ns: int) -> Reply:
        """Carry a call out, unless its fate forbids, and return what the client is told.

        Args:
            method: A name of the MetaTrader5 surface.
            fate: What begin decided.
            now_ns: The present, UTC.

        Returns:
            The reply; with a code of -10000 or below the pipe failed and no value is known.
        """
        self.advance(now_ns)
        reply = self._carry_out(method, fate) if fate.execute else failed(fate.code)
        return reply if fate.code == c.RES_S_OK else failed(fate.code)

    def _carry_out(self, method: str, fate: CallFate) -> Reply:
        """Run one call against the state."""
        if method == "order_send":
            return self._order_send(fate)
        shown = self.world.views.current(self.venue.now_ns)
        return HANDLERS[method](Desk(self.venue, shown, self.history), fate.args)

    def _order_send(self, fate: CallFate) -> Reply:
        """Run order_send, with the faults of its own."""
        if self.venue.switches.tradeapi_disabled:
            return failed(c.RES_E_AUTO_TRADING_DISABLED)
        request: Request = fate.args[0]
        lag_ms = max((f.ms for f in fate.sends if f.rule.name == "listing_lag"), default=0)
        views = self.world.views
        lagging = lag_ms > 0 or views.is_lagging
        before = take_listing(self.venue) if lagging else None
        if any(firing.rule.name == "pending_fill" for firing in fate.sends):
            pending_fill(self.world, request)
        answer, request_id = send(self.venue, request, fate.sends)
        self.audit.append(AuditEntry(self.venue.now_ns, request_id, request, answer))
        if before is not None:
            visible_ns = self.venue.now_ns + lag_ms * NS_PER_MS
            views.lag(before, take_listing(self.venue), visible_ns)
        return Reply(value=result_row(answer, request, request_id))


def request_of(args: Args) -> Request | None:
    """Return the trade request a call carries, if it carries one."""
    return args[0] if args and isinstance(args[0], Request) else None


def _apply_call_fault(fate: CallFate, firing: Firing) -> None:
    """Write one fired call fault into a call's fate; the last of several codes wins."""
    rule = firing.rule
    if rule.name == "latency":
        if rule.execute:
            fate.after_ns += firing.ms * NS_PER_MS
        else:
            fate.before_ns += firing.ms * NS_PER_MS
    elif rule.name == "hang":
        fate.hang = True
        fate.hang_all = fate.hang_all or rule.scope == "terminal"
        fate.hang_ns = max(fate.hang_ns, firing.ms * NS_PER_MS)
        fate.execute = fate.execute and bool(rule.execute)
    else:
        fate.code = CALL_CODES[rule.name]
        fate.execute = rule.name in EXECUTED if rule.execute is None else rule.execute
