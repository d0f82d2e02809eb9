"""Prove without trading that the kill channel works: everything a flatten needs, asked now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.model import Identity, Intent, Observation
from edgeguard.broker.planner.requests import PRICED, RETURN_FIRST, Request, close_request
from edgeguard.broker.planner.state import Market
from edgeguard.broker.publisher import TRADE_MODES
from edgeguard.broker.rows import PositionRow, SymbolRow, TerminalRow, TickRow
from edgeguard.broker.session import ReadError, TerminalSession
from edgeguard.broker.values import plain_text

CHECK_DONE: Final = frozenset({0, c.TRADE_RETCODE_DONE})
"""What `order_check` answers to a request that would pass, by the vendor's page."""
LISTED_MAX: Final = 100
"""Positions that one answer names; it must fit into a message."""
CLOSED: Final = frozenset({c.TRADE_RETCODE_MARKET_CLOSED, c.TRADE_RETCODE_PRICE_OFF})
"""What it answers outside trading hours or without a quote."""
DEVIATIONS: Final = (20, 10_000)
_CURES: Final = {
    "connected": "no link to the trade server: look at the terminal's status bar and journal",
    "autotrading": "the terminal's AutoTrading button is off: press it",
    "api": 'the terminal forbids trading by the Python API: clear "disable automated trading via'
    ' the external Python API" in its options',
    "account may trade": "the account may not trade: log in with the trading password, not an"
    " investor's; else the broker has stopped it",
    "account may automate": "the broker forbids programs to trade on this account: only a person"
    " could close",
}
"""What to do where a permission is missing."""
_FILLING_BITS: Final = {1: "FOK", 2: "IOC", 4: "BOC"}
_EXECUTIONS: Final = ("Request", "Instant", "Market", "Exchange")
_US_PER_MS: Final = 1_000


class CheckRow(msgspec.Struct, frozen=True):
    """`order_check()`: would the request pass."""

    retcode: int
    comment: str = ""


class Item(msgspec.Struct, frozen=True):
    """One thing a flatten needs, whether it is there, and what was seen.

    `is_market` where what is missing is the market's to give: a quote, or opening hours.
    """

    name: str
    ok: bool
    text: str
    is_market: bool = False


class Unprotected(msgspec.Struct, frozen=True):
    """A position without a stop loss at the broker: nothing closes it while EdgeGuard is dead."""

    ticket: int
    symbol: str
    side: str
    lots: float


class Check(msgspec.Struct, frozen=True):
    """The whole proof; `ok` only when every item is.

    `no_stop_loss` is what the broker itself would not close, the first `LISTED_MAX` of
    `no_stop_loss_count`; None where positions cannot be read.
    `channel_ok` says that nothing is missing but what the market gives: a Sunday is no fault.
    `before_ns` is when the proof before this one was made, None where this is the first.
    """

    ok: bool
    t_ns: int
    items: tuple[Item, ...]
    no_stop_loss: tuple[Unprotected, ...] | None = None
    no_stop_loss_count: int | None = None
    before_ns: int | None = None
    channel_ok: bool = False


async def check(
    session: TerminalSession,
    identity: Identity,
    symbols: Iterable[str],
    *,
    log_fault: str,
    wall_ns: int,
) -> Check:
    """Ask the terminal for everything that a flatten needs, and send nothing.

    Args:
        session: the terminal.
        identity: the account that may be traded.
        symbols: the configured ones; those that are held are checked as well.
        log_fault: why the intent log cannot be written, empty when it can.
        wall_ns: the time of the proof.
    """
    items: list[Item] = []
    bare: list[Unprotected] | None = None
    try:
        obs = await session.observe()
        items += _account_items(obs, identity)
        items += await _symbol_items(session, obs, symbols)
        bare = [_unprotected(row) for row in obs.positions if row.sl <= 0]
    except ReadError as e:
        items.append(Item("terminal", ok=False, text=str(e)))
    items.append(Item("intent log", ok=not log_fault, text=log_fault or "written and synced"))
    listed = None if bare is None else tuple(bare[:LISTED_MAX])
    count = None if bare is None else len(bare)
    return Check(
        ok=all(item.ok for item in items),
        t_ns=wall_ns,
        items=tuple(items),
        no_stop_loss=listed,
        no_stop_loss_count=count,
        channel_ok=all(item.ok or item.is_market for item in items),
    )


def _unprotected(row: PositionRow) -> Unprotected:
    return Unprotected(row.ticket, row.symbol, "sell" if row.type else "buy", row.volume)


def _account_items(obs: Observation, identity: Identity) -> list[Item]:
    account, terminal = obs.account, obs.terminal
    found = Identity(account.login, account.server, account.trade_mode)
    path = f"{terminal.name} {terminal.build}".strip()
    flags = (
        ("connected", terminal.connected, f"to the trade server, ping {_ping_ms(terminal)} ms"),
        ("autotrading", terminal.trade_allowed, "the terminal's AutoTrading button is on"),
        ("api", not terminal.tradeapi_disabled, "the Python API may trade"),
        ("account may trade", account.trade_allowed, "logged in with the right to trade"),
        ("account may automate", account.trade_expert, "the broker lets programs trade"),
    )
    return [
        Item("terminal", ok=True, text=path or "answers"),
        Item("identity", ok=found == identity, text=_identity_text(found, identity)),
        *(Item(name, ok=ok, text=good if ok else _CURES[name]) for name, ok, good in flags),
    ]


def _ping_ms(terminal: TerminalRow) -> int:
    return terminal.ping_last // _US_PER_MS


def _identity_text(found: Identity, wanted: Identity) -> str:
    """Say whose terminal it is, and what it would have to be where that is wrong."""
    if found == wanted:
        return _account_text(found)
    return f"{_account_text(found)}; configured is {_account_text(wanted)}: nothing would be sent"


def _account_text(who: Identity) -> str:
    known = 0 <= who.trade_mode < len(TRADE_MODES)
    mode = TRADE_MODES[who.trade_mode] if known else f"mode {who.trade_mode}"
    return f"account {who.login} on {who.server}, {mode}"


async def _symbol_items(
    session: TerminalSession, obs: Observation, symbols: Iterable[str]
) -> list[Item]:
    """Check each symbol's rules and quote, and one close of each held symbol by order_check."""
    held = {row.symbol: row for row in reversed(obs.positions)}
    items: list[Item] = []
    for symbol in dict.fromkeys((*symbols, *held)):
        spec, tick = await session.symbol(symbol, with_spec=True)
        items.append(_symbol_item(symbol, spec, tick))
        row = held.get(symbol)
        if row is not None and spec is not None:
            items.append(await _close_item(session, row, spec, tick))
    return items


def _symbol_item(symbol: str, spec: SymbolRow | None, tick: TickRow | None) -> Item:
    if spec is None:
        return Item(symbol, ok=False, text="the terminal does not know it: correct its name")
    if spec.trade_mode == c.SYMBOL_TRADE_MODE_DISABLED:
        return Item(symbol, ok=False, text="the broker has disabled trading in it")
    # With prices of its own (Instant, Request) a symbol takes FOK whatever its mask says.
    known = bool(spec.filling_mode) or spec.trade_exemode in RETURN_FIRST | PRICED
    quoted = tick is not None and tick.bid > 0
    text = f"{_filling_text(spec.filling_mode)}, {_execution_text(spec.trade_exemode)}"
    text += f", bid {plain_text(tick.bid)}" if tick is not None and quoted else ", no quote"
    return Item(symbol, ok=known and quoted, text=text, is_market=known)


def _filling_text(mask: int) -> str:
    """Say which fillings a symbol's mask names."""
    names = [name for bit, name in _FILLING_BITS.items() if mask & bit]
    return f"fills {' and '.join(names)}" if names else "names no filling"


def _execution_text(mode: int) -> str:
    known = 0 <= mode < len(_EXECUTIONS)
    return f"{_EXECUTIONS[mode]} execution" if known else f"execution {mode}"


async def _close_item(
    session: TerminalSession, row: PositionRow, spec: SymbolRow, tick: TickRow | None
) -> Item:
    """Let the terminal judge the close that a flatten would send first."""
    units = min(to_units(row.volume), to_units(spec.volume_max))
    intent = Intent(0, "close", row.symbol, row.identifier, row.ticket, row.type, units)
    request: Request = close_request(intent, Market(spec=spec, tick=tick), 0, DEVIATIONS)
    name = f"close {row.ticket} {row.symbol}"
    try:
        judged = await session.read("order_check", CheckRow, request)
    except ReadError as e:
        return Item(name, ok=False, text=str(e))
    passes = judged.retcode in CHECK_DONE
    text = f"order_check {judged.retcode} {judged.comment}".strip()
    return Item(name, ok=passes, text=text, is_market=judged.retcode in CLOSED)
