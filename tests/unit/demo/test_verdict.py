"""The demo's own judgement: exit 0 only where everything was truly seen."""

from typing import Any

from edgeguard.demo.plans import PLANS
from edgeguard.demo.timeline import breaking_tick, build, closes, first_cause, lines
from edgeguard.demo.verdict import Seen, judge

HALT, PAUSE = PLANS["daily_loss"], PLANS["price_anomaly"]


def event(action: str, trigger: str, t_ns: int = 30) -> dict[str, Any]:
    return {
        "from": "engine_process",
        "stage": "event",
        "t_ns": t_ns,
        "sent_ns": t_ns - 1,
        "action": action,
        "trigger": trigger,
        "code": "C",
        "value": "4",
        "threshold": "3",
    }


def refused(code: str) -> dict[str, Any]:
    return {"from": "e", "stage": "gate_refused", "t_ns": 31, "code": code, "why": "closed"}


def broker(kind: str, t_ns: int, body: object = None) -> dict[str, Any]:
    return {"kind": "broker", "t_ns": t_ns, "body": {"kind": kind, "text": kind, "body": body}}


def decision(trigger: str, action: str, line: int = 5) -> dict[str, Any]:
    source = {"file": "feed:market", "line": line}
    known = {"t_ns": 20, "trigger": trigger, "action": action, "code": "C", "value": "4"}
    more = {"threshold": "3", "reference": None, "symbol": "EURUSD", "source": source}
    return {"kind": "decision", "t_ns": 21, "body": {**known, **more}}


def halted(**change: Any) -> Seen:  # noqa: ANN401
    reports = change.pop("reports", [event("halt", "daily_loss"), refused("HALTED")])
    journal = [decision("daily_loss", "halt"), broker("first_order", 40), broker("flat", 50, {})]
    journal = change.pop("journal", journal)
    timeline = build(HALT, journal, reports, None)
    return Seen(reports, journal, timeline, (13, 5), change.pop("left", (0, 0)))


def test_a_right_halt_has_no_fault() -> None:
    """The named trigger halted, the gate refused, the broker proved flat, nothing is left."""
    assert judge(HALT, halted()) == ()


def test_every_missing_part_of_a_halt_is_a_fault() -> None:
    """Each by itself."""
    other = [event("halt", "total_drawdown"), refused("HALTED")]
    assert "came from total_drawdown" in judge(HALT, halted(reports=other))[0]
    unrefused = [event("halt", "daily_loss"), refused("PAUSED")]
    assert "gate must refuse" in judge(HALT, halted(reports=unrefused))[0]
    assert "must prove flat" in judge(HALT, halted(journal=[]))[0]
    assert "1 positions and 0 orders were" in judge(HALT, halted(left=(1, 0)))[0]


def paused(**change: Any) -> Seen:  # noqa: ANN401
    exit_ = {"from": "e", "stage": "exit", "t_ns": 32, "done": change.pop("done", True)}
    reports = [event("pause", "price_anomaly"), refused("PAUSED"), exit_]
    journal = change.pop("journal", [decision("price_anomaly", "pause")])
    timeline = build(PAUSE, journal, reports, None)
    return Seen(reports, journal, timeline, change.pop("before", (16, 5)), (16, 5))


def test_a_right_pause_has_no_fault() -> None:
    """An entry was refused, an exit went through, nothing was closed."""
    assert judge(PAUSE, paused()) == ()


def test_every_missing_part_of_a_pause_is_a_fault() -> None:
    """Each by itself."""
    assert "an exit must go through" in judge(PAUSE, paused(done=False))[0]
    assert "must close nothing" in judge(PAUSE, paused(before=(17, 5)))[0]
    assert "must close nothing" in judge(PAUSE, paused(before=None))[0]
    assert "the broker sent one" in judge(PAUSE, paused(journal=[broker("first_order", 1)]))[0]


def test_the_timeline_is_in_time_order_and_reads_from_its_first_stage() -> None:
    """Stages of other triggers stay out of it."""
    rows = [decision("daily_loss", "halt"), decision("input", "pause"), broker("flat", 50)]
    reports = [event("pause", "price_anomaly", 10), event("halt", "daily_loss"), refused("HALTED")]
    tick = {"t_ns": 19, "symbol": "EURUSD", "bid": "1", "ask": "2"}
    timeline = build(HALT, rows, reports, tick)
    stages = [stage["stage"] for stage in timeline.stages]
    assert stages == ["tick", "decision", "page", "event", "gate_refused", "flat"]
    assert "+0.000 ms  tick" in lines(timeline)[0]


def test_the_breaking_tick_is_the_likeliest_of_its_batch() -> None:
    """A batch carries many quotes; the decision's symbol is the one, else the last."""
    batch = {"t_ns": 1, "quotes": {"EURUSD": ["1", "2"], "XAUUSD": ["3", "4"]}}
    assert breaking_tick(batch, ("EURUSD",))["bid"] == "1"
    assert breaking_tick(batch, (None, "GBPUSD"))["symbol"] == "XAUUSD"


def test_the_cause_is_the_first_pause_or_halt() -> None:
    """Warns are no cause."""
    rows = [decision("daily_loss", "warn", 1), decision("daily_loss", "pause", 2)]
    cause = first_cause(rows, "daily_loss")
    assert cause is not None
    assert (cause.source, cause.line) == ("feed:market", 2)
    assert first_cause(rows, "error_rate") is None


def test_closes_join_the_record_with_the_deals() -> None:
    """Deleted orders cost nothing; a long position closes at the bid."""
    close = {
        "kind": "close",
        "symbol": "EURUSD",
        "side": "buy",
        "filled": "1.00",
        "quote_bid": "1.1",
        "quote_ask": "1.2",
        "price": "1.09",
        "slippage": "10.00",
        "deal": 9,
    }
    record = {"requests": [{**close, "kind": "delete"}, {**close, "price": None}, close]}
    timeline = build(HALT, [broker("flat", 1, record)], [], None)
    (found,) = closes(timeline, {})
    assert (found.quote, found.price, found.slippage) == ("1.1", "1.09", "10.00")
    assert found.deal.commission == 0.0
