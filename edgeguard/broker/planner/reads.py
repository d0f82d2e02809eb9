"""Decide when to read the terminal again, and whether only history can answer."""

from __future__ import annotations

from edgeguard.broker.planner.intake import needs_history
from edgeguard.broker.planner.model import Action, Observe, Wait
from edgeguard.broker.planner.state import State

IDLE_READS_NS = (20_000_000, 50_000_000, 100_000_000, 200_000_000, 500_000_000, 1_000_000_000)
"""Pauses between reads while nothing can be sent; back to the first one at every progress."""
READ_RETRY_NS = (50_000_000, 1_000_000_000)
"""First and longest pause after a read that failed; it doubles in between."""


def observe(st: State, now_ns: int) -> Observe:
    """Return a read, with history where only that can tell what became of a request."""
    earlier = [*st.adopted, *(intent for intent, _ in st.adopted_filled)]
    found = {intent.identifier: None for intent in earlier if intent.identifier}
    needed = bool(earlier)
    for leg in st.legs.values():
        if needs_history(st, leg, now_ns):
            needed = True
            found[leg.identifier] = None
    for order in st.orders.values():
        if order.seen != st.seen and any(own.state != "done" for own in order.owns):
            needed = True
    return Observe(evidence=needed, identifiers=tuple(found))


def observe_or_wait(st: State, now_ns: int) -> Action:
    """Read again after a failed read, at a bounded rate."""
    if st.observe_fails == 0 and not st.identity_fault:
        return observe(st, now_ns)
    first, longest = READ_RETRY_NS
    pause = min(longest, first << min(st.observe_fails, 10))
    due = st.observe_ns + (longest if st.identity_fault else pause)
    return observe(st, now_ns) if now_ns >= due else Wait(due)


def observe_later(st: State, now_ns: int) -> Action:
    """Read again when a pause is over, a retry is due, or the settle time has passed."""
    pause = IDLE_READS_NS[min(st.idle_reads, len(IDLE_READS_NS) - 1)]
    due = st.observe_ns + pause
    retries = [leg.pace.next_ns for leg in st.legs.values() if leg.row is not None]
    retries += [order.pace.next_ns for order in st.orders.values()]
    retries.append(st.busy_ns)
    due = min((when for when in retries if now_ns < when < due), default=due)
    settling = [run.empty_ns for run in st.runs.values() if run.empty_ns and not run.flat_ns]
    if settling and not st.unresolved:
        due = min(settling) + st.policy.settle_ns
    if now_ns < due:
        return Wait(due)
    st.idle_reads += 1
    return observe(st, now_ns)
