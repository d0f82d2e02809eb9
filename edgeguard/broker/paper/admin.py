"""Carry out what tests and demos may do to a paper terminal besides trading on it.

Each request is a typed parameter struct and a function of the server; none of them is reachable
over the MetaTrader5 surface.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.checks import side_of
from edgeguard.broker.paper.deals import Fill, balance_deal, execute
from edgeguard.broker.paper.faults import FaultPlan
from edgeguard.broker.paper.margin import account_figures
from edgeguard.broker.paper.market import market_price
from edgeguard.broker.paper.server import PaperServer
from edgeguard.broker.paper.state import Order, Switches
from edgeguard.broker.paper.triggers import close_forced
from edgeguard.broker.paper.units import to_units

Lots = Annotated[float, msgspec.Meta(gt=0)]
Price = Annotated[float, msgspec.Meta(ge=0)]

ORDER_TYPES: Final = (
    *("buy", "sell", "buy_limit", "sell_limit", "buy_stop", "sell_stop"),
    *("buy_stop_limit", "sell_stop_limit"),
)


class AdminError(Exception):
    """An admin request that cannot be carried out; the text says why."""


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Parameters of an admin request; unknown names are refused."""


class NewPosition(Strict):
    """A position to create. A price of 0 means the market's; ``swap`` in account currency."""

    symbol: str
    side: Literal["buy", "sell"]
    lots: Lots
    price: Price = 0.0
    sl: Price = 0.0
    tp: Price = 0.0
    magic: int = 0
    comment: str = ""
    swap: float = 0.0


class NewOrder(Strict):
    """A pending order to create, prices unchecked; expiration in broker seconds."""

    symbol: str
    type: Literal[
        "buy_limit", "sell_limit", "buy_stop", "sell_stop", "buy_stop_limit", "sell_stop_limit"
    ]
    lots: Lots
    price: Price
    stoplimit: Price = 0.0
    sl: Price = 0.0
    tp: Price = 0.0
    magic: int = 0
    comment: str = ""
    type_time: int = c.ORDER_TIME_GTC
    expiration: int = 0


class OpenBook(Strict):
    """open_book: create positions and pending orders as if they had always been there."""

    positions: tuple[NewPosition, ...] = ()
    orders: tuple[NewOrder, ...] = ()


class Money(Strict):
    """deposit, withdraw and credit: an amount in account currency."""

    amount: float
    comment: str = ""


class Faults(Strict):
    """faults: the plan that replaces the current one; an empty plan ends all faults."""

    plan: FaultPlan = FaultPlan()


class Market(Strict):
    """market: open or shut a symbol, ``*`` for all; None goes back to the schedule."""

    symbol: str = "*"
    open: bool | None = None


class Toggle(Strict):
    """autotrading: the button's new position."""

    on: bool


class CloseByHand(Strict):
    """close: close a position as a human at the terminal would; 0 lots closes all of it."""

    ticket: int
    lots: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Change(Strict):
    """switches: any fields of state.Switches and their new values."""

    values: dict[str, Any]


class Nothing(Strict):
    """A request without parameters."""


def _spec_known(server: PaperServer, symbol: str) -> None:
    """Refuse an unknown symbol."""
    if symbol not in server.venue.by_name:
        raise AdminError(f"symbol must be one of {sorted(server.venue.by_name)}, was {symbol!r}")


def _place_position(server: PaperServer, new: NewPosition) -> int:
    """Create one position with its order and deal; return its ticket."""
    venue = server.venue
    _spec_known(server, new.symbol)
    side = ORDER_TYPES.index(new.side)
    price = new.price or market_price(venue, venue.by_name[new.symbol], side)
    if price <= 0.0:
        raise AdminError(f"price must be above 0 while {new.symbol} has no quote, was {new.price}")
    units = to_units(new.lots)
    order = Order(
        ticket=venue.take_order_ticket(),
        type=side,
        symbol=new.symbol,
        units_initial=units,
        units_current=0,
        sl=new.sl,
        tp=new.tp,
        magic=new.magic,
        comment=new.comment,
        time_setup_msc=venue.wall_ms,
    )
    execute(venue, order, Fill(side=side, units=units, price=price))
    venue.retire_order(order, c.ORDER_STATE_FILLED)
    held = venue.book.positions.get(order.ticket) or venue.position_on(new.symbol)
    if held is None:
        return 0
    held.swap = venue.money(held.swap + new.swap)
    return held.ticket


def _place_order(server: PaperServer, new: NewOrder) -> int:
    """Create one pending order; return its ticket."""
    venue = server.venue
    _spec_known(server, new.symbol)
    units = to_units(new.lots)
    order = Order(
        ticket=venue.take_order_ticket(),
        type=ORDER_TYPES.index(new.type),
        symbol=new.symbol,
        units_initial=units,
        units_current=units,
        state=c.ORDER_STATE_PLACED,
        type_filling=c.ORDER_FILLING_RETURN,
        price_open=new.price,
        price_stoplimit=new.stoplimit,
        sl=new.sl,
        tp=new.tp,
        magic=new.magic,
        comment=new.comment,
        type_time=new.type_time,
        expiration=new.expiration,
        time_setup_msc=venue.wall_ms,
    )
    venue.book.orders[order.ticket] = order
    return order.ticket


def open_book(server: PaperServer, params: OpenBook) -> dict[str, list[int]]:
    """Create a book; return the tickets of its positions and orders, in the order given."""
    executed = server.book.counters.executed
    made = {
        "positions": [_place_position(server, new) for new in params.positions],
        "orders": [_place_order(server, new) for new in params.orders],
    }
    # Only what was traded counts as executed, not what a test laid out.
    server.book.counters.executed = executed
    return made


def deposit(server: PaperServer, params: Money) -> dict[str, float]:
    """Pay money in; return the new balance."""
    kind = c.DEAL_TYPE_BALANCE
    balance_deal(server.venue, kind, params.amount, params.comment or "Deposit")
    return {"balance": server.book.balance}


def withdraw(server: PaperServer, params: Money) -> dict[str, float]:
    """Take money out; return the new balance."""
    kind = c.DEAL_TYPE_BALANCE
    balance_deal(server.venue, kind, -params.amount, params.comment or "Withdrawal")
    return {"balance": server.book.balance}


def credit(server: PaperServer, params: Money) -> dict[str, float]:
    """Give or take credit; return the new credit."""
    balance_deal(server.venue, c.DEAL_TYPE_CREDIT, params.amount, params.comment or "Credit")
    return {"credit": server.book.credit}


def faults(server: PaperServer, params: Faults) -> dict[str, int]:
    """Replace the fault plan; return the firings so far by fault name."""
    server.set_faults(params.plan, server.venue.now_ns)
    return dict(server.engine.firings)


def market(server: PaperServer, params: Market) -> dict[str, list[str]]:
    """Open or shut markets by hand; return what is held open and shut."""
    switches = server.venue.switches
    if params.symbol != "*":
        _spec_known(server, params.symbol)
    for names in (switches.open, switches.closed):
        if params.symbol == "*":
            names.clear()
        names.discard(params.symbol)
    if params.open is not None:
        (switches.open if params.open else switches.closed).add(params.symbol)
    return {"open": sorted(switches.open), "closed": sorted(switches.closed)}


def autotrading(server: PaperServer, params: Toggle) -> dict[str, bool]:
    """Press the AutoTrading button; return its position."""
    server.venue.switches.trade_allowed = params.on
    return {"on": params.on}


def set_switches(server: PaperServer, params: Change) -> dict[str, Any]:
    """Set any switches; return all of them."""
    merged = {**msgspec.to_builtins(server.venue.switches), **params.values}
    unknown = sorted(set(params.values) - set(Switches.__struct_fields__))
    if unknown:
        raise AdminError(f"switches.values must name fields of Switches, was {unknown}")
    server.venue.book.switches = msgspec.convert(merged, Switches)
    return msgspec.to_builtins(server.venue.switches)


def close(server: PaperServer, params: CloseByHand) -> dict[str, int]:
    """Close a position by hand; return the deal."""
    venue = server.venue
    held = venue.book.positions.get(params.ticket)
    if held is None:
        raise AdminError(f"ticket must be an open position, was {params.ticket}")
    if params.lots and to_units(params.lots) < held.units:
        order = Order(
            ticket=venue.take_order_ticket(),
            type=1 - held.side,
            symbol=held.symbol,
            units_initial=to_units(params.lots),
            units_current=0,
            reason=c.ORDER_REASON_CLIENT,
            time_setup_msc=venue.wall_ms,
        )
        price = market_price(venue, venue.by_name[held.symbol], side_of(order.type))
        fill = Fill(
            side=order.type,
            units=order.units_initial,
            price=price,
            target=held.ticket,
            reason=c.DEAL_REASON_CLIENT,
        )
        deal = execute(venue, order, fill)
        venue.retire_order(order, c.ORDER_STATE_FILLED)
    else:
        deal = close_forced(venue, held, c.ORDER_REASON_CLIENT, "")
    return {"deal": deal.ticket}


def counters(server: PaperServer, params: Nothing) -> dict[str, Any]:
    """Return the trade counters and the firings of each fault."""
    del params
    counted: dict[str, Any] = msgspec.to_builtins(server.book.counters)
    return {**counted, "firings": dict(server.engine.firings)}


def dump(server: PaperServer, params: Nothing) -> dict[str, Any]:
    """Return the whole true state, whatever the terminal shows, with the account's figures."""
    del params
    figures = msgspec.to_builtins(account_figures(server.venue))
    return {**msgspec.to_builtins(server.book), "figures": figures}


def audit(server: PaperServer, params: Nothing) -> list[dict[str, Any]]:
    """Return every trade request since the start, with its time, answer and net effect."""
    del params
    return [msgspec.to_builtins(entry) for entry in server.audit]


def read_spec(server: PaperServer, params: Nothing) -> dict[str, Any]:
    """Return the spec the server runs on."""
    del params
    return msgspec.to_builtins(server.spec)


_Handler = tuple[type[Strict], Callable[[PaperServer, Any], Any]]
REQUESTS: Final[dict[str, _Handler]] = {
    "open_book": (OpenBook, open_book),
    "deposit": (Money, deposit),
    "withdraw": (Money, withdraw),
    "credit": (Money, credit),
    "faults": (Faults, faults),
    "market": (Market, market),
    "autotrading": (Toggle, autotrading),
    "switches": (Change, set_switches),
    "close": (CloseByHand, close),
    "counters": (Nothing, counters),
    "dump": (Nothing, dump),
    "audit": (Nothing, audit),
    "spec": (Nothing, read_spec),
}


def run(server: PaperServer, name: str, params: dict[str, Any], now_ns: int) -> Any:  # noqa: ANN401
    """Carry out an admin request.

    Args:
        server: The server.
        name: A key of REQUESTS.
        params: The request's parameters by name.
        now_ns: The present, UTC.

    Returns:
        The request's own value, made of plain data.

    Raises:
        AdminError: The request is unknown, or its parameters are wrong; nothing changed.
    """
    if name not in REQUESTS:
        raise AdminError(f"admin must be one of {sorted(REQUESTS)}, was {name!r}")
    kind, handler = REQUESTS[name]
    try:
        typed = msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise AdminError(f"admin {name}: {error}") from error
    server.advance(now_ns)
    return handler(server, typed)
