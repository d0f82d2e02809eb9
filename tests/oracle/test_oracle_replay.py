"""Golden cases for ticks, connections, errors, spreads and replay, worked out by hand."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from tests.oracle.errors import BadConfig, Unreadable
from tests.oracle.golden import (
    EURUSD,
    MS,
    T0,
    Golden,
    S,
    account,
    clock,
    config,
    error,
    heartbeat,
    position,
    table,
    terminal,
    tick,
)
from tests.oracle.reference import replay

ERRORS = "ERROR_RATE_EXCEEDS_MAX"
SPREAD = "SPREAD_EXCEEDS_MAX"
LOST = "CONNECTION_LOST"
LONG = position(7, "buy", "1.00", "1.20000")
# A Friday and the Sunday after it, 17:00 in New York, seen from T0 (Tuesday 17:13:20).
FRIDAY = (2 * 86_400 + 86_400 - 800) * S
SUNDAY = FRIDAY + 48 * 3600 * S
NORMAL = [EURUSD | {"spread_normal_points": 10}]
LEARNED = {"spread_samples_min": 4, "spread_sample_ms": 1}


def spreads(*points: int, start: int = 0, step: int = MS) -> list[dict[str, object]]:
    """Return ticks of these spreads, one per step."""
    return [
        tick(start + n * step, "1.20000", f"{1.2 + p / 100000:.5f}") for n, p in enumerate(points)
    ]


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        ("NaN", "1.2"),
        ("1.2", "Infinity"),
        ("0", "1.2"),
        ("-1.2", "1.2"),
        ("1.20001", "1.20000"),
        (float("nan"), "1.2"),
    ],
)
def test_bad_tick_counts_as_an_error(golden: Golden, bid: object, ask: object) -> None:
    """Bad is "non-finite, <= 0, crossed"; it "counts as an error of class `bad_tick`"."""
    events = [tick(0, "1.2", "1.2"), tick(1, bid, ask), tick(2, bid, ask)]
    rows = golden.rows(events, limits={"errors_per_minute": 1}, symbols=NORMAL)
    assert [row[:4] for row in rows] == [
        (1, ERRORS + "_WARN_80", "warn", "1"),
        (2, ERRORS, "pause", "2"),
    ]


def test_unknown_symbol_is_a_bad_tick(golden: Golden) -> None:
    """Bad is "unknown symbol"; one whose class is not counted "do not"."""
    events = [tick(0, "1.2", "1.2", symbol="GBPUSD"), tick(1, "1.2", "1.2", symbol="GBPUSD")]
    assert len(golden.rows(events, limits={"errors_per_minute": 1})) == 2
    limits = {"errors_per_minute": 1, "errors_not_counted": ["bad_tick"]}
    assert golden.rows(events, limits=limits) == []


def test_running_back_compares_source_time(golden: Golden) -> None:
    """ "`source_ns`, or `t_ns` where absent, below the symbol's last valid tick; equal is fine"."""
    events = [
        tick(0, "1.2", "1.2", source_ns=50),
        tick(1, "1.2", "1.2", source_ns=50),
        tick(2, "1.2", "1.2", source_ns=49),
        tick(3, "1.2", "1.2", source_ns=49),
        tick(4, "1.2", "1.2"),
        tick(5, "1.2", "1.2", source_ns=T0 + 3),
    ]
    rows = golden.rows(events, limits={"errors_per_minute": 2})
    assert [row[:3] for row in rows] == [
        (3, ERRORS + "_WARN_80", "warn"),
        (5, ERRORS, "pause"),
    ]


def test_suspect_pauses_and_is_confirmed(golden: Golden) -> None:
    """ "The next valid tick within `jump_frac` of the suspect confirms it"; then it marks.

    1.17 is 2.5 % below 1.2; 1.1699 near it is accepted: 3010.00 lost.
    """
    events = [
        account(0, "100000", LONG),
        tick(1, "1.2", "1.2"),
        tick(2, "1.17", "1.17"),
        tick(3, "1.16990", "1.16990"),
    ]
    limits = {"confirm": "none", "total_drawdown": "0.5"}
    assert golden.rows(events, limits=limits) == [
        (2, "PRICE_JUMP", "pause", None, None, "EURUSD"),
        (3, "DAILY_LOSS_EXCEEDS_MAX", "halt", "0.03010000", "100000.00", None),
        (3, "PRICE_JUMP_CLEARED", "release", None, None, "EURUSD"),
    ]


def test_suspect_is_discarded(golden: Golden) -> None:
    """ "one within `jump_frac` of the last accepted price discards it"; nothing was marked."""
    events = [
        account(0, "100000", LONG),
        tick(1, "1.2", "1.2"),
        tick(2, "1.1", "1.1"),
        tick(3, "1.2", "1.2"),
    ]
    assert [row[:3] for row in golden.rows(events)] == [
        (2, "PRICE_JUMP", "pause"),
        (3, "PRICE_JUMP_CLEARED", "release"),
    ]


def test_a_jump_of_exactly_the_limit_is_no_suspect(golden: Golden) -> None:
    """ "`|mid - last accepted mid| > jump_frac x last accepted mid`": 0.024 is 2 % of 1.2."""
    events = [tick(0, "1.2", "1.2"), tick(1, "1.224", "1.224"), tick(2, "1.24848", "1.24849")]
    assert [row[0] for row in golden.rows(events)] == [2]


def test_replaced_suspect_does_not_move_the_deadline(golden: Golden) -> None:
    """ "Any other tick becomes the suspect without moving the deadline"; the latest is accepted."""
    events = [
        account(0, "100000", LONG),
        tick(1, "1.2", "1.2"),
        tick(2, "1.1", "1.1"),
        tick(400 * MS, "1.16990", "1.16990"),
        clock(S),
    ]
    limits = {"confirm": "none", "total_drawdown": "0.5"}
    rows = golden.rows(events, limits=limits)
    assert [row[:4] for row in rows[1:]] == [
        (500 * MS + 2, "DAILY_LOSS_EXCEEDS_MAX", "halt", "0.03010000"),
        (500 * MS + 2, "PRICE_JUMP_CLEARED", "release", None),
    ]


def test_confirming_wins_over_discarding(golden: Golden) -> None:
    """ "(confirming wins over discarding)": 1.2131 is near 1.2 and near the suspect 1.2252."""
    events = [
        tick(0, "1.2", "1.2"),
        tick(1, "1.2252", "1.2252"),
        tick(2, "1.2131", "1.2131"),
        tick(3, "1.2370", "1.2370"),
    ]
    assert [row[2] for row in golden.rows(events)] == ["pause", "release"]


def test_price_goes_stale_and_comes_back(golden: Golden) -> None:
    """ "more than `price_age_max_s` of in-session time old ...: pause", next tick releases."""
    events = [account(0, "100000", LONG), clock(11 * S), tick(12 * S, "1.2", "1.2")]
    assert golden.rows(events, limits={"price_age_max_s": 10}) == [
        (10 * S + 1, "PRICE_STALE", "pause", None, None, "EURUSD"),
        (12 * S, "PRICE_STALE_CLEARED", "release", None, None, "EURUSD"),
    ]


def test_closed_time_does_not_age_a_price(golden: Golden) -> None:
    """Ten seconds of session: four before Friday 17:00 New York and six after Sunday 17:00."""
    events = [account(FRIDAY - 4 * S, "100000", LONG), clock(SUNDAY + 60 * S)]
    symbols = [EURUSD | {"session": "24x5"}]
    rows = golden.rows(events, limits={"price_age_max_s": 10}, symbols=symbols)
    assert [row[:3] for row in rows] == [(SUNDAY + 6 * S + 1, "PRICE_STALE", "pause")]


def test_a_holiday_is_closed(golden: Golden) -> None:
    """ "`holidays`: dates closed in that zone": New York's Wednesday ends 24 h later."""
    midnight = (6 * 3600 + 46 * 60 + 40) * S
    events = [account(midnight - 4 * S, "100000", LONG), clock(midnight + 25 * 3600 * S)]
    symbols = [EURUSD | {"session": "24x5", "holidays": ["2023-11-15"]}]
    rows = golden.rows(events, limits={"price_age_max_s": 10}, symbols=symbols)
    assert [row[0] for row in rows] == [midnight + 24 * 3600 * S + 6 * S + 1]


def test_session_list_and_daily_break(golden: Golden) -> None:
    """ "a list such as `Mon 09:00-17:30 Europe/Berlin`"; Berlin is at 23:13:20 at T0."""
    open_at = 40 * S
    symbols = [EURUSD | {"session": ["Tue 23:00-23:14 Europe/Berlin", "Wed 09:00-10:00 UTC"]}]
    wednesday = (24 * 3600 - (22 * 3600 + 13 * 60 + 20) + 9 * 3600) * S
    events = [account(0, "100000", LONG), clock(wednesday + 3600 * S)]
    rows = golden.rows(events, limits={"price_age_max_s": 100}, symbols=symbols)
    assert [row[0] for row in rows] == [wednesday + 100 * S - open_at + 1]
    broken = [EURUSD | {"session": "24x5_break"}]
    rows = golden.rows(events, limits={"price_age_max_s": 100}, symbols=broken)
    assert [row[0] for row in rows] == [(46 * 60 + 40) * S + 100 * S + 1]


def test_engine_is_lost_after_sixty_seconds(golden: Golden) -> None:
    """ "Lost when `now - last proof > connection_lost_s`"; `> T` falls due 1 ns after T."""
    lines = golden.lines([heartbeat(0), clock(60 * S), clock(61 * S), heartbeat(62 * S)])
    assert len(lines) == 1
    assert lines[0]["t_ns"] == T0 + 60 * S + 1
    assert lines[0]["index"] == 3
    assert (lines[0]["value"], lines[0]["threshold"]) == ("60.000000001", "60")
    assert (lines[0]["code"], lines[0]["action"]) == (LOST, "halt")
    assert lines[0]["reference"] == "engine"


def test_a_source_that_never_spoke_is_never_lost(golden: Golden) -> None:
    """ "Account lines and ticks arm no source"; "A source that never spoke is never lost"."""
    events = [account(0, "100000"), tick(1, "1.2", "1.2"), clock(86_000 * S)]
    assert golden.rows(events) == []


def test_disconnected_terminal_arms_but_proves_nothing(golden: Golden) -> None:
    """ "(connected false arms but is no proof)"."""
    events = [
        terminal(0, connected=False),
        terminal(30 * S, connected=True),
        terminal(50 * S, connected=False),
        clock(100 * S),
    ]
    rows = golden.rows(events)
    assert rows == [(90 * S + 1, LOST, "halt", "60.000000001", "terminal", None)]
    rows = golden.rows([terminal(0, connected=False), clock(100 * S)])
    assert rows == [(60 * S + 1, LOST, "halt", "60.000000001", "terminal", None)]


def test_feed_is_due_in_the_session_of_its_symbols(golden: Golden) -> None:
    """ "closed time is left out of the silence. The engine's heartbeat is always due"."""
    feed = table("[[feed]]", {"name": "q", "symbols": ["EURUSD"], "required": True})
    events = [
        heartbeat(FRIDAY - 20 * S, "feed:q"),
        heartbeat(FRIDAY - 20 * S),
        clock(SUNDAY + 60 * S),
    ]
    rows = golden.rows(events, symbols=[EURUSD | {"session": "24x5"}], more=feed)
    assert rows == [
        (FRIDAY + 40 * S + 1, LOST, "halt", "60.000000001", "engine", None),
        (SUNDAY + 40 * S + 1, LOST, "halt", "60.000000001", "feed:q", None),
    ]


def test_error_window_is_strictly_under_sixty_seconds(golden: Golden) -> None:
    """ "the (N+1)th counted error with `t(N+1) - t(1) < 60 s`"."""
    burst = [error(n) for n in range(10)]
    rows = golden.rows([*burst, error(60 * S)])
    assert [row[1:4] for row in rows] == [
        (ERRORS + "_WARN_50", "warn", "6"),
        (ERRORS + "_WARN_80", "warn", "9"),
    ]
    rows = golden.rows([*burst, error(60 * S - 1)])
    assert rows[-1] == (60 * S - 1, ERRORS, "pause", "11", None, None)


def test_error_pause_is_released_at_half(golden: Golden) -> None:
    """ "Released when the window holds at most floor(N/2)": of 4 errors at most 1 may be left."""
    events = [error(n * S) for n in range(4)]
    rows = golden.rows([*events, clock(100 * S)], limits={"errors_per_minute": 3})
    assert rows[-2:] == [
        (3 * S, ERRORS, "pause", "4", None, None),
        (62 * S, ERRORS + "_CLEARED", "release", "1", None, None),
    ]


def test_errors_of_one_order_count_once(golden: Golden) -> None:
    """ "(account, source, order) counts once while the first is in the window"; 0 never merges."""
    limits = {"errors_per_minute": 1}
    same = [error(0, order=5), error(1, order=5), error(59 * S, order=5)]
    assert [row[2] for row in golden.rows(same, limits=limits)] == ["warn"]
    again = [*same, error(60 * S, order=5), error(61 * S, order=6)]
    assert golden.rows(again, limits=limits)[-1][0] == 61 * S
    zero = [error(0, order=0), error(1, order=0)]
    assert golden.rows(zero, limits=limits)[-1][:3] == (1, ERRORS, "pause")


def test_uncounted_errors(golden: Golden) -> None:
    """ "Source `edgeguard` is not counted"; "classes in `errors_not_counted` do not"."""
    events = [error(0, source="edgeguard"), error(1, **{"class": "requote"}), error(2)]
    limits = {"errors_per_minute": 1, "errors_not_counted": ["requote"]}
    assert [row[3] for row in golden.rows(events, limits=limits)] == ["1"]


def test_sticky_pause_after_the_budget(golden: Golden) -> None:
    """ "within any 3600 s `releases_per_hour` releases ...; the next pause is sticky"."""
    events = [error(0), error(0), error(100 * S), error(100 * S), clock(9000 * S)]
    limits = {"errors_per_minute": 1, "releases_per_hour": 1}
    rows = golden.rows(events, limits=limits)
    kept = [row[:3] for row in rows if row[2] in ("pause", "release")]
    assert kept == [
        (0, ERRORS, "pause"),
        (60 * S, ERRORS + "_CLEARED", "release"),
        (100 * S, ERRORS, "pause"),
    ]
    later = [error(0), error(0), error(3660 * S), error(3660 * S), clock(9000 * S)]
    rows = golden.rows(later, limits=limits)
    assert [row[2] for row in rows if row[2] != "warn"] == ["pause", "release"] * 2


def test_configured_normal_before_enough_samples(golden: Golden) -> None:
    """ "before that on max(spread_normal_points, profile, floor)": 50 of 10 is not over 5."""
    rows = golden.rows(spreads(50, 51), symbols=NORMAL)
    assert rows == [(MS, SPREAD, "pause", "5.10000000", "10", "EURUSD")]


def test_not_armed_without_samples_or_configured_normal(golden: Golden) -> None:
    """ "without either not armed"."""
    assert golden.rows(spreads(10, 5000), limits={"jump_frac": "0.5"}) == []


def test_lower_median(golden: Golden) -> None:
    """ "lower median = `sorted[(n-1)/2]`": of 10, 20, 30, 40 it is 20, so 101 is over 5 x."""
    rows = golden.rows(spreads(40, 10, 30, 20, 100), limits=LEARNED)
    assert rows == []
    rows = golden.rows(spreads(40, 10, 30, 20, 101), limits=LEARNED)
    assert [row[2:] for row in rows] == [("pause", "5.05000000", "20", "EURUSD")]


def test_one_sample_per_interval(golden: Golden) -> None:
    """ "whose interval `floor(t / spread_sample_ms)` is later than the ... last sample's"."""
    limits = LEARNED | {"spread_sample_ms": 1000}
    events = [
        *spreads(10, 10, 10, 1, 1, 1, step=200 * MS),
        *spreads(2, 2, 51, start=S, step=900 * MS),
    ]
    # T0 is a whole second: the samples are 10 (at 0 s) and 1 (at 1 s), the lower median is 1.
    assert golden.rows(events, limits=limits) == []
    rows = golden.rows(events, limits=limits | {"spread_samples_min": 2})
    assert [row[2:5] for row in rows] == [("pause", "51.00000000", "1")]


def test_sample_leaves_the_window(golden: Golden) -> None:
    """ "A sample taken at s is in the window while `t - s < spread_window_s`"."""
    limits = LEARNED | {"spread_samples_min": 1, "spread_window_s": 10}
    first = spreads(10)
    assert len(golden.rows([*first, *spreads(51, start=10 * S - 1)], limits=limits)) == 1
    assert golden.rows([*first, *spreads(51, start=10 * S)], limits=limits) == []


def test_anomalous_ticks_are_not_sampled(golden: Golden) -> None:
    """ "on `spread_confirm_ticks` consecutive valid ticks"; anomalous ones are no samples."""
    limits = LEARNED | {"spread_samples_min": 1, "spread_confirm_ticks": 3}
    rows = golden.rows(spreads(10, 60, 60, 10, 60, 60, 70), limits=limits)
    assert rows == [(6 * MS, SPREAD, "pause", "7.00000000", "10", "EURUSD")]


def test_spread_clears_by_deadline(golden: Golden) -> None:
    """ "the hold starts at such a tick, a tick above restarts it, it ends by deadline"."""
    events = [
        *spreads(51, 25, start=0, step=S),
        *spreads(26, 25, start=20 * S, step=5 * S),
        clock(100 * S),
    ]
    rows = golden.rows(events, symbols=NORMAL)
    assert rows[1] == (55 * S, SPREAD + "_CLEARED", "release", "2.50000000", "10", "EURUSD")


def test_hold_restarts_after_closed_time(golden: Golden) -> None:
    """ "time out of session restarts it at the first tick after"."""
    events = [
        *spreads(51, start=FRIDAY - 20 * S),
        *spreads(10, start=FRIDAY - 10 * S),
        *spreads(10, start=SUNDAY + 5 * S),
        clock(SUNDAY + 60 * S),
    ]
    rows = golden.rows(events, symbols=[NORMAL[0] | {"session": "24x5"}])
    assert [row[0] for row in rows] == [FRIDAY - 20 * S, SUNDAY + 35 * S]


def test_normal_is_frozen_and_then_moves(golden: Golden) -> None:
    """ "the normal stands as it was at the pausing tick ...; after `spread_freeze_max_s` every
    valid tick is sampled": 3 samples of 60 after 10 s make 60 the median, 60 <= 2.5 x 60.
    """
    limits = {
        "spread_samples_min": 3, "spread_sample_ms": 1, "spread_freeze_max_s": 10,
        "spread_window_s": 60, "spread_clear_s": 5,
    }  # fmt: skip
    events = [
        *spreads(10, 10, 10, 60),
        *spreads(60, start=9 * S),
        *spreads(60, 60, 60, 60, 60, start=11 * S, step=S),
        clock(30 * S),
    ]
    rows = golden.rows(events, limits=limits)
    # Samples 10 10 10 60 60 60: the lower median is 10; with a fourth 60 (at 14 s) it is 60,
    # which the tick at 15 s is judged by.
    assert rows[1][0] == 20 * S
    assert rows[1][3:5] == ("1.00000000", "60")


def test_profile_of_the_new_york_week(golden: Golden) -> None:
    """ "`normal = max(lower median of the window, profile, floor)`" by 15-minute bucket.

    T0 is Tuesday 17:13:20: bucket 2 x 96 + 17 x 4 + 0 = 260.
    """
    buckets: list[int | None] = [None] * 672
    buckets[260] = 20
    profile = {"version": 1, "symbols": {"EURUSD": {"buckets": buckets}}}
    (golden.folder / "p.json").write_text(json.dumps(profile))
    symbols = [EURUSD | {"spread_profile": "p.json"}]
    rows = golden.rows(spreads(100, 101, 4000, start=0, step=MS), symbols=symbols)
    assert [row[3:5] for row in rows] == [("5.05000000", "20")]
    assert golden.rows(spreads(4000, start=100 * S), symbols=symbols) == []


def test_repeated_seq_is_ignored(golden: Golden) -> None:
    """ "a repeated or lower one of the same type, account and source is ignored"."""
    limits = {"errors_per_minute": 1}
    events = [error(0, seq=5), error(1, seq=5), error(2, seq=4), error(3, seq=9, source="x")]
    rows = golden.rows(events, limits=limits)
    assert [row[:3] for row in rows] == [(0, ERRORS + "_WARN_80", "warn"), (3, ERRORS, "pause")]


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(clock(-1)),
        json.dumps({"type": "nonsense", "t_ns": T0 + 9}),
        json.dumps(heartbeat(9) | {"account": "Z"}),
        json.dumps({"type": "heartbeat", "t_ns": T0 + 9, "account": "A"}),
        json.dumps(tick(9, "x", "1")),
        json.dumps({"type": "clock"}),
        "{",
        "[]",
    ],
)
def test_unreadable_input(golden: Golden, line: str) -> None:
    """ "Exit 6: `t_ns` going back within one input, unknown type, unknown account, missing field,
    text that is no number; decisions before it stay printed".
    """
    config_path, tape = golden.folder / "c.toml", golden.folder / "t.jsonl"
    config_path.write_text(config({"errors_per_minute": 1}))
    rows = [json.dumps(error(0)), "", line, json.dumps(error(10))]
    tape.write_text("\n".join(rows))
    printed: list[str] = []
    with pytest.raises(Unreadable) as caught:
        printed.extend(replay(config_path, (), [tape]))
    assert (caught.value.file, caught.value.line) == ("t.jsonl", 3)
    lines = replay(config_path, (), [tape])
    assert '"code":"ERROR_RATE_EXCEEDS_MAX_WARN_80"' in next(lines)


def test_index_counts_lines_but_not_blank_ones(golden: Golden) -> None:
    """ "`index` counts from 1 over all events of all inputs ..., blank lines not"."""
    lines = golden.lines(["", json.dumps(clock(0)), "  ", error(1), error(2)],
                         limits={"errors_per_minute": 1})  # fmt: skip
    assert [(line["index"], line["source"]["line"]) for line in lines] == [(2, 4), (3, 5)]


def test_symbol_line_supplies_digits(golden: Golden) -> None:
    """ "Facts come key by key from `[[symbol]]`, else a `symbol` line"."""
    fact = {"type": "symbol", "t_ns": T0, "account": "A", "symbol": "USDJPY", "digits": 3,
            "spread_normal_points": 10}  # fmt: skip
    events = [fact, tick(1, "150.000", "150.051", symbol="USDJPY")]
    assert [row[3:] for row in golden.rows(events)] == [("5.10000000", "10", "USDJPY")]
    del fact["digits"]
    with pytest.raises(BadConfig):
        golden.rows(events)


def test_order_at_one_instant(golden: Golden) -> None:
    """ "triggers daily_loss, total_drawdown, connection_lost, error_rate, price_anomaly, input"."""
    events = [
        account(0, "100000", LONG),
        tick(1, "1.2", "1.2"),
        tick(2, "1.13", "1.13"),
        tick(3, "1.12", "1.13"),
    ]
    rows = golden.rows(events, limits={"confirm": "none"}, symbols=NORMAL)
    assert [(row[1], row[2]) for row in rows[1:]] == [
        ("DAILY_LOSS_EXCEEDS_MAX", "halt"),
        ("TOTAL_DRAWDOWN_EXCEEDS_MAX", "halt"),
        (SPREAD, "pause"),
        ("PRICE_JUMP_CLEARED", "release"),
    ]


def test_tick_files(tmp_path: Path) -> None:
    """ "`ms_since_midnight,bid,ask` ... exact decimal"; "(in a zip: of the inner file; headers
    counted)".
    """
    (tmp_path / "c.toml").write_text(config(symbols=NORMAL))
    with zipfile.ZipFile(tmp_path / "x_20140502.zip", "w") as archive:
        archive.writestr("20140502.csv", "46.2042,1.20000,1.20010\n46.2043,1.20000,1.20051\n")
    with gzip.open(tmp_path / "b.csv.gz", "wt") as rows:
        rows.write("recv_ns,bid,bid_qty,ask,ask_qty\n1398988800000000001,1.2,1,1.20060,1\n")
    specs = [f"oanda:EURUSD:{tmp_path}/x_20140502.zip", f"bookticker:EURUSD:{tmp_path}/b.csv.gz"]
    lines = [json.loads(line) for line in replay(tmp_path / "c.toml", specs)]
    assert [(line["t_ns"], line["index"], line["source"]) for line in lines] == [
        (1398988800000000001, 1, {"file": "b.csv.gz", "line": 2})
    ]
    lines = [json.loads(line) for line in replay(tmp_path / "c.toml", specs[:1])]
    assert lines[0]["t_ns"] == 1398988800046204300
    assert lines[0]["source"] == {"file": "x_20140502.zip", "line": 2}


def test_equal_times_keep_the_order_of_files(golden: Golden) -> None:
    """ "equal `t_ns` keep file order, files in the order given"."""
    config_path = golden.folder / "c.toml"
    config_path.write_text(config({"errors_per_minute": 1}))
    tapes = [golden.folder / name for name in ("b.jsonl", "a.jsonl")]
    for tape in tapes:
        tape.write_text(json.dumps(error(0)) + "\n")
    lines = [json.loads(line) for line in replay(config_path, (), tapes)]
    assert [(line["index"], line["source"]["file"]) for line in lines] == [
        (1, "b.jsonl"),
        (2, "a.jsonl"),
    ]


def test_a_converting_symbol_goes_stale_too(golden: Golden) -> None:
    """ "while it has a position or converts one": CHF profit needs USDCHF; both age."""
    symbols = [EURUSD | {"name": "EURCHF"}, EURUSD | {"name": "USDCHF"}]
    held = position(7, "buy", "1.00", "1.10000", symbol="EURCHF")
    events = [
        tick(0, "0.9", "0.9", symbol="USDCHF"),
        account(S, "100000", held),
        tick(5 * S, "1.1", "1.1", symbol="EURCHF"),
        clock(20 * S),
    ]
    rows = golden.rows(events, limits={"price_age_max_s": 10}, symbols=symbols)
    assert [(row[0], row[5]) for row in rows] == [
        (10 * S + 1, "USDCHF"),
        (15 * S + 1, "EURCHF"),
    ]


def test_bad_data_never_moves_a_suspect(golden: Golden) -> None:
    """ "a suspect is discarded or confirmed by "the next valid tick"": bad ticks do nothing."""
    events = [
        tick(0, "1.2", "1.2"),
        tick(1, "1.3", "1.3"),
        tick(2, "1.2", "NaN"),
        tick(3, "1.3", "1.2"),
        clock(S),
    ]
    rows = golden.rows(events)
    assert [row[:3] for row in rows] == [
        (1, "PRICE_JUMP", "pause"),
        (500 * MS + 1, "PRICE_JUMP_CLEARED", "release"),
    ]


def test_marked_equity_without_a_route_is_untrusted(golden: Golden) -> None:
    """ "While marked equity is untrusted, reported alone is judged": no CHF rate, no breach."""
    held = position(7, "buy", "1.00", "1.10000", symbol="EURCHF")
    events = [account(0, "100000", held), tick(1, "1.0", "1.0", symbol="EURCHF")]
    limits = {"confirm": "none", "jump_frac": "0.5"}
    assert golden.rows(events, limits=limits, symbols=[EURUSD | {"name": "EURCHF"}]) == []
