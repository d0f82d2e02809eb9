"""What happened when: stages from the helpers' reports and from the guard's own journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edgeguard.clock import NS_PER_MS

Document = Mapping[str, Any]
ORDER: Final = ("tick", "decision", "page", "event", "gate_refused", "first_order", "flat")
"""The stages in the order in which they must happen; equal times are shown in this order."""


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


def first_cause(rows: Iterable[Document], trigger: str) -> tuple[str, int] | None:
    """Return source and line of the first decision of `trigger` that pauses or halts."""
    for row in _decisions(rows, trigger):
        return row["body"]["source"]["file"], row["body"]["source"]["line"]
    return None


def build(
    trigger: str, rows: Sequence[Document], reports: Sequence[Document], tick: Document | None
) -> Timeline:
    """Return the timeline of one trigger.

    Args:
        trigger: the one that fired.
        rows: the guard's journal.
        reports: what the pretend engine reported.
        tick: the publisher's word on the tick that broke the limit, where a tick did.
    """
    stages: list[dict[str, Any]] = []
    if tick is not None:
        stages.append({"stage": "tick", **tick})
    stages += [_decision(row) for row in _decisions(rows, trigger)]
    events = [report for report in reports if report["stage"] == "event"]
    for event in events:
        if event["trigger"] == trigger and event["action"] in {"halt", "pause", "release"}:
            known = {key: event[key] for key in ("action", "code", "value", "threshold")}
            # The event is stamped right after the page has been written, in the same turn.
            stages.append({"stage": "page", "t_ns": event["sent_ns"], "action": event["action"]})
            stages.append({"stage": "event", "t_ns": event["t_ns"], **known})
    stages += [
        {key: value for key, value in report.items() if key != "from"}
        for report in reports
        if report["stage"] in {"gate_refused", "exit"}
    ]
    timeline = Timeline()
    for row in rows:
        if row["kind"] == "broker" and row["body"]["kind"] in {"first_order", "flat"}:
            stages.append(
                {"stage": row["body"]["kind"], "t_ns": row["t_ns"], "text": row["body"]["text"]}
            )
        if row["kind"] == "broker" and row["body"]["kind"] == "flat":
            timeline.record = row["body"]["body"] or {}
    rank = {stage: number for number, stage in enumerate(ORDER)}
    timeline.stages = sorted(stages, key=lambda s: (s["t_ns"], rank.get(s["stage"], len(rank))))
    return timeline


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


def costs(timeline: Timeline) -> list[list[str]]:
    """Return one row per close: symbol, side, lots, quote at the decision, price, cost."""
    rows: list[list[str]] = []
    for request in timeline.record.get("requests", []):
        if request.get("price") is None:
            continue
        quote = request["quote_bid"] if request["side"] == "sell" else request["quote_ask"]
        rows.append(
            [
                request["kind"],
                request["symbol"],
                request["side"],
                request["filled"],
                quote or "",
                request["price"],
                request["slippage"] or "",
            ]
        )
    return rows


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
