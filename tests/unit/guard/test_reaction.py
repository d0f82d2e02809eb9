"""What a decision leads to, in Rust: the same words and the same bytes as the vocabulary's own."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeguard.codec.native import encode
from edgeguard.guard.accounts import HaltRow, PauseRow, ScopeRow
from edgeguard.guard.trading import TradingState
from edgeguard.messages import HaltEvent
from tests.process.fake_engine import FakeDecision

RUN = (1_732_000_000_000_000_000, 7)
NOW = (1_732_003_661_000_000_009, 5_000)
TEXT = st.text(max_size=300)
SCOPES = st.sampled_from(["account", "strategy:trend", "symbol:EURUSD"])
DECISIONS = st.builds(
    FakeDecision,
    t_ns=st.integers(-(2**63), 2**63 - 1),
    account=st.text(max_size=40),
    trigger=st.sampled_from(["daily_loss", "connection_lost", "price_anomaly"]),
    action=st.sampled_from(["warn", "pause", "release", "halt"]),
    code=TEXT,
    scope=SCOPES,
    value=st.none() | TEXT,
    threshold=st.none() | TEXT,
    reference=st.none() | TEXT,
    symbol=st.none() | TEXT,
)


def active() -> TradingState:
    return TradingState([])


def rows(trading: TradingState) -> dict[str, ScopeRow]:
    return {
        scope: ScopeRow(
            scope,
            cast("Any", state),
            cast("Any", flatten),
            HaltRow(*halt) if halt is not None else None,
            tuple(PauseRow(*pause) for pause in pauses),
        )
        for scope, state, flatten, halt, pauses in trading.scopes()
    }


def expected(trading: TradingState, decision: FakeDecision, change: str) -> HaltEvent:
    """The event as the vocabulary has it, put together from what the trading state tells."""
    row = rows(trading)[decision.scope]
    _, severity, _, _, state_seq = trading.word()
    return HaltEvent(
        account=decision.account,
        epoch=RUN[0],
        seq=RUN[1],
        t_ns=NOW[0],
        action=cast("Any", change),
        scope=decision.scope,
        state=cast("Any", trading.state()) if decision.scope == "account" else row.state,
        state_seq=state_seq,
        severity=severity,
        halt=row.halt_info(),
        trigger=decision.trigger,
        code=decision.code,
        value=decision.value,
        threshold=decision.threshold,
        reference=decision.reference,
        symbol=decision.symbol,
    )


@given(st.lists(DECISIONS, min_size=1, max_size=6))
def test_events_are_the_bytes_that_the_vocabulary_writes(decisions: list[FakeDecision]) -> None:
    """Byte for byte, for every kind of change, text and number; and the page shows the state."""
    trading = active()
    for decision in decisions:
        shown, payload, rest = trading.react(decision, NOW, "0011aabb", RUN)
        assert not any(kind in {"page", "publish"} for kind, *_ in rest)
        if payload is not None:
            released = msgspec.msgpack.decode(payload, type=HaltEvent)
            want = expected(trading, decision, decision.action)
            if decision.action == "release":
                # A release bears the code of the pause that ended.
                want = msgspec.structs.replace(want, code=released.code)
            assert payload == encode(want)
        if shown is not None:
            assert shown == trading.shown()
            word, halt_id, scopes, resumed = shown
            assert (word, resumed) == (trading.word(), trading.resumed())
            held = rows(trading)
            halt = held["account"].halt
            assert halt_id == (halt.id if halt is not None else "")
            assert [name for name, _ in scopes] == [name for name in held if name != "account"]
            for name, (_, severity, _, flags, state_seq) in scopes:
                assert (severity, flags, state_seq) == (word[1], 0, word[4])
                assert name in held


def test_a_halt_bears_its_numbers_and_an_id_of_its_time() -> None:
    trading = active()
    decision = FakeDecision(3, "A", "daily_loss", "halt", "DAILY_LOSS_EXCEEDS_MAX")
    shown, payload, rest = trading.react(decision, NOW, "0011aabb", RUN)
    assert shown is not None
    assert payload is not None
    event = msgspec.msgpack.decode(payload, type=HaltEvent)
    assert event.halt is not None
    assert event.halt.id == "H20241119-080741-0011aabb" == shown[1]
    assert (event.halt.t_ns, event.halt.reason) == (3, "0.0301 > 0.03")
    assert [kind for kind, *_ in rest] == ["persist", "flatten"]


@pytest.mark.parametrize("action", ["hlat", "", "HALT"])
def test_a_word_that_nobody_knows_halts(action: str) -> None:
    """An engine of another build may say what this one cannot know: that is never nothing."""
    trading = active()
    decision = FakeDecision(3, "A", "daily_loss", action, "X")
    trading.react(decision, NOW, "t", RUN)
    assert trading.state() == "HALTED"


def test_a_warning_and_what_is_known_change_nothing() -> None:
    trading = active()
    warn = FakeDecision(3, "A", "daily_loss", "warn", "DAILY_LOSS_EXCEEDS_MAX_WARN_80")
    assert trading.react(warn, NOW, "t", RUN) == (None, None, [])
    pause = FakeDecision(3, "A", "price_anomaly", "pause", "SPREAD_EXCEEDS_MAX", symbol="EURUSD")
    first = trading.react(pause, NOW, "t", RUN)
    assert (first[0] is not None, first[1] is not None) == (True, True)
    assert trading.react(pause, NOW, "t", RUN) == (None, None, [])


def test_pauses_of_one_trigger_stand_apart_by_symbol_and_lost_connections_by_source() -> None:
    """The release of one must not end another's pause; a reference is no source elsewhere."""
    trading = active()
    for symbol in ("EURUSD", "XAUUSD"):
        trading.react(
            FakeDecision(1, "A", "price_anomaly", "pause", "S", reference="12", symbol=symbol),
            NOW,
            "t",
            RUN,
        )
    gone = FakeDecision(2, "A", "price_anomaly", "release", "S", reference="14", symbol="EURUSD")
    trading.react(gone, NOW, "t", RUN)
    assert trading.state() == "PAUSED"
    trading.react(msgspec.structs.replace(gone, symbol="XAUUSD"), NOW, "t", RUN)
    assert trading.state() == "ACTIVE"
    for source in ("terminal", "engine"):
        trading.react(
            FakeDecision(1, "A", "connection_lost", "pause", "C", reference=source), NOW, "t", RUN
        )
    back = FakeDecision(2, "A", "connection_lost", "release", "C", reference="terminal")
    trading.react(back, NOW, "t", RUN)
    assert trading.state() == "PAUSED"


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_moment_gives_an_id(wall_ns: int) -> None:
    assert TradingState.halt_id(wall_ns, "tail").endswith("-tail")
