"""Fixed conversion rates of a paper account, for currencies that none of its symbols converts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgeguard.config.model import SymbolConfig

Edges = dict[str, dict[str, float]]


def conversion_rates(
    symbols: Iterable[SymbolConfig], quotes: Mapping[str, tuple[float, float]], currency: str
) -> dict[str, float]:
    """Return rates between each currency of `symbols` and the account's, both ways.

    They come from the first quotes, through as many symbols as it takes: on a USD account CHF
    reaches USD through EURCHF and EURUSD. Without them the profit of EURCHF would be nothing.

    Args:
        symbols: the configured symbols.
        quotes: first bid and ask of each symbol that has one.
        currency: the account's currency.
    """
    edges: Edges = {}
    for symbol in symbols:
        base = symbol.currency_base or symbol.name[:3]
        profit = symbol.currency_profit or symbol.name[3:6]
        bid, ask = quotes.get(symbol.name, (0.0, 0.0))
        if bid > 0 and base and profit:
            mid = (bid + ask) / 2
            edges.setdefault(base, {})[profit] = mid
            edges.setdefault(profit, {})[base] = 1 / mid
    rates: dict[str, float] = {}
    for source in edges:
        rate = _through(edges, source, currency)
        if rate is not None and source != currency:
            rates[f"{source}{currency}"] = rate
            rates[f"{currency}{source}"] = 1 / rate
    return rates


def _through(edges: Edges, source: str, target: str) -> float | None:
    """Return the product of rates along a shortest way, the alphabetically first of several."""
    reached = {source: 1.0}
    frontier = [source]
    while frontier and target not in reached:
        following: list[str] = []
        for here in frontier:
            for there, rate in sorted(edges[here].items()):
                if there not in reached:
                    reached[there] = reached[here] * rate
                    following.append(there)
        frontier = following
    return reached.get(target)
