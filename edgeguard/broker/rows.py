"""What a terminal tells, as typed rows: the fields this package uses, under the vendor's own names.

Decoding ignores every other field, so that a newer build with more fields still reads.
"""

from __future__ import annotations

import msgspec


class _Row(msgspec.Struct, frozen=True, gc=False):
    """Common settings of every row."""


class AccountRow(_Row, frozen=True):
    """`account_info()`: money in account currency."""

    login: int
    trade_mode: int
    margin_mode: int
    server: str
    currency: str
    balance: float
    credit: float
    equity: float
    margin: float
    profit: float = 0.0
    currency_digits: int = 2
    leverage: int = 0
    trade_allowed: bool = True
    trade_expert: bool = True
    fifo_close: bool = False
    name: str = ""
    company: str = ""


class TerminalRow(_Row, frozen=True):
    """`terminal_info()`: the terminal's word on its link and on permissions."""

    connected: bool
    trade_allowed: bool
    tradeapi_disabled: bool = False
    path: str = ""
    build: int = 0
    name: str = ""
    ping_last: int = 0


class PositionRow(_Row, frozen=True):
    """One of `positions_get()`: volume in lots, times in broker milliseconds."""

    ticket: int
    identifier: int
    symbol: str
    type: int
    volume: float
    price_open: float
    price_current: float
    profit: float
    swap: float = 0.0
    magic: int = 0
    time_msc: int = 0
    time_update_msc: int = 0
    sl: float = 0.0
    tp: float = 0.0


class OrderRow(_Row, frozen=True):
    """One of `orders_get()` or `history_orders_get()`: volumes in lots."""

    ticket: int
    symbol: str
    type: int
    state: int
    volume_initial: float
    volume_current: float
    price_open: float = 0.0
    price_current: float = 0.0
    magic: int = 0
    position_id: int = 0
    position_by_id: int = 0
    time_setup_msc: int = 0
    time_done_msc: int = 0


class DealRow(_Row, frozen=True):
    """One of `history_deals_get()`: volume in lots, money in account currency."""

    ticket: int
    order: int
    time_msc: int
    type: int
    entry: int
    magic: int
    position_id: int
    symbol: str
    volume: float
    price: float
    profit: float = 0.0
    commission: float = 0.0
    swap: float = 0.0
    fee: float = 0.0
    comment: str = ""


class SymbolRow(_Row, frozen=True):
    """`symbol_info()`: volumes in lots, `point` and tick size in quote currency."""

    name: str
    digits: int
    point: float
    volume_min: float
    volume_max: float
    volume_step: float
    filling_mode: int
    order_mode: int
    trade_exemode: int
    trade_mode: int
    trade_contract_size: float
    trade_tick_size: float
    trade_tick_value: float
    trade_calc_mode: int
    currency_base: str = ""
    currency_profit: str = ""
    trade_freeze_level: int = 0
    select: bool = True


class TickRow(_Row, frozen=True):
    """`symbol_info_tick()`: 0 means no price yet; times on the broker's clock."""

    bid: float
    ask: float
    time_msc: int


class SendRow(_Row, frozen=True):
    """The result of `order_send()`."""

    retcode: int
    deal: int = 0
    order: int = 0
    volume: float = 0.0
    price: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    comment: str = ""
    request_id: int = 0
    retcode_external: int = 0
