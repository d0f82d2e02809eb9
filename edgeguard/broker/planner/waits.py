"""Wait for what only the outside can change: closed markets, forbidden trading, a lost link.

The work stays pending, a person is told at once, and it goes on by itself.
"""

from __future__ import annotations

from edgeguard.broker.planner.model import Observation, Waiting
from edgeguard.broker.planner.state import Market, State

RETRY_FIRST_NS = 1_000_000_000
"""First pause after a refusal that only the outside can cure; it doubles up to `probe_ns`."""


def close_account(st: State, now_ns: int, cause: str) -> None:
    """Stop sending for the whole account until the terminal's flags or a probe say otherwise."""
    st.account_closed = cause
    st.account_pause_ns = _longer(st, st.account_pause_ns)
    st.account_retry_ns = now_ns + st.account_pause_ns
    st.account_flags_off = False
    # The flags tell whether this is a button that somebody will press again.
    st.stale = True
    st.alarm(now_ns, "TRADING_OFF", f"cannot close: {cause}")


def close_market(st: State, now_ns: int, symbol: str, cause: str) -> None:
    """Stop sending for one symbol until it ticks again or a probe is due."""
    market = st.market(symbol)
    market.closed = cause
    market.closed_ns = now_ns
    market.closed_tick_msc = 0 if market.tick is None else market.tick.time_msc
    market.retry_pause_ns = _longer(st, market.retry_pause_ns)
    market.retry_ns = now_ns + st.policy.probe_ns
    market.spec_ns = None
    st.alarm(now_ns, "MARKET_CLOSED", f"cannot close {symbol}: {cause}", symbol)


def _longer(st: State, pause_ns: int) -> int:
    return min(st.policy.probe_ns, max(RETRY_FIRST_NS, pause_ns * 2))


def note_tick(market: Market) -> None:
    """Bring the next attempt forward when a closed symbol ticks: no earlier than its pause."""
    if not market.closed or market.tick is None:
        return
    if market.tick.time_msc > market.closed_tick_msc:
        market.retry_ns = min(market.retry_ns, market.closed_ns + market.retry_pause_ns)


def obstacle(obs: Observation) -> str:
    """Return why the terminal cannot trade at all, in words; empty where it can."""
    terminal, account = obs.terminal, obs.account
    if not terminal.connected:
        return "the terminal has no link to the trade server"
    if not terminal.trade_allowed:
        return "the terminal's AutoTrading button is off"
    if terminal.tradeapi_disabled:
        return "the terminal's options forbid trading by the Python API"
    if not account.trade_allowed:
        return "the account may not trade (an investor password, or the broker stopped it)"
    if not account.trade_expert:
        return "the broker forbids automated trading on this account"
    return ""


def note_flags(st: State, now_ns: int, obs: Observation) -> None:
    """Close or open the account by what the terminal says of itself."""
    why = obstacle(obs)
    if why:
        if not st.account_flags_off:
            st.account_retry_ns = now_ns + st.policy.probe_ns
        st.account_closed = why
        st.account_flags_off = True
        if st.runs:
            st.alarm(now_ns, "TRADING_OFF", f"cannot close: {why}", why)
    elif st.account_flags_off:
        st.account_closed = ""
        st.account_flags_off = False
        st.account_pause_ns = 0
        st.alarmed_ns.pop(f"TRADING_OFF:{why}", None)


def may_send(st: State, now_ns: int) -> bool:
    """Tell whether the account as a whole may be sent anything now."""
    if st.busy_ns > now_ns:
        return False
    if st.obs is not None and not st.obs.terminal.connected:
        return False
    return not st.account_closed or now_ns >= st.account_retry_ns


def note_probe(st: State, now_ns: int) -> None:
    """Count a request that is sent although the account is closed: the next one has to wait."""
    if st.account_closed:
        pause = max(st.account_pause_ns, RETRY_FIRST_NS)
        st.account_retry_ns = now_ns + (st.policy.probe_ns if st.account_flags_off else pause)


def say_waiting(st: State) -> None:
    """Say what is waited for, once per change."""
    causes: list[str] = []
    if st.identity_fault:
        causes.append(st.identity_fault)
    if st.account_closed:
        causes.append(st.account_closed)
    closed = {name: market.closed for name, market in st.markets.items() if market.closed}
    if closed:
        wanted = {leg.symbol for leg in st.legs.values() if leg.row is not None and leg.in_scope}
        causes += [f"{name}: {why}" for name, why in sorted(closed.items()) if name in wanted]
    causes += [leg.blocked for leg in st.legs.values() if leg.blocked]
    found = tuple(causes)
    if found != st.waiting_said:
        st.waiting_said = found
        st.notes.append(Waiting(found))
