"""What must hold between the keys of a configuration, and what is legal but worth a remark."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.config.check_keys import key_violations, repeated
from edgeguard.config.model import AccountConfig, Config, FeedConfig, SymbolConfig

PAPER: Final = "paper"
"""The terminal of a simulated account."""
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Addresses at which only this machine can call."""
MS_PER_S: Final = NS_PER_S // NS_PER_MS
ACCOUNTS_MAX: Final = 256
"""Accounts of one guard, which the engine goes through at every deadline."""
SAMPLES_MAX: Final = 4_000_000
"""Spread samples of one symbol's window, which the engine keeps in memory."""
LEASE_BEATS_MIN: Final = 4
"""Heartbeats in one lease: three may be late or lost before a gate closes."""


def cross_violations(config: Config) -> list[str]:
    """Return one sentence for each fault between keys; each key by itself is sound already."""
    return [
        *_required_lists(config),
        *_guard(config),
        *_names(config),
        *_accounts(config),
        *_symbols(config),
        *_feeds(config),
        *_strategies(config),
        *_paper(config),
        *_api(config),
        *_channels(config),
        *key_violations(config),
    ]


def is_live(config: Config) -> bool:
    """Tell whether any account trades on a real terminal."""
    # Empty where a faulty name was found: that is told already.
    return any(account.terminal not in {PAPER, ""} for account in config.account)


def _required_lists(config: Config) -> Iterator[str]:
    if not config.account:
        yield "account must have at least one [[account]], had none"
    if len(config.account) > ACCOUNTS_MAX:
        yield f"account must have at most {ACCOUNTS_MAX} [[account]], had {len(config.account)}"
    if not config.symbol:
        yield "symbol must have at least one [[symbol]], had none"


def _guard(config: Config) -> Iterator[str]:
    guard = config.guard
    lease_min = LEASE_BEATS_MIN * guard.heartbeat_ms
    if guard.lease_ms < lease_min:
        yield (
            f"guard.lease_ms must be at least {LEASE_BEATS_MIN} x heartbeat_ms = {lease_min}, "
            f"was {guard.lease_ms}"
        )
    bound = [
        (f"guard.{key}", endpoint)
        for key, endpoint in (
            ("control", guard.control),
            ("feeds_bind", guard.feeds_bind),
            ("halts_pub", guard.halts_pub),
            ("gate_router", guard.gate_router),
        )
        if endpoint
    ]
    bound += [(f"account[{i}].broker", a.broker) for i, a in enumerate(config.account) if a.broker]
    yield from repeated(bound, "a socket of its own")


def _names(config: Config) -> Iterator[str]:
    # Ids become file names, and a file system may ignore case.
    ids = [(f"account[{i}].id", a.id.casefold()) for i, a in enumerate(config.account)]
    yield from repeated(ids, "unique")
    yield from repeated([(f"symbol[{i}].name", s.name) for i, s in enumerate(config.symbol)])
    yield from repeated([(f"feed[{i}].name", f.name) for i, f in enumerate(config.feed)])
    yield from repeated([(f"strategy[{i}].name", s.name) for i, s in enumerate(config.strategy)])
    yield from repeated(
        [(f"environment[{i}].name", e.name) for i, e in enumerate(config.environment)]
    )
    for index, feed in enumerate(config.feed):
        if feed.name in {"engine", "terminal", "edgeguard"}:
            yield f'feed[{index}].name must not be a source of EdgeGuard\'s own, was "{feed.name}"'


def _accounts(config: Config) -> Iterator[str]:
    for index, account in enumerate(config.account):
        where = f"account[{index}]"
        yield from _lock_at(where, account)
        limits = account.limits
        if Decimal(limits.spread_clear_multiple) > Decimal(limits.spread_multiple):
            yield (
                f"{where}.limits.spread_clear_multiple must be at most spread_multiple = "
                f"{limits.spread_multiple}, was {limits.spread_clear_multiple}"
            )
        samples = Decimal(limits.spread_window_s) * MS_PER_S // limits.spread_sample_ms
        if samples > SAMPLES_MAX:
            yield (
                f"{where}.limits.spread_sample_ms must be so long that spread_window_s = "
                f"{limits.spread_window_s} holds at most {SAMPLES_MAX} samples, "
                f"was {limits.spread_sample_ms}"
            )


def _lock_at(where: str, account: AccountConfig) -> Iterator[str]:
    limits = account.limits
    if limits.lock_at is None:
        return
    balance, threshold = Decimal(account.initial_balance), Decimal(limits.total_drawdown)
    floor = balance - threshold * balance
    if Decimal(limits.lock_at) < floor:
        yield (
            f"{where}.limits.lock_at must be at least the first floor = initial_balance x "
            f"(1 - total_drawdown) = {floor.normalize():f}, was {limits.lock_at}"
        )


def _symbols(config: Config) -> Iterator[str]:
    live = is_live(config)
    for index, symbol in enumerate(config.symbol):
        where = f"symbol[{index}]"
        if live and symbol.spread_normal_points is None and symbol.spread_profile is None:
            yield (
                f"{where}.spread_normal_points must be given for {symbol.name} (or a "
                "spread_profile) where a terminal is not paper, was absent"
            )
        if (symbol.tick_size is None) != (symbol.tick_value is None):
            yield f"{where}.tick_size and tick_value must be given together, was one alone"


def _feeds(config: Config) -> Iterator[str]:
    accounts = {account.id for account in config.account}
    symbols = {symbol.name for symbol in config.symbol}
    for index, feed in enumerate(config.feed):
        yield from _feed(f"feed[{index}]", feed, accounts, symbols)
    yield from repeated(
        [(f"feed[{i}].endpoint", f.endpoint) for i, f in enumerate(config.feed) if f.endpoint],
        "an endpoint of its own",
    )


def _feed(where: str, feed: FeedConfig, accounts: set[str], symbols: set[str]) -> Iterator[str]:
    if feed.account and feed.account not in accounts:
        yield f'{where}.account must be a configured [[account]], was "{feed.account}"'
    for index, name in enumerate(feed.symbols):
        if name not in symbols:
            yield f'{where}.symbols[{index}] must be a configured [[symbol]], was "{name}"'
    if feed.codec != "native" and not feed.endpoint:
        yield f"{where}.endpoint must be given for the {feed.codec} codec, was absent"


def _strategies(config: Config) -> Iterator[str]:
    magics = [
        (f"strategy[{i}].magic[{j}]", str(magic))
        for i, strategy in enumerate(config.strategy)
        for j, magic in enumerate(strategy.magic)
    ]
    yield from repeated(magics, "of one strategy alone")


def _paper(config: Config) -> Iterator[str]:
    symbols = {symbol.name for symbol in config.symbol}
    for index, quote in enumerate(config.paper.quotes):
        where = f"paper.quotes[{index}]"
        if quote.symbol not in symbols:
            yield f'{where}.symbol must be a configured [[symbol]], was "{quote.symbol}"'
        if Decimal(quote.bid) > Decimal(quote.ask):
            yield f"{where}.bid must be at most ask = {quote.ask}, was {quote.bid}"
    yield from repeated(
        [(f"paper.quotes[{i}].symbol", q.symbol) for i, q in enumerate(config.paper.quotes)]
    )


def _api(config: Config) -> Iterator[str]:
    api = config.api
    if bool(api.tls_cert) != bool(api.tls_key):
        yield "api.tls_cert and tls_key must be given together, was one alone"
    is_private = api.host in LOOPBACK or api.tls_cert or api.behind_proxy
    if not is_private:
        yield (
            f"api.host must be loopback where neither tls_cert nor behind_proxy is set, was "
            f"{api.host}"
        )


def _channels(config: Config) -> Iterator[str]:
    channels = config.notify.channel
    yield from repeated([(f"notify.channel[{i}].name", c.name) for i, c in enumerate(channels)])
    for index, channel in enumerate(channels):
        if channel.kind == "telegram" and not channel.chat:
            yield f"notify.channel[{index}].chat must be given for telegram, was absent"


def remarks(config: Config) -> list[str]:
    """Return one sentence for each thing that is legal and probably not meant."""
    notes = [note for account in config.account for note in _account_remarks(account)]
    notes += [note for symbol in config.symbol for note in _symbol_remarks(symbol)]
    if not any(feed.required for feed in config.feed):
        notes.append("no [[feed]] is required: a feed that dies is never counted as lost")
    notes += [
        _beat_remark(config, feed) for feed in config.feed if feed.required and feed.heartbeat
    ]
    return notes


def _beat_remark(config: Config, feed: FeedConfig) -> str:
    # How often it beats is the publisher's own affair: no key of ours knows it.
    return (
        f"feed {feed.name}: must tick or beat more often than every feed_silence_max_ms = "
        f"{config.guard.feed_silence_max_ms} ms while a symbol of it is in session; one that beats "
        "more rarely closes its accounts' gates (FEED_SILENT)"
    )


def _account_remarks(account: AccountConfig) -> Iterator[str]:
    limits = account.limits
    samples_max = Decimal(limits.spread_window_s) * 1000 / limits.spread_sample_ms
    if limits.spread_samples_min > samples_max:
        yield (
            f"account {account.id}: spread_samples_min {limits.spread_samples_min} exceeds the "
            f"{samples_max:.0f} samples that fit spread_window_s: no normal spread is ever learned"
        )
    if account.terminal != PAPER and not account.broker_phone:
        yield f"account {account.id}: broker_phone is empty: the last resort has no number"


def _symbol_remarks(symbol: SymbolConfig) -> Iterator[str]:
    if symbol.spread_normal_points is None and symbol.spread_profile is None:
        yield (
            f"symbol {symbol.name}: price_anomaly is not armed until spread_samples_min samples "
            "are seen; spread_normal_points or spread_profile arms it at once"
        )
