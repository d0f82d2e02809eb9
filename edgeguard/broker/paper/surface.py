"""Answer each call of the MetaTrader5 surface from a server's state, as plain rows.

Arguments arrive checked and in order (api.py does that, as the vendor's extension does); values
leave as msgpack can carry them. The code is that of last_error(): 1 is success.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.answer import Request
from edgeguard.broker.paper.bars import TIMEFRAMES, TickHistory, bars, ticks_from, ticks_range
from edgeguard.broker.paper.errors import text_of
from edgeguard.broker.paper.margin import account_figures, trade_margin
from edgeguard.broker.paper.profit import calc_profit
from edgeguard.broker.paper.rows import (
    Row,
    account_row,
    deal_row,
    order_row,
    position_row,
    symbol_row,
    terminal_row,
    tick_row,
)
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Deal, Order
from edgeguard.broker.paper.trade import check
from edgeguard.broker.paper.units import MS_PER_S, is_measurable, to_units
from edgeguard.broker.paper.venue import Venue
from edgeguard.broker.paper.views import Listing

Args = Sequence[Any]
_TERMINAL_VERSION: Final = 500
_TICKET, _SYMBOL = 0, 16


class Reply(msgspec.Struct, frozen=True):
    """What a call returns: last_error's code and text, and the value, None for none."""

    code: int = c.RES_S_OK
    text: str = "Success"
    value: Any = None


def failed(code: int) -> Reply:
    """Return a reply without a value, with the vendor's text for its code."""
    return Reply(code, text_of(code))


class Desk(msgspec.Struct):
    """What a handler reads: the broker, the terminal's lagging copy if any, and past ticks."""

    venue: Venue
    shown: Listing | None
    history: TickHistory


def initialize(desk: Desk, args: Args) -> Reply:
    """Accept the terminal's account; another login, server or password is refused.

    A login of 0 means the terminal's last account, as the extension sends it when none is given.
    """
    number, password, server = args
    return login(desk, (number or desk.venue.spec.account.login, password, server))


def login(desk: Desk, args: Args) -> Reply:
    """Accept the one account this server has: login, then password and server when given."""
    account = desk.venue.spec.account
    number, password, server = args
    good = (
        number == account.login
        and server in (None, "", account.server)
        and (not account.password or password in (None, "", account.password))
    )
    return Reply(value=True) if good else failed(c.RES_E_AUTH_FAILED)


def version(desk: Desk, args: Args) -> Reply:
    """Return the terminal's version, build and build date."""
    del args
    terminal = desk.venue.spec.terminal
    return Reply(value=(_TERMINAL_VERSION, terminal.build, terminal.build_date))


def terminal_info(desk: Desk, args: Args) -> Reply:
    """Return the TerminalInfo row."""
    del args
    return Reply(value=terminal_row(desk.venue))


def account_info(desk: Desk, args: Args) -> Reply:
    """Return the AccountInfo row the terminal shows."""
    del args
    if desk.shown is not None:
        return Reply(value=desk.shown.account)
    return Reply(value=account_row(desk.venue, account_figures(desk.venue)))


def symbols_total(desk: Desk, args: Args) -> Reply:
    """Return the number of symbols the server has."""
    del args
    return Reply(value=len(desk.venue.by_name))


def symbols_get(desk: Desk, args: Args) -> Reply:
    """Return the SymbolInfo rows of all symbols."""
    del args
    return Reply(value=[symbol_row(desk.venue, spec) for spec in desk.venue.by_name.values()])


def symbol_info(desk: Desk, args: Args) -> Reply:
    """Return a symbol's row, or not found."""
    spec = desk.venue.by_name.get(args[0])
    return failed(c.RES_E_NOT_FOUND) if spec is None else Reply(value=symbol_row(desk.venue, spec))


def symbol_info_tick(desk: Desk, args: Args) -> Reply:
    """Return a symbol's last tick; a symbol outside Market Watch has none."""
    spec = desk.venue.by_name.get(args[0])
    if spec is None or not desk.venue.quote(spec.name).selected:
        return failed(c.RES_E_NOT_FOUND)
    if desk.shown is not None and not desk.venue.switches.connected:
        return Reply(value=desk.shown.ticks[spec.name])
    return Reply(value=tick_row(desk.venue, spec))


def symbol_select(desk: Desk, args: Args) -> Reply:
    """Move a symbol into or out of Market Watch; one with positions or orders stays in."""
    name, enable = args
    spec = desk.venue.by_name.get(name)
    if spec is None:
        return failed(c.RES_E_NOT_FOUND)
    book = desk.venue.book
    in_use = any(held.symbol == name for held in book.positions.values()) or any(
        order.symbol == name for order in book.orders.values()
    )
    if not enable and in_use:
        return failed(c.RES_E_FAIL)
    desk.venue.quote(name).selected = enable
    return Reply(value=True)


def market_book_add(desk: Desk, args: Args) -> Reply:
    """Open the depth of market of a symbol that has one."""
    spec = desk.venue.by_name.get(args[0])
    if spec is None:
        return failed(c.RES_E_NOT_FOUND)
    return Reply(value=True) if spec.depth_lots > 0.0 else failed(c.RES_E_FAIL)


def market_book_get(desk: Desk, args: Args) -> Reply:
    """Return the one level on each side that the paper server simulates."""
    spec = desk.venue.by_name.get(args[0])
    if spec is None or spec.depth_lots <= 0.0:
        return failed(c.RES_E_FAIL)
    quote = desk.venue.quote(spec.name)
    lots = spec.depth_lots
    return Reply(
        value=[
            (c.BOOK_TYPE_SELL, quote.ask, int(lots), lots),
            (c.BOOK_TYPE_BUY, quote.bid, int(lots), lots),
        ]
    )


def _positions(desk: Desk) -> Sequence[Row]:
    """Return the positions the terminal shows."""
    if desk.shown is not None:
        return desk.shown.positions
    return [position_row(held) for held in desk.venue.book.positions.values()]


def _orders(desk: Desk) -> Sequence[Row]:
    """Return the working orders the terminal shows."""
    if desk.shown is not None:
        return desk.shown.orders
    return [order_row(order) for order in desk.venue.book.orders.values()]


def _select(rows: Sequence[Row], symbol_at: int, args: Args) -> Reply:
    """Pick rows by ticket, else by symbol, else all; an unknown ticket is not found."""
    ticket, symbol = args
    if ticket is not None:
        found = [row for row in rows if row[_TICKET] == ticket]
        return Reply(value=found) if found else failed(c.RES_E_NOT_FOUND)
    if symbol is not None:
        return Reply(value=[row for row in rows if row[symbol_at] == symbol])
    return Reply(value=list(rows))


def positions_total(desk: Desk, args: Args) -> Reply:
    """Return the number of positions the terminal shows."""
    del args
    return Reply(value=len(_positions(desk)))


def positions_get(desk: Desk, args: Args) -> Reply:
    """Return position rows by ticket or symbol, or all."""
    return _select(_positions(desk), 16, args)


def orders_total(desk: Desk, args: Args) -> Reply:
    """Return the number of working orders the terminal shows."""
    del args
    return Reply(value=len(_orders(desk)))


def orders_get(desk: Desk, args: Args) -> Reply:
    """Return working order rows by ticket or symbol, or all."""
    return _select(_orders(desk), 21, args)


def _deals(desk: Desk) -> list[Deal]:
    """Return the deals the terminal already knows, oldest first."""
    deals = list(desk.venue.book.deals.values())
    if desk.shown is None:
        return deals
    return [deal for deal in deals if deal.ticket < desk.shown.next_deal]


def _orders_done(desk: Desk) -> list[Order]:
    """Return the historical orders the terminal already knows, oldest first."""
    orders = list(desk.venue.book.orders_done.values())
    if desk.shown is None:
        return orders
    return [order for order in orders if order.ticket in desk.shown.orders_done]


def history_deals_get(desk: Desk, args: Args) -> Reply:
    """Return deal rows by range of broker seconds, by order ticket or by position identifier."""
    mode, first, last = args
    deals = _deals(desk)
    if mode == "ticket":
        deals = [deal for deal in deals if deal.order == first]
    elif mode == "position":
        deals = [deal for deal in deals if deal.position_id == first]
    else:
        deals = [deal for deal in deals if first <= deal.time_msc / MS_PER_S <= last]
    return Reply(value=[deal_row(deal) for deal in deals])


def history_orders_get(desk: Desk, args: Args) -> Reply:
    """Return historical order rows by range of broker seconds, by ticket or by position."""
    mode, first, last = args
    orders = _orders_done(desk)
    if mode == "ticket":
        orders = [order for order in orders if order.ticket == first]
    elif mode == "position":
        orders = [order for order in orders if first in (order.position_id, order.position_by_id)]
    else:
        orders = [order for order in orders if first <= order.time_done_msc / MS_PER_S <= last]
    return Reply(value=[order_row(order) for order in orders])


def history_deals_total(desk: Desk, args: Args) -> Reply:
    """Return the number of deals in a range of broker seconds."""
    return Reply(value=len(history_deals_get(desk, ("range", *args)).value))


def history_orders_total(desk: Desk, args: Args) -> Reply:
    """Return the number of historical orders in a range of broker seconds."""
    return Reply(value=len(history_orders_get(desk, ("range", *args)).value))


def order_check(desk: Desk, args: Args) -> Reply:
    """Return an OrderCheckResult row."""
    return Reply(value=check(desk.venue, args[0]))


def _traded(desk: Desk, action: int, name: str) -> SymbolSpec | None:
    """Return the rules of a symbol if the action is a buy or a sell."""
    sides = (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL)
    return desk.venue.by_name.get(name) if action in sides else None


def order_calc_margin(desk: Desk, args: Args) -> Reply:
    """Return the margin of a trade in account currency."""
    action, name, lots, price = args
    spec = _traded(desk, action, name)
    if spec is None or not (is_measurable(lots) and is_measurable(price)):
        return failed(c.RES_E_INVALID_PARAMS)
    amount = trade_margin(desk.venue, spec, action, to_units(lots), price)
    return failed(c.RES_E_FAIL) if amount is None else Reply(value=desk.venue.money(amount))


def order_calc_profit(desk: Desk, args: Args) -> Reply:
    """Return the profit of a trade in account currency."""
    action, name, lots, opened, closed = args
    spec = _traded(desk, action, name)
    if spec is None or not all(is_measurable(number) for number in (lots, opened, closed)):
        return failed(c.RES_E_INVALID_PARAMS)
    amount = calc_profit(desk.venue, spec, action, lots, (opened, closed))
    return failed(c.RES_E_FAIL) if amount is None else Reply(value=amount)


def copy_rates(desk: Desk, args: Args) -> Reply:
    """Return bar rows; args are mode, symbol, timeframe and the mode's two bounds.

    A timeframe that is no constant and a count of nothing are invalid parameters.
    """
    mode, name, timeframe, first, second = args
    if name not in desk.venue.by_name:
        return failed(c.RES_E_FAIL)
    good_bounds = mode == "range" or (second > 0 and (mode == "from" or first >= 0))
    if timeframe not in TIMEFRAMES or not good_bounds:
        return failed(c.RES_E_INVALID_PARAMS)
    return Reply(value=bars(desk.history, mode, name, timeframe, (first, second)))


def copy_ticks(desk: Desk, args: Args) -> Reply:
    """Return tick rows; args are mode, symbol, the mode's two bounds and a COPY_TICKS_ value."""
    mode, name, first, second, flags = args
    if name not in desk.venue.by_name:
        return failed(c.RES_E_FAIL)
    if mode == "from" and second <= 0:
        return failed(c.RES_E_INVALID_PARAMS)
    if flags == c.COPY_TICKS_TRADE:
        # The simulated symbols have quotes alone: no tick changes a last price or a volume.
        return Reply(value=[])
    found = ticks_from if mode == "from" else ticks_range
    return Reply(value=found(desk.history, name, first, second))


HANDLERS: Final[dict[str, Callable[[Desk, Args], Reply]]] = {
    handler.__name__: handler
    for handler in (
        *(initialize, login, version, terminal_info, account_info),
        *(symbols_total, symbols_get, symbol_info, symbol_info_tick, symbol_select),
        *(market_book_add, market_book_get),
        *(positions_total, positions_get, orders_total, orders_get),
        *(history_orders_total, history_orders_get, history_deals_total, history_deals_get),
        *(order_check, order_calc_margin, order_calc_profit, copy_rates, copy_ticks),
    )
}
HANDLERS["market_book_release"] = market_book_add

# The arguments of each call; a client that sends others is answered -2. What is not here has none.
_IDENTITY: Final = tuple[int | None, str | None, str | None]
_RANGE: Final = tuple[float, float]
_SELECTION: Final = tuple[int | None, str | None]
_HISTORY: Final = tuple[Literal["range", "ticket", "position"], float, float]
_NAME: Final = tuple[str]
ARGUMENTS: Final[dict[str, Any]] = {
    "initialize": _IDENTITY,
    "login": _IDENTITY,
    **dict.fromkeys(("symbol_info", "symbol_info_tick"), _NAME),
    **dict.fromkeys(("market_book_add", "market_book_release", "market_book_get"), _NAME),
    "symbol_select": tuple[str, bool],
    **dict.fromkeys(("positions_get", "orders_get"), _SELECTION),
    **dict.fromkeys(("history_orders_total", "history_deals_total"), _RANGE),
    **dict.fromkeys(("history_orders_get", "history_deals_get"), _HISTORY),
    **dict.fromkeys(("order_check", "order_send"), tuple[Request]),
    "order_calc_margin": tuple[int, str, float, float],
    "order_calc_profit": tuple[int, str, float, float, float],
    "copy_rates": tuple[Literal["from", "pos", "range"], str, int, float, float],
    "copy_ticks": tuple[Literal["from", "range"], str, float, float, int],
}


def checked(method: str, args: Args) -> Args:
    """Return a call's arguments in their types; a Request where the call takes one.

    Raises:
        msgspec.ValidationError: They are of other types or number.
    """
    return msgspec.convert(args, ARGUMENTS.get(method, tuple[()]))
