"""The paper terminal that a configuration describes: its account, its symbols and first quotes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.spec import AccountSpec, PaperSpec, SymbolSpec
from edgeguard.config.model import (
    CALC_MODE_DEFAULT,
    CONTRACT_SIZE_DEFAULT,
    AccountConfig,
    Config,
    SymbolConfig,
)
from edgeguard.config.paths import Paths

Quotes = dict[str, tuple[Decimal, Decimal]]

TRADE_MODES: Final = {
    "demo": c.ACCOUNT_TRADE_MODE_DEMO,
    "contest": c.ACCOUNT_TRADE_MODE_CONTEST,
    "real": c.ACCOUNT_TRADE_MODE_REAL,
}
MARGIN_MODES: Final = {
    "hedging": c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    "netting": c.ACCOUNT_MARGIN_MODE_RETAIL_NETTING,
    "exchange": c.ACCOUNT_MARGIN_MODE_EXCHANGE,
}
CALC_MODES: Final = {
    "FOREX": c.SYMBOL_CALC_MODE_FOREX,
    "FOREX_NO_LEVERAGE": c.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE,
    "CFD": c.SYMBOL_CALC_MODE_CFD,
    "CFDINDEX": c.SYMBOL_CALC_MODE_CFDINDEX,
    "CFDLEVERAGE": c.SYMBOL_CALC_MODE_CFDLEVERAGE,
    "FUTURES": c.SYMBOL_CALC_MODE_FUTURES,
    "EXCH_STOCKS": c.SYMBOL_CALC_MODE_EXCH_STOCKS,
    "EXCH_FUTURES": c.SYMBOL_CALC_MODE_EXCH_FUTURES,
}
COMMISSION_PER_LOT: Final = 3.5
"""Account currency per lot and side, as retail brokers commonly charge on raw spreads."""


def write_paper_spec(config: Config, account: AccountConfig, paths: Paths) -> tuple[Path, Path]:
    """Write the spec of one paper account and return it with the file that keeps its book."""
    folder = paths.state_dir / "paper"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec_file = folder / f"{account.id}.spec.json"
    spec_file.write_bytes(msgspec.json.format(msgspec.json.encode(paper_spec(config, account))))
    return spec_file, folder / f"{account.id}.book"


def paper_spec(config: Config, account: AccountConfig) -> PaperSpec:
    """Return the paper terminal of one account."""
    quotes = {q.symbol: (Decimal(q.bid), Decimal(q.ask)) for q in config.paper.quotes}
    return PaperSpec(
        account=AccountSpec(
            login=account.login,
            server=account.server,
            trade_mode=TRADE_MODES[account.trade_mode],
            currency=account.currency,
            currency_digits=account.currency_digits,
            leverage=config.paper.leverage,
            margin_mode=MARGIN_MODES[config.paper.margin_mode],
            balance=float(account.initial_balance),
        ),
        symbols=tuple(_symbol(symbol, quotes) for symbol in config.symbol),
        rates=conversion_rates(config.symbol, quotes, account.currency),
    )


def _symbol(symbol: SymbolConfig, quotes: Quotes) -> SymbolSpec:
    bid, ask = quotes.get(symbol.name, (Decimal(0), Decimal(0)))
    calc_mode = symbol.calc_mode or CALC_MODE_DEFAULT
    is_forex = calc_mode.startswith("FOREX")
    profit = profit_currency(symbol)
    return SymbolSpec(
        name=symbol.name,
        digits=symbol.digits,
        contract_size=float(symbol.contract_size or CONTRACT_SIZE_DEFAULT),
        calc_mode=CALC_MODES[calc_mode],
        currency_base=base_currency(symbol),
        currency_profit=profit,
        currency_margin="" if is_forex else profit,
        tick_size=float(symbol.tick_size or 0),
        tick_value=float(symbol.tick_value or 0),
        sessions="24x7" if symbol.session == "24x7" else "24x5",
        commission_per_lot=COMMISSION_PER_LOT,
        bid=float(bid),
        ask=float(ask),
    )


def base_currency(symbol: SymbolConfig) -> str:
    """Return a symbol's base currency: the first three letters of its name unless told."""
    return symbol.currency_base or symbol.name[:3]


def profit_currency(symbol: SymbolConfig) -> str:
    """Return a symbol's profit currency: letters four to six of its name unless told."""
    return symbol.currency_profit or symbol.name[3:6]


def conversion_rates(
    symbols: Iterable[SymbolConfig], quotes: Quotes, currency: str
) -> dict[str, float]:
    """Return fixed rates into the account's currency, for currencies that no symbol converts.

    They come from the first quotes, through as many symbols as it takes: CHF reaches USD through
    EURCHF and EURUSD.
    """
    edges: dict[str, dict[str, Decimal]] = {}
    for symbol in symbols:
        base, profit = base_currency(symbol), profit_currency(symbol)
        bid, ask = quotes.get(symbol.name, (Decimal(0), Decimal(0)))
        if bid > 0 and base and profit:
            mid = (bid + ask) / 2
            edges.setdefault(base, {})[profit] = mid
            edges.setdefault(profit, {})[base] = 1 / mid
    rates: dict[str, float] = {}
    for source in edges:
        rate = _through(edges, source, currency)
        if rate is not None and source != currency:
            rates[f"{source}{currency}"] = float(rate)
            rates[f"{currency}{source}"] = float(1 / rate)
    return rates


def _through(edges: dict[str, dict[str, Decimal]], source: str, target: str) -> Decimal | None:
    """Return the product of rates along a shortest way from `source` to `target`."""
    reached = {source: Decimal(1)}
    frontier = [source]
    while frontier and target not in reached:
        frontier_next: list[str] = []
        for here in frontier:
            for there, rate in sorted(edges[here].items()):
                if there not in reached:
                    reached[there] = reached[here] * rate
                    frontier_next.append(there)
        frontier = frontier_next
    return reached.get(target)
