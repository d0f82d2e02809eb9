"""Everything the planner remembers between two steps."""

from __future__ import annotations

from edgeguard.broker.planner.legs import Key, Leg, OrderLeg, Own
from edgeguard.broker.planner.model import Alarm, Intent, Note, Observation, Policy, Scope
from edgeguard.broker.rows import SymbolRow, TickRow


class Run:
    """One flatten: what it covers and how far it is.

    Attributes:
        empty_ns: end of the first of two reads that show nothing, None without one.
        flat_ns: end of the first and start of the second read that prove flat, None before.
        known: the book that it found at the start has been taken in; what comes later appeared.
        pendings_gone: said once.
    """

    __slots__ = ("empty_ns", "flat_ns", "id", "known", "pendings_gone", "scope")

    def __init__(self, run_id: str, scope: Scope) -> None:
        """Start with nothing known."""
        self.id = run_id
        self.scope = scope
        self.known = False
        self.empty_ns: int | None = None
        self.flat_ns: tuple[int, int] | None = None
        self.pendings_gone = False


class Market:
    """What is known of one symbol: rules, last tick, the filling that works, and a refusal to wait out.

    Attributes:
        spec, spec_ns: rules and when they were read.
        tick, tick_ns: last tick and when it was read.
        filling: index into the fillings that were not refused; kept because it worked.
        fillings_refused: those that the server refused as such, until it has refused them all.
        needs_price: send a price although the execution mode needs none.
        close_by_off: CLOSE_BY was refused here.
        fifo: the server asked for the oldest first.
        look_ns: when it was last looked at; asked: a fresh quote was asked for just now.
        closed: why it does not trade now, empty when it does.
        closed_ns: when that was learnt.
        closed_tick_msc: its tick at the refusal; a newer one is a reason to try again.
        retry_ns: no attempt before this; retry_pause_ns: the pause behind it, which doubles.
    """

    __slots__ = (
        "asked",
        "close_by_off",
        "closed",
        "closed_ns",
        "closed_tick_msc",
        "fifo",
        "filling",
        "fillings_refused",
        "look_ns",
        "needs_price",
        "retry_ns",
        "retry_pause_ns",
        "spec",
        "spec_ns",
        "tick",
        "tick_ns",
    )

    def __init__(self) -> None:
        """Start with nothing known."""
        self.spec: SymbolRow | None = None
        self.spec_ns: int | None = None
        self.tick: TickRow | None = None
        self.tick_ns: int | None = None
        self.look_ns = 0
        self.asked = False
        self.filling = 0
        self.fillings_refused: set[int] = set()
        self.needs_price = False
        self.close_by_off = False
        self.fifo = False
        self.closed = ""
        self.closed_ns = 0
        self.closed_tick_msc = 0
        self.retry_ns = 0
        self.retry_pause_ns = 0


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


class State:
    """The planner's memory; one account, one terminal."""

    def __init__(self, policy: Policy, next_intent: int) -> None:
        """Start empty; intents count on from `next_intent`."""
        self.policy = policy
        self.next_intent = next_intent
        self.runs: dict[str, Run] = {}
        self.legs: dict[Key, Leg] = {}
        self.orders: dict[int, OrderLeg] = {}
        self.markets: dict[str, Market] = {}
        self.notes: list[Note] = []
        self.adopted: list[Intent] = []
        self.bucket = Bucket(policy.appeared_burst, policy.appeared_refill_ns)
        # The newest good read, and how reads have gone since.
        self.obs: Observation | None = None
        self.seen = 0
        self.hedging = True
        self.identity_fault = ""
        self.observe_ns = 0
        self.observe_fails = 0
        self.read_fault = ""
        self.idle_reads = 0
        self.stale = True
        self.session = -1
        self.connected_ns: int | None = None
        # Account-wide obstacles.
        self.account_closed = ""
        self.account_retry_ns = 0
        self.account_pause_ns = 0
        self.account_flags_off = False
        self.busy_ns = 0
        # Progress and what has been said about it.
        self.progress_ns = 0
        self.alarmed_ns: dict[str, int] = {}
        self.opening_deals: set[int] = set()
        self.waiting_said: tuple[str, ...] = ()
        # Deletions and closes since the last close.
        self.deletes_run = 0
        self.deletes_since_ns: int | None = None

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
        found: dict[int, Own] = {}
        for leg in self.legs.values():
            for own in leg.owns:
                found[own.intent.id] = own
        for order in self.orders.values():
            for own in order.owns:
                found[own.intent.id] = own
        return list(found.values())
