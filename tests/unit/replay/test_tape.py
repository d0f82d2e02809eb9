"""Tapes: exact text in, messages out, and one sentence for a line that cannot be read."""

import gzip
import json
from pathlib import Path

import pytest

from edgeguard.messages import AccountSnapshot, ErrorEvent, Fill, Position, Tick, TickBatch
from edgeguard.tape import TapeEvent, read_tape

ACCOUNTS = frozenset({"A", "B"})


def read(folder: Path, *lines: str) -> list[TapeEvent]:
    path = folder / "tape.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(read_tape(path, ACCOUNTS))


def test_numbers_keep_their_text(tmp_path: Path) -> None:
    """1.10 stays 1.10 as a JSON number and as text: no float comes between."""
    (event,) = read(
        tmp_path,
        '{"type":"tick","t_ns":3,"symbol":"EURUSD","bid":1.10,"ask":"1.1000","source_ns":2}',
    )
    assert event.message == TickBatch("", "", 0, None, 3, (Tick("EURUSD", "1.10", "1.1000", 2),))


def test_an_account_line_becomes_a_snapshot(tmp_path: Path) -> None:
    """Absent optional fields have their defaults, unknown ones are ignored."""
    position = {
        "ticket": 7,
        "symbol": "EURUSD",
        "side": "buy",
        "volume": "1.00",
        "price_current": "1.38694",
        "swap": "0.00",
        "profit": "-6.00",
        "colour": "red",
    }
    line = {"type": "account", "t_ns": 2, "account": "A", "equity": "9", "positions": [position]}
    (event,) = read(tmp_path, json.dumps(line))
    assert isinstance(event.message, AccountSnapshot)
    assert event.message.balance is None
    assert event.message.positions == (
        Position(7, 7, "EURUSD", "buy", "1.00", "0", "1.38694", "0.00", "-6.00"),
    )


@pytest.mark.parametrize("literal", ["NaN", '"NaN"', "-Infinity", '"Infinity"'])
def test_invalid_values_are_readable(tmp_path: Path, literal: str) -> None:
    """They are the engine's to judge: the line is none that cannot be read."""
    (event,) = read(
        tmp_path, f'{{"type":"tick","t_ns":1,"symbol":"EURUSD","bid":{literal},"ask":"1"}}'
    )
    assert event.fault is None
    assert isinstance(event.message, TickBatch)
    assert event.message.ticks[0].bid == literal.strip('"')


def test_a_stamp_that_is_no_number_makes_the_tick_bad(tmp_path: Path) -> None:
    """A non-finite source_ns is a bad tick; the wire has no such stamp, so the price carries it."""
    (event,) = read(
        tmp_path, '{"type":"tick","t_ns":1,"symbol":"E","bid":"1","ask":"2","source_ns":NaN}'
    )
    assert isinstance(event.message, TickBatch)
    assert event.message.ticks[0].bid == "NaN"


def test_a_fill_without_a_finite_deal_moves_the_clock_alone(tmp_path: Path) -> None:
    """Its time counts, its effect does not."""
    (event,) = read(
        tmp_path,
        '{"type":"fill","t_ns":4,"account":"A","deal":NaN,"position":7,"symbol":"E","side":"sell",'
        '"entry":"out","volume":"0.50","price":"1","profit":"-5"}',
    )
    assert event.fault is None
    assert event.message is None


def test_blank_lines_are_passed_over_and_lines_are_counted(tmp_path: Path) -> None:
    """The line's number is the file's own."""
    events = read(tmp_path, '{"type":"clock","t_ns":1}', "", "  ", '{"type":"clock","t_ns":1}')
    assert [event.line for event in events] == [1, 4]


ERROR = '{"type":"error","t_ns":5,"account":"A","source":"engine","class":"reject"}'


FILL = json.dumps(
    {
        "type": "fill",
        "t_ns": 6,
        "account": "A",
        "deal": 1,
        "position": 1,
        "symbol": "E",
        "side": "buy",
        "entry": "in",
        "volume": "1",
        "price": "1",
    }
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "tape.jsonl:2: the line must be JSON"),
        ("[]", "the line must be a JSON object"),
        ("{}", "t_ns must be given, was absent"),
        ('{"type":"clock","t_ns":4}', "t_ns must not go back below 5, was 4"),
        ('{"type":"clock","t_ns":5.5}', "t_ns must be a whole number of 64 bits, was 5.5"),
        ('{"type":"clock","t_ns":-1}', "t_ns must be a time in ns since 1970"),
        ('{"type":"clock","t_ns":99999999999999999999}', "must be a whole number of 64 bits"),
        ('{"type":"tock","t_ns":6}', "type must be one of symbol, account"),
        ('{"t_ns":6}', "type must be given"),
        ('{"type":"tick","t_ns":6,"symbol":"E","bid":"1"}', "ask must be given"),
        ('{"type":"tick","t_ns":6,"symbol":"E","bid":"1","ask":"x"}', "ask must be a number"),
        ('{"type":"tick","t_ns":6,"symbol":"E","bid":"nan","ask":"1"}', "bid must be a number"),
        ('{"type":"tick","t_ns":6,"account":"C","symbol":"E"}', "account must be a configured"),
        ('{"type":"heartbeat","t_ns":6,"account":"A"}', "source must be given"),
        ('{"type":"heartbeat","t_ns":6,"source":"engine"}', "account must be given"),
        ('{"type":"terminal","t_ns":6,"account":"A","connected":1}', "must be true or false"),
        ('{"type":"transfer","t_ns":6,"account":"A","kind":"balance"}', "amount must be given"),
        ('{"type":"account","t_ns":6,"account":"A"}', "positions must be given"),
        (
            '{"type":"account","t_ns":6,"account":"A","positions":[3]}',
            "positions[0] must be an object",
        ),
        (
            '{"type":"account","t_ns":6,"account":"A","positions":[{"symbol":"E"}]}',
            "positions[0].identifier must be given (or ticket)",
        ),
        (FILL.replace("buy", "up"), "side must be one of buy, sell, was up"),
        (FILL.replace('"in"', '"out"'), "profit must be given"),
        ('{"type":"symbol","t_ns":6,"account":"A","symbol":"E","calc_mode":"X"}', "calc_mode must"),
        ('{"type":"error","t_ns":6,"account":"A","source":"\\ud800","class":"x"}', "must be text"),
        ("[" * 100_000, "the line must be JSON"),
    ],
)
def test_a_line_that_cannot_be_read_is_the_last(tmp_path: Path, line: str, words: str) -> None:
    """It names file, line and field, stands at its own time or right after the one before it."""
    events = read(tmp_path, ERROR, line, ERROR)
    assert len(events) == 2
    assert isinstance(events[0].message, ErrorEvent)
    assert words in str(events[1].fault)
    assert events[1].t_ns in {5, 6}


def test_an_exit_deal_needs_its_profit_and_an_entry_does_not(tmp_path: Path) -> None:
    """Only what closes has a result."""
    (event,) = read(tmp_path, FILL)
    assert isinstance(event.message, Fill)


def test_a_compressed_tape_that_is_cut_off_ends_where_it_is_cut(tmp_path: Path) -> None:
    """What could be read was read; the fault comes after it."""
    path = tmp_path / "tape.jsonl.gz"
    whole = gzip.compress(("\n".join([ERROR] * 5000)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    events = list(read_tape(path, ACCOUNTS))
    assert "must be a readable tape" in str(events[-1].fault)


def test_a_missing_tape_is_a_sentence(tmp_path: Path) -> None:
    """The path and the system's reason."""
    (event,) = read_tape(tmp_path / "none.jsonl", ACCOUNTS)
    assert "No such file" in str(event.fault)
