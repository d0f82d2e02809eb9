"""Lay the server's state out as rows, in the exact field order of the vendor's structs."""

from typing import Any, Final

from edgeguard.broker.paper.answer import Answer, Request
from edgeguard.broker.paper.margin import Figures
from edgeguard.broker.paper.profit import tick_values
from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Deal, Order, Position
from edgeguard.broker.paper.units import MS_PER_S, to_lots, to_points
from edgeguard.broker.paper.venue import Venue

Row = tuple[Any, ...]

# Tick.flags of a quote: bid and ask changed, as the vendor's FX samples show one bit set.
_FLAG_BID: Final = 2
_MAXBARS: Final = 100_000


def position_row(held: Position) -> Row:
    """Return a TradePosition row."""
    return (
        held.ticket,
        held.time_msc // MS_PER_S,
        held.time_msc,
        held.time_update_msc // MS_PER_S,
        held.time_update_msc,
        held.side,
        held.magic,
        held.identifier,
        held.reason,
        to_lots(held.units),
        held.price_open,
        held.sl,
        held.tp,
        held.price_current,
        held.swap,
        held.profit,
        held.symbol,
        held.comment,
        "",
    )


def order_row(order: Order) -> Row:
    """Return a TradeOrder row."""
    return (
        order.ticket,
        order.time_setup_msc // MS_PER_S,
        order.time_setup_msc,
        order.time_done_msc // MS_PER_S,
        order.time_done_msc,
        order.expiration,
        order.type,
        order.type_time,
        order.type_filling,
        order.state,
        order.magic,
        order.position_id,
        order.position_by_id,
        order.reason,
        to_lots(order.units_initial),
        to_lots(order.units_current),
        order.price_open,
        order.sl,
        order.tp,
        order.price_current,
        order.price_stoplimit,
        order.symbol,
        order.comment,
        "",
    )


def deal_row(deal: Deal) -> Row:
    """Return a TradeDeal row."""
    return (
        deal.ticket,
        deal.order,
        deal.time_msc // MS_PER_S,
        deal.time_msc,
        deal.type,
        deal.entry,
        deal.magic,
        deal.position_id,
        deal.reason,
        to_lots(deal.units),
        deal.price,
        deal.commission,
        deal.swap,
        deal.profit,
        deal.fee,
        deal.symbol,
        deal.comment,
        "",
    )


def request_row(request: Request) -> Row:
    """Return a TradeRequest row."""
    return tuple(getattr(request, name) for name in Request.__struct_fields__)


def result_row(answer: Answer, request: Request, request_id: int) -> Row:
    """Return an OrderSendResult row, the request's row nested last."""
    return (
        answer.retcode,
        answer.deal,
        answer.order,
        answer.volume,
        answer.price,
        answer.bid,
        answer.ask,
        answer.comment,
        request_id,
        answer.retcode_external,
        request_row(request),
    )


def tick_row(venue: Venue, symbol: SymbolSpec) -> Row:
    """Return a Tick row; FX has no last price and no volume."""
    quote = venue.quote(symbol.name)
    flags = _FLAG_BID if quote.time_msc else 0
    return (
        quote.time_msc // MS_PER_S,
        quote.bid,
        quote.ask,
        0.0,
        0,
        quote.time_msc,
        flags,
        0.0,
    )


def account_row(venue: Venue, money: Figures) -> Row:
    """Return an AccountInfo row; an identity an admin or a fault switched shows here."""
    account = venue.spec.account
    switches = venue.switches
    return (
        account.login if switches.login is None else switches.login,
        account.trade_mode,
        account.leverage,
        account.limit_orders,
        account.margin_so_mode,
        account.trade_allowed and switches.account_trade_allowed,
        account.trade_expert and switches.trade_expert,
        account.margin_mode,
        account.currency_digits,
        venue.closes_oldest_first,
        money.balance,
        money.credit,
        money.profit,
        money.equity,
        money.margin,
        money.free,
        money.level,
        account.margin_so_call,
        account.margin_so_so,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        account.name,
        account.server if switches.server is None else switches.server,
        account.currency,
        account.company,
    )


def terminal_row(venue: Venue) -> Row:
    """Return a TerminalInfo row."""
    terminal = venue.spec.terminal
    switches = venue.switches
    return (
        False,
        False,
        switches.connected,
        False,
        switches.trade_allowed,
        switches.tradeapi_disabled,
        False,
        False,
        False,
        False,
        terminal.build,
        _MAXBARS,
        0,
        terminal.ping_us,
        0.0,
        0.0,
        venue.spec.account.company,
        terminal.name,
        terminal.language,
        terminal.path,
        terminal.data_path,
        terminal.data_path,
    )


def symbol_row(venue: Venue, spec: SymbolSpec) -> Row:
    """Return a SymbolInfo row; what the paper server does not simulate is 0 or empty."""
    quote = venue.quote(spec.name)
    gain, loss = tick_values(venue, spec)
    ticks_bookdepth = 10 if spec.depth_lots > 0.0 else 0
    whole_numbers = (
        *(False, 0, quote.selected, quote.selected, 0, 0, 0, 0, 0, 0),
        quote.time_msc // MS_PER_S,
        spec.digits,
        to_points(quote.ask - quote.bid, spec.point),
        True,
        ticks_bookdepth,
        spec.calc_mode,
        spec.trade_mode,
        *(0, 0),
        venue.stops_level(spec),
        venue.freeze_level(spec),
        spec.execution,
        spec.swap_mode,
        spec.swap_rollover3days,
        spec.margin_hedged_use_leg,
        spec.expiration_mode,
        spec.filling_mode,
        spec.order_mode,
        spec.order_gtc_mode,
        *(0, 0),
    )
    prices = (
        *(quote.bid, quote.bid_high, quote.bid_low, quote.ask, quote.ask_high, quote.ask_low),
        *(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        spec.point,
        *(gain, gain, loss),
        spec.step,
        spec.contract_size,
        *(spec.accrued_interest, spec.face_value, 0.0),
    )
    rules = (
        *(spec.volume_min, spec.volume_max, spec.volume_step, spec.volume_limit),
        *(spec.swap_long, spec.swap_short, spec.margin_initial, spec.margin_maintenance),
        *(0.0, 0.0, 0.0, 0.0, 0.0),
        *(quote.session_open, quote.session_open, 0.0, 0.0, 0.0, 0.0),
        spec.margin_hedged,
        *(0.0,) * 10,
    )
    texts = (
        *("", "", spec.currency_base, spec.currency_profit, spec.margin_currency, ""),
        *(spec.description, "", "", "", spec.name, ""),
        spec.path or spec.name,
    )
    return whole_numbers + prices + rules + texts
