"""Say what a request asks and what the server answers: the plain data behind order_send."""

from typing import Final

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.unexported import TRADE_RETCODE_HEDGE_PROHIBITED

COMMENTS: Final[dict[int, str]] = {
    c.TRADE_RETCODE_REQUOTE: "Requote",
    c.TRADE_RETCODE_REJECT: "Request rejected",
    c.TRADE_RETCODE_CANCEL: "Request canceled by trader",
    c.TRADE_RETCODE_PLACED: "Request placed",
    c.TRADE_RETCODE_DONE: "Request executed",
    c.TRADE_RETCODE_DONE_PARTIAL: "Request executed partially",
    c.TRADE_RETCODE_ERROR: "Request processing error",
    c.TRADE_RETCODE_TIMEOUT: "Request canceled by timeout",
    c.TRADE_RETCODE_INVALID: "Invalid request",
    c.TRADE_RETCODE_INVALID_VOLUME: "Invalid volume",
    c.TRADE_RETCODE_INVALID_PRICE: "Invalid price",
    c.TRADE_RETCODE_INVALID_STOPS: "Invalid stops",
    c.TRADE_RETCODE_TRADE_DISABLED: "Trade is disabled",
    c.TRADE_RETCODE_MARKET_CLOSED: "Market closed",
    c.TRADE_RETCODE_NO_MONEY: "No money",
    c.TRADE_RETCODE_PRICE_CHANGED: "Price changed",
    c.TRADE_RETCODE_PRICE_OFF: "No prices",
    c.TRADE_RETCODE_INVALID_EXPIRATION: "Invalid expiration",
    c.TRADE_RETCODE_ORDER_CHANGED: "Order changed",
    c.TRADE_RETCODE_TOO_MANY_REQUESTS: "Too many requests",
    c.TRADE_RETCODE_NO_CHANGES: "No changes",
    c.TRADE_RETCODE_SERVER_DISABLES_AT: "AutoTrading disabled by server",
    c.TRADE_RETCODE_CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    c.TRADE_RETCODE_LOCKED: "Request locked for processing",
    c.TRADE_RETCODE_FROZEN: "Order or position frozen",
    c.TRADE_RETCODE_INVALID_FILL: "Unsupported filling mode",
    c.TRADE_RETCODE_CONNECTION: "No connection with the trade server",
    c.TRADE_RETCODE_ONLY_REAL: "Only real accounts allowed",
    c.TRADE_RETCODE_LIMIT_ORDERS: "Orders limit",
    c.TRADE_RETCODE_LIMIT_VOLUME: "Volume limit",
    c.TRADE_RETCODE_INVALID_ORDER: "Invalid order",
    c.TRADE_RETCODE_POSITION_CLOSED: "Position closed",
    c.TRADE_RETCODE_INVALID_CLOSE_VOLUME: "Invalid close volume",
    c.TRADE_RETCODE_CLOSE_ORDER_EXIST: "Close order already exists",
    c.TRADE_RETCODE_LIMIT_POSITIONS: "Positions limit",
    c.TRADE_RETCODE_REJECT_CANCEL: "Order activation rejected",
    c.TRADE_RETCODE_LONG_ONLY: "Only long positions allowed",
    c.TRADE_RETCODE_SHORT_ONLY: "Only short positions allowed",
    c.TRADE_RETCODE_CLOSE_ONLY: "Only position closing allowed",
    c.TRADE_RETCODE_FIFO_CLOSE: "Position close by FIFO rule only",
    TRADE_RETCODE_HEDGE_PROHIBITED: "Opposite positions are prohibited",
}

# Answers that mean the server took the request.
ACCEPTED: Final = frozenset(
    {c.TRADE_RETCODE_PLACED, c.TRADE_RETCODE_DONE, c.TRADE_RETCODE_DONE_PARTIAL}
)


class Request(msgspec.Struct, array_like=True, frozen=True):
    """A trade request in the vendor's TradeRequest order; volume in lots, deviation in points."""

    action: int = 0
    magic: int = 0
    order: int = 0
    symbol: str = ""
    volume: float = 0.0
    price: float = 0.0
    stoplimit: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    deviation: int = 0
    type: int = 0
    type_filling: int = 0
    type_time: int = 0
    expiration: int = 0
    comment: str = ""
    position: int = 0
    position_by: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What order_send's result says, before the request is echoed beside it."""

    retcode: int
    deal: int = 0
    order: int = 0
    volume: float = 0.0
    price: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    comment: str = ""
    retcode_external: int = 0


class RefusalError(Exception):
    """A rule of the server refuses a request; ``retcode`` is what the client will read."""

    def __init__(self, retcode: int, comment: str = "") -> None:
        """Take the retcode and, where the server says more than usual, its comment."""
        super().__init__(retcode, comment)
        self.retcode = retcode
        self.comment = comment or comment_of(retcode)


def comment_of(retcode: int) -> str:
    """Return the server's comment for a retcode; a code without one answers with an empty text."""
    return COMMENTS.get(retcode, "")
