"""What the demo of each trigger does: which limits it changes, what it breaks, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Trigger = Literal["daily_loss", "total_drawdown", "connection_lost", "error_rate", "price_anomaly"]


@dataclass(frozen=True)
class Plan:
    """One demo.

    Attributes:
        trigger: what must fire first.
        halts: whether it halts; otherwise it pauses and releases itself.
        story: what happens, in one sentence.
        limits: keys of ``[account.limits]`` that differ from the shipped defaults, as TOML.
        note: what those changes are, told to the person who watches; empty where there are none.
        publisher: what the tick publisher is told to play once the book is open.
        engine: what the pretend engine is told then.
        kills_publisher: whether the publisher is killed instead of being told anything.
        cure: what the publisher is told once the pause stands, so that its cause goes away.
        settle_s: longest time from the break to the end.
    """

    trigger: Trigger
    halts: bool
    story: str
    limits: Mapping[str, str] = field(default_factory=dict[str, str])
    note: str = ""
    publisher: str = ""
    engine: str = ""
    kills_publisher: bool = False
    cure: str = ""
    settle_s: float = 40.0


PLANS: Final[dict[str, Plan]] = {
    plan.trigger: plan
    for plan in (
        Plan(
            "daily_loss",
            halts=True,
            story="EURCHF loses its floor, as on 15 January 2015 (a seeded reconstruction)",
            publisher="crash",
        ),
        Plan(
            "total_drawdown",
            halts=True,
            story="EURCHF loses its floor, as on 15 January 2015 (a seeded reconstruction)",
            limits={"daily_loss": '"0.5"'},
            note="daily_loss is raised to 50 %, so that total_drawdown is the limit that breaks",
            publisher="crash",
        ),
        Plan(
            "connection_lost",
            halts=True,
            story="the tick publisher is killed (SIGKILL) while positions are open",
            limits={"connection_lost_s": "3"},
            note="connection_lost_s is shortened from 60 to 3 seconds",
            kills_publisher=True,
        ),
        Plan(
            "error_rate",
            halts=False,
            story="the engine reports twelve rejected orders through its logging handler",
            note="the window of errors is always 60 s, so the release takes a minute",
            engine="errors 12",
            settle_s=80.0,
        ),
        Plan(
            "price_anomaly",
            halts=False,
            story="the spread of EURUSD becomes eight times as wide, then normal again",
            limits={"spread_clear_s": "3"},
            note="spread_clear_s is shortened from 30 to 3 seconds",
            publisher="wide",
            cure="ordinary",
        ),
    )
}
"""The demo of each trigger."""
