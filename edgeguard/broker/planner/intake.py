"""Take in one bracketed read: legs and orders as listed, and the ends of requests it proves."""

from __future__ import annotations

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.units import NS_PER_S
from edgeguard.broker.planner import evidence as ev
from edgeguard.broker.planner.legs import Key, Leg, OrderLeg, Own
from edgeguard.broker.planner.model import (
    MAGIC_BASE,
    MAGIC_SPAN,
    Intent,
    Observation,
    PendingsGone,
    Resolved,
)
from edgeguard.broker.planner.state import State
from edgeguard.broker.rows import OrderRow, PositionRow

CAP_KEEP_NS = 10_000_000_000
"""A closed position that shows up again within this was never gone: lists flicker."""


def take_observation(st: State, now_ns: int, obs: Observation) -> None:
    """Take in a good read: everything listed, and everything that it settles."""
    st.seen += 1
    st.obs = obs
    st.stale = False
    st.observe_fails = 0
    st.hedging = obs.account.margin_mode == c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    _take_link(st, obs)
    if st.past_damaged:
        _distrust(st, now_ns)
    _adopt(st, now_ns)
    _list_positions(st, now_ns, obs)
    _list_orders(st, now_ns, obs)
    _settle_all(st, ev.Court(now_ns, obs, st.policy, st.hedging, is_synced(st, now_ns)))
    for run in st.runs.values():
        run.known = True
        if not run.pendings_gone and not st.orders:
            run.pendings_gone = True
            st.notes.append(PendingsGone(run.id, obs.end_ns))
    _watch_reversal(st, now_ns, obs)


def _distrust(st: State, now_ns: int) -> None:
    """Let a netting account rest for a quarantine: what nobody knows of may still be on its way."""
    st.past_damaged = False
    wait_ns = 0 if st.hedging else st.policy.netting_quarantine_ns
    st.busy_ns = max(st.busy_ns, now_ns + wait_ns)
    st.alarm(
        now_ns,
        "LOG_DAMAGED",
        f"the intent log has damaged lines; sending begins after {wait_ns / NS_PER_S:g} s",
    )


def _settle_all(st: State, court: ev.Court) -> None:
    """Settle every leg with something open, and every order that is gone."""
    seen = st.seen
    for leg in [
        leg for leg in st.legs.values() if leg.seen != seen or leg.owns or leg.cap is not None
    ]:
        if leg.seen != seen and leg.row is not None:
            leg.unlist()
            st.progress(court.now_ns)
        _settle(st, leg, court)
    for ticket, order in list(st.orders.items()):
        if order.seen != st.seen:
            _settle_order(st, order, court)
            if not order.owns:
                del st.orders[ticket]
                st.progress(court.now_ns)


def is_synced(st: State, now_ns: int) -> bool:
    """Tell whether the terminal's lists may be believed: connected, and not only just again."""
    return st.connected_ns is not None and now_ns - st.connected_ns >= 0


def needs_history(st: State, leg: Leg, now_ns: int) -> bool:
    """Tell whether only deals and orders can say what became of own requests on a leg."""
    listed = leg.row is not None
    for own in leg.owns:
        if own.state == "sent":
            continue
        waited = now_ns - own.answered_ns
        if own.is_released and listed and waited < st.policy.netting_quarantine_ns:
            continue
        return True
    if not listed or leg.cap is None:
        return False
    # On a netting account every further request needs the deals of the earlier ones first.
    return not st.hedging or now_ns - leg.cap_ns > st.policy.lag_ns


def _take_link(st: State, obs: Observation) -> None:
    """Keep since when the lists are believable: at once at first sight, later after a while."""
    if not obs.terminal.connected:
        st.connected_ns = None
        st.session = obs.session
        return
    if st.connected_ns is None:
        wait = 0 if st.session < 0 else st.policy.resync_ns
        st.connected_ns = obs.start_ns + wait
    st.session = obs.session


def _adopt(st: State, now_ns: int) -> None:
    """Put intents of an earlier life on their targets as unknown: they block until evidence."""
    for intent in st.adopted:
        own = Own(intent, now_ns, "unknown")
        if intent.kind == "delete":
            unseen = OrderRow(intent.ticket, intent.symbol, -1, -1, 0.0, 0.0)
            order = st.orders.setdefault(intent.ticket, OrderLeg(unseen, now_ns))
            # A second deletion of the same order is harmless: nothing has to wait for this one.
            own.is_released = True
            order.owns.append(own)
            continue
        for key in intent_keys(st, intent):
            _leg(st, key, intent).owns.append(own)
    st.adopted = []
    for intent, deal in st.adopted_filled:
        if intent.kind == "delete":
            continue
        for key in intent_keys(st, intent):
            leg = _leg(st, key, intent)
            # Nothing may be taken from it before history shows the deal.
            leg.take(leg.available, deal, now_ns)
    st.adopted_filled = []


def _leg(st: State, key: Key, intent: Intent) -> Leg:
    found = st.legs.get(key)
    if found is None:
        found = st.legs[key] = Leg(key, intent.symbol, intent.identifier)
    return found


def intent_keys(st: State, intent: Intent) -> tuple[Key, ...]:
    """Return the keys of the legs that a request touches."""
    if not st.hedging:
        return (intent.symbol,)
    return (intent.identifier, intent.by_key) if intent.by_key else (intent.identifier,)


def _list_positions(st: State, now_ns: int, obs: Observation) -> None:
    scopes = [run.scope for run in st.runs.values()]
    everything = any(scope.kind == "account" for scope in scopes)
    # What a run finds at its start is its book; what comes when every run knew its book appeared.
    settled = bool(st.runs) and all(run.known for run in st.runs.values())
    legs, hedging, seen = st.legs, st.hedging, st.seen
    for row in obs.positions:
        key = row.identifier if hedging else row.symbol
        leg = legs.get(key)
        in_scope = everything or any(scope.covers(row) for scope in scopes)
        if leg is None:
            if in_scope:
                leg = legs[key] = Leg(key, row.symbol, row.identifier, in_scope=True)
                _list_changed(st, now_ns, leg, row, appeared=settled)
            continue
        leg.in_scope = in_scope
        if row.volume == leg.volume and row.type == leg.side and leg.identifier == row.identifier:
            # By far the most rows: only the prices have moved.
            leg.row = row
            leg.seen = seen
            continue
        replaced = leg.row is None and leg.seen >= 0 and leg.identifier != row.identifier
        _list_changed(st, now_ns, leg, row, appeared=settled and replaced)


def _list_changed(st: State, now_ns: int, leg: Leg, row: PositionRow, *, appeared: bool) -> None:
    """Take in a position that is new or has changed."""
    if appeared:
        _note_appeared(st, now_ns, leg, row)
    before = leg.units
    if leg.list_row(row, st.seen):
        _note_flip(st, now_ns, leg)
    if leg.units < before:
        st.progress(now_ns)


def _note_appeared(st: State, now_ns: int, leg: Leg, row: PositionRow) -> None:
    leg.appeared = True
    leg.admitted = False
    st.alarm(
        now_ns,
        "POSITION_APPEARED",
        f"position {row.ticket} {row.symbol} {row.volume} appeared while the account is being "
        "flattened",
        str(row.identifier),
    )


def _note_flip(st: State, now_ns: int, leg: Leg) -> None:
    leg.flips += 1
    leg.uncap()
    st.alarm(
        now_ns,
        "POSITION_REVERSED",
        f"position {leg.identifier} {leg.symbol} changed its side while it was being closed",
        str(leg.key),
    )
    if leg.flips > 1:
        leg.pace.fail(now_ns, "its side changed again", st.policy.backoff_ns)
        leg.pace.next_ns = now_ns + st.policy.probe_ns


def _list_orders(st: State, now_ns: int, obs: Observation) -> None:
    scopes = [run.scope for run in st.runs.values()]
    for row in obs.orders:
        order = st.orders.get(row.ticket)
        if order is None:
            if not any(scope.covers(row) for scope in scopes):
                continue
            order = st.orders[row.ticket] = OrderLeg(row, now_ns)
        order.row = row
        order.seen = st.seen


def _settle(st: State, leg: Leg, court: ev.Court) -> None:
    """End what this read proves about one leg, and lift or keep its cap."""
    evidence = court.obs.evidence
    for own in list(leg.owns):
        verdict = ev.judge_history(own, leg, court)
        if verdict is not None:
            _end(st, leg, own, verdict)
    if evidence is not None and leg.deals_awaited:
        leg.deals_awaited -= {deal.ticket for deal in evidence.deals}
    _cap_by_deals(st, leg, court)
    if leg.row is None:
        expired = leg.cap is None or court.now_ns - leg.cap_ns > CAP_KEEP_NS
        if not leg.owns and expired:
            del st.legs[leg.key]
    elif leg.cap is not None and leg.units <= leg.cap and not leg.owns and st.hedging:
        leg.uncap()


def _end(st: State, leg: Leg, own: Own, verdict: ev.Verdict) -> None:
    """Take a request off its legs and say how it ended."""
    for key in intent_keys(st, own.intent):
        other = st.legs.get(key)
        if other is not None and own in other.owns:
            other.owns.remove(own)
    if own in leg.owns:
        leg.owns.remove(own)
    if verdict.units:
        st.progress(st.obs.end_ns if st.obs else 0)
    st.notes.append(Resolved(own.intent, verdict.end, verdict.units, verdict.why))


def _cap_by_deals(st: State, leg: Leg, court: ev.Court) -> None:
    """Let the position's own deals correct what the list says: a list may lag behind them."""
    evidence = court.obs.evidence
    if evidence is None or leg.row is None:
        return
    net = evidence.volumes.get(leg.identifier)
    if net is None:
        return
    held = max(0, net if leg.side == 0 else -net)
    if held >= leg.units and not leg.deals_awaited:
        leg.uncap()
        return
    if leg.cap is None:
        leg.cap_ns = court.now_ns
    leg.cap = held if leg.cap is None or not leg.deals_awaited else min(leg.cap, held)
    limit = st.policy.hedging_resend_ns if st.hedging else st.policy.netting_quarantine_ns
    if court.now_ns - leg.cap_ns > limit and not leg.owns:
        st.alarm(
            court.now_ns,
            "LIST_DISAGREES",
            f"position {leg.identifier} {leg.symbol} is listed with more than its deals leave",
            str(leg.key),
        )
        leg.uncap()


def _settle_order(st: State, order: OrderLeg, court: ev.Court) -> None:
    """End the deletions of an order that is no longer listed."""
    if not order.owns:
        return
    evidence = court.obs.evidence
    if evidence is None and any(own.state != "done" for own in order.owns):
        return
    rows = () if evidence is None else evidence.orders
    past = next((row for row in rows if row.ticket == order.row.ticket), None)
    winner: Own | None = None
    if past is None or past.state in ev.DEAD_STATES:
        # One of them was the one: that which was answered so, else the first.
        winner = next((own for own in order.owns if own.state == "done"), order.owns[0])
    for own in order.owns:
        if own is winner:
            st.notes.append(Resolved(own.intent, "FILLED", own.intent.units, "no longer listed"))
        else:
            st.notes.append(Resolved(own.intent, "REJECTED", 0, "the order was gone already"))
    order.owns.clear()


def _watch_reversal(st: State, now_ns: int, obs: Observation) -> None:
    """Alarm where an own deal opened something: a race that only a third party can cause."""
    deals = obs.fresh_deals if obs.evidence is None else (*obs.fresh_deals, *obs.evidence.deals)
    for deal in deals:
        own = MAGIC_BASE < deal.magic < MAGIC_BASE + MAGIC_SPAN
        opened = deal.entry in (c.DEAL_ENTRY_IN, c.DEAL_ENTRY_INOUT)
        if own and opened and deal.ticket not in st.opening_deals:
            st.opening_deals.add(deal.ticket)
            st.alarm(
                now_ns,
                "OWN_DEAL_OPENED",
                f"deal {deal.ticket} of an own close opened {deal.volume} {deal.symbol}: something "
                "else closed that position at the same time",
                str(deal.ticket),
            )
