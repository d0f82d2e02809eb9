"""Choose what to send next: deletions first but not for long, then the largest risk."""

from __future__ import annotations

from heapq import heapify, heappop
from typing import NamedTuple

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.invariants import hold, there
from edgeguard.broker.planner.legs import Leg, OrderLeg
from edgeguard.broker.planner.model import Intent
from edgeguard.broker.planner.requests import (
    allows_close_by,
    chunk,
    floor_to_step,
    money_per_lot,
)
from edgeguard.broker.planner.state import State

IN_PROCESS_TYPES = frozenset({c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL, c.ORDER_TYPE_CLOSE_BY})
"""Market orders on their way: they end by themselves, and only a stuck one is deleted."""
STUCK_ORDER_NS = 10_000_000_000
"""A market order listed for longer than this is stuck."""

UNNUMBERED = 0
"""An intent's number before it is given one."""
RISK_MOVE = 0.01
"""Risk is what a further move of this fraction costs, plus what is already lost."""


class Job(NamedTuple):
    """One unit of work, smaller first: a close, or a pair that closes itself.

    The ticket makes every job different, so that comparing never reaches the legs.
    """

    rank: int
    order: float
    ticket: int
    leg: Leg
    by: Leg | None = None


class Queue:
    """The work of one observation, best first.

    Attributes:
        jobs, deletes: heaps of what may be sent.
        fifo: by symbol, oldest first, where the server insists on that.
        symbols: whose rules the work needs.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.jobs: list[Job] = []
        self.deletes: list[tuple[float, int, OrderLeg]] = []
        self.fifo: dict[str, list[Leg]] = {}
        self.symbols: tuple[str, ...] = ()


def build_queue(st: State, now_ns: int) -> Queue:
    """Return everything that one observation leaves to do, best first."""
    queue = Queue()
    seen = st.seen
    groups: dict[str, list[Leg]] = {}
    for leg in st.legs.values():
        if leg.seen == seen and leg.in_scope and not leg.blocked:
            group = groups.get(leg.symbol)
            if group is None:
                groups[leg.symbol] = [leg]
            else:
                group.append(leg)
    for symbol, group in groups.items():
        queue.jobs += _symbol_jobs(st, queue, symbol, group)
    heapify(queue.jobs)
    queue.symbols = tuple(groups)
    queue.deletes = [
        (_distance(order), ticket, order)
        for ticket, order in st.orders.items()
        if order.seen == seen and _is_deletable(st, order, now_ns)
    ]
    heapify(queue.deletes)
    return queue


def _symbol_jobs(st: State, queue: Queue, symbol: str, group: list[Leg]) -> list[Job]:
    """Return the jobs of one symbol: by age, by pairs, or by risk."""
    market = st.market(symbol)
    _rate(group, money_per_lot(market.spec))
    if is_fifo(st, symbol):
        # Whatever is older counts, also what is not in scope.
        rows = [leg for leg in st.legs.values() if leg.symbol == symbol and leg.row is not None]
        queue.fifo[symbol] = sorted(rows, key=_age)
        return [single_job(st, leg) for leg in group]
    first = group[0].side
    both = st.hedging and any(leg.side != first for leg in group)
    if both and allows_close_by(market):
        return _pairs(st, group)
    return [Job(0, -leg.risk, leg.row.ticket, leg) for leg in group if leg.row is not None]


def _rate(group: list[Leg], money: float) -> None:
    """Set each risk: what a further move of 1 % costs plus what is already lost, account money."""
    move = money * RISK_MOVE
    for leg in group:
        row = leg.row
        if row is not None:
            profit = row.profit
            lost = -profit if profit < 0 else 0.0
            leg.risk = move * leg.volume * row.price_current + lost


def _distance(order: OrderLeg) -> float:
    """Return how far an order is from its price, as a fraction: the nearest goes first."""
    row = order.row
    if row.price_current <= 0:
        return 0.0
    return abs(row.price_open - row.price_current) / row.price_current


def _is_deletable(st: State, order: OrderLeg, now_ns: int) -> bool:
    row = order.row
    if row.type not in IN_PROCESS_TYPES:
        return True
    stuck = now_ns - order.since_ns > STUCK_ORDER_NS
    partly_done = row.state == c.ORDER_STATE_PARTIAL
    return stuck or (partly_done and not st.hedging and now_ns - order.since_ns > st.policy.lag_ns)


def is_fifo(st: State, symbol: str) -> bool:
    """Tell whether a symbol's positions close oldest first, by the account's word or a refusal."""
    account = st.obs is not None and st.obs.account.fifo_close
    return account or st.market(symbol).fifo


def _age(leg: Leg) -> tuple[int, int]:
    row = leg.row
    return (0, 0) if row is None else (row.time_msc, row.ticket)


def single_job(st: State, leg: Leg) -> Job:
    """Return the job that closes one position; oldest first where the symbol is FIFO."""
    row = there(leg.row, "a listed position")
    order = float(row.time_msc) if is_fifo(st, leg.symbol) else -leg.risk
    return Job(0, order, row.ticket, leg)


def _pairs(st: State, group: list[Leg]) -> list[Job]:
    """Return the jobs of a symbol whose opposite positions may close each other.

    Equal opposite volumes first, they cost one request for two positions; then the largest
    opposite ones, whose rest is planned again after the next read. What lies on the heavier side
    and beyond the balance closes at once; what the other side still covers waits for its pair.
    """
    ready: list[Leg] = []
    busy: list[Leg] = []
    for leg in group:
        whole = not leg.owns and leg.available == leg.units > 0
        (ready if whole else busy).append(leg)
    order = sorted(ready, key=lambda leg: (-leg.units, -leg.risk, str(leg.key)))
    buys = [leg for leg in order if leg.side == 0]
    sells = [leg for leg in order if leg.side == 1]
    surplus = sum(leg.units for leg in buys) - sum(leg.units for leg in sells)
    by_units: dict[int, list[Leg]] = {}
    for leg in sells:
        by_units.setdefault(leg.units, []).append(leg)
    pairs: list[tuple[Leg, Leg]] = []
    for leg in buys:
        equal = by_units.get(leg.units)
        if equal:
            pairs.append((leg, equal.pop(0)))
    taken = {id(leg) for pair in pairs for leg in pair}
    rest_buys = [leg for leg in buys if id(leg) not in taken]
    rest_sells = [leg for leg in sells if id(leg) not in taken]
    pairs += list(zip(rest_buys, rest_sells, strict=False))
    count = min(len(rest_buys), len(rest_sells))
    left = rest_buys[count:] + rest_sells[count:]
    jobs = [
        Job(1, -abs(one.risk - two.risk), one.row.ticket, one, two)
        for one, two in pairs
        if one.row is not None
    ]
    jobs += [single_job(st, leg) for leg in busy]
    return jobs + _beyond_balance(st, left, abs(surplus))


def _beyond_balance(st: State, left: list[Leg], surplus: int) -> list[Job]:
    """Return single closes for the largest risks of the heavier side, up to the surplus."""
    jobs: list[Job] = []
    for leg in sorted(left, key=lambda leg: -leg.risk):
        if leg.units > surplus:
            continue
        surplus -= leg.units
        jobs.append(single_job(st, leg))
    return jobs


def pick(st: State, queue: Queue, now_ns: int) -> OrderLeg | Job | None:
    """Take the best eligible piece of work from the queue; None where nothing may go now."""
    if queue.deletes and delete_next(st, queue, now_ns):
        found = _pick_delete(queue, now_ns)
        if found is not None:
            return found
    job = _pick_job(st, queue, now_ns)
    return job if job is not None else _pick_delete(queue, now_ns)


def delete_next(st: State, queue: Queue, now_ns: int) -> bool:
    """Tell whether a deletion goes before the next close: some do at first, then every second."""
    if not queue.jobs:
        return True
    policy = st.policy
    if st.deletes_since_ns is None:
        st.deletes_since_ns = now_ns
    early = now_ns - st.deletes_since_ns < policy.deletes_first_ns
    return st.deletes_run < (policy.deletes_first if early else 1)


def _pick_delete(queue: Queue, now_ns: int) -> OrderLeg | None:
    while queue.deletes:
        order = heappop(queue.deletes)[2]
        if order.pace.next_ns <= now_ns and not any(own.blocks for own in order.owns):
            return order
    return None


def _pick_job(st: State, queue: Queue, now_ns: int) -> Job | None:
    while queue.jobs:
        job = heappop(queue.jobs)
        if waits_for_older(queue, job.leg):
            continue
        if all(_is_ready(st, leg, now_ns) for leg in (job.leg, job.by) if leg is not None):
            return job
    return None


def waits_for_older(queue: Queue, leg: Leg) -> bool:
    """Tell whether an older position of a FIFO symbol still has something to close."""
    for older in queue.fifo.get(leg.symbol, ()):
        if older is leg:
            return False
        if older.available > 0 or older.locked:
            return True
    return False


def _is_ready(st: State, leg: Leg, now_ns: int) -> bool:
    if leg.row is None or leg.locked or leg.available <= 0 or leg.pace.next_ns > now_ns:
        return False
    market = st.market(leg.symbol)
    if market.closed and now_ns < market.retry_ns:
        return False
    if leg.appeared and not leg.admitted:
        leg.admitted = st.bucket.take(now_ns)
        return leg.admitted
    return True


def close_intent(st: State, leg: Leg) -> Intent:
    """Return the intent, not yet numbered, that closes what may be closed of one position."""
    row = there(leg.row, "a listed position")
    market = st.market(leg.symbol)
    units = chunk(leg.available, market.spec, leg.bite)
    if leg.volume_tries % 2 == 1:
        units = floor_to_step(units, market.spec)
    hold(not leg.locked, "P16: a position with an open request is left alone")
    hold(0 < units <= leg.available <= leg.units, "P15: never more than what is confirmed")
    return Intent(
        id=UNNUMBERED,
        kind="close",
        symbol=leg.symbol,
        key=leg.key,
        ticket=row.ticket,
        side=leg.side,
        units=units,
        identifier=leg.identifier,
    )


def pair_intent(leg: Leg, by: Leg) -> Intent:
    """Return the intent, not yet numbered, that closes two opposite positions by each other."""
    row, by_row = there(leg.row, "a listed position"), there(by.row, "a listed position")
    opposite = leg.side != by.side and leg.symbol == by.symbol
    hold(opposite, "P14: a pair is two opposite positions of one symbol")
    hold(not (leg.locked or by.locked), "P16: a position with an open request is left alone")
    return Intent(
        id=UNNUMBERED,
        kind="close_by",
        symbol=leg.symbol,
        key=leg.key,
        ticket=row.ticket,
        side=leg.side,
        units=min(leg.available, by.available),
        identifier=leg.identifier,
        by_key=by.identifier,
        by_ticket=by_row.ticket,
    )


def delete_intent(order: OrderLeg) -> Intent:
    """Return the intent, not yet numbered, that deletes one working order."""
    return Intent(
        id=UNNUMBERED,
        kind="delete",
        symbol=order.row.symbol,
        key=order.row.ticket,
        ticket=order.row.ticket,
        side=order.row.type,
        units=to_units(order.row.volume_current),
    )
