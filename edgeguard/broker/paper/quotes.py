"""Move prices: take the feed's ticks, bend them as faults ask, and set off what they trigger."""

from edgeguard.broker.paper.spec import SymbolSpec
from edgeguard.broker.paper.state import Quote
from edgeguard.broker.paper.triggers import on_price
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.paper.venue import Venue


def take_tick(venue: Venue, symbol: str, bid: float, ask: float, source_ns: int) -> bool:
    """Take a tick and run everything it sets off.

    Args:
        venue: The broker.
        symbol: A symbol's name.
        bid: Bid price, quote currency.
        ask: Ask price, at least the bid.
        source_ns: When the source made the tick, UTC; 0 if it does not say.

    Returns:
        False when the symbol is unknown or the prices make no sense; nothing changed then.
    """
    spec = venue.by_name.get(symbol)
    if spec is None or not 0.0 < bid <= ask < float("inf"):
        return False
    quote = venue.quote(symbol)
    quote.fed_bid = round(bid, spec.digits)
    quote.fed_ask = round(ask, spec.digits)
    quote.source_ns = source_ns
    venue.book.counters.ticks += 1
    if not (venue.switches.quotes_off or venue.switches.ticks_stopped):
        quote.time_msc = venue.wall_ms
        quote.left_units_buy = quote.left_units_sell = to_units(spec.depth_lots)
        _bend(venue, spec, quote)
        on_price(venue, spec)
    return True


def requote_all(venue: Venue) -> None:
    """Show every symbol's last tick again under the bends now in force."""
    for spec in venue.spec.symbols:
        _bend(venue, spec, venue.quote(spec.name))
        on_price(venue, spec)


def _bend(venue: Venue, spec: SymbolSpec, quote: Quote) -> None:
    """Set a quote from its fed prices, the factors in force and the day's extremes."""
    switches = venue.switches
    if switches.ticks_stopped and not switches.quotes_off:
        return
    if switches.quotes_off:
        quote.bid = quote.ask = 0.0
        return
    bid = quote.fed_bid * switches.price_factor
    spread = (quote.fed_ask - quote.fed_bid) * switches.spread_factor
    quote.bid = round(bid, spec.digits)
    quote.ask = round(bid + spread, spec.digits)
    quote.session_open = quote.session_open or quote.bid
    quote.bid_high = max(quote.bid_high, quote.bid)
    quote.ask_high = max(quote.ask_high, quote.ask)
    quote.bid_low = min(quote.bid_low or quote.bid, quote.bid)
    quote.ask_low = min(quote.ask_low or quote.ask, quote.ask)
