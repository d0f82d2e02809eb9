"""Describe a paper account, its symbols, its terminal and its clock as typed, validated data."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.faults import FaultPlan
from edgeguard.broker.paper.unexported import SYMBOL_ORDER_ALL

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Weight = Annotated[float, msgspec.Meta(ge=0)]
Mask = Annotated[int, msgspec.Meta(ge=0, le=127)]
Digits = Annotated[int, msgspec.Meta(ge=0, le=10)]

# One trading session: weekday (0 = Sunday), first and last second of the broker's day.
Session = tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], Count, Count]


class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A symbol's rules. Prices in quote currency, volumes in lots, levels and swaps in points.

    ``depth_lots`` is the volume one side of the book fills between two ticks, 0 for any volume.
    ``slippage_points`` worsens each market fill. ``commission_per_lot`` is account currency, for
    each of the deals that ``commission_on`` names. ``tick_value`` is profit currency per tick and
    lot and is used by the futures modes alone. ``bid`` and ``ask`` of 0 mean no quote yet.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=29)]
    digits: Digits
    description: str = ""
    path: str = ""
    contract_size: Positive = 100_000.0
    calc_mode: int = c.SYMBOL_CALC_MODE_FOREX
    currency_base: str = "EUR"
    currency_profit: str = "USD"
    currency_margin: str = ""
    tick_size: Weight = 0.0
    tick_value: Weight = 0.0
    face_value: Weight = 0.0
    accrued_interest: Weight = 0.0
    volume_min: Positive = 0.01
    volume_max: Positive = 100.0
    volume_step: Positive = 0.01
    volume_limit: Weight = 0.0
    stops_level: Count = 0
    freeze_level: Count = 0
    trade_mode: int = c.SYMBOL_TRADE_MODE_FULL
    execution: int = c.SYMBOL_TRADE_EXECUTION_MARKET
    filling_mode: Mask = 3
    order_mode: Mask = SYMBOL_ORDER_ALL
    expiration_mode: Mask = 15
    order_gtc_mode: int = c.SYMBOL_ORDERS_GTC
    swap_mode: int = c.SYMBOL_SWAP_MODE_POINTS
    swap_long: float = 0.0
    swap_short: float = 0.0
    swap_rollover3days: Annotated[int, msgspec.Meta(ge=0, le=6)] = c.DAY_OF_WEEK_WEDNESDAY
    margin_initial: Weight = 0.0
    margin_maintenance: Weight = 0.0
    margin_hedged: Weight = 0.0
    margin_hedged_use_leg: bool = False
    margin_rate: Positive = 1.0
    sessions: Literal["24x7", "24x5"] | tuple[Session, ...] = "24x5"
    commission_per_lot: Weight = 0.0
    commission_on: Literal["both", "in", "out"] = "both"
    depth_lots: Weight = 0.0
    slippage_points: Count = 0
    selected: bool = True
    only_real: bool = False
    bid: Weight = 0.0
    ask: Weight = 0.0

    @property
    def point(self) -> float:
        """The smallest price step the digits show, in quote currency."""
        return round(10.0**-self.digits, self.digits)

    @property
    def step(self) -> float:
        """The tick size, which is the point unless the symbol says otherwise."""
        return self.tick_size or self.point

    @property
    def margin_currency(self) -> str:
        """The currency margin is charged in: the base currency unless the symbol says otherwise."""
        return self.currency_margin or self.currency_base


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account. Money in ``currency``; limits of 0 mean none; stop-out levels as their mode.

    ``netting_needs_position`` makes a netting account refuse a request whose ``position`` is gone;
    by default it ignores that field, so that a duplicate close reverses, which is the worse case.
    """

    login: Annotated[int, msgspec.Meta(gt=0)] = 5_000_001
    password: str = ""
    server: str = "EdgeGuard-Paper"
    name: str = "Paper Account"
    company: str = "EdgeGuard Paper Broker"
    trade_mode: Annotated[int, msgspec.Meta(ge=0, le=2)] = c.ACCOUNT_TRADE_MODE_DEMO
    currency: str = "USD"
    currency_digits: Digits = 2
    leverage: Annotated[int, msgspec.Meta(gt=0)] = 100
    margin_mode: Annotated[int, msgspec.Meta(ge=0, le=2)] = c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    balance: float = 100_000.0
    credit: float = 0.0
    limit_orders: Count = 0
    positions_max: Count = 0
    requests_per_second_max: Count = 0
    margin_so_mode: Annotated[int, msgspec.Meta(ge=0, le=1)] = c.ACCOUNT_STOPOUT_MODE_PERCENT
    margin_so_call: Weight = 100.0
    margin_so_so: Weight = 50.0
    fifo_close: bool = False
    hedge_prohibited: bool = False
    netting_needs_position: bool = False
    trade_allowed: bool = True
    trade_expert: bool = True


class TerminalSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terminal program. ``ping_us`` is in microseconds, as the vendor's ping_last is."""

    path: str = "C:\\Program Files\\EdgeGuard Paper Terminal"
    data_path: str = "C:\\Users\\trader\\AppData\\Roaming\\MetaQuotes\\Terminal\\PAPER"
    name: str = "EdgeGuard Paper Terminal"
    language: str = "English"
    build: Count = 6231
    build_date: str = "27 Sep 2026"
    ping_us: Count = 77_850
    trade_allowed: bool = True
    tradeapi_disabled: bool = False


class ClockSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker's wall clock: winter offset from UTC in seconds and whose summer time it keeps."""

    utc_offset_s: Annotated[int, msgspec.Meta(ge=-50_400, le=50_400)] = 7_200
    dst: Literal["none", "us", "eu"] = "us"


class PaperSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a paper server starts from; the same spec and events give the same answers.

    ``rates`` fills in conversions no symbol gives: ``{"USDTUSD": 1.0}`` is USD for one USDT.
    ``past_days`` is how far made-up bars reach back from the start, 0 for none (past.py); they end
    at each symbol's first quote.
    """

    account: AccountSpec = AccountSpec()
    symbols: tuple[SymbolSpec, ...] = ()
    terminal: TerminalSpec = TerminalSpec()
    clock: ClockSpec = ClockSpec()
    rates: dict[str, Positive] = msgspec.field(default_factory=dict[str, float])
    faults: FaultPlan = FaultPlan()
    past_days: Annotated[int, msgspec.Meta(ge=0, le=3_660)] = 0


def check_spec(spec: PaperSpec) -> list[str]:
    """Return every contradiction in a spec, each as one sentence; an empty list is a good spec."""
    problems: list[str] = []
    names = [symbol.name for symbol in spec.symbols]
    problems.extend(
        f"symbols must be unique, was {name!r} twice"
        for name in sorted({name for name in names if names.count(name) > 1})
    )
    for symbol in spec.symbols:
        if symbol.volume_min > symbol.volume_max:
            problems.append(
                f"symbols.{symbol.name}.volume_min must be at most volume_max"
                f" {symbol.volume_max}, was {symbol.volume_min} lots"
            )
        if symbol.ask < symbol.bid:
            problems.append(
                f"symbols.{symbol.name}.ask must be at least bid {symbol.bid}, was {symbol.ask}"
            )
    account = spec.account
    if account.fifo_close and account.margin_mode != c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING:
        problems.append("account.fifo_close must be false unless margin_mode is hedging, was true")
    return problems


def unconvertible(spec: PaperSpec) -> list[str]:
    """Return a sentence for each currency of a symbol that nothing turns into account currency.

    Profits in such a currency count as 0, and so does its margin.
    """
    pairs = {(symbol.currency_base, symbol.currency_profit) for symbol in spec.symbols}
    home = spec.account.currency

    def joined(one: str, other: str) -> bool:
        quoted = (one, other) in pairs or (other, one) in pairs
        return one == other or quoted or one + other in spec.rates

    wanted = {symbol.currency_profit for symbol in spec.symbols}
    wanted |= {symbol.margin_currency for symbol in spec.symbols}
    return [
        f"{currency} cannot be converted to {home}: its profits and margins count as 0"
        for currency in sorted(wanted)
        if not joined(currency, home) and not (joined(currency, "USD") and joined("USD", home))
    ]


def load_spec(path: Path) -> PaperSpec:
    """Read a spec from a JSON file.

    Args:
        path: The file; its keys are the fields of PaperSpec.

    Returns:
        The validated spec.

    Raises:
        ValueError: The file is not JSON of that shape or contradicts itself; the text says where.
    """
    try:
        spec = msgspec.json.decode(path.read_bytes(), type=PaperSpec)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} must be a paper spec: {error}") from error
    problems = check_spec(spec)
    if problems:
        raise ValueError(f"{path} must be a paper spec: {'; '.join(problems)}")
    return spec


def dump_spec(spec: PaperSpec) -> bytes:
    """Return a spec as indented JSON, ready to be written to a file."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=2)
