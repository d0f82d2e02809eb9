"""Decide from evidence what became of own requests.

An answer that names a deal is evidence by itself. For everything else, in order: working orders,
deals, orders in history. Nothing found is no proof: only time plus two good reads without a trace
is, and on a hedging account first the leave to ask again, because the server refuses doubles.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.legs import Leg, Own
from edgeguard.broker.planner.model import End, Evidence, Observation, Policy
from edgeguard.broker.rows import DealRow, OrderRow
from edgeguard.broker.values import plain_text

TRACELESS_READS: Final = 2
"""Good reads without a trace before time may count."""
DEAD_STATES: Final = frozenset(
    {c.ORDER_STATE_CANCELED, c.ORDER_STATE_REJECTED, c.ORDER_STATE_EXPIRED}
)


class Verdict(NamedTuple):
    """How an own request ended: units executed, and the evidence in words."""

    end: End
    units: int
    why: str


class Court(NamedTuple):
    """What every judgement needs: the read, the bounds, and the kind of account.

    `synced`: the terminal has been connected long enough for its lists to be believed.
    """

    now_ns: int
    obs: Observation
    policy: Policy
    hedging: bool
    synced: bool


def own_deals(own: Own, deals: tuple[DealRow, ...]) -> list[DealRow]:
    """Return the deals by which a request took volume from its intent's position."""
    intent = own.intent
    found: list[DealRow] = []
    for deal in deals:
        # Where the answer named the order, its magic alone is not enough: a stranger's close of
        # what a race had opened under that magic carries it too.
        mine = deal.order == own.order if own.order else deal.magic == intent.magic
        if intent.kind == "close_by":
            by_pair = deal.entry == c.DEAL_ENTRY_OUT_BY and deal.position_id == intent.identifier
            if by_pair and (mine or not own.order):
                found.append(deal)
        elif mine:
            found.append(deal)
    return found


def _shown_by(deals: list[DealRow]) -> str:
    """Say which deals are the evidence, and at what price: the answer named none."""
    return ", ".join(f"deal {deal.ticket} at {plain_text(deal.price)}" for deal in deals)


def judge_history(own: Own, leg: Leg, court: Court) -> Verdict | None:
    """Return the end that deals and orders prove, None while the outcome stays open.

    Args:
        own: the request.
        leg: its position.
        court: the read, with evidence, and the bounds.
    """
    evidence = court.obs.evidence
    if evidence is None or own.answered_ns > court.obs.start_ns:
        return None
    return _judge(own, leg, court, evidence)


def _judge(own: Own, leg: Leg, court: Court, evidence: Evidence) -> Verdict | None:
    if any(own.marks(row) for row in court.obs.orders):
        own.traces_missing = 0
        return None
    deals = own_deals(own, evidence.deals)
    filled = sum(to_units(deal.volume) for deal in deals)
    order = _own_order(own, evidence)
    if filled >= own.intent.units:
        return Verdict("FILLED", filled, _shown_by(deals))
    if order is not None and order.state in DEAD_STATES:
        end: End = "PARTIAL" if filled else "REJECTED"
        return Verdict(end, filled, f"order {order.ticket} ended in history")
    if filled:
        return _judge_partial(own, filled, _shown_by(deals))
    if order is not None:
        own.traces_missing = 0
        return None
    return _judge_traceless(own, leg, court)


def _judge_partial(own: Own, filled: int, why: str) -> Verdict | None:
    """End a partial fill at its second sight: the deals may still be coming in at the first."""
    own.traces_missing += 1
    if own.traces_missing < TRACELESS_READS:
        return None
    return Verdict("PARTIAL", filled, why)


def _own_order(own: Own, evidence: Evidence) -> OrderRow | None:
    return next((row for row in evidence.orders if own.marks(row)), None)


def _judge_traceless(own: Own, leg: Leg, court: Court) -> Verdict | None:
    """Return the end of a request that left no trace, once time and reads allow one."""
    if not court.synced:
        return None
    own.traces_missing += 1
    if own.traces_missing < TRACELESS_READS:
        return None
    policy = court.policy
    waited_ns = court.now_ns - own.answered_ns
    if court.hedging and leg.row is None:
        return Verdict("PROVEN_NOT_SENT", 0, "the position is gone, and a late close is refused")
    if court.hedging and waited_ns >= policy.hedging_resend_ns:
        own.is_released = True
    if waited_ns < policy.netting_quarantine_ns:
        return None
    if not court.hedging and policy.netting_unknown == "operator":
        leg.blocked = f"request {own.intent.id} left no trace; an operator has to decide"
        return Verdict("ESCALATED", 0, leg.blocked)
    return Verdict("PROVEN_NOT_SENT", 0, f"no trace in {policy.netting_quarantine_ns / 1e9:g} s")
