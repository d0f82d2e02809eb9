"""Everything the planner remembers between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeguard.broker.planner.legs import Key, Leg, OrderLeg, Own
from edgeguard.broker.planner.model import Alarm, Intent, Note, Observation, Policy, Scope
from edgeguard.broker.rows import SymbolRow, TickRow


@dataclass(slots=True, eq=False)
class Run:
    """One flatten: what it covers and how far it is.

    Attributes:
        id, scope: as commanded.
        known: the book that it found at the start has been taken in; what comes later appeared.
        empty_ns: end of the first of two reads that show nothing, None without one.
        flat_ns: end of the first and start of the second read that prove flat, None before.
        pendings_gone: said once.
    """

    id: str
    scope: Scope
    known: bool = False
    empty_ns: int | None = None
    flat_ns: tuple[int, int] | None = None
    pendings_gone: bool = False


@dataclass(slots=True, eq=False)
class Market:
    """What is known of one symbol: rules, last tick, what works, and a refusal to wait out.

    Attributes:
        spec, spec_ns: rules and when they were read.
        tick, tick_ns: last tick and when it was read; `tick_ns` None asks for a new one.
        look_ns: when it was last looked at; asked: a fresh quote was asked for just now.
        filling: index into the fillings that were not refused; kept because it worked.
        fillings_refused: those that the server refused as such, until it has refused them all.
        needs_price: send a price although the execution mode needs none.
        close_by_off: CLOSE_BY was refused here.
        fifo: the server asked for the oldest first.
        closed: why it does not trade now, empty when it does; closed_ns: when that was learnt.
        closed_tick_msc: its tick at the refusal; a newer one is a reason to try again.
        retry_ns: no attempt before this; retry_pause_ns: the pause behind it, which doubles.
    """

    spec: SymbolRow | None = None
    spec_ns: int | None = None
    tick: TickRow | None = None
    tick_ns: int | None = None
    look_ns: int = 0
    asked: bool = False
    filling: int = 0
    fillings_refused: set[int] = field(default_factory=set[int])
    needs_price: bool = False
    close_by_off: bool = False
    fifo: bool = False
    closed: str = ""
    closed_ns: int = 0
    closed_tick_msc: int = 0
    retry_ns: int = 0
    retry_pause_ns: int = 0


class Bucket:
    """A bounded rate: `burst` at once, then one each `refill_ns`."""

    __slots__ = ("_burst", "_level", "_refill_ns", "_since_ns")

    def __init__(self, burst: int, refill_ns: int) -> None:
        """Start full."""
        self._burst = burst
        self._level = burst
        self._refill_ns = refill_ns
        self._since_ns = 0

    def take(self, now_ns: int) -> bool:
        """Take one if there is one."""
        refilled = (now_ns - self._since_ns) // self._refill_ns
        if refilled > 0:
            self._level = min(self._burst, self._level + refilled)
            self._since_ns = now_ns
        if self._level == 0:
            return False
        self._level -= 1
        return True


@dataclass(slots=True, eq=False)
class State:
    """The planner's memory; one account, one terminal.

    Attributes:
        policy: every bound.
        next_intent: number of the next intent.
        bucket: the rate at which appeared positions are flattened.
        runs, legs, orders, markets: flattens by id; positions, working orders and symbols.
        notes: what there is to say.
        adopted: intents of an earlier life without an end; adopted_filled: those that it saw
            executed just now, with their deals.
        ahead: the intent written ahead of its turn, None without one; it blocks nothing.
        past_damaged: earlier lives may have sent what nobody knows of.
        obs: the newest good read, None where the last one failed; seen counts them.
        hedging: several positions on one symbol are several positions.
        identity_fault: the terminal shows another account than the configured one.
        observe_ns: when the last read ended, well or not; observe_fails: failures in a row.
        read_fault: why the last one failed.
        idle_reads: reads since something last got better.
        stale: something happened that only a new read can tell.
        session: the child's life that `obs` is of; connected_ns: since when its lists are believed.
        account_closed: why nothing can be sent, empty when it can; account_retry_ns and
            account_pause_ns as in `Market`; account_flags_off: the terminal itself says so.
        busy_ns: the server asked for a pause until then.
        progress_ns: when something last got better; alarmed_ns: when each matter was last raised.
        opening_deals: own deals that opened something, each raised once.
        waiting_said: the causes last told.
        deletes_run: deletions since the last close; deletes_since_ns: when the first one could go.
    """

    policy: Policy
    next_intent: int
    bucket: Bucket
    runs: dict[str, Run] = field(default_factory=dict[str, Run])
    legs: dict[Key, Leg] = field(default_factory=dict[Key, Leg])
    orders: dict[int, OrderLeg] = field(default_factory=dict[int, OrderLeg])
    markets: dict[str, Market] = field(default_factory=dict[str, Market])
    notes: list[Note] = field(default_factory=list[Note])
    adopted: list[Intent] = field(default_factory=list[Intent])
    adopted_filled: list[tuple[Intent, int]] = field(default_factory=list[tuple[Intent, int]])
    ahead: Intent | None = None
    past_damaged: bool = False
    obs: Observation | None = None
    seen: int = 0
    hedging: bool = True
    identity_fault: str = ""
    observe_ns: int = 0
    observe_fails: int = 0
    read_fault: str = ""
    idle_reads: int = 0
    stale: bool = True
    session: int = -1
    connected_ns: int | None = None
    account_closed: str = ""
    account_retry_ns: int = 0
    account_pause_ns: int = 0
    account_flags_off: bool = False
    busy_ns: int = 0
    progress_ns: int = 0
    alarmed_ns: dict[str, int] = field(default_factory=dict[str, int])
    opening_deals: set[int] = field(default_factory=set[int])
    waiting_said: tuple[str, ...] = ()
    deletes_run: int = 0
    deletes_since_ns: int | None = None

    def market(self, symbol: str) -> Market:
        """Return what is known of a symbol."""
        found = self.markets.get(symbol)
        if found is None:
            found = self.markets[symbol] = Market()
        return found

    def alarm(self, now_ns: int, code: str, text: str, about: str = "") -> None:
        """Say something to a person, at most once per `realarm_ns` for the same matter."""
        key = f"{code}:{about}"
        last = self.alarmed_ns.get(key)
        if last is not None and now_ns - last < self.policy.realarm_ns:
            return
        self.alarmed_ns[key] = now_ns
        self.notes.append(Alarm(code, text))

    def progress(self, now_ns: int) -> None:
        """Note that something got better."""
        self.progress_ns = now_ns
        self.idle_reads = 0
        self.alarmed_ns.pop("STUCK:", None)

    @property
    def unresolved(self) -> list[Own]:
        """Every own request that has not ended, each once."""
        owns = [own for leg in self.legs.values() for own in leg.owns]
        owns += [own for order in self.orders.values() for own in order.owns]
        return list({own.intent.id: own for own in owns}.values())
