"""Compute profit by calculation mode and convert money between currencies at current prices.

Formulas: the vendor's ENUM_SYMBOL_CALC_MODE page. Profit comes out in the symbol's profit
currency and is converted at the side of the cross that the sign of the amount would trade on.
"""

from collections.abc import Iterable
from typing import Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Position
from edgeguard.broker.paper.units import to_lots, to_units
from edgeguard.broker.paper.venue import Venue

_BY_TICKS: Final = frozenset(
    {
        c.SYMBOL_CALC_MODE_FUTURES,
        c.SYMBOL_CALC_MODE_EXCH_FUTURES,
        c.SYMBOL_CALC_MODE_EXCH_OPTIONS_MARGIN,
    }
)
_BONDS: Final = frozenset({c.SYMBOL_CALC_MODE_EXCH_BONDS, c.SYMBOL_CALC_MODE_EXCH_BONDS_MOEX})
# Digits that survive a price difference: enough for any symbol, too few for binary dust.
_CLEAN_DIGITS: Final = 10
# Currency used to join two others that no symbol joins directly.
_BRIDGE: Final = "USD"


def raw_profit(symbol: SymbolSpec, side: int, units: int, opened: float, closed: float) -> float:
    """Return the profit of a trade in the symbol's profit currency, unrounded."""
    sign = 1.0 if side == c.ORDER_TYPE_BUY else -1.0
    difference = round(closed - opened, _CLEAN_DIGITS) * sign
    lots = to_lots(units)
    if symbol.calc_mode in _BY_TICKS:
        return difference * lots * symbol.tick_value / symbol.step
    if symbol.calc_mode in _BONDS:
        return difference * symbol.face_value * symbol.contract_size * lots
    if symbol.calc_mode == c.SYMBOL_CALC_MODE_SERV_COLLATERAL:
        return 0.0
    return difference * symbol.contract_size * lots


def rate(venue: Venue, source: str, target: str, *, selling: bool) -> float | None:
    """Return how much ``target`` one unit of ``source`` is worth now.

    Args:
        venue: The broker whose quotes to use.
        source: Currency held.
        target: Currency wanted.
        selling: True to sell the source (a profit is brought home), False to buy it (a loss).

    Returns:
        The rate, or None when no quote joins the two currencies.
    """
    direct = _direct_rate(venue, source, target, selling=selling)
    if direct is not None or _BRIDGE in (source, target):
        return direct
    first = _direct_rate(venue, source, _BRIDGE, selling=selling)
    second = _direct_rate(venue, _BRIDGE, target, selling=selling)
    return None if first is None or second is None else first * second


def _direct_rate(venue: Venue, source: str, target: str, *, selling: bool) -> float | None:
    """Return a rate over one symbol or one fixed rate, if there is one with a price."""
    if source == target:
        return 1.0
    for symbol in venue.by_name.values():
        quote = venue.quote(symbol.name)
        if quote.bid <= 0.0 or quote.ask <= 0.0:
            continue
        if (symbol.currency_base, symbol.currency_profit) == (source, target):
            return quote.bid if selling else quote.ask
        if (symbol.currency_base, symbol.currency_profit) == (target, source):
            return 1.0 / quote.ask if selling else 1.0 / quote.bid
    return venue.spec.rates.get(source + target)


def to_account(venue: Venue, amount: float, currency: str) -> float:
    """Return an amount in account currency, unrounded; money no quote can convert counts as 0."""
    found = rate(venue, currency, venue.spec.account.currency, selling=amount >= 0.0)
    return 0.0 if found is None else amount * found


def trade_profit(
    venue: Venue, symbol: SymbolSpec, side: int, units: int, prices: tuple[float, float]
) -> float:
    """Return a trade's profit from opening to closing price, account currency, rounded."""
    raw = raw_profit(symbol, side, units, *prices)
    return venue.money(to_account(venue, raw, symbol.currency_profit))


def close_price(venue: Venue, symbol: str, side: int) -> float:
    """Return the price at which a position of a side would close now: bid for a buy."""
    quote = venue.quote(symbol)
    return quote.bid if side == c.POSITION_TYPE_BUY else quote.ask


def mark(venue: Venue, position: Position) -> None:
    """Refresh a position's current price and floating profit; without a quote they stay."""
    mark_all(venue, venue.by_name[position.symbol], (position,))


def mark_all(venue: Venue, symbol: SymbolSpec, positions: Iterable[Position]) -> None:
    """Refresh price and floating profit of positions on one symbol; without a quote they stay."""
    quote = venue.quote(symbol.name)
    if quote.bid <= 0.0 or quote.ask <= 0.0:
        return
    account = venue.spec.account.currency
    gain = rate(venue, symbol.currency_profit, account, selling=True) or 0.0
    loss = rate(venue, symbol.currency_profit, account, selling=False) or 0.0
    for held in positions:
        price = quote.bid if held.side == c.POSITION_TYPE_BUY else quote.ask
        raw = raw_profit(symbol, held.side, held.units, held.price_open, price)
        held.price_current = price
        held.profit = venue.money(raw * (gain if raw >= 0.0 else loss))


def tick_values(venue: Venue, symbol: SymbolSpec) -> tuple[float, float]:
    """Return what one tick of one lot is worth in account currency, as a profit and as a loss."""
    if symbol.calc_mode in _BY_TICKS:
        raw = symbol.tick_value
    elif symbol.calc_mode in _BONDS:
        raw = symbol.step * symbol.face_value * symbol.contract_size
    else:
        raw = symbol.step * symbol.contract_size
    account = venue.spec.account.currency
    gain = rate(venue, symbol.currency_profit, account, selling=True) or 0.0
    loss = rate(venue, symbol.currency_profit, account, selling=False) or 0.0
    return raw * gain, raw * loss


def calc_profit(
    venue: Venue, symbol: SymbolSpec, side: int, lots: float, prices: tuple[float, float]
) -> float | None:
    """Return what order_calc_profit answers.

    A known oddity of the terminal is kept (mql5.com/en/forum/439319): a BUY is converted with the
    loss rate and a SELL with the profit rate, whatever the outcome.
    """
    raw = raw_profit(symbol, side, to_units(lots), *prices)
    selling = side == c.ORDER_TYPE_SELL
    found = rate(venue, symbol.currency_profit, venue.spec.account.currency, selling=selling)
    return None if found is None else venue.money(raw * found)
