"""Classify every answer a trade server or the vendor's package can give, once.

Sources: the vendor's lists of trade server return codes and of the package's own errors. What
neither lists is UNKNOWN: a code that does not exist yet proves nothing about what the server did.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.unexported import TRADE_RETCODE_HEDGE_PROHIBITED


class Verdict(Enum):
    """What an answer says about the order, and what to do about it."""

    DONE = "done"
    """Executed, says the server: verify, never repeat."""
    PLACED = "placed"
    """Accepted and still on its way: no second send until evidence."""
    PARTIAL = "partial"
    """Executed in part: the rest only after a re-read."""
    UNKNOWN = "unknown"
    """May or may not have been executed: evidence before anything else touches the position."""
    PRICE = "price"
    """Not executed: send again at a fresh price with a wider deviation."""
    FILLING = "filling"
    """Not executed: send again with another filling."""
    VOLUME = "volume"
    """Not executed: read symbol and position again, then rebuild the volume."""
    REBUILD = "rebuild"
    """Not executed: read again; if the target is still there, rebuild with the next filling."""
    GONE = "gone"
    """Not executed, because there was nothing left to do: read again."""
    BUSY = "busy"
    """Not executed: the server works on this target or is overloaded; back off."""
    FIFO = "fifo"
    """Not executed: an older position of the symbol has to close first."""
    REFUSED = "refused"
    """Not executed and no reason that a program can mend: back off, and tell a person."""
    MARKET = "market"
    """Not executed: this symbol does not trade now; wait for a tick, and tell a person."""
    ACCOUNT = "account"
    """Not executed: trading is off for the whole account or terminal; wait, and tell a person."""
    NOT_SENT = "not_sent"
    """The request never left this machine."""


MAYBE_EXECUTED: Final = frozenset({Verdict.DONE, Verdict.PLACED, Verdict.PARTIAL, Verdict.UNKNOWN})
"""Verdicts after which the position may be smaller than it was."""


class Answer(NamedTuple):
    """One classified code: its verdict, the vendor's name for it, and a person's words."""

    verdict: Verdict
    name: str
    text: str


_D, _V = Verdict, Answer
RETCODES: Final[dict[int, Answer]] = {
    c.TRADE_RETCODE_REQUOTE: _V(_D.PRICE, "REQUOTE", "the server asked for a new price"),
    c.TRADE_RETCODE_REJECT: _V(_D.REFUSED, "REJECT", "the server refused"),
    c.TRADE_RETCODE_CANCEL: _V(_D.REFUSED, "CANCEL", "somebody cancelled the request"),
    c.TRADE_RETCODE_PLACED: _V(_D.PLACED, "PLACED", "accepted, not executed yet"),
    c.TRADE_RETCODE_DONE: _V(_D.DONE, "DONE", "executed"),
    c.TRADE_RETCODE_DONE_PARTIAL: _V(_D.PARTIAL, "DONE_PARTIAL", "executed in part"),
    c.TRADE_RETCODE_ERROR: _V(_D.UNKNOWN, "ERROR", "the server failed while processing"),
    c.TRADE_RETCODE_TIMEOUT: _V(_D.UNKNOWN, "TIMEOUT", "the server's own time-out"),
    c.TRADE_RETCODE_INVALID: _V(_D.REBUILD, "INVALID", "the server found the request malformed"),
    c.TRADE_RETCODE_INVALID_VOLUME: _V(_D.VOLUME, "INVALID_VOLUME", "volume refused"),
    c.TRADE_RETCODE_INVALID_PRICE: _V(_D.PRICE, "INVALID_PRICE", "price refused"),
    c.TRADE_RETCODE_INVALID_STOPS: _V(_D.REBUILD, "INVALID_STOPS", "stops refused"),
    c.TRADE_RETCODE_TRADE_DISABLED: _V(_D.MARKET, "TRADE_DISABLED", "trading is disabled"),
    c.TRADE_RETCODE_MARKET_CLOSED: _V(_D.MARKET, "MARKET_CLOSED", "the market is closed"),
    c.TRADE_RETCODE_NO_MONEY: _V(_D.REFUSED, "NO_MONEY", "not enough money, odd for a close"),
    c.TRADE_RETCODE_PRICE_CHANGED: _V(_D.PRICE, "PRICE_CHANGED", "the price moved"),
    c.TRADE_RETCODE_PRICE_OFF: _V(_D.PRICE, "PRICE_OFF", "there is no quote"),
    c.TRADE_RETCODE_INVALID_EXPIRATION: _V(_D.REBUILD, "INVALID_EXPIRATION", "expiry refused"),
    c.TRADE_RETCODE_ORDER_CHANGED: _V(_D.GONE, "ORDER_CHANGED", "the order changed meanwhile"),
    c.TRADE_RETCODE_TOO_MANY_REQUESTS: _V(_D.BUSY, "TOO_MANY_REQUESTS", "too many requests"),
    c.TRADE_RETCODE_NO_CHANGES: _V(_D.GONE, "NO_CHANGES", "nothing to change"),
    c.TRADE_RETCODE_SERVER_DISABLES_AT: _V(
        _D.ACCOUNT, "SERVER_DISABLES_AT", "the broker forbids automated trading"
    ),
    c.TRADE_RETCODE_CLIENT_DISABLES_AT: _V(
        _D.ACCOUNT, "CLIENT_DISABLES_AT", "the terminal's AutoTrading button is off"
    ),
    c.TRADE_RETCODE_LOCKED: _V(_D.UNKNOWN, "LOCKED", "the request is locked while processed"),
    c.TRADE_RETCODE_FROZEN: _V(_D.BUSY, "FROZEN", "inside the freeze level"),
    c.TRADE_RETCODE_INVALID_FILL: _V(_D.FILLING, "INVALID_FILL", "filling refused"),
    c.TRADE_RETCODE_CONNECTION: _V(_D.UNKNOWN, "CONNECTION", "no link to the trade server"),
    c.TRADE_RETCODE_ONLY_REAL: _V(_D.ACCOUNT, "ONLY_REAL", "for real accounts only"),
    c.TRADE_RETCODE_LIMIT_ORDERS: _V(_D.REFUSED, "LIMIT_ORDERS", "too many pending orders"),
    c.TRADE_RETCODE_LIMIT_VOLUME: _V(_D.REFUSED, "LIMIT_VOLUME", "volume limit reached"),
    c.TRADE_RETCODE_INVALID_ORDER: _V(_D.REBUILD, "INVALID_ORDER", "order type refused"),
    c.TRADE_RETCODE_POSITION_CLOSED: _V(_D.GONE, "POSITION_CLOSED", "already closed"),
    10037: _V(_D.UNKNOWN, "10037", "a code the vendor does not document"),
    c.TRADE_RETCODE_INVALID_CLOSE_VOLUME: _V(
        _D.VOLUME, "INVALID_CLOSE_VOLUME", "more than the position holds"
    ),
    c.TRADE_RETCODE_CLOSE_ORDER_EXIST: _V(
        _D.BUSY, "CLOSE_ORDER_EXIST", "another close order for it works already"
    ),
    c.TRADE_RETCODE_LIMIT_POSITIONS: _V(_D.REFUSED, "LIMIT_POSITIONS", "too many positions"),
    c.TRADE_RETCODE_REJECT_CANCEL: _V(_D.GONE, "REJECT_CANCEL", "order cancelled at activation"),
    c.TRADE_RETCODE_LONG_ONLY: _V(_D.REFUSED, "LONG_ONLY", "only buys are allowed"),
    c.TRADE_RETCODE_SHORT_ONLY: _V(_D.REFUSED, "SHORT_ONLY", "only sells are allowed"),
    c.TRADE_RETCODE_CLOSE_ONLY: _V(_D.REFUSED, "CLOSE_ONLY", "only closing is allowed"),
    c.TRADE_RETCODE_FIFO_CLOSE: _V(_D.FIFO, "FIFO_CLOSE", "oldest position first"),
    TRADE_RETCODE_HEDGE_PROHIBITED: _V(
        _D.REFUSED, "HEDGE_PROHIBITED", "opposite positions are forbidden"
    ),
}
"""Trade retcodes. 10017 names one symbol or the whole account; the account's flags tell which."""

LAST_ERRORS: Final[dict[int, Answer]] = {
    c.RES_S_OK: _V(_D.UNKNOWN, "RES_S_OK", "no result, yet no error"),
    c.RES_E_FAIL: _V(_D.UNKNOWN, "RES_E_FAIL", "the terminal's call failed"),
    c.RES_E_INVALID_PARAMS: _V(_D.NOT_SENT, "RES_E_INVALID_PARAMS", "argument refused"),
    c.RES_E_NO_MEMORY: _V(_D.NOT_SENT, "RES_E_NO_MEMORY", "the terminal is out of memory"),
    c.RES_E_NOT_FOUND: _V(_D.NOT_SENT, "RES_E_NOT_FOUND", "not found"),
    c.RES_E_INVALID_VERSION: _V(_D.NOT_SENT, "RES_E_INVALID_VERSION", "incompatible versions"),
    c.RES_E_AUTH_FAILED: _V(_D.ACCOUNT, "RES_E_AUTH_FAILED", "the terminal is not authorised"),
    c.RES_E_UNSUPPORTED: _V(_D.NOT_SENT, "RES_E_UNSUPPORTED", "unsupported"),
    c.RES_E_AUTO_TRADING_DISABLED: _V(
        _D.ACCOUNT, "RES_E_AUTO_TRADING_DISABLED", "the terminal forbids trading by the Python API"
    ),
    c.RES_E_INTERNAL_FAIL: _V(_D.UNKNOWN, "RES_E_INTERNAL_FAIL", "the pipe is out of step"),
    c.RES_E_INTERNAL_FAIL_SEND: _V(_D.UNKNOWN, "RES_E_INTERNAL_FAIL_SEND", "pipe write failed"),
    c.RES_E_INTERNAL_FAIL_RECEIVE: _V(
        _D.UNKNOWN, "RES_E_INTERNAL_FAIL_RECEIVE", "pipe read failed after the request was written"
    ),
    c.RES_E_INTERNAL_FAIL_INIT: _V(_D.UNKNOWN, "RES_E_INTERNAL_FAIL_INIT", "pipe set-up failed"),
    c.RES_E_INTERNAL_FAIL_CONNECT: _V(
        _D.NOT_SENT, "RES_E_INTERNAL_FAIL_CONNECT", "no pipe to the terminal, nothing was written"
    ),
    c.RES_E_INTERNAL_FAIL_TIMEOUT: _V(_D.UNKNOWN, "RES_E_INTERNAL_FAIL_TIMEOUT", "pipe time-out"),
}
"""`last_error` codes behind a `None`. -10004 returns without I/O (read from the wheel), so it is
the one pipe error that proves that nothing was sent."""

OVERRUN: Final = _V(_D.UNKNOWN, "OVERRUN", "the call overran its deadline and was killed")
GONE_CODES_DELETE: Final = frozenset({c.TRADE_RETCODE_INVALID_ORDER, c.TRADE_RETCODE_INVALID})
"""A delete answered so means that the order is no longer there."""


def classify(retcode: int | None, last_error: int = 0, *, is_delete: bool = False) -> Answer:
    """Return what one answer of `order_send` means.

    Args:
        retcode: the result's code, None where the call returned no result.
        last_error: the vendor's `last_error` code, read in the same process right after.
        is_delete: the request was a deletion of a pending order.
    """
    if retcode is None:
        unlisted = _V(Verdict.UNKNOWN, f"last_error {last_error}", "an unlisted error")
        return LAST_ERRORS.get(last_error, unlisted)
    if is_delete and retcode in GONE_CODES_DELETE:
        return RETCODES[retcode]._replace(verdict=Verdict.GONE)
    unlisted = _V(Verdict.UNKNOWN, f"retcode {retcode}", "an unlisted code")
    return RETCODES.get(retcode, unlisted)
