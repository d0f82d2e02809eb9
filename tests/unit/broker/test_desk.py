"""The front desk's small parts: scopes, bodies, the watch over the guard, and the report."""

from pathlib import Path

import msgspec
import pytest

from edgeguard.broker.desk import BODY_BYTES_MAX, encode_body, parse_scope
from edgeguard.broker.guard_watch import GuardWatch
from edgeguard.broker.intents import IntentLog
from edgeguard.broker.lock import AccountLock
from edgeguard.broker.planner.flatness import Remaining
from edgeguard.broker.planner.model import Intent, Scope, Send
from edgeguard.broker.report import Listed, Proof, Record, Recorder, RequestLine, slippage_money
from edgeguard.broker.report_table import table
from edgeguard.broker.retcodes import classify
from edgeguard.broker.rows import SendRow, TickRow
from edgeguard.broker.terminals import load_terminal
from edgeguard.clock import ManualClock
from edgeguard.config.model import AccountConfig, Limits
from edgeguard.errors import InUseError, TerminalError
from tests.unit.broker.planner.play import Play, position, spec

S = 1_000_000_000
ACCOUNT = AccountConfig(
    id="A",
    login=1,
    server="s",
    trade_mode="demo",
    currency="USD",
    initial_balance="1",
    terminal="paper",
    limits=Limits(),
)


def record(**fields: object) -> Record:
    base: dict[str, object] = {
        "account": "A",
        "login": 1,
        "server": "s",
        "run": "r",
        "halt_id": "h",
        "scope": "account",
        "reason": "why",
        "started_ns": 10**18,
    }
    return Record(**{**base, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "magics", "scope"),
    [
        ("account", (), Scope()),
        ("all", (), Scope()),
        ("symbol:EURUSD", (), Scope("symbol", symbol="EURUSD")),
        ("strategy:x", (1, 2), Scope("strategy", magics=(1, 2))),
        ("ticket:17", (), Scope("ticket", ticket=17)),
        ("strategy:x", (), None),
        ("symbol:", (), None),
        ("ticket:x", (), None),
        ("nonsense", (), None),
    ],
)
def test_scopes_are_parsed(text: str, magics: tuple[int, ...], scope: Scope | None) -> None:
    """What is no scope is refused, never taken for the account or for nothing."""
    assert parse_scope(text, magics) == scope


def test_a_large_record_loses_its_rows_on_the_wire() -> None:
    """An event stays under the wire's limit and still says what counts."""
    line = RequestLine(1, "close", "EURUSD", "buy", 1, "0.10", 1, {"action": 1})
    body = record(requests=[line] * 2000, result="FLAT", alarms=["x" * 100] * 1000)
    short = encode_body(body)
    assert len(short) <= BODY_BYTES_MAX
    found = msgspec.json.decode(short)
    assert found["truncated"] is True
    assert found["result"] == "FLAT"
    assert msgspec.json.decode(encode_body(record(result="FLAT")))["requests"] == []


def test_the_guard_is_only_missed_after_it_was_there(tmp_path: Path) -> None:
    """A broker run by itself never flattens because nobody greets it."""
    clock = ManualClock()
    log = IntentLog(tmp_path / "log")
    watch = GuardWatch(ACCOUNT, log, clock, "boot", 60 * S)
    clock.advance(1000 * S)
    assert not watch.is_lost_now()
    watch.hello()
    clock.advance(60 * S)
    assert not watch.is_lost_now()
    clock.advance(1)
    assert watch.is_lost_now()
    assert not watch.is_lost_now()
    watch.hello()
    assert not watch.is_lost
    log.close()
    for boot, armed in (("boot", True), ("another", False), ("", False)):
        again = GuardWatch(ACCOUNT, IntentLog(tmp_path / "log"), clock, boot, 60 * S)
        clock.advance(61 * S)
        assert again.is_lost_now() is armed


def test_a_guard_is_here_once_it_has_greeted_for_a_while(tmp_path: Path) -> None:
    """The first greeting comes before its feed is connected; three missed ones mean away."""
    clock = ManualClock()
    watch = GuardWatch(ACCOUNT, IntentLog(tmp_path / "log"), clock, "boot", 60 * S)
    assert not watch.is_here()
    watch.hello()
    assert not watch.is_here()
    clock.advance(S)
    watch.hello()
    assert watch.is_here()
    clock.advance(3 * S + 1)
    assert not watch.is_here()
    watch.hello()
    assert not watch.is_here()


def test_slippage_is_positive_where_it_hurts() -> None:
    """Selling below the bid and buying above the ask cost; better fills are negative."""
    quote = TickRow(1.1000, 1.1002, 1)
    buy = Intent(1, "close", "EURUSD", 1, 1, 0, 10_000_000)
    sell = Intent(1, "close", "EURUSD", 1, 1, 1, 10_000_000)
    lower = SendRow(10009, volume=0.1, price=1.0999)
    higher = SendRow(10009, volume=0.1, price=1.1003)
    assert slippage_money(buy, quote, lower, spec()) == pytest.approx(1.0)
    assert slippage_money(sell, quote, higher, spec()) == pytest.approx(1.0)
    assert slippage_money(buy, quote, higher, spec()) == pytest.approx(-3.0)


def test_a_record_tells_the_whole_story() -> None:
    """Book, request, answer, end and proof are in the JSON and in the table."""
    play = Play(position(7, 0, 0.3))
    send = play.to_send()
    assert send is not None
    recorder = Recorder(record())
    recorder.book(play.observation(), Scope().covers, {"EURUSD": spec()})
    recorder.book(play.observation(), Scope().covers, {})
    start = recorder.record.started_ns
    recorder.sent(send, start + S)
    row = SendRow(10009, deal=5, order=6, volume=0.3, price=1.0999)
    recorder.answered(send, classify(10009), row, start + 2 * S)
    assert recorder.ended(send.intent, "FILLED", "deal 5")
    recorder.record.proof = Proof(start + 3 * S, start + 4 * S, 1000)
    recorder.record.alarms.append("STUCK: for a while")
    text = table(recorder.record)
    for word in ("close", "1.09990", "3.00 USD", "FILLED", "two reads 1000 ms apart", "STUCK"):
        assert word in text
    assert "started 2001-09-09 01:46:40.000000 UTC" in text
    assert "ended at 3.000 s" in text
    assert "began at 4.000 s" in text
    assert f"closed by {send.intent.id}" in text
    found = msgspec.json.decode(msgspec.json.encode(recorder.record))
    line = found["requests"][0]
    assert (line["slippage"], line["retcode"], line["deal"]) == ("3.00", 10009, 5)
    assert line["quote_bid"] == "1.10000"
    assert len(found["book"]) == 1


def fate(text: str, ticket: int) -> str:
    """Return the line of the table that tells what became of a ticket."""
    (line,) = (row for row in text.splitlines() if row.split()[1:2] == [str(ticket)])
    return line


def test_the_table_says_what_became_of_each_row() -> None:
    """Closed by which request, gone by itself, appeared later, left: nothing is only a number."""
    book = [
        Listed("position", ticket, "EURUSD", "buy", "0.10", "1.10000", "-1.00", 7)
        for ticket in (11, 12, 13, 14)
    ]
    lines = [
        RequestLine(1, "close", "EURUSD", "buy", 11, "0.10", 10**18, {}, end="FILLED"),
        RequestLine(2, "close", "EURUSD", "buy", 14, "0.10", 10**18, {}, end="PARTIAL"),
        RequestLine(3, "close_by", "EURUSD", "buy", 20, "0.10", 10**18, {}, 21, end="FILLED"),
        RequestLine(4, "close", "EURUSD", "buy", 12, "0.10", 10**18, {}, end="REJECTED"),
    ]
    text = table(record(book=book, requests=lines, requests_sent=4, result="FLAT"))
    assert fate(text, 11).endswith("closed by 1")
    assert "gone without a request" in fate(text, 12)
    assert "gone without a request" in fate(text, 13)
    assert "closed by 2; the rest went" in fate(text, 14)
    for ticket in (20, 21):
        assert fate(text, ticket).endswith("appeared later; closed by 3")
    assert "2 closed without an answer or a quote, not counted" in text
    left = (Remaining("position", 12, "EURUSD", "buy", 0.1, "the market is closed"),)
    going = table(record(book=book, requests=lines, requests_sent=9, remaining=list(left)))
    assert fate(going, 12).endswith("LEFT: the market is closed")
    assert fate(going, 13).endswith("not gone yet")
    assert "LEFT: position 12 EURUSD buy 0.1: the market is closed" in going
    assert "requests: 9 (the first 4 are below)" in going


def test_no_word_of_a_stranger_forges_a_line_of_the_record() -> None:
    """P22: whoever may halt chooses the reason, and a terminal what it calls an alarm."""
    hostile = "x\nproven flat by two reads\x1b[2J\u202e"
    made = record()
    made.reason = hostile
    made.alarms.append(hostile)
    lines = table(made).split("\n")
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith("proven flat")]


def test_a_lock_is_for_one(tmp_path: Path) -> None:
    """A second holder is refused in one sentence; a closed lock is free again."""
    first = AccountLock(tmp_path / "lock", "A")
    with pytest.raises(InUseError, match="already runs"):
        AccountLock(tmp_path / "lock", "A")
    first.close()
    AccountLock(tmp_path / "lock", "A").close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("metatrader5", "Windows only"),
        ("mt5linux://127.0.0.1:1", "mt5linux"),
        ("mt5linux://nowhere", "must be"),
        ("magic", "must be"),
        ("", "must be"),
    ],
)
def test_a_terminal_that_cannot_be_loaded_is_one_sentence(name: str, words: str) -> None:
    """It says what is missing and what to do."""
    with pytest.raises(TerminalError, match=words) as found:
        load_terminal(name)
    assert "\n" not in str(found.value)


def test_unknown_lines_of_a_record_are_ignored() -> None:
    """An intent of an earlier life has no line here, and that is no fault."""
    recorder = Recorder(record())
    intent = Intent(99, "close", "EURUSD", 1, 1, 0, 1)
    assert not recorder.ended(intent, "FILLED", "")
    recorder.answered(Send(intent, {}, None, None), classify(10009), None, 1)
