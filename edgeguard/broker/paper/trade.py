"""Route trade requests to their rules, with the send faults that bend the way of an answer."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from edgeguard.broker.paper import checks, market, pendings
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.answer import ACCEPTED, Answer, RefusalError, Request, comment_of
from edgeguard.broker.paper.faults import Firing
from edgeguard.broker.paper.margin import account_figures
from edgeguard.broker.paper.market import AT_ONCE, Manner
from edgeguard.broker.paper.rows import Row, request_row
from edgeguard.broker.paper.state import Book
from edgeguard.broker.paper.venue import Venue

_ROUTES: Final[dict[int, Callable[[Venue, Request], Answer]]] = {
    c.TRADE_ACTION_PENDING: pendings.place,
    c.TRADE_ACTION_SLTP: pendings.set_stops,
    c.TRADE_ACTION_MODIFY: pendings.modify,
    c.TRADE_ACTION_REMOVE: pendings.remove,
    c.TRADE_ACTION_CLOSE_BY: market.close_by_deal,
}
# Retcode a send fault answers with, and whether the request is carried out all the same.
_LIES: Final[dict[str, tuple[int, bool]]] = {
    "requote": (c.TRADE_RETCODE_REQUOTE, False),
    "timeout_not_executed": (c.TRADE_RETCODE_TIMEOUT, False),
    "timeout_executed": (c.TRADE_RETCODE_TIMEOUT, True),
    "error_executed": (c.TRADE_RETCODE_ERROR, True),
}
_LATE: Final[dict[str, int]] = {
    "placed_late_fill": c.TRADE_RETCODE_PLACED,
    "done_late_fill": c.TRADE_RETCODE_DONE,
    "timeout_late_fill": c.TRADE_RETCODE_TIMEOUT,
}


def route(venue: Venue, request: Request, manner: Manner = AT_ONCE) -> Answer:
    """Answer a request by the rules alone.

    Raises:
        RefusalError: A rule refuses the request.
    """
    checks.permissions(venue)
    checks.request_rate(venue)
    checks.finite(request)
    if request.action == c.TRADE_ACTION_DEAL:
        return market.deal(venue, request, manner)
    handler = _ROUTES.get(request.action)
    if handler is None:
        raise RefusalError(c.TRADE_RETCODE_INVALID)
    return handler(venue, request)


def manner_of(firings: Sequence[Firing]) -> Manner:
    """Return the manner of execution the fired send faults ask for."""
    manner = AT_ONCE
    for firing in firings:
        if firing.rule.name in _LATE:
            manner = msgspec.structs.replace(
                manner, when="late", late_ms=firing.ms, answered=_LATE[firing.rule.name]
            )
        elif firing.rule.name == "partial_fill":
            manner = msgspec.structs.replace(manner, fraction=firing.rule.fraction)
    return manner


def lie_of(firings: Sequence[Firing]) -> tuple[int, bool] | None:
    """Return the retcode a fired send fault insists on and whether to execute, or None."""
    for firing in firings:
        if firing.rule.name == "retcode":
            return firing.rule.retcode, bool(firing.rule.execute)
        if firing.rule.name in _LIES:
            return _LIES[firing.rule.name]
    return None


def send(venue: Venue, request: Request, firings: Sequence[Firing] = ()) -> tuple[Answer, int]:
    """Answer order_send: the rules' answer, or a fault's.

    Args:
        venue: The broker.
        request: The client's request.
        firings: Send faults that fired on this call.

    Returns:
        The answer and its request id.
    """
    request_id = venue.book.next_request
    venue.book.next_request = request_id + 1
    lie = lie_of(firings)
    if lie is not None and not lie[1]:
        answer = _with_quote(venue, request, Answer(retcode=lie[0]))
    else:
        try:
            answer = route(venue, request, manner_of(firings))
        except RefusalError as refusal:
            answer = Answer(retcode=refusal.retcode, comment=refusal.comment)
            if refusal.retcode == c.TRADE_RETCODE_REQUOTE:
                answer = _with_quote(venue, request, answer)
        if lie is not None or answer.retcode == c.TRADE_RETCODE_TIMEOUT:
            answer = Answer(retcode=answer.retcode if lie is None else lie[0])
    if not answer.comment:
        answer = msgspec.structs.replace(answer, comment=comment_of(answer.retcode))
    _count(venue, request.action, answer.retcode)
    return answer, request_id


def _with_quote(venue: Venue, request: Request, answer: Answer) -> Answer:
    """Return an answer that carries the symbol's current quote, as a requote does."""
    if request.symbol not in venue.by_name:
        return answer
    quote = venue.quote(request.symbol)
    return msgspec.structs.replace(answer, bid=quote.bid, ask=quote.ask, volume=request.volume)


def _count(venue: Venue, action: int, retcode: int) -> None:
    """Count a request by what it asked and the answer it got."""
    counters = venue.book.counters
    counters.requests += 1
    counters.by_action[action] = counters.by_action.get(action, 0) + 1
    counters.by_retcode[retcode] = counters.by_retcode.get(retcode, 0) + 1
    if retcode not in ACCEPTED:
        counters.refused += 1


def check(venue: Venue, request: Request) -> Row:
    """Answer order_check: what the account would show after a request, on a copy of the book.

    Returns:
        An OrderCheckResult row; retcode 0 and the comment "Done" mean that it would pass.
    """
    copy = Venue(venue.spec, msgspec.msgpack.decode(msgspec.msgpack.encode(venue.book), type=Book))
    copy.now_ns = venue.now_ns
    retcode, comment = 0, "Done"
    try:
        route(copy, request)
    except RefusalError as refusal:
        retcode, comment = refusal.retcode, refusal.comment
    after = account_figures(copy)
    return (
        retcode,
        after.balance,
        after.equity,
        after.profit,
        after.margin,
        after.free,
        after.level,
        comment,
        request_row(request),
    )
