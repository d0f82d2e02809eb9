"""Draw a scenario from a seed: account, book, a subset of faults with their rates, and kills."""

from __future__ import annotations

import random
from typing import Any, Literal

import msgspec

from edgeguard.broker.paper import FaultPlan, FaultRule, PaperSpec, SymbolSpec
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.presets import hedging, netting
from edgeguard.broker.planner.model import Scope

NAMES = ("EURUSD", "GBPUSD", "XAUUSD", "USDJPY")
MAGICS = (0, 7, 8)
Mode = Literal["hedging", "netting"]
SECOND = 1_000_000_000

# Refusals that a server may give for no reason that its rules explain, and one from the future.
CODES = (
    *(10004, 10006, 10007, 10011, 10012, 10013, 10014, 10015, 10018, 10020, 10021, 10024),
    *(10028, 10029, 10030, 10031, 10035, 10036, 10037, 10038, 10039, 10045, 10099),
)

CALL_RULES: dict[str, dict[str, Any]] = {
    "latency": {"on": ("*",), "ms": 30, "jitter_ms": 800, "probability": 0.15},
    "hang": {"on": ("*",), "probability": 0.02, "count": 3},
    "call_failed": {"on": ("*",), "probability": 0.05},
    "no_memory": {"on": ("*",), "probability": 0.05},
    "api_disabled": {"probability": 0.2},
    "ipc_desync": {"on": ("*",), "probability": 0.04},
    "ipc_send": {"on": ("*",), "probability": 0.05},
    "ipc_recv": {"on": ("*",), "probability": 0.05},
    "ipc_connect": {"on": ("*",), "probability": 0.05},
    "ipc_timeout": {"probability": 0.5, "count": 2},
    "ipc_init": {"probability": 0.5, "count": 2},
    "auth_failed": {"on": ("initialize",), "probability": 0.5, "count": 2},
    "none_list": {"probability": 0.2},
}
SEND_RULES: dict[str, dict[str, Any]] = {
    "retcode": {"probability": 0.3},
    "requote": {"probability": 0.4},
    "placed_late_fill": {"ms": 50, "jitter_ms": 6000, "probability": 0.3},
    "done_late_fill": {"ms": 50, "jitter_ms": 3000, "probability": 0.3},
    "timeout_not_executed": {"probability": 0.2},
    "timeout_executed": {"probability": 0.2},
    "timeout_late_fill": {"ms": 50, "jitter_ms": 6000, "probability": 0.25},
    "error_executed": {"probability": 0.2},
    "partial_fill": {"probability": 0.3, "fraction": 0.4},
    "listing_lag": {"ms": 50, "jitter_ms": 850, "probability": 0.5},
    "pending_fill": {"probability": 0.3, "count": 3},
}
WORLD_RULES: dict[str, dict[str, Any]] = {
    "market_closed": {"ms": 5000, "jitter_ms": 20000, "probability": 0.1, "count": 2},
    "autotrading_off": {"ms": 3000, "jitter_ms": 20000, "probability": 0.1, "count": 2},
    "disconnect": {"ms": 1000, "jitter_ms": 12000, "probability": 0.1, "count": 3},
    "freeze": {"ms": 1000, "jitter_ms": 9000, "points": 100, "probability": 0.2, "count": 2},
    "trade_expert_off": {"ms": 2000, "jitter_ms": 20000, "probability": 0.1, "count": 1},
    "trade_disabled": {"ms": 2000, "jitter_ms": 20000, "probability": 0.1, "count": 1},
    "api_option_off": {"ms": 2000, "jitter_ms": 9000, "probability": 0.1, "count": 1},
    "quotes_off": {"ms": 2000, "jitter_ms": 9000, "probability": 0.2, "count": 2},
    "gap": {"ms": 2000, "fraction": 0.97, "probability": 0.2, "count": 1},
    "spread_widens": {"ms": 4000, "points": 20, "probability": 0.2, "count": 1},
    "foreign_open": {"on": ("positions_get",), "probability": 0.1, "count": 3},
    "foreign_pending": {"on": ("orders_get",), "probability": 0.1, "count": 2},
    "foreign_close": {"probability": 0.15, "count": 2},
    "foreign_partial_close": {"probability": 0.2, "count": 2},
    "ticket_change": {"on": ("account_info",), "probability": 0.05, "count": 3},
    "clock_shift": {"probability": 0.2, "count": 1},
    "forced_stop_out": {"probability": 0.1, "count": 1},
    "withdrawal": {"on": ("account_info",), "amount": 50.0, "probability": 0.05, "count": 2},
    "account_switch": {"on": ("account_info",), "ms": 3000, "probability": 0.03, "count": 1},
    "symbol_hidden": {"ms": 5000, "probability": 0.2, "count": 1},
}
LATER_RULES: dict[str, dict[str, Any]] = {
    "fifo": {"ms": 2000, "jitter_ms": 12000, "probability": 0.2, "count": 2},
    "stops": {"ms": 2000, "jitter_ms": 12000, "points": 300, "probability": 0.2, "count": 2},
    "swap": {"points": 3, "probability": 0.1, "count": 3},
    "ticks_stop": {"ms": 2000, "jitter_ms": 12000, "probability": 0.2, "count": 2},
    "invalid_params": {"on": ("*",), "probability": 0.05},
    "invalid_version": {"probability": 0.5, "count": 2},
    "not_found": {"on": ("*",), "probability": 0.05},
    "unsupported": {"on": ("*",), "probability": 0.05},
}
"""Faults that came later, in half of the seeds, by dice of their own: the rest is as before."""
RULES = {**CALL_RULES, **SEND_RULES, **WORLD_RULES, **LATER_RULES}
THIRD_PARTY = frozenset(
    {"foreign_open", "foreign_close", "foreign_partial_close", "forced_stop_out", "pending_fill"}
)
KILL_FAULTS = (
    "kill_child",
    "kill_child_mid_send",
    "kill_parent",
    "kill_parent_before_send",
    "kill_parent_mid_send",
    "kill_parent_after_send",
    "kill_parent_soon_after",
)

POWER_CUTS = ("cut_power_mid_send", "cut_power_at_answer")
"""The machine goes off at the parent's next order: what is not synced is gone, the boot is new."""


class Kill(msgspec.Struct, frozen=True):
    """A process is killed: at a time, or (before/after_send) at its next order from then on."""

    at_ns: int
    what: str
    down_ns: int


class Scenario(msgspec.Struct, frozen=True):
    """Everything that a seed decides."""

    seed: int
    mode: Mode
    spec: PaperSpec
    book: dict[str, Any]
    plan: FaultPlan
    kills: tuple[Kill, ...]
    scope: Scope
    faults_end_ns: int
    order_ns: int = 0
    """Fixed time of an order request; 0 draws one."""


def draw(seed: int, only: Mode | None = None) -> Scenario:
    """Return the scenario of a seed."""
    dice = random.Random(f"flatten:{seed}")
    mode: Mode = only or dice.choice(("hedging", "netting"))
    end_ns = dice.choice((4, 12, 30)) * SECOND
    rules = _rules(dice, end_ns)
    scope = _scope(dice)
    rules += _later_rules(seed, end_ns, has_fifo=mode == "hedging" and scope.kind != "strategy")
    return Scenario(
        seed=seed,
        mode=mode,
        spec=_spec(dice, mode, scope),
        book=_book(dice, mode),
        plan=FaultPlan(seed=seed, rules=rules),
        kills=_kills(dice, end_ns) or _power_cut(seed, end_ns),
        scope=scope,
        faults_end_ns=end_ns,
    )


def _rules(dice: random.Random, end_ns: int) -> tuple[FaultRule, ...]:
    names = dice.sample(sorted(RULES.keys() - LATER_RULES.keys()), dice.choice((0, 1, 2, 3, 5, 8)))
    found: list[FaultRule] = []
    for name in names:
        fields = dict(RULES[name])
        fields["until_ms"] = end_ns // 1_000_000
        if name == "disconnect" and dice.random() < 0.5:
            fields |= {"on": ("account_info",), "probability": 0.05}
        if name == "hang":
            fields["execute"] = dice.random() < 0.5
        if name == "retcode":
            fields["retcode"] = dice.choice(CODES)
        if name == "foreign_open":
            fields["side"] = dice.choice((None, 0, 1))
            fields["symbol"] = dice.choice(NAMES)
        if dice.random() < 0.3:
            fields["probability"] = min(1.0, fields["probability"] * dice.choice((0.3, 3.0)))
        found.append(msgspec.convert({"name": name, **fields}, FaultRule))
    return tuple(found)


def _later_rules(seed: int, end_ns: int, *, has_fifo: bool) -> tuple[FaultRule, ...]:
    """Return up to three of the later faults, in half of the seeds, from dice of their own."""
    dice = random.Random(f"later:{seed}")
    names = dice.sample(sorted(LATER_RULES), dice.choice((0, 0, 0, 1, 2, 3)))
    until = {"until_ms": end_ns // 1_000_000}
    return tuple(
        msgspec.convert({"name": name, **LATER_RULES[name], **until}, FaultRule)
        for name in names
        if name != "fifo" or has_fifo
    )


def _spec(dice: random.Random, mode: Mode, scope: Scope) -> PaperSpec:
    make = hedging if mode == "hedging" else netting
    account: dict[str, Any] = {"balance": 1_000_000.0, "leverage": 500}
    if mode == "hedging":
        # FIFO and a strategy's scope: what is older and not in scope would hold it up for ever.
        account["fifo_close"] = dice.random() < 0.15 and scope.kind != "strategy"
    spec = make(NAMES, **account)
    symbols: list[SymbolSpec] = []
    for symbol in spec.symbols:
        execution = dice.choice(
            (c.SYMBOL_TRADE_EXECUTION_MARKET,) * 3
            + (c.SYMBOL_TRADE_EXECUTION_INSTANT, c.SYMBOL_TRADE_EXECUTION_EXCHANGE)
        )
        change: dict[str, Any] = {
            "execution": execution,
            "filling_mode": dice.choice((1, 2, 3)),
            "sessions": "24x7",
            "slippage_points": dice.choice((0, 0, 3)),
            "volume_max": dice.choice((100.0, 100.0, 0.5, 0.35)),
            "volume_min": dice.choice((0.01, 0.01, 0.1)),
            "order_mode": dice.choice((127, 127, 63)),
            "depth_lots": dice.choice((0.0, 0.0, 0.0, 0.4)),
        }
        symbols.append(msgspec.structs.replace(symbol, **change))
    return msgspec.structs.replace(spec, symbols=tuple(symbols))


def _book(dice: random.Random, mode: Mode) -> dict[str, Any]:
    count = dice.choice((1, 2, 4, 8))
    positions: list[dict[str, Any]] = []
    for _ in range(count):
        symbol = dice.choice(NAMES)
        lots = dice.choice((0.1, 0.2, 0.5, 1.0, 1.23))
        side = dice.choice(("buy", "sell"))
        magic = dice.choice(MAGICS)
        positions.append({"symbol": symbol, "side": side, "lots": lots, "magic": magic})
        if mode == "hedging" and dice.random() < 0.5:
            other = "sell" if side == "buy" else "buy"
            positions.append({"symbol": symbol, "side": other, "lots": lots, "magic": magic})
    orders: list[dict[str, Any]] = []
    for _ in range(dice.choice((0, 0, 1, 3, 10))):
        symbol = dice.choice(NAMES)
        kind = dice.choice(("buy_limit", "sell_limit", "buy_stop", "sell_stop"))
        below = kind in ("buy_limit", "sell_stop")
        price = {"EURUSD": 1.085, "GBPUSD": 1.26, "XAUUSD": 2350.0, "USDJPY": 149.8}[symbol]
        far = dice.choice((0.9998, 0.999, 0.97))
        orders.append(
            {
                "symbol": symbol,
                "type": kind,
                "lots": 0.1,
                "price": round(price * (far if below else 2 - far), 2 if symbol == "XAUUSD" else 3),
                "magic": dice.choice(MAGICS),
            }
        )
    return {"positions": positions, "orders": orders}


def _kills(dice: random.Random, end_ns: int) -> tuple[Kill, ...]:
    kills: list[Kill] = []
    for _ in range(dice.choice((0, 0, 0, 1, 1, 2, 4))):
        # Many of them early, where most orders are.
        span_ns = min(end_ns, dice.choice((0, 1, 1, 4, 30)) * SECOND)
        down_ns = int(dice.random() * 3 * SECOND)
        kills.append(Kill(int(dice.random() * span_ns), dice.choice(KILL_FAULTS), down_ns))
    return tuple(kills)


def _power_cut(seed: int, end_ns: int) -> tuple[Kill, ...]:
    """Return a cut in most seeds without a kill, from dice of its own."""
    dice = random.Random(f"power:{seed}")
    if not dice.randrange(4):
        return ()
    at_ns = int(dice.random() * min(end_ns, dice.choice((0, 1, 1, 4)) * SECOND))
    return (Kill(at_ns, dice.choice(POWER_CUTS), int(dice.random() * 3 * SECOND)),)


def _scope(dice: random.Random) -> Scope:
    kind = dice.choice(("account",) * 5 + ("symbol", "strategy"))
    if kind == "symbol":
        return Scope("symbol", symbol=dice.choice(NAMES))
    if kind == "strategy":
        return Scope("strategy", magics=(7,))
    return Scope()
