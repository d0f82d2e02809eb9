"""Guess the request after the one in flight, so that its intent is on disk when its turn comes.

A guess decides nothing: the next request is planned anew from the answer, and takes the guess's
number only where both are the same. A guess is on no account (P15) and blocks no target (P16).
"""

from __future__ import annotations

import msgspec

from edgeguard.broker.planner.legs import Leg, OrderLeg
from edgeguard.broker.planner.model import Intent, Resolved
from edgeguard.broker.planner.replies import Sent
from edgeguard.broker.planner.state import State
from edgeguard.broker.planner.work import Job, Queue, delete_next, waits_for_older


def guess(st: State, queue: Queue, sent: Sent, now_ns: int) -> OrderLeg | Job | None:
    """Return what probably follows the request in flight, of another target; None for no guess.

    Only the heads of the queue are looked at, and nothing is taken from it.
    """
    intent = sent.own.intent
    if st.stale or (intent.kind == "close" and sent.legs[0].available > intent.units):
        # A new read, or the next chunk of the same position, comes first.
        return None
    if queue.deletes and delete_next(st, queue, now_ns):
        order = queue.deletes[0][2]
        blocked = order.pace.next_ns > now_ns or any(own.blocks for own in order.owns)
        return None if blocked else order
    if not queue.jobs:
        return None
    job = queue.jobs[0]
    legs = (job.leg,) if job.by is None else (job.leg, job.by)
    if waits_for_older(queue, job.leg) or not all(_may_follow(st, leg, now_ns) for leg in legs):
        return None
    return job


def _may_follow(st: State, leg: Leg, now_ns: int) -> bool:
    """Tell whether a position looks free, without admitting one that appeared."""
    free = leg.row is not None and not leg.locked and leg.available > 0
    return free and leg.pace.next_ns <= now_ns and leg.admitted and not st.market(leg.symbol).closed


def number(st: State, intent: Intent) -> Intent:
    """Return an intent with its number: that of the guess where it is the same, else a new one."""
    ahead = st.ahead
    if ahead is not None and msgspec.structs.replace(intent, id=ahead.id) == ahead:
        st.ahead = None
        return ahead
    fresh = msgspec.structs.replace(intent, id=st.next_intent)
    st.next_intent += 1
    return fresh


def drop(st: State) -> None:
    """End a guess that did not come true; its number is never used again."""
    if st.ahead is None:
        return
    why = "written ahead of its turn, which did not come"
    st.notes.append(Resolved(st.ahead, "PROVEN_NOT_SENT", 0, why))
    st.ahead = None
