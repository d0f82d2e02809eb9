"""The made-up past: bars and ticks from before the start, which public clients expect to find."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from edgeguard.broker.paper import PaperSpec, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.bars import bar_start
from edgeguard.broker.paper.clock import weekday
from edgeguard.broker.paper_bridge import paper_spec
from tests.process.broker_rig import make_config
from tests.unit.broker.paper.bench import START_NS, Bench, S, changed

pytest.importorskip("numpy")

WALL_S = START_NS // S + 7_200
HOUR_S = 3_600
DAY_S = 86_400


def terminal(spec: PaperSpec | None = None) -> Any:  # noqa: ANN401 - arrays of the copy_* calls
    """Return the surface of a terminal that no tick has reached yet."""
    return Bench(presets.hedging() if spec is None else spec).mt5


@pytest.mark.parametrize(
    ("timeframe", "count"),
    [("M1", 5_000), ("M30", 1_000), ("H1", 500), ("H4", 500), ("D1", 250), ("W1", 50), ("MN1", 12)],
)
def test_a_new_terminal_has_as_many_bars_as_clients_ask_for(timeframe: str, count: int) -> None:
    """In order, whole, at starts of their timeframe, and the last one ends at the first quote."""
    frame = c.ALL[f"TIMEFRAME_{timeframe}"]
    found = terminal().copy_rates_from_pos("EURUSD", frame, 0, count)
    assert len(found) == count
    starts = [int(start) for start in found["time"]]
    assert starts == sorted(set(starts))
    assert all(bar_start(start, frame) == start for start in starts)
    for bar in found:
        assert bar["low"] <= min(bar["open"], bar["close"]) <= bar["high"]
        assert bar["high"] >= max(bar["open"], bar["close"])
    assert found[-1]["close"] == 1.085


def test_every_timeframe_tells_the_same_story() -> None:
    """Hours are what their minutes add up to, and minutes what their ticks do."""
    mt5 = terminal()
    hours = mt5.copy_rates_range("XAUUSD", c.TIMEFRAME_H1, WALL_S - 2 * DAY_S, WALL_S)
    first = int(hours[0]["time"])
    minutes = mt5.copy_rates_range("XAUUSD", c.TIMEFRAME_M1, first, WALL_S)
    ticks = mt5.copy_ticks_range("XAUUSD", first, WALL_S, c.COPY_TICKS_ALL)
    assert len(ticks) == 4 * len(minutes) == 240 * len(hours)
    for parts, length, wholes in ((minutes, HOUR_S, hours), (ticks, 60, minutes)):
        names = ("open", "high", "low", "close") if length == HOUR_S else ("bid",) * 4
        for whole in wholes:
            inside = parts[parts["time"] // length * length == whole["time"]]
            opened, high, low, closed = (inside[name] for name in names)
            assert opened[0] == whole["open"]
            assert closed[-1] == whole["close"]
            assert (high.max(), low.min()) == (whole["high"], whole["low"])


def test_the_past_is_the_same_in_every_process_and_ends_where_the_market_begins() -> None:
    """Two servers agree; the first live ticks go on in the bar of the start."""
    first = Bench(presets.hedging())
    mt5: Any = first.mt5
    calls = [surface.copy_rates_from_pos for surface in (mt5, terminal())]
    one, other = (call("EURUSD", c.TIMEFRAME_M5, 0, 300) for call in calls)
    assert (one == other).all()
    first.now_ns += 90 * S
    first.tick("EURUSD", 1.2, 1.2001)
    hour = mt5.copy_rates_from_pos("EURUSD", c.TIMEFRAME_H4, 0, 1)[0]
    assert (hour["close"], hour["high"]) == (1.2, 1.2)
    assert hour["tick_volume"] == 240 * 2 + 1
    last = mt5.copy_rates_from_pos("EURUSD", c.TIMEFRAME_M1, 0, 2)
    assert [int(bar["time"]) for bar in last] == [WALL_S - 60, WALL_S + 60]


def test_nothing_traded_while_the_market_was_closed() -> None:
    """A 24x5 symbol has no weekend, one with sessions no nights, one round the clock all days."""
    sessions = tuple((day, 9 * HOUR_S, 17 * HOUR_S + 1_800) for day in range(1, 6))
    mt5 = terminal(changed(presets.hedging(), "GBPUSD", sessions=sessions))
    span = (WALL_S - 30 * DAY_S, WALL_S)
    days = {
        name: {weekday(int(bar["time"]) * 1_000) for bar in rates}
        for name in ("EURUSD", "BTCUSDT")
        for rates in [mt5.copy_rates_range(name, c.TIMEFRAME_H1, *span)]
    }
    assert days == {"EURUSD": {1, 2, 3, 4, 5}, "BTCUSDT": set(range(7))}
    minutes = mt5.copy_rates_range("GBPUSD", c.TIMEFRAME_M1, *span)
    of_day = {int(bar["time"]) % DAY_S for bar in minutes}
    assert (min(of_day), max(of_day)) == (9 * HOUR_S, 17 * HOUR_S + 1_740)


def test_how_far_back_it_reaches_is_the_specs_to_say() -> None:
    """None by default and for a symbol without a price; ticks a week at most."""
    spec = presets.hedging()
    short = terminal(msgspec.structs.replace(spec, past_days=3))
    assert len(short.copy_rates_from_pos("BTCUSDT", c.TIMEFRAME_H1, 0, 10_000)) == 72
    for none in (
        terminal(msgspec.structs.replace(spec, past_days=0)),
        terminal(changed(spec, bid=0.0, ask=0.0)),
    ):
        assert len(none.copy_rates_from_pos("EURUSD", c.TIMEFRAME_H1, 0, 10)) == 0
    ticks = terminal().copy_ticks_from("BTCUSDT", 0, 1_000_000, c.COPY_TICKS_ALL)
    assert len(ticks) == 7 * 24 * 60 * 4
    assert len(terminal().copy_ticks_from("EURUSD", 0, 3, c.COPY_TICKS_TRADE)) == 0


def test_the_terminal_of_a_configuration_has_a_past_too() -> None:
    """As `edgeguard up` starts it: what is configured with a quote can be looked back on."""
    config = make_config()
    mt5 = terminal(paper_spec(config, config.account[0]))
    assert len(mt5.copy_rates_from_pos("XAUUSD", c.TIMEFRAME_D1, 0, 200)) == 200
    assert len(mt5.copy_rates_from("XAUUSD", c.TIMEFRAME_D1, 0, 200)) == 0


def test_the_ways_to_ask_agree() -> None:
    """From a date: that bar and those before it; by position: counted from the newest."""
    mt5 = terminal()
    newest = mt5.copy_rates_from_pos("EURUSD", c.TIMEFRAME_M15, 0, 20)
    assert (mt5.copy_rates_from_pos("EURUSD", c.TIMEFRAME_M15, 5, 15) == newest[:15]).all()
    date = datetime.fromtimestamp(int(newest[9]["time"]) + 100, UTC)
    assert (mt5.copy_rates_from("EURUSD", c.TIMEFRAME_M15, date, 10) == newest[:10]).all()
    span = (int(newest[3]["time"]), int(newest[8]["time"]))
    assert (mt5.copy_rates_range("EURUSD", c.TIMEFRAME_M15, *span) == newest[3:9]).all()
    empty = mt5.copy_rates_range("EURUSD", c.TIMEFRAME_M15, 0, 1)
    assert (len(empty), empty.dtype) == (0, newest.dtype)


@pytest.mark.parametrize("timeframe", [0, 7, 60, 1440, 16_384, 49_154])
def test_a_timeframe_that_does_not_exist_is_refused(timeframe: int) -> None:
    """MQL4's minutes are the usual mistake: None, not the bars of something else."""
    mt5 = terminal()
    assert mt5.copy_rates_from_pos("EURUSD", timeframe, 0, 10) is None
    assert mt5.last_error() == (-2, "Terminal: Invalid params")


def test_a_count_of_nothing_is_refused() -> None:
    """It is no request for everything."""
    mt5 = terminal()
    for call, args in (
        (mt5.copy_rates_from_pos, ("EURUSD", c.TIMEFRAME_M1, 0, 0)),
        (mt5.copy_rates_from_pos, ("EURUSD", c.TIMEFRAME_M1, 0, -5)),
        (mt5.copy_rates_from_pos, ("EURUSD", c.TIMEFRAME_M1, -1, 5)),
        (mt5.copy_rates_from, ("EURUSD", c.TIMEFRAME_M1, WALL_S, 0)),
        (mt5.copy_ticks_from, ("EURUSD", 0, 0, c.COPY_TICKS_ALL)),
    ):
        assert call(*args) is None
        assert mt5.last_error() == (-2, "Terminal: Invalid params")


def test_numbers_of_other_libraries_pass_where_the_extension_takes_them() -> None:
    """Formats i and d take what has __index__ or __float__; floats and big ints are no count."""
    numpy = pytest.importorskip("numpy")
    mt5 = terminal()
    count, frame = numpy.int64(3), numpy.int32(c.TIMEFRAME_H1)
    assert len(mt5.copy_rates_from_pos("EURUSD", frame, numpy.uint8(0), count)) == 3
    assert len(mt5.copy_ticks_from("EURUSD", 0, count, c.COPY_TICKS_ALL)) == 3
    plain = mt5.order_calc_profit(0, "EURUSD", 1.0, 1.1, 1.2)
    mixed = (Decimal(1), numpy.float32(1.1), numpy.float64(1.2))
    assert mt5.order_calc_profit(0, "EURUSD", *mixed) == pytest.approx(plain, rel=1e-5)
    for call, args in (
        (mt5.copy_rates_from_pos, ("EURUSD", c.TIMEFRAME_M1, 0, 3.0)),
        (mt5.copy_rates_from_pos, ("EURUSD", c.TIMEFRAME_M1, 0, 1 << 31)),
        (mt5.order_calc_margin, (numpy.int64(0), "EURUSD", 1.0, 1.1)),
        (mt5.order_calc_margin, (0, "EURUSD", "1.0", 1.1)),
    ):
        assert call(*args) is None
        assert mt5.last_error() == (-2, "Invalid arguments")


def test_weeks_start_on_sunday_and_months_on_their_first() -> None:
    """As the terminal cuts them; 2026-11-18 is a Wednesday."""
    moment = int(datetime(2026, 11, 18, 14, tzinfo=UTC).timestamp())
    week, month = (
        datetime.fromtimestamp(bar_start(moment, frame), UTC).isoformat()
        for frame in (c.TIMEFRAME_W1, c.TIMEFRAME_MN1)
    )
    assert week == "2026-11-15T00:00:00+00:00"
    assert month == "2026-11-01T00:00:00+00:00"
