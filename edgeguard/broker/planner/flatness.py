"""Judge whether a run is flat, and name what is left: flat is two good reads, nothing less."""

from __future__ import annotations

import msgspec

from edgeguard.broker.paper.units import to_lots
from edgeguard.broker.planner.legs import Leg
from edgeguard.broker.planner.model import Flat, Observation, Reappeared
from edgeguard.broker.planner.state import Run, State
from edgeguard.broker.planner.work import is_fifo


class Remaining(msgspec.Struct, frozen=True):
    """One thing that is still there, and why."""

    what: str
    ticket: int
    symbol: str
    side: str
    volume: float
    why: str


def judge_flat(st: State, now_ns: int, obs: Observation, *, synced: bool) -> None:
    """Move every run by one good read: first empty read, second one, or not empty after all.

    Args:
        st: the planner's memory.
        now_ns: the time.
        obs: the read.
        synced: the terminal's lists may be believed.
    """
    open_requests = bool(st.unresolved)
    for run in st.runs.values():
        empty = _shows_nothing(run, obs) and obs.terminal.connected and synced
        if not empty:
            _not_empty(st, now_ns, run, obs)
        elif run.flat_ns is None and not open_requests:
            _one_more(st, run, obs)


def _shows_nothing(run: Run, obs: Observation) -> bool:
    covers = run.scope.covers
    return not any(covers(row) for row in obs.positions) and not any(
        covers(row) for row in obs.orders
    )


def _not_empty(st: State, now_ns: int, run: Run, obs: Observation) -> None:
    run.empty_ns = None
    if run.flat_ns is not None and not _shows_nothing(run, obs):
        run.flat_ns = None
        run.pendings_gone = False
        st.progress_ns = now_ns
        st.notes.append(Reappeared(run.id))


def _one_more(st: State, run: Run, obs: Observation) -> None:
    if run.empty_ns is None:
        # From the end of one read to the start of the next: a slow read must not count twice.
        run.empty_ns = obs.end_ns
    elif obs.start_ns - run.empty_ns >= st.policy.settle_ns:
        run.flat_ns = (run.empty_ns, obs.start_ns)
        st.notes.append(Flat(run.id, run.empty_ns, obs.start_ns))


def remaining(st: State, run: Run) -> list[Remaining]:
    """Return what the last good read showed in a run's scope, each with its reason."""
    rows: list[Remaining] = []
    for leg in st.legs.values():
        row = leg.row
        if row is not None and run.scope.covers(row):
            side = "sell" if row.type else "buy"
            rows.append(
                Remaining("position", row.ticket, row.symbol, side, row.volume, why_left(st, leg))
            )
    for order in st.orders.values():
        if order.seen == st.seen and run.scope.covers(order.row):
            row = order.row
            why = order.pace.cause or st.account_closed or "not deleted yet"
            volume = row.volume_current
            rows.append(Remaining("order", row.ticket, row.symbol, str(row.type), volume, why))
    rows += [
        Remaining(
            "request",
            own.intent.ticket,
            own.intent.symbol,
            "sell" if own.intent.side else "buy",
            to_lots(own.intent.units),
            f"request {own.intent.id} has no known outcome yet",
        )
        for own in st.unresolved
        if own.state != "done"
    ]
    return rows


def why_left(st: State, leg: Leg) -> str:
    """Return the reason why a position is still there."""
    why = st.account_closed or leg.blocked or st.market(leg.symbol).closed
    if why:
        return why
    if leg.locked:
        return "a request for it has no known outcome yet"
    if leg.cap is not None and leg.available == 0:
        return "closed, but the terminal still lists it"
    if is_fifo(st, leg.symbol) and not leg.pace.cause:
        return "an older position of the symbol has to close first"
    return leg.pace.cause or "not closed yet"
