"""Take in the answer to one request: what it says of the order, and when to try again."""

from __future__ import annotations

from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.legs import Leg, OrderLeg, Own
from edgeguard.broker.planner.model import End, Resolved
from edgeguard.broker.planner.requests import fillings, half
from edgeguard.broker.planner.state import State
from edgeguard.broker.planner.waits import close_account, close_market
from edgeguard.broker.retcodes import MAYBE_EXECUTED, Answer, Verdict
from edgeguard.broker.rows import SendRow

QUICK_PRICES = 5
"""Requotes in a row that cost no pause."""
PAUSE_BUSY_NS = 100_000_000
"""Pause for the whole account after TOO_MANY_REQUESTS."""
CLOSE_BY_OFF = frozenset({Verdict.REBUILD, Verdict.REFUSED, Verdict.FILLING, Verdict.VOLUME})
"""Answers to CLOSE_BY after which the symbol's positions are closed one by one."""


class Sent:
    """The request in flight, with what it touches."""

    __slots__ = ("filling", "legs", "order", "own")

    def __init__(
        self, own: Own, legs: tuple[Leg, ...], order: OrderLeg | None, filling: int = 0
    ) -> None:
        """Take the request, its targets, and the filling that a close asked for."""
        self.own = own
        self.legs = legs
        self.order = order
        self.filling = filling


def take_answer(st: State, now_ns: int, sent: Sent, answer: Answer, row: SendRow | None) -> None:
    """Take in one classified answer.

    Args:
        st: the planner's memory.
        now_ns: the time.
        sent: the request.
        answer: what the code means.
        row: the result, None where the call gave none.
    """
    own = sent.own
    own.answered_ns = now_ns
    own.order = 0 if row is None else row.order
    if sent.order is not None:
        _take_delete(st, now_ns, sent.order, sent, answer)
    elif answer.verdict in MAYBE_EXECUTED:
        _take_executed(st, now_ns, sent, answer, row)
    else:
        _take_refusal(st, now_ns, sent, answer)


def _end(st: State, sent: Sent, answer: Answer) -> None:
    """End a request that was certainly not executed."""
    own = sent.own
    for leg in sent.legs:
        leg.owns.remove(own)
    if sent.order is not None:
        sent.order.owns.remove(own)
    end: End = "PROVEN_NOT_SENT" if answer.verdict is Verdict.NOT_SENT else "REJECTED"
    st.notes.append(Resolved(own.intent, end, 0, f"{answer.name}: {answer.text}"))


def _take_executed(st: State, now_ns: int, sent: Sent, answer: Answer, row: SendRow | None) -> None:
    """Take in an answer after which the position may be smaller: only a named deal is a fact."""
    own = sent.own
    if answer.verdict in (Verdict.DONE, Verdict.PARTIAL) and row is not None and row.deal:
        _good(st, sent)
        units = _units_done(own, row)
        for leg in sent.legs:
            leg.take(units, row.deal, now_ns)
        if answer.verdict is Verdict.DONE:
            for leg in sent.legs:
                leg.owns.remove(own)
            st.progress(now_ns)
            st.notes.append(Resolved(own.intent, "FILLED", units, f"deal {row.deal}"))
            return
        # What became of the rest, cancelled or still working, only the history tells.
        own.state = "partial"
        return
    # A success without a deal was accepted and may still be on its way.
    unknown = answer.verdict is Verdict.UNKNOWN
    own.state = "unknown" if unknown else "placed"
    for leg in sent.legs:
        leg.pace.cause = f"{answer.name}: {answer.text}"
    if unknown:
        name = f"request {own.intent.id} for {own.intent.symbol}"
        st.alarm(now_ns, "OUTCOME_UNKNOWN", f"{name}: {answer.text}; looking for evidence", name)


def _units_done(own: Own, row: SendRow) -> int:
    """Return the executed units: as told, or all where a good answer leaves the volume out."""
    told = to_units(row.volume)
    units = own.intent.units
    return told if 0 < told <= units and own.intent.kind == "close" else units


def _good(st: State, sent: Sent) -> None:
    """Keep what worked."""
    for leg in sent.legs:
        leg.pace.good()
        leg.widen = 0
        leg.volume_tries = 0
        leg.bite *= 2
        market = st.market(leg.symbol)
        market.closed = ""
        market.retry_pause_ns = 0
    st.account_closed = ""
    st.account_pause_ns = 0


def _take_refusal(st: State, now_ns: int, sent: Sent, answer: Answer) -> None:
    """Decide what to change before the next attempt on a position."""
    cause = f"{answer.name}: {answer.text}"
    _end(st, sent, answer)
    symbol = sent.own.intent.symbol
    verdict = answer.verdict
    if sent.own.intent.kind == "close_by" and verdict in CLOSE_BY_OFF:
        st.market(symbol).close_by_off = True
        st.stale = True
    elif verdict is Verdict.ACCOUNT:
        close_account(st, now_ns, cause)
    elif verdict is Verdict.MARKET:
        close_market(st, now_ns, symbol, cause)
    elif verdict is Verdict.PRICE:
        _change_price(st, now_ns, sent, answer)
    elif verdict in (Verdict.FILLING, Verdict.REBUILD):
        _change_filling(st, now_ns, sent, verdict, cause)
    elif verdict is Verdict.VOLUME:
        _change_volume(st, now_ns, sent, cause)
    else:
        _fail_plainly(st, now_ns, sent, answer)


def _change_price(st: State, now_ns: int, sent: Sent, answer: Answer) -> None:
    """Ask for a fresh quote and widen the deviation."""
    market = st.market(sent.own.intent.symbol)
    market.tick_ns = None
    if answer.name == "INVALID_PRICE":
        market.needs_price = True
    for leg in sent.legs:
        leg.widen += 1
    _fail(st, now_ns, sent, f"{answer.name}: {answer.text}", QUICK_PRICES)


def _change_volume(st: State, now_ns: int, sent: Sent, cause: str) -> None:
    """Read symbol and position again, and try the volume cut to whole steps every other time."""
    st.market(sent.own.intent.symbol).spec_ns = None
    st.stale = True
    for leg in sent.legs:
        leg.volume_tries += 1
    _fail(st, now_ns, sent, cause, 1)


def _change_filling(st: State, now_ns: int, sent: Sent, verdict: Verdict, cause: str) -> None:
    """Try the next filling; a pause only when all of them have been refused."""
    market = st.market(sent.own.intent.symbol)
    if verdict is Verdict.REBUILD:
        market.filling += 1
        st.stale = True
        _fail(st, now_ns, sent, cause, 0)
        return
    market.fillings_refused.add(sent.filling)
    if len(market.fillings_refused) < len(fillings(market.spec)):
        for leg in sent.legs:
            leg.pace.again(now_ns, cause)
        return
    market.fillings_refused.clear()
    _fail(st, now_ns, sent, cause, 0)


def _fail_plainly(st: State, now_ns: int, sent: Sent, answer: Answer) -> None:
    """Back off; say so where no program can help."""
    cause = f"{answer.name}: {answer.text}"
    symbol = sent.own.intent.symbol
    if answer.verdict is Verdict.FIFO:
        st.market(symbol).fifo = True
    if answer.name == "TOO_MANY_REQUESTS":
        st.busy_ns = now_ns + PAUSE_BUSY_NS
    if answer.verdict is Verdict.REFUSED and answer.name in ("REJECT", "CANCEL"):
        # A refusal without a reason is sometimes one of the filling, and where all must be filled
        # or nothing, one of a thin book: try another filling and a smaller bite.
        st.market(symbol).filling += 1
        for leg in sent.legs:
            leg.bite = half(sent.own.intent.units, st.market(symbol).spec)
    if answer.verdict is Verdict.NOT_SENT:
        st.alarm(now_ns, "NOT_SENT", f"a request for {symbol} was not sent: {answer.text}", symbol)
    st.stale = True
    _fail(st, now_ns, sent, cause, 0)


def _fail(st: State, now_ns: int, sent: Sent, cause: str, quick: int) -> None:
    for leg in sent.legs:
        leg.pace.fail(now_ns, cause, st.policy.backoff_ns, quick=quick)


def _take_delete(st: State, now_ns: int, order: OrderLeg, sent: Sent, answer: Answer) -> None:
    """Take in the answer to a deletion: it may be repeated, so nothing waits for its outcome."""
    own = sent.own
    verdict = answer.verdict
    if verdict in (Verdict.DONE, Verdict.PARTIAL):
        own.state = "done"
        order.pace.good()
        order.pace.next_ns = now_ns + st.policy.lag_ns
        own.is_released = True
        st.progress(now_ns)
        return
    if verdict in MAYBE_EXECUTED:
        own.state = "done" if verdict is Verdict.PLACED else "unknown"
        # A second deletion of the same order is harmless, so time alone may release it.
        own.is_released = True
        order.pace.fail(now_ns, f"{answer.name}: {answer.text}", st.policy.backoff_ns)
        order.pace.next_ns = max(order.pace.next_ns, now_ns + st.policy.lag_ns)
        st.stale = True
        return
    _end(st, sent, answer)
    st.stale = True
    order.pace.fail(now_ns, f"{answer.name}: {answer.text}", st.policy.backoff_ns)
    if verdict is Verdict.ACCOUNT:
        close_account(st, now_ns, order.pace.cause)
    elif verdict is Verdict.MARKET:
        close_market(st, now_ns, order.row.symbol, order.pace.cause)
    elif answer.name == "TOO_MANY_REQUESTS":
        st.busy_ns = now_ns + PAUSE_BUSY_NS
