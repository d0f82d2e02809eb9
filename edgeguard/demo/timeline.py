"""What happened when: stages from the helpers' reports and from the guard's own journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edgeguard.clock import NS_PER_MS
from edgeguard.demo.plans import Plan

Document = Mapping[str, Any]
ORDER: Final = ("tick", "decision", "page", "event", "gate_refused", "first_order", "flat")
"""The stages in the order in which they must happen; equal times are shown in this order."""


@dataclass(frozen=True)
class Deal:
    """What the terminal books for one deal, account money."""

    commission: float
    profit: float


NO_DEAL: Final = Deal(0.0, 0.0)


@dataclass(frozen=True)
class Close:
    """One close of a flatten: what it was, at which quote and price, and what it cost."""

    kind: str
    symbol: str
    side: str
    lots: str
    quote: str
    price: str
    slippage: str
    deal: Deal


@dataclass
class Timeline:
    """The stages of one demo.

    Attributes:
        stages: each with ``stage``, ``t_ns`` and what it knows more, in time order.
        record: the broker's record of the flatten; empty where there was none.
    """

    stages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    record: Document = field(default_factory=dict[str, Any])

    def time_of(self, stage: str) -> int | None:
        """Return the time of the first such stage."""
        return next((s["t_ns"] for s in self.stages if s["stage"] == stage), None)


@dataclass(frozen=True)
class Cause:
    """The event behind the first decision that paused or halted."""

    source: str
    line: int
    symbol: str | None


def first_cause(rows: Iterable[Document], trigger: str) -> Cause | None:
    """Return what the first pause or halt of `trigger` came from."""
    for row in _decisions(rows, trigger):
        body = row["body"]
        return Cause(body["source"]["file"], body["source"]["line"], body["symbol"])
    return None


def breaking_tick(batch: Document, symbols: Sequence[str | None]) -> Document:
    """Return the quote of a sent batch that broke the limit.

    Args:
        batch: as the publisher reports it: when it was sent, and its quotes by symbol.
        symbols: whose quote it was, the likeliest first; the last quote where none is in it.
    """
    quotes: Mapping[str | None, Sequence[str]] = batch["quotes"]
    symbol = next((name for name in symbols if name in quotes), list(quotes)[-1])
    bid, ask = quotes[symbol]
    return {"t_ns": batch["t_ns"], "symbol": symbol, "bid": bid, "ask": ask}


def build(
    plan: Plan, rows: Sequence[Document], reports: Sequence[Document], tick: Document | None
) -> Timeline:
    """Return the timeline of one demo.

    Args:
        plan: what was to fire.
        rows: the guard's journal.
        reports: what the pretend engine reported.
        tick: the publisher's word on the tick that broke the limit, where a tick did.
    """
    stages = [] if tick is None else [{"stage": "tick", **tick}]
    stages += [_decision(row) for row in _decisions(rows, plan.trigger)]
    timeline = Timeline()
    for report in reports:
        stages += _told(plan, report)
    for row in rows:
        if row["kind"] != "broker" or row["body"]["kind"] not in {"first_order", "flat"}:
            continue
        kind, text = row["body"]["kind"], row["body"]["text"]
        stages.append({"stage": kind, "t_ns": row["t_ns"], "text": text})
        if kind == "flat":
            timeline.record = row["body"]["body"] or {}
    rank = {stage: number for number, stage in enumerate(ORDER)}
    timeline.stages = sorted(stages, key=lambda s: (s["t_ns"], rank.get(s["stage"], len(rank))))
    return timeline


def _told(plan: Plan, report: Document) -> list[dict[str, Any]]:
    """Return the stages of one report of the engine."""
    stage, t_ns = report["stage"], report.get("t_ns", 0)
    if stage == "event" and report["trigger"] == plan.trigger:
        known = {key: report[key] for key in ("action", "code", "value", "threshold")}
        # The event is stamped right after the page has been written, in the same turn.
        page = {"stage": "page", "t_ns": report["sent_ns"], "action": report["action"]}
        return [page, {"stage": "event", "t_ns": t_ns, **known}]
    if stage == "gate_refused" and report["code"] == ("HALTED" if plan.halts else "PAUSED"):
        return [{"stage": stage, "t_ns": t_ns, "code": report["code"], "why": report["why"]}]
    if stage == "exit" and not plan.halts:
        return [{"stage": stage, "t_ns": t_ns, "done": report["done"]}]
    return []


def fired_first(reports: Iterable[Document], action: str) -> str | None:
    """Return the trigger of the first halt (or, for `action` pause, of the first pause)."""
    for report in reports:
        if report["stage"] == "event" and report["action"] == action:
            return report["trigger"]
    return None


def lines(timeline: Timeline) -> list[str]:
    """Return the timeline as a person reads it, times since the first stage."""
    if not timeline.stages:
        return []
    start_ns = timeline.stages[0]["t_ns"]
    return [
        f"  {_since(stage['t_ns'] - start_ns):>12}  {stage['stage']:<13} {_words(stage)}".rstrip()
        for stage in timeline.stages
    ]


def closes(timeline: Timeline, deals: Mapping[int, Deal]) -> list[Close]:
    """Return what each close of the flatten was, in the order in which they were sent.

    Args:
        timeline: with the broker's record.
        deals: the terminal's own word on each deal, by its number.
    """
    found: list[Close] = []
    for request in timeline.record.get("requests", []):
        if request["kind"] == "delete" or request.get("price") is None:
            continue
        # Who is long sells at the bid, who is short buys at the ask.
        quote = request["quote_bid"] if request["side"] == "buy" else request["quote_ask"]
        deal = deals.get(request["deal"], NO_DEAL)
        found.append(
            Close(
                request["kind"],
                request["symbol"],
                request["side"],
                request["filled"],
                quote or "",
                request["price"],
                request["slippage"] or "",
                deal,
            )
        )
    return found


def _decisions(rows: Iterable[Document], trigger: str) -> Iterable[Document]:
    wanted = {"pause", "halt", "release"}
    for row in rows:
        body = row["body"]
        if row["kind"] == "decision" and body["trigger"] == trigger and body["action"] in wanted:
            yield row


def _decision(row: Document) -> dict[str, Any]:
    body = row["body"]
    keys = ("action", "trigger", "code", "value", "threshold", "reference", "symbol", "source")
    return {"stage": "decision", "t_ns": body["t_ns"], **{key: body[key] for key in keys}}


def _words(stage: Document) -> str:
    match stage["stage"]:
        case "tick":
            return f"{stage['symbol']} {stage['bid']} / {stage['ask']}"
        case "decision":
            against = f"{stage['value']} > {stage['threshold']}"
            if stage["action"] == "release":
                against = "cleared"
            return f"{stage['action']}: {stage['code']} {against}"
        case "page" | "event":
            return stage["action"]
        case "gate_refused":
            return f"{stage['code']}: {stage['why']}"
        case "exit":
            return "an exit was let through" if stage["done"] else "no exit was possible"
        case _:
            return str(stage.get("text", ""))


def _since(ns: int) -> str:
    return f"+{ns / NS_PER_MS:,.3f} ms"
