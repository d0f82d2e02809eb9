"""Hold everything that changes in a paper server as plain data that can be saved and restored."""

import msgspec

from edgeguard.broker.paper import constants as c


class Position(msgspec.Struct, kw_only=True):
    """An open position. Volume in 1e-8 lots; times in broker milliseconds; money in account terms.

    ``ticket`` may change on a reversal or a re-opening; ``identifier`` never does. ``margin_rate``
    converts margin currency to account currency as it was at the opening.
    """

    ticket: int
    identifier: int
    symbol: str
    side: int
    units: int
    price_open: float
    price_current: float
    sl: float = 0.0
    tp: float = 0.0
    swap: float = 0.0
    profit: float = 0.0
    margin: float = 0.0
    magic: int = 0
    reason: int = c.POSITION_REASON_EXPERT
    comment: str = ""
    time_msc: int = 0
    time_update_msc: int = 0


class Order(msgspec.Struct, kw_only=True):
    """A working or historical order. Volumes in 1e-8 lots; expiration in broker seconds."""

    ticket: int
    type: int
    symbol: str
    units_initial: int
    units_current: int
    state: int = c.ORDER_STATE_STARTED
    price_open: float = 0.0
    price_stoplimit: float = 0.0
    price_current: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    type_time: int = c.ORDER_TIME_GTC
    type_filling: int = c.ORDER_FILLING_FOK
    expiration: int = 0
    magic: int = 0
    reason: int = c.ORDER_REASON_EXPERT
    position_id: int = 0
    position_by_id: int = 0
    comment: str = ""
    time_setup_msc: int = 0
    time_done_msc: int = 0


class Deal(msgspec.Struct, kw_only=True, frozen=True):
    """A deal. Volume in 1e-8 lots; money in account currency; time in broker milliseconds."""

    ticket: int
    order: int
    type: int
    entry: int
    time_msc: int
    symbol: str = ""
    units: int = 0
    price: float = 0.0
    position_id: int = 0
    magic: int = 0
    reason: int = c.DEAL_REASON_EXPERT
    commission: float = 0.0
    swap: float = 0.0
    profit: float = 0.0
    fee: float = 0.0
    comment: str = ""


class Quote(msgspec.Struct, kw_only=True):
    """A symbol's last prices and its place in Market Watch. 0 means no price yet.

    ``fed_bid`` and ``fed_ask`` are the feed's own, before a fault bends them.
    """

    bid: float = 0.0
    ask: float = 0.0
    bid_high: float = 0.0
    bid_low: float = 0.0
    ask_high: float = 0.0
    ask_low: float = 0.0
    session_open: float = 0.0
    time_msc: int = 0
    source_ns: int = 0
    fed_bid: float = 0.0
    fed_ask: float = 0.0
    selected: bool = True
    left_units_buy: int = 0
    left_units_sell: int = 0


class Later(msgspec.Struct, kw_only=True):
    """An accepted order that the server executes at ``due_ns``; ``units`` caps what it fills."""

    due_ns: int
    order: int
    position: int = 0
    units: int = 0


class Counters(msgspec.Struct, kw_only=True):
    """What went through the server: trade requests seen, refused, and executions and deals made.

    ``by_action`` and ``by_retcode`` split the requests by what they asked and were answered.
    """

    requests: int = 0
    refused: int = 0
    executed: int = 0
    deals: int = 0
    ticks: int = 0
    by_action: dict[int, int] = {}
    by_retcode: dict[int, int] = {}


class Switches(msgspec.Struct, kw_only=True):
    """What an admin or a fault may flip.

    ``closed`` and ``open`` name symbols an admin holds shut or open, ``shut`` those a fault has
    shut; ``*`` stands for all.

    ``shift_s`` moves the broker's clock; ``freeze_level`` and ``stops_level`` override the
    symbols' own where set; ``fifo`` makes a hedging account close the oldest first.
    ``login`` and ``server`` override the account's identity where set. ``price_factor`` and
    ``spread_factor`` bend what the feed brings; ``quotes_off`` drops it and shows no price,
    ``ticks_stopped`` leaves the last price and its time standing.
    """

    connected: bool = True
    trade_allowed: bool = True
    tradeapi_disabled: bool = False
    account_trade_allowed: bool = True
    trade_expert: bool = True
    closed: set[str] = set()
    open: set[str] = set()
    shut: set[str] = set()
    shift_s: int = 0
    freeze_level: int | None = None
    stops_level: int | None = None
    fifo: bool = False
    login: int | None = None
    server: str | None = None
    quotes_off: bool = False
    ticks_stopped: bool = False
    price_factor: float = 1.0
    spread_factor: float = 1.0


class Book(msgspec.Struct, kw_only=True):
    """The whole changing state. Orders, deals and requests count on separate counters.

    ``tickets_gone`` holds every ticket a position once had and has no more.
    """

    balance: float = 0.0
    credit: float = 0.0
    positions: dict[int, Position] = {}
    tickets_gone: set[int] = set()
    orders: dict[int, Order] = {}
    orders_done: dict[int, Order] = {}
    deals: dict[int, Deal] = {}
    quotes: dict[str, Quote] = {}
    later: list[Later] = []
    switches: Switches = msgspec.field(default_factory=Switches)
    counters: Counters = msgspec.field(default_factory=Counters)
    next_order: int = 10_000_001
    next_deal: int = 7_000_001
    next_request: int = 1
    day: int = 0
    margin_called: bool = False
    recent_requests_ns: list[int] = []
