"""Carry out the faults that change the world around a call: windows, strangers, shocks."""

from collections.abc import Callable
from typing import Final, Protocol

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.answer import Request
from edgeguard.broker.paper.checks import PENDING_TYPES
from edgeguard.broker.paper.deals import Fill, balance_deal, execute
from edgeguard.broker.paper.faults import FaultRule, Firing
from edgeguard.broker.paper.market import market_price
from edgeguard.broker.paper.quotes import requote_all
from edgeguard.broker.paper.rollover import charge_swap, reopen
from edgeguard.broker.paper.state import Order, Position
from edgeguard.broker.paper.triggers import activate, close_forced
from edgeguard.broker.paper.units import NS_PER_MS, to_units
from edgeguard.broker.paper.venue import ALL_SYMBOLS, Venue
from edgeguard.broker.paper.views import Views, take_listing

_LIFETIME_OF_EVER_NS: Final = 1 << 62
_FOREIGN_COMMENT: Final = "another EA"
_DST_S: Final = 3_600


class Windows:
    """The state changes that end by themselves, each with the moment it is undone."""

    def __init__(self) -> None:
        """Start with no window open."""
        self._open: dict[tuple[str, str], tuple[int, FaultRule]] = {}

    def open(self, firing: Firing, now_ns: int) -> None:
        """Open a window, or prolong it; a duration of 0 stays open until closed by hand.

        Windows of one fault on different symbols stand beside each other.
        """
        duration = firing.ms * NS_PER_MS if firing.ms else _LIFETIME_OF_EVER_NS
        key = (firing.rule.name, firing.rule.symbol)
        end = max(self._open[key][0] if key in self._open else 0, now_ns + duration)
        self._open[key] = (end, firing.rule)

    def pop_due(self, now_ns: int) -> list[FaultRule]:
        """Return the rules of windows that have ended, and forget them."""
        due = [key for key, (end, _) in self._open.items() if end <= now_ns]
        return [self._open.pop(key)[1] for key in due]

    def pop_all(self) -> list[FaultRule]:
        """Return every open window's rule, and forget them."""
        rules = [rule for _, rule in self._open.values()]
        self._open.clear()
        return rules

    @property
    def next_ns(self) -> int | None:
        """The moment the next window ends, None when none does."""
        return min((end for end, _ in self._open.values()), default=None)


class World:
    """The broker, the terminal's copy of it, and the windows open on them."""

    __slots__ = ("venue", "views", "windows")

    def __init__(self, venue: Venue) -> None:
        """Start with the terminal level with the broker and nothing wrong."""
        self.venue = venue
        self.views = Views()
        self.windows = Windows()


class WindowSwitch(Protocol):
    """A function that starts or ends one kind of window."""

    def __call__(self, world: World, rule: FaultRule, *, on: bool) -> None:
        """Start the window with its rule, or end it."""
        ...


def disturb(world: World, firing: Firing, request: Request | None) -> None:
    """Carry out one fired world fault.

    Args:
        world: The broker, the terminal's copy of it, and the windows open on them.
        firing: The rule that fired and its drawn duration.
        request: The trade request that set it off, if the call was one.
    """
    name = firing.rule.name
    if name in WINDOWS:
        world.windows.open(firing, world.venue.now_ns)
        WINDOWS[name](world, firing.rule, on=True)
    else:
        SHOCKS[name](world, firing.rule, request)


def undo(world: World, rule: FaultRule) -> None:
    """End the window of a rule."""
    WINDOWS[rule.name](world, rule, on=False)


def _market_closed(world: World, rule: FaultRule, *, on: bool) -> None:
    """Shut one symbol's market, or all."""
    shut = world.venue.switches.shut
    if on:
        shut.add(rule.symbol or ALL_SYMBOLS)
    else:
        shut.discard(rule.symbol or ALL_SYMBOLS)


def _autotrading_off(world: World, rule: FaultRule, *, on: bool) -> None:
    """Press the AutoTrading button: requests answer 10027 while it is off."""
    del rule
    world.venue.switches.trade_allowed = not on


def _disconnect(world: World, rule: FaultRule, *, on: bool) -> None:
    """Lose the link to the server: requests answer 10031 and the terminal's numbers stand still."""
    del rule
    world.venue.switches.connected = not on
    if on:
        world.views.freeze(take_listing(world.venue))
    else:
        world.views.thaw()


def _freeze(world: World, rule: FaultRule, *, on: bool) -> None:
    """Raise the freeze level of every symbol to the rule's points."""
    world.venue.switches.freeze_level = rule.points if on else None


def _stops(world: World, rule: FaultRule, *, on: bool) -> None:
    """Raise the stops level of every symbol to the rule's points."""
    world.venue.switches.stops_level = max(rule.points, 0) if on else None


def _fifo(world: World, rule: FaultRule, *, on: bool) -> None:
    """Let the broker demand the oldest position first: others answer 10045."""
    del rule
    world.venue.switches.fifo = on


def _ticks_stop(world: World, rule: FaultRule, *, on: bool) -> None:
    """Let prices and their times stand still although the market moves; then show the last."""
    del rule
    world.venue.switches.ticks_stopped = on
    requote_all(world.venue)


def _trade_expert_off(world: World, rule: FaultRule, *, on: bool) -> None:
    """Let the broker ban algorithms: requests answer 10026."""
    del rule
    world.venue.switches.trade_expert = not on


def _trade_disabled(world: World, rule: FaultRule, *, on: bool) -> None:
    """Make the account read-only, as an investor password does: requests answer 10017."""
    del rule
    world.venue.switches.account_trade_allowed = not on


def _api_option_off(world: World, rule: FaultRule, *, on: bool) -> None:
    """Tick the terminal's option that bans the external API: order_send answers None and -8."""
    del rule
    world.venue.switches.tradeapi_disabled = on


def _quotes_off(world: World, rule: FaultRule, *, on: bool) -> None:
    """Take the prices away: quotes read 0 and requests answer 10021."""
    del rule
    world.venue.switches.quotes_off = on
    requote_all(world.venue)


def _gap(world: World, rule: FaultRule, *, on: bool) -> None:
    """Move every price by a fraction, down for a fraction below 1 and up above it."""
    world.venue.switches.price_factor = rule.fraction if on else 1.0
    requote_all(world.venue)


def _spread_widens(world: World, rule: FaultRule, *, on: bool) -> None:
    """Multiply every spread by the rule's points."""
    world.venue.switches.spread_factor = float(rule.points) if on else 1.0
    requote_all(world.venue)


def _account_switch(world: World, rule: FaultRule, *, on: bool) -> None:
    """Show another account's identity, as after a login by hand in the terminal."""
    switches = world.venue.switches
    switches.login = world.venue.spec.account.login + rule.points if on else None
    switches.server = "Somewhere-Else" if on else None


def _symbol_hidden(world: World, rule: FaultRule, *, on: bool) -> None:
    """Take symbols out of Market Watch, so that their tick is None until selected again."""
    for name, quote in world.venue.book.quotes.items():
        if rule.symbol in ("", name):
            quote.selected = not on


def _foreign_open(world: World, rule: FaultRule, request: Request | None) -> None:
    """Let another program open a position on the same account."""
    venue = world.venue
    name = rule.symbol or (request.symbol if request else "") or next(iter(venue.by_name), "")
    spec = venue.by_name.get(name)
    if spec is None or venue.quote(name).bid <= 0.0:
        return
    side = rule.side
    if side is None:
        held = venue.position_on(name)
        side = c.ORDER_TYPE_BUY if held is None else held.side
    order = Order(
        ticket=venue.take_order_ticket(),
        type=side,
        symbol=name,
        units_initial=to_units(rule.lots),
        units_current=0,
        magic=rule.magic,
        comment=_FOREIGN_COMMENT,
        time_setup_msc=venue.wall_ms,
    )
    fill = Fill(side=side, units=order.units_initial, price=market_price(venue, spec, side))
    execute(venue, order, fill)
    venue.retire_order(order, c.ORDER_STATE_FILLED)


def _foreign_pending(world: World, rule: FaultRule, request: Request | None) -> None:
    """Let another program place a buy limit far below the market."""
    venue = world.venue
    name = rule.symbol or (request.symbol if request else "") or next(iter(venue.by_name), "")
    spec = venue.by_name.get(name)
    if spec is None or venue.quote(name).bid <= 0.0:
        return
    order = Order(
        ticket=venue.take_order_ticket(),
        type=c.ORDER_TYPE_BUY_LIMIT,
        symbol=name,
        units_initial=to_units(rule.lots),
        units_current=to_units(rule.lots),
        state=c.ORDER_STATE_PLACED,
        price_open=round(venue.quote(name).bid * rule.fraction, spec.digits),
        magic=rule.magic,
        comment=_FOREIGN_COMMENT,
        time_setup_msc=venue.wall_ms,
    )
    venue.book.orders[order.ticket] = order


def _victim(venue: Venue, request: Request | None) -> Position | None:
    """Return the position a request is about, else the first one that has a price."""
    if request is not None:
        held = venue.book.positions.get(request.position)
        held = held or venue.position_on(request.symbol)
        if held is not None:
            return held
    priced = (p for p in venue.book.positions.values() if venue.quote(p.symbol).bid > 0.0)
    return next(priced, None)


def _foreign_close(world: World, rule: FaultRule, request: Request | None) -> None:
    """Let a human close the very position a request is about."""
    del rule
    held = _victim(world.venue, request)
    if held is not None:
        close_forced(world.venue, held, c.ORDER_REASON_CLIENT, "")


def _foreign_partial_close(world: World, rule: FaultRule, request: Request | None) -> None:
    """Let a human close a fraction of the position a request is about."""
    venue = world.venue
    held = _victim(venue, request)
    if held is None:
        return
    spec = venue.by_name[held.symbol]
    step = to_units(spec.volume_step)
    units = round(held.units * rule.fraction) // step * step
    if not 0 < units < held.units:
        return
    order = Order(
        ticket=venue.take_order_ticket(),
        type=1 - held.side,
        symbol=held.symbol,
        units_initial=units,
        units_current=0,
        reason=c.ORDER_REASON_CLIENT,
        position_id=held.identifier,
        time_setup_msc=venue.wall_ms,
    )
    price = market_price(venue, spec, order.type)
    reason = c.DEAL_REASON_CLIENT
    fill = Fill(side=order.type, units=units, price=price, target=held.ticket, reason=reason)
    execute(venue, order, fill)
    venue.retire_order(order, c.ORDER_STATE_FILLED)


def _ticket_change(world: World, rule: FaultRule, request: Request | None) -> None:
    """Re-open a position under a new ticket; its identifier stays."""
    del rule
    held = _victim(world.venue, request)
    if held is not None:
        reopen(world.venue, held, 0.0)


def _swap(world: World, rule: FaultRule, request: Request | None) -> None:
    """Charge the swap of as many nights as the rule has points, at least one, on all positions."""
    del request
    venue = world.venue
    for held in list(venue.book.positions.values()):
        charge_swap(venue, venue.by_name[held.symbol], held, max(rule.points, 1))


def _clock_shift(world: World, rule: FaultRule, request: Request | None) -> None:
    """Move the broker's wall clock by an hour, as a change of summer time does."""
    del request
    world.venue.switches.shift_s += -_DST_S if rule.points < 0 else _DST_S


def _forced_stop_out(world: World, rule: FaultRule, request: Request | None) -> None:
    """Let the broker stop out the largest loss."""
    del rule, request
    venue = world.venue
    priced = [p for p in venue.book.positions.values() if venue.quote(p.symbol).bid > 0.0]
    if priced:
        worst = min(priced, key=lambda held: (held.profit + held.swap, held.ticket))
        close_forced(venue, worst, c.ORDER_REASON_SO, "[so]")


def _withdrawal(world: World, rule: FaultRule, request: Request | None) -> None:
    """Take money out of the account, or put it in when the amount is negative."""
    del request
    balance_deal(world.venue, c.DEAL_TYPE_BALANCE, -rule.amount, "Withdrawal")


def pending_fill(world: World, request: Request) -> None:
    """Fill the pending order a removal is about, or any one, before the request is looked at."""
    venue = world.venue
    order = venue.book.orders.get(request.order)
    if order is None:
        pendings = (o for o in venue.book.orders.values() if o.type in PENDING_TYPES)
        order = next(pendings, None)
    if order is None or order.type not in PENDING_TYPES:
        return
    spec = venue.by_name[order.symbol]
    if venue.quote(spec.name).bid > 0.0:
        activate(venue, spec, order)


WINDOWS: Final[dict[str, WindowSwitch]] = {
    "market_closed": _market_closed,
    "autotrading_off": _autotrading_off,
    "disconnect": _disconnect,
    "freeze": _freeze,
    "stops": _stops,
    "fifo": _fifo,
    "ticks_stop": _ticks_stop,
    "trade_expert_off": _trade_expert_off,
    "trade_disabled": _trade_disabled,
    "api_option_off": _api_option_off,
    "quotes_off": _quotes_off,
    "gap": _gap,
    "spread_widens": _spread_widens,
    "account_switch": _account_switch,
    "symbol_hidden": _symbol_hidden,
}
SHOCKS: Final[dict[str, Callable[[World, FaultRule, Request | None], None]]] = {
    "foreign_open": _foreign_open,
    "foreign_pending": _foreign_pending,
    "foreign_close": _foreign_close,
    "foreign_partial_close": _foreign_partial_close,
    "ticket_change": _ticket_change,
    "swap": _swap,
    "clock_shift": _clock_shift,
    "forced_stop_out": _forced_stop_out,
    "withdrawal": _withdrawal,
}
