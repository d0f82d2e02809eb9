"""The broker's clock, sessions and history: stamps are wall-clock time written as epoch seconds."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from edgeguard.broker.paper import ClockSpec, FaultRule, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.clock import broker_ms, day_number, is_summer, second_of_day, weekday
from edgeguard.broker.paper.server import PaperServer
from edgeguard.broker.paper.sessions import is_open
from edgeguard.broker.paper.state import Book
from tests.unit.broker.paper.bench import MS, START_NS, Bench, S, changed


def utc_s(text: str) -> int:
    """Return the UTC second of an ISO time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("rule", "moment", "summer"),
    [
        ("us", "2026-03-08T06:59:59", False),
        ("us", "2026-03-08T07:00:00", True),
        ("us", "2026-11-01T05:59:59", True),
        ("us", "2026-11-01T06:00:00", False),
        ("eu", "2026-03-29T00:59:59", False),
        ("eu", "2026-03-29T01:00:00", True),
        ("eu", "2026-10-25T00:59:59", True),
        ("eu", "2026-10-25T01:00:00", False),
        ("none", "2026-07-01T00:00:00", False),
    ],
)
def test_summer_time_rules(rule: str, moment: str, *, summer: bool) -> None:
    """The US and the EU change on different Sundays; each at its own hour."""
    assert is_summer(rule, utc_s(moment)) is summer


def test_wall_clock_is_utc_plus_the_offset_of_the_moment() -> None:
    """GMT+2 in winter, GMT+3 in summer, and a fault's shift on top."""
    clock = ClockSpec(utc_offset_s=7_200, dst="us")
    winter = utc_s("2026-01-15T00:00:00")
    summer = utc_s("2026-07-15T00:00:00")
    assert broker_ms(clock, winter * S) == (winter + 7_200) * 1_000
    assert broker_ms(clock, summer * S) == (summer + 10_800) * 1_000
    assert broker_ms(clock, winter * S, shift_s=-3_600) == (winter + 3_600) * 1_000


def test_calendar_of_a_wall_clock() -> None:
    """Weekdays count from Sunday as the vendor's do; days and seconds follow the wall clock."""
    sunday = utc_s("2026-11-22T23:59:58") * 1_000
    assert (weekday(sunday), second_of_day(sunday)) == (0, 86_398)
    assert (weekday(sunday + 2_000), second_of_day(sunday + 2_000)) == (1, 0)
    assert day_number(sunday + 2_000) == day_number(sunday) + 1


@pytest.mark.parametrize(
    ("sessions", "moment", "opened"),
    [
        ("24x5", "2026-11-22T23:59:59", False),
        ("24x5", "2026-11-23T00:00:00", True),
        ("24x5", "2026-11-27T23:59:59", True),
        ("24x5", "2026-11-28T00:00:00", False),
        ("24x7", "2026-11-28T00:00:00", True),
        (((1, 3_600, 7_200),), "2026-11-23T00:59:59", False),
        (((1, 3_600, 7_200),), "2026-11-23T01:00:00", True),
        (((1, 3_600, 7_200),), "2026-11-23T02:00:00", False),
    ],
)
def test_sessions(
    sessions: "str | tuple[tuple[int, int, int], ...]", moment: str, *, opened: bool
) -> None:
    """24x5 is Monday to Friday of the broker's clock; a session's last second is outside it."""
    rules = changed(presets.hedging(("EURUSD",)), sessions=sessions).symbols[0]
    assert is_open(rules, utc_s(moment) * 1_000) is opened


def test_admin_word_beats_the_schedule(hedging: Bench) -> None:
    """A market held open trades on Saturday, one held shut does not on Wednesday."""
    switches = hedging.server.venue.switches
    switches.closed.add("*")
    assert hedging.buy(1.0).retcode == c.TRADE_RETCODE_MARKET_CLOSED
    switches.closed.clear()
    hedging.pass_ns(3 * 24 * 3_600 * S)
    assert hedging.buy(1.0).retcode == c.TRADE_RETCODE_MARKET_CLOSED
    switches.open.add("EURUSD")
    assert hedging.buy(1.0).retcode == c.TRADE_RETCODE_DONE
    assert hedging.buy(1.0, "GBPUSD").retcode == c.TRADE_RETCODE_MARKET_CLOSED


def test_the_servers_clock_never_runs_back(hedging: Bench) -> None:
    """A call with an earlier time sees the later one; no midnight happens twice."""
    hedging.buy(1.0)
    hedging.pass_ns(10 * 3_600 * S)
    swap = hedging.positions()[0].swap
    hedging.now_ns = START_NS
    hedging.server.advance(hedging.now_ns)
    assert hedging.server.venue.now_ns == START_NS + 10 * 3_600 * S
    assert hedging.positions()[0].swap == swap


def test_tick_time_stands_still_without_ticks(hedging: Bench) -> None:
    """The last tick's stamp is all a client sees of the server's clock."""
    hedging.tick("EURUSD", 1.085, 1.08506)
    hedging.pass_ns(3_600 * S)
    tick = hedging.mt5.symbol_info_tick("EURUSD")
    assert tick is not None
    assert tick.time == START_NS // S + 7_200


def test_clock_shift_moves_stamps_by_an_hour(hedging: Bench) -> None:
    """The fault that stands for a change of summer time."""
    hedging.faults(FaultRule(name="clock_shift", count=1))
    hedging.buy(0.1)
    assert hedging.positions()[0].time == START_NS // S + 7_200 + 3_600


def test_history_by_range_ticket_position_and_group(hedging: Bench) -> None:
    """Ranges are broker seconds or datetimes; `ticket` is an order's, `position` an identifier."""
    first = hedging.buy(0.1)
    hedging.pass_ns(10 * S)
    second = hedging.buy(0.2, "GBPUSD")
    mt5 = hedging.mt5
    wall_s = START_NS // S + 7_200
    assert mt5.history_deals_total(wall_s, wall_s + 5) == 2
    assert mt5.history_orders_total(wall_s, wall_s + 60) == 2
    ranged = mt5.history_deals_get(wall_s + 5, wall_s + 60)
    assert ranged is not None
    assert [deal.order for deal in ranged] == [second.order]
    grouped = mt5.history_deals_get(wall_s, wall_s + 60, group="EUR*")
    assert grouped is not None
    assert [deal.order for deal in grouped] == [first.order]
    by_order = mt5.history_deals_get(ticket=second.order)
    by_position = mt5.history_orders_get(position=second.order)
    assert by_order is not None
    assert by_position is not None
    assert (by_order[0].symbol, by_position[0].ticket) == ("GBPUSD", second.order)
    assert mt5.history_deals_get(ticket=1) == ()
    dates = (datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(wall_s + 60, UTC))
    assert mt5.history_deals_total(*dates) == 3


def test_history_refuses_bad_arguments(hedging: Bench) -> None:
    """One date, a positional beside a ticket, a wrong type: None and -2."""
    get = hedging.mt5.history_deals_get
    for args, named, text in (
        ((1,), {}, "Invalid arguments"),
        ((), {}, "Invalid arguments"),
        (("a", "b"), {}, "Invalid arguments"),
        ((0, 1), {"ticket": 5}, "Unnamed arguments not allowed"),
        ((), {"ticket": "5"}, 'Invalid "ticket" argument'),
        ((), {"position": 1.0}, 'Invalid "position" argument'),
        ((0, 1), {"group": 5}, 'Invalid "group" argument'),
    ):
        assert get(*args, **named) is None
        assert hedging.mt5.last_error() == (-2, text)
    assert hedging.mt5.history_orders_total(1) is None
    assert get(date_from=0, date_to=1) is None
    assert hedging.mt5.last_error() == (-2, "Invalid arguments")


def test_bars_and_ticks_come_from_what_was_seen() -> None:
    """copy_* give structured arrays of the vendor's dtypes, built from the kept ticks."""
    numpy = pytest.importorskip("numpy")
    hedging = Bench(msgspec.structs.replace(presets.hedging(), past_days=0))
    for second, bid in enumerate((1.0850, 1.0860, 1.0840, 1.0855)):
        hedging.now_ns = START_NS + second * 20 * S
        hedging.tick("EURUSD", bid, bid + 0.0001)
    mt5: Any = hedging.mt5
    wall_s = START_NS // S + 7_200
    rates = mt5.copy_rates_from_pos("EURUSD", c.TIMEFRAME_M1, 0, 10)
    assert rates.dtype.names[:5] == ("time", "open", "high", "low", "close")
    assert [tuple(bar)[:6] for bar in rates] == [
        (wall_s, 1.0850, 1.0860, 1.0840, 1.0840, 3),
        (wall_s + 60, 1.0855, 1.0855, 1.0855, 1.0855, 1),
    ]
    assert len(mt5.copy_rates_from("EURUSD", c.TIMEFRAME_M1, wall_s + 59, 5)) == 1
    assert len(mt5.copy_rates_range("EURUSD", c.TIMEFRAME_H1, 0, wall_s)) == 1
    ticks = mt5.copy_ticks_from("EURUSD", wall_s + 20, 2, c.COPY_TICKS_ALL)
    assert isinstance(ticks, numpy.ndarray)
    assert list(ticks["bid"]) == [1.0860, 1.0840]
    assert len(mt5.copy_ticks_range("EURUSD", 0, wall_s + 999, c.COPY_TICKS_INFO)) == 4
    assert mt5.copy_rates_from_pos("EURUSD", 1.5, 0, 10) is None
    assert mt5.copy_ticks_from("NOPE", 0, 1, 1) is None


def test_depth_of_market_exists_where_the_book_is_thin() -> None:
    """One level a side, only for symbols with a depth."""
    bench = Bench(changed(presets.hedging(), depth_lots=5.0))
    assert bench.mt5.market_book_add("EURUSD") is True
    assert bench.mt5.market_book_add("GBPUSD") is False
    book = bench.mt5.market_book_get("EURUSD")
    assert book is not None
    assert [(line.type, line.price) for line in book] == [(1, 1.08506), (2, 1.08500)]
    assert bench.mt5.market_book_release("EURUSD") is True
    assert bench.mt5.market_book_get("GBPUSD") is None


def test_ticks_must_make_sense(hedging: Bench) -> None:
    """Unknown symbols, crossed, zero, negative and infinite prices are refused."""
    for symbol, bid, ask in (
        ("NOPE", 1.0, 1.1),
        ("EURUSD", 1.1, 1.0),
        ("EURUSD", 0.0, 1.0),
        ("EURUSD", -1.0, 1.0),
        ("EURUSD", float("nan"), 1.0),
        ("EURUSD", 1.0, float("inf")),
    ):
        assert hedging.tick(symbol, bid, ask) is False
    assert hedging.tick("EURUSD", 1.2, 1.2) is True


def test_same_calls_give_the_same_bytes() -> None:
    """Two servers fed the same calls and ticks end in the same state, byte for byte."""

    def play() -> bytes:
        bench = Bench(presets.hedging())
        bench.faults(
            FaultRule(name="partial_fill", probability=0.5),
            FaultRule(name="requote", probability=0.3),
            seed=7,
        )
        for step in range(50):
            bench.pass_ns(MS * (step % 7))
            bench.tick("EURUSD", 1.08 + step / 10_000, 1.0801 + step / 10_000)
            bench.deal(step % 2, 0.1 + step % 3 / 10)
        return msgspec.msgpack.encode(bench.server.book)

    assert play() == play()


def test_saved_book_goes_on_where_it_stopped(hedging: Bench) -> None:
    """The state is plain data: decoded and handed to a new server it is the same account."""
    hedging.buy(1.0)
    saved = msgspec.msgpack.encode(hedging.server.book)
    book = msgspec.msgpack.decode(saved, type=Book)
    again = PaperServer(presets.hedging(), hedging.now_ns, book)
    assert msgspec.msgpack.encode(again.book) == saved
