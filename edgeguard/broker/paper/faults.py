"""Define every way the paper terminal can misbehave as a named, scheduled, counted switch.

A FaultPlan is data: it can stand in a spec, travel to the process and be written into a seed's
report. FaultEngine decides, from the plan's seed and the calls it sees, which rules fire; what a
fired rule does is up to disturb.py (the world) and surface.py (the answer).
"""

import random
from typing import Annotated, Final, Literal, get_args

import msgspec

from edgeguard.broker.paper.units import NS_PER_MS

# What happens to the answer of any call.
CallFault = Literal[
    "latency",
    "hang",
    "call_failed",
    "invalid_params",
    "no_memory",
    "not_found",
    "invalid_version",
    "auth_failed",
    "unsupported",
    "api_disabled",
    "ipc_desync",
    "ipc_send",
    "ipc_recv",
    "ipc_init",
    "ipc_connect",
    "ipc_timeout",
    "none_list",
]
# What happens to a trade request the terminal has delivered.
SendFault = Literal[
    "retcode",
    "requote",
    "placed_late_fill",
    "done_late_fill",
    "timeout_not_executed",
    "timeout_executed",
    "timeout_late_fill",
    "error_executed",
    "partial_fill",
    "listing_lag",
    "pending_fill",
]
# What happens to the world around the call.
WorldFault = Literal[
    "market_closed",
    "autotrading_off",
    "disconnect",
    "freeze",
    "stops",
    "fifo",
    "ticks_stop",
    "trade_expert_off",
    "trade_disabled",
    "api_option_off",
    "quotes_off",
    "gap",
    "spread_widens",
    "foreign_open",
    "foreign_pending",
    "foreign_close",
    "foreign_partial_close",
    "ticket_change",
    "swap",
    "clock_shift",
    "forced_stop_out",
    "withdrawal",
    "account_switch",
    "symbol_hidden",
]
FaultName = CallFault | SendFault | WorldFault

CALL_FAULTS: Final[tuple[str, ...]] = get_args(CallFault)
SEND_FAULTS: Final[tuple[str, ...]] = get_args(SendFault)
WORLD_FAULTS: Final[tuple[str, ...]] = get_args(WorldFault)
FAULT_NAMES: Final[tuple[str, ...]] = CALL_FAULTS + SEND_FAULTS + WORLD_FAULTS

# Calls a fault listens to unless its rule says otherwise: reads or the start, else order_send.
DEFAULT_ON: Final[dict[str, tuple[str, ...]]] = {
    "none_list": ("positions_get", "orders_get"),
    "ipc_init": ("initialize",),
    "ipc_timeout": ("initialize",),
    "auth_failed": ("initialize", "login"),
    "invalid_version": ("initialize",),
}
ANY_CALL: Final = "*"

# Codes of last_error() a call fault answers with.
CALL_CODES: Final[dict[str, int]] = {
    "call_failed": -1,
    "none_list": -1,
    "invalid_params": -2,
    "no_memory": -3,
    "not_found": -4,
    "invalid_version": -5,
    "auth_failed": -6,
    "unsupported": -7,
    "api_disabled": -8,
    "ipc_desync": -10000,
    "ipc_send": -10001,
    "ipc_recv": -10002,
    "ipc_init": -10003,
    "ipc_connect": -10004,
    "ipc_timeout": -10005,
}
# Call faults whose request was executed although the client cannot know, unless a rule denies it.
EXECUTED: Final = frozenset({"ipc_desync", "ipc_recv"})


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One switch of a plan.

    A rule looks at each call in ``on`` (``*`` for all; the fault's own calls when empty), lets the
    first ``skip`` pass, then fires with ``probability``, ``count`` times at most (None: for ever),
    only while the time since the plan was set lies in ``from_ms`` to ``until_ms``.

    Parameters, each read by the faults it makes sense for: ``ms`` and ``jitter_ms`` a delay or a
    duration (0 for windows: until lifted), ``retcode``, ``fraction`` of a volume or a price,
    ``points``, ``amount`` in account currency, ``execute`` whether the request is carried out,
    ``scope`` of a hang, and ``symbol``, ``side``, ``lots``, ``magic`` of a stranger's trade.
    """

    name: FaultName
    on: tuple[str, ...] = ()
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    from_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    until_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None
    ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    jitter_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    retcode: int = 10006
    fraction: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    points: int = 50
    amount: float = 0.0
    execute: bool | None = None
    scope: Literal["call", "terminal"] = "call"
    symbol: str = ""
    side: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None
    lots: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    magic: int = 999_999

    def listens_to(self, method: str) -> bool:
        """Return whether the rule looks at calls of a method."""
        calls = self.on or DEFAULT_ON.get(self.name, ("order_send",))
        return method in calls or ANY_CALL in calls


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seed and the rules it drives; the same plan over the same calls fires the same faults."""

    seed: int = 0
    rules: tuple[FaultRule, ...] = ()


class Firing(msgspec.Struct, frozen=True):
    """One rule that fired, with the delay or duration drawn for it in milliseconds."""

    rule: FaultRule
    ms: int


class FaultEngine:
    """Decides which rules of a plan fire on a call, and counts firings by fault name."""

    def __init__(self, plan: FaultPlan, now_ns: int) -> None:
        """Start a plan at a moment; its windows count from there."""
        self.firings: dict[str, int] = {}
        self.set_plan(plan, now_ns)

    def set_plan(self, plan: FaultPlan, now_ns: int) -> None:
        """Replace the plan; counters of firings go on."""
        self.plan = plan
        self._start_ns = now_ns
        self._seen = [0] * len(plan.rules)
        self._fired = [0] * len(plan.rules)
        # Each rule draws from its own stream, so that adding one does not move the others.
        self._random = [
            random.Random(f"{plan.seed}:{index}:{rule.name}")  # noqa: S311 - a simulation
            for index, rule in enumerate(plan.rules)
        ]

    def start_at(self, now_ns: int) -> None:
        """Move the plan's start, for a server that learns the time only from its first call."""
        self._start_ns = now_ns

    def on_call(self, method: str, now_ns: int) -> list[Firing]:
        """Return the rules that fire on a call, in plan order."""
        elapsed_ms = (now_ns - self._start_ns) // NS_PER_MS
        return [
            firing
            for index, rule in enumerate(self.plan.rules)
            if rule.listens_to(method)
            and (firing := self._try(index, rule, elapsed_ms)) is not None
        ]

    def _try(self, index: int, rule: FaultRule, elapsed_ms: int) -> Firing | None:
        """Fire one rule or not; its random stream advances only when it had a chance."""
        if elapsed_ms < rule.from_ms or (rule.until_ms is not None and elapsed_ms > rule.until_ms):
            return None
        self._seen[index] += 1
        spent = rule.count is not None and self._fired[index] >= rule.count
        if spent or self._seen[index] <= rule.skip:
            return None
        draw = self._random[index]
        if draw.random() >= rule.probability:
            return None
        self._fired[index] += 1
        self.firings[rule.name] = self.firings.get(rule.name, 0) + 1
        return Firing(rule, rule.ms + (draw.randint(0, rule.jitter_ms) if rule.jitter_ms else 0))
