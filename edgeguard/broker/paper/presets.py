"""Give realistic symbols and accounts to start from; every number may be overridden.

Rules are those retail ECN brokers commonly publish; prices are plausible first quotes only.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.spec import AccountSpec, PaperSpec, SymbolSpec


def _forex(name: str, digits: int, bid: float, ask: float, **rules: Any) -> SymbolSpec:  # noqa: ANN401
    """Return a currency pair named by its two currencies."""
    common: dict[str, Any] = {
        "description": f"{name[:3]} vs {name[3:]}",
        "path": f"Forex\\{name}",
        "currency_base": name[:3],
        "currency_profit": name[3:],
        "commission_per_lot": 3.5,
    }
    return SymbolSpec(name=name, digits=digits, bid=bid, ask=ask, **{**common, **rules})


def eurusd() -> SymbolSpec:
    """Return EURUSD: 5 digits, FOK and IOC, Market execution."""
    return _forex("EURUSD", 5, 1.08500, 1.08506, swap_long=-7.1, swap_short=3.2)


def gbpusd() -> SymbolSpec:
    """Return GBPUSD: as EURUSD with a wider spread."""
    return _forex("GBPUSD", 5, 1.26010, 1.26019, swap_long=-3.1, swap_short=-2.4)


def eurchf() -> SymbolSpec:
    """Return EURCHF at its floor of January 2015; profit in CHF."""
    return _forex("EURCHF", 5, 1.20100, 1.20106, swap_long=1.4, swap_short=-6.0)


def usdjpy() -> SymbolSpec:
    """Return USDJPY: 3 digits, profit in JPY."""
    return _forex("USDJPY", 3, 149.800, 149.806, swap_long=6.5, swap_short=-17.9)


def usdchf() -> SymbolSpec:
    """Return USDCHF, the cross that brings EURCHF's profit home to USD."""
    return _forex("USDCHF", 5, 0.89500, 0.89508, swap_long=4.3, swap_short=-9.8)


def xauusd() -> SymbolSpec:
    """Return spot gold: 100 ounces, leveraged by the account, IOC only, a stops level."""
    return SymbolSpec(
        name="XAUUSD",
        digits=2,
        description="Gold vs US Dollar",
        path="Metals\\XAUUSD",
        contract_size=100.0,
        calc_mode=c.SYMBOL_CALC_MODE_CFDLEVERAGE,
        currency_base="XAU",
        currency_profit="USD",
        currency_margin="USD",
        volume_max=50.0,
        filling_mode=2,
        stops_level=20,
        swap_long=-28.5,
        swap_short=12.1,
        commission_per_lot=3.5,
        bid=2350.10,
        ask=2350.35,
    )


def btcusdt() -> SymbolSpec:
    """Return Bitcoin against Tether: one coin a lot, round the clock, profit in USDT."""
    return SymbolSpec(
        name="BTCUSDT",
        digits=2,
        description="Bitcoin vs Tether",
        path="Crypto\\BTCUSDT",
        contract_size=1.0,
        calc_mode=c.SYMBOL_CALC_MODE_CFDLEVERAGE,
        currency_base="BTC",
        currency_profit="USDT",
        currency_margin="USDT",
        volume_max=20.0,
        margin_rate=10.0,
        filling_mode=2,
        swap_mode=c.SYMBOL_SWAP_MODE_INTEREST_CURRENT,
        swap_long=-18.0,
        swap_short=-8.0,
        sessions="24x7",
        bid=57_240.00,
        ask=57_240.10,
    )


SYMBOLS: Final[dict[str, Callable[[], SymbolSpec]]] = {
    "EURUSD": eurusd,
    "XAUUSD": xauusd,
    "EURCHF": eurchf,
    "GBPUSD": gbpusd,
    "USDJPY": usdjpy,
    "USDCHF": usdchf,
    "BTCUSDT": btcusdt,
}
# Fixed rates for conversions no preset symbol gives.
RATES: Final[dict[str, float]] = {"USDTUSD": 1.0, "USDUSDT": 1.0}
# Days of made-up bars: a client's longest usual look back, a year of daily ones.
PAST_DAYS: Final = 400


def symbols(names: Iterable[str] = tuple(SYMBOLS)) -> tuple[SymbolSpec, ...]:
    """Return the presets of these names, all by default.

    Raises:
        KeyError: There is no preset of a name.
    """
    return tuple(SYMBOLS[name]() for name in names)


def hedging(names: Iterable[str] = tuple(SYMBOLS), /, **account: Any) -> PaperSpec:  # noqa: ANN401
    """Return a hedging account; keywords override fields of AccountSpec."""
    return PaperSpec(
        account=AccountSpec(**account),
        symbols=symbols(names),
        rates=dict(RATES),
        past_days=PAST_DAYS,
    )


def netting(names: Iterable[str] = tuple(SYMBOLS), /, **account: Any) -> PaperSpec:  # noqa: ANN401
    """Return a netting account; keywords override fields of AccountSpec."""
    mode = c.ACCOUNT_MARGIN_MODE_RETAIL_NETTING
    return hedging(names, **{"margin_mode": mode, **account})


def exchange(names: Iterable[str] = tuple(SYMBOLS), /, **account: Any) -> PaperSpec:  # noqa: ANN401
    """Return an exchange account: netting, Exchange execution, a book of 10 lots a side."""
    spec = netting(names, **{"margin_mode": c.ACCOUNT_MARGIN_MODE_EXCHANGE, **account})
    changed = tuple(
        msgspec.structs.replace(
            symbol,
            execution=c.SYMBOL_TRADE_EXECUTION_EXCHANGE,
            filling_mode=7,
            depth_lots=10.0,
        )
        for symbol in spec.symbols
    )
    return msgspec.structs.replace(spec, symbols=changed)
