"""The rules that are in Python and in Rust: one table each, run by `core_rs/tests/rules.rs` too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from edgeguard.guard.freshness import Freshness, Seen
from edgeguard.guard.start import FoundPage, Remembered, epoch_after, judge_start
from edgeguard.latch import HaltFile, LatchHalt, LatchPause, LatchRecord

GOLDEN = Path(__file__).parents[2] / "golden"
Case = dict[str, Any]


def table(name: str) -> list[Case]:
    lines = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    return [cast("Case", json.loads(line)) for line in lines]


def record(words: Case | None) -> LatchRecord | None:
    """Return the latch record of a case; its short form is documented in the Rust test."""
    if words is None:
        return None
    halts = tuple(
        LatchHalt("A", scope, name, t_ns, "t", "C", "r") for scope, name, t_ns in words["halts"]
    )
    pauses = tuple(LatchPause("A", "account", cause, "guard", "P", 1) for cause in words["pauses"])
    resumed = tuple(("A", name) for name in words["resumed"])
    number, run, boot, clean = words["number"], words["run"], words["boot"], words["clean"]
    return LatchRecord(number, run, boot, clean, halts, pauses, resumed)


def verdict(case: Case) -> Case:
    """Return what Python makes of a case, in the table's form."""
    remembered = Remembered(record(case["file"]), record(case["row"]), tuple(case["faults"]))
    page = FoundPage(**case["page"]) if case["page"] is not None else None
    text = case["halt_file"]
    halt_file = None
    if text is not None:
        halt_file = HaltFile((1, 2, 3), json.dumps({"reason": "r", "scope": text}))
    template = LatchHalt("", "account", "NEW", 9, "start", "START", "")
    found = judge_start(remembered, {"A": page}, halt_file, "b1", template)
    halts = sorted([one.scope, one.id, one.t_ns, one.trigger, one.code] for one in found.halts)
    return {
        "halts": halts,
        "pauses": [one.cause for one in found.pauses],
        "resumed": [name for _, name in found.resumed],
        "asks": bool(found.unacknowledged),
        "number": found.number,
        "epoch": epoch_after(100, remembered),
    }


def fresh_answers(case: Case) -> list[int | bool]:
    """Return what Python answers to the steps of a case."""
    fresh = Freshness(case["age_max"], case["first"])
    answers: list[int | bool] = []
    for kind, *words in case["steps"]:
        if kind == "ask":
            answers.append(fresh.ask(words[0]))
        elif kind == "take":
            wall_ns, boot_ns, epoch, t_ns, request, money = words
            seen = Seen(epoch, t_ns, request, bool(money))
            answers.append(fresh.take(seen, (wall_ns, boot_ns)))
        elif kind == "forget":
            fresh.forget()
            answers.append(fresh.needs_answer)
        else:
            answers.append(fresh.is_fresh(words[0]))
    return answers


@pytest.mark.parametrize("case", table("start_cases.jsonl"), ids=lambda case: str(case["n"]))
def test_start_rules_agree_with_the_table(case: Case) -> None:
    """P1, P4: what stands at a start."""
    assert verdict(case) == case["verdict"]


def test_freshness_agrees_with_the_table() -> None:
    """P9: which snapshots count."""
    for case in table("freshness_cases.jsonl"):
        assert fresh_answers(case) == case["answers"], case["n"]
