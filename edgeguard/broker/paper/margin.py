"""Compute margin by calculation mode, hedged margin, and the account's derived figures."""

from typing import Final

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.profit import rate
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Position
from edgeguard.broker.paper.units import to_lots
from edgeguard.broker.paper.venue import Venue

_PER_CONTRACT: Final = frozenset(
    {
        c.SYMBOL_CALC_MODE_FUTURES,
        c.SYMBOL_CALC_MODE_EXCH_FUTURES,
        c.SYMBOL_CALC_MODE_EXCH_OPTIONS,
        c.SYMBOL_CALC_MODE_EXCH_OPTIONS_MARGIN,
    }
)
_LEVERED: Final = frozenset({c.SYMBOL_CALC_MODE_FOREX, c.SYMBOL_CALC_MODE_CFDLEVERAGE})
_UNPRICED: Final = frozenset({c.SYMBOL_CALC_MODE_FOREX, c.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE})
_BONDS: Final = frozenset({c.SYMBOL_CALC_MODE_EXCH_BONDS, c.SYMBOL_CALC_MODE_EXCH_BONDS_MOEX})


class Figures(msgspec.Struct, frozen=True):
    """An account's figures in its currency; ``level`` in percent, 0 without margin."""

    balance: float
    credit: float
    profit: float
    equity: float
    margin: float
    free: float
    level: float


def figures(
    balance: float, profit: float, margin: float, *, credit: float = 0.0, digits: int = 2
) -> Figures:
    """Derive equity, free margin and margin level from an account's parts.

    Args:
        balance: Closed money, account currency.
        profit: Floating profit with swap, account currency.
        margin: Margin in use, account currency.
        credit: Bonus money that cannot be withdrawn.
        digits: Digits of the account currency.

    Returns:
        The figures, rounded to ``digits``; the level is not rounded.
    """
    equity = round(balance + credit + profit, digits)
    margin = round(margin, digits)
    return Figures(
        balance=balance,
        credit=credit,
        profit=round(profit, digits),
        equity=equity,
        margin=margin,
        free=round(equity - margin, digits),
        level=equity / margin * 100.0 if margin > 0.0 else 0.0,
    )


def raw_margin(
    symbol: SymbolSpec, leverage: int, units: int, price: float, size: float | None = None
) -> float:
    """Return the margin of a trade in the symbol's margin currency, unrounded.

    Args:
        symbol: The symbol's rules.
        leverage: The account's leverage.
        units: Volume in 1e-8 lots.
        price: Market price in quote currency.
        size: Contract size to use instead of the symbol's, for hedged volume.
    """
    lots = to_lots(units)
    if symbol.calc_mode in _PER_CONTRACT:
        return lots * (symbol.margin_initial if size is None else size) * symbol.margin_rate
    contract = symbol.contract_size if size is None else size
    if symbol.margin_initial > 0.0 and size is None:
        contract = symbol.margin_initial
    base = lots * contract * symbol.margin_rate
    return base * _price_factor(symbol, price) / (leverage if symbol.calc_mode in _LEVERED else 1)


def _price_factor(symbol: SymbolSpec, price: float) -> float:
    """Return what the contract's size is multiplied with in a calculation mode."""
    if symbol.calc_mode in _UNPRICED:
        return 1.0
    if symbol.calc_mode == c.SYMBOL_CALC_MODE_CFDINDEX:
        return price * symbol.tick_value / symbol.step
    if symbol.calc_mode == c.SYMBOL_CALC_MODE_SERV_COLLATERAL:
        return 0.0
    return price * symbol.face_value / 100.0 if symbol.calc_mode in _BONDS else price


def trade_margin(
    venue: Venue, symbol: SymbolSpec, side: int, units: int, price: float
) -> float | None:
    """Return the margin one trade alone would take, account currency; None without a rate."""
    buying = side == c.ORDER_TYPE_BUY
    account = venue.spec.account
    found = rate(venue, symbol.margin_currency, account.currency, selling=not buying)
    return None if found is None else raw_margin(symbol, account.leverage, units, price) * found


def symbol_margin(symbol: SymbolSpec, legs: list[tuple[int, int, float]]) -> float:
    """Return the margin of all positions on a symbol, hedged volume counted at its own size.

    Args:
        symbol: The symbol's rules.
        legs: Side, volume in 1e-8 lots and unhedged margin of each position.
    """
    units = [0, 0]
    margins = [0.0, 0.0]
    for side, leg_units, leg_margin in legs:
        units[side] += leg_units
        margins[side] += leg_margin
    hedged = min(units)
    if hedged == 0:
        return sum(margins)
    if symbol.margin_hedged_use_leg:
        return max(margins)
    larger = 0 if units[0] >= units[1] else 1
    open_share = (units[larger] - hedged) / units[larger]
    size = symbol.margin_initial if symbol.calc_mode in _PER_CONTRACT else symbol.contract_size
    pair_share = symbol.margin_hedged / size if size > 0.0 else 0.0
    per_unit = sum(margins) / sum(units)
    return margins[larger] * open_share + hedged * per_unit * pair_share


def account_margin(venue: Venue, extra: Position | None = None, without: int = 0) -> float:
    """Return the margin of the whole account, with one more position or without a ticket."""
    legs: dict[str, list[tuple[int, int, float]]] = {}
    positions = [held for held in venue.book.positions.values() if held.ticket != without]
    if extra is not None:
        positions.append(extra)
    for entry in positions:
        legs.setdefault(entry.symbol, []).append((entry.side, entry.units, entry.margin))
    parts = (symbol_margin(venue.by_name[name], entries) for name, entries in legs.items())
    return sum(parts, 0.0)


def account_figures(venue: Venue) -> Figures:
    """Return the account's figures at the last marks; the profit includes swap."""
    book = venue.book
    if venue.margin_cache is None:
        venue.margin_cache = account_margin(venue)
    profit = sum((entry.profit + entry.swap for entry in book.positions.values()), 0.0)
    return figures(
        book.balance,
        profit,
        venue.margin_cache,
        credit=book.credit,
        digits=venue.spec.account.currency_digits,
    )
