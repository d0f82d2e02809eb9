"""Define the vendor's 11 struct types: tuples with named fields, no collections.namedtuple.

The vendor's types are CPython struct sequences: positional access, attributes, ``_asdict()`` and
``__match_args__``, but no ``_fields``, ``_replace`` or ``_make``. Field order is that of the wheel
5.0.6231 and is part of the contract.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, ClassVar, Self


class StructSequence(tuple[Any, ...]):
    """A tuple whose positions have names, with the manners of CPython's PyStructSequence."""

    __slots__ = ()

    __match_args__: ClassVar[tuple[str, ...]] = ()
    n_fields: ClassVar[int] = 0
    n_sequence_fields: ClassVar[int] = 0
    n_unnamed_fields: ClassVar[int] = 0

    def __init_subclass__(cls) -> None:
        """Give each annotated field of a subclass its position and a read-only attribute."""
        names = tuple(cls.__annotations__)
        cls.__match_args__ = names
        cls.n_fields = cls.n_sequence_fields = len(names)
        for position, name in enumerate(names):
            setattr(cls, name, property(itemgetter(position)))

    def __new__(cls, sequence: Iterable[Any]) -> Self:
        """Take exactly as many values as the type has fields, in order.

        Raises:
            TypeError: The number of values differs from the number of fields.
        """
        values = tuple(sequence)
        if len(values) != cls.n_fields:
            raise TypeError(f"{cls.__name__}() takes {cls.n_fields} values, was {len(values)}")
        return super().__new__(cls, values)

    def __repr__(self) -> str:
        """Print as the vendor's types do: ``Tick(time=1, bid=1.1, ...)``."""
        pairs = (f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({', '.join(pairs)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by type and plain tuple, as struct sequences do."""
        return type(self), (tuple(self),)

    def _asdict(self) -> dict[str, Any]:
        """Return the fields by name; nested structs stay structs, as the vendor leaves them."""
        return dict(zip(self.__match_args__, self, strict=True))


class TradePosition(StructSequence):
    """An open position. Times are the broker's wall clock, s or ms; volume in lots."""

    __slots__ = ()

    ticket: int
    time: int
    time_msc: int
    time_update: int
    time_update_msc: int
    type: int
    magic: int
    identifier: int
    reason: int
    volume: float
    price_open: float
    sl: float
    tp: float
    price_current: float
    swap: float
    profit: float
    symbol: str
    comment: str
    external_id: str


class TradeOrder(StructSequence):
    """A working or historical order. Times are the broker's wall clock; volumes in lots."""

    __slots__ = ()

    ticket: int
    time_setup: int
    time_setup_msc: int
    time_done: int
    time_done_msc: int
    time_expiration: int
    type: int
    type_time: int
    type_filling: int
    state: int
    magic: int
    position_id: int
    position_by_id: int
    reason: int
    volume_initial: float
    volume_current: float
    price_open: float
    sl: float
    tp: float
    price_current: float
    price_stoplimit: float
    symbol: str
    comment: str
    external_id: str


class TradeDeal(StructSequence):
    """A deal. Money in the account currency; volume in lots."""

    __slots__ = ()

    ticket: int
    order: int
    time: int
    time_msc: int
    type: int
    entry: int
    magic: int
    position_id: int
    reason: int
    volume: float
    price: float
    commission: float
    swap: float
    profit: float
    fee: float
    symbol: str
    comment: str
    external_id: str


class TradeRequest(StructSequence):
    """The request a result answers, a missing key filled with 0 or an empty string."""

    __slots__ = ()

    action: int
    magic: int
    order: int
    symbol: str
    volume: float
    price: float
    stoplimit: float
    sl: float
    tp: float
    deviation: int
    type: int
    type_filling: int
    type_time: int
    expiration: int
    comment: str
    position: int
    position_by: int


class OrderSendResult(StructSequence):
    """The answer of order_send, refusals included."""

    __slots__ = ()

    retcode: int
    deal: int
    order: int
    volume: float
    price: float
    bid: float
    ask: float
    comment: str
    request_id: int
    retcode_external: int
    request: TradeRequest


class OrderCheckResult(StructSequence):
    """The answer of order_check: retcode 0 is good; money as the account would show it."""

    __slots__ = ()

    retcode: int
    balance: float
    equity: float
    profit: float
    margin: float
    margin_free: float
    margin_level: float
    comment: str
    request: TradeRequest


class Tick(StructSequence):
    """The last prices of a symbol. Times are the broker's wall clock."""

    __slots__ = ()

    time: int
    bid: float
    ask: float
    last: float
    volume: int
    time_msc: int
    flags: int
    volume_real: float


class TerminalInfo(StructSequence):
    """The terminal program. ping_last is in microseconds."""

    __slots__ = ()

    community_account: bool
    community_connection: bool
    connected: bool
    dlls_allowed: bool
    trade_allowed: bool
    tradeapi_disabled: bool
    email_enabled: bool
    ftp_enabled: bool
    notifications_enabled: bool
    mqid: bool
    build: int
    maxbars: int
    codepage: int
    ping_last: int
    community_balance: float
    retransmission: float
    company: str
    name: str
    language: str
    path: str
    data_path: str
    commondata_path: str


class AccountInfo(StructSequence):
    """The account. Money in its currency; margin_level in percent, 0 without margin."""

    __slots__ = ()

    login: int
    trade_mode: int
    leverage: int
    limit_orders: int
    margin_so_mode: int
    trade_allowed: bool
    trade_expert: bool
    margin_mode: int
    currency_digits: int
    fifo_close: bool
    balance: float
    credit: float
    profit: float
    equity: float
    margin: float
    margin_free: float
    margin_level: float
    margin_so_call: float
    margin_so_so: float
    margin_initial: float
    margin_maintenance: float
    assets: float
    liabilities: float
    commission_blocked: float
    name: str
    server: str
    currency: str
    company: str


class BookInfo(StructSequence):
    """One line of the depth of market; volume in lots."""

    __slots__ = ()

    type: int
    price: float
    volume: int
    volume_dbl: float


class SymbolInfo(StructSequence):
    """A symbol's rules and prices. Levels and spread in points, volumes in lots."""

    __slots__ = ()

    custom: bool
    chart_mode: int
    select: bool
    visible: bool
    session_deals: int
    session_buy_orders: int
    session_sell_orders: int
    volume: int
    volumehigh: int
    volumelow: int
    time: int
    digits: int
    spread: int
    spread_float: bool
    ticks_bookdepth: int
    trade_calc_mode: int
    trade_mode: int
    start_time: int
    expiration_time: int
    trade_stops_level: int
    trade_freeze_level: int
    trade_exemode: int
    swap_mode: int
    swap_rollover3days: int
    margin_hedged_use_leg: bool
    expiration_mode: int
    filling_mode: int
    order_mode: int
    order_gtc_mode: int
    option_mode: int
    option_right: int
    bid: float
    bidhigh: float
    bidlow: float
    ask: float
    askhigh: float
    asklow: float
    last: float
    lasthigh: float
    lastlow: float
    volume_real: float
    volumehigh_real: float
    volumelow_real: float
    option_strike: float
    point: float
    trade_tick_value: float
    trade_tick_value_profit: float
    trade_tick_value_loss: float
    trade_tick_size: float
    trade_contract_size: float
    trade_accrued_interest: float
    trade_face_value: float
    trade_liquidity_rate: float
    volume_min: float
    volume_max: float
    volume_step: float
    volume_limit: float
    swap_long: float
    swap_short: float
    margin_initial: float
    margin_maintenance: float
    session_volume: float
    session_turnover: float
    session_interest: float
    session_buy_orders_volume: float
    session_sell_orders_volume: float
    session_open: float
    session_close: float
    session_aw: float
    session_price_settlement: float
    session_price_limit_min: float
    session_price_limit_max: float
    margin_hedged: float
    price_change: float
    price_volatility: float
    price_theoretical: float
    price_greeks_delta: float
    price_greeks_theta: float
    price_greeks_gamma: float
    price_greeks_vega: float
    price_greeks_rho: float
    price_greeks_omega: float
    price_sensitivity: float
    basis: str
    category: str
    currency_base: str
    currency_profit: str
    currency_margin: str
    bank: str
    description: str
    exchange: str
    formula: str
    isin: str
    name: str
    page: str
    path: str


STRUCT_TYPES: tuple[type[StructSequence], ...] = (
    *(Tick, SymbolInfo, AccountInfo, TerminalInfo, TradeOrder, TradePosition),
    *(TradeDeal, OrderCheckResult, OrderSendResult, BookInfo, TradeRequest),
)
