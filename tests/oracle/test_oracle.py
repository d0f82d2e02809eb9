"""Golden cases for equity, daily loss and drawdown, worked out by hand from TRIGGERS.md."""

import json
from pathlib import Path

import pytest

from tests.oracle.errors import BadConfig
from tests.oracle.golden import (
    MS,
    T0,
    USDJPY,
    Golden,
    S,
    account,
    account_table,
    clock,
    config,
    fill,
    position,
    table,
    tick,
    transfer,
)  # fmt: skip
from tests.oracle.reference import replay

DAILY = "DAILY_LOSS_EXCEEDS_MAX"
TOTAL = "TOTAL_DRAWDOWN_EXCEEDS_MAX"
LONG = position(7, "buy", "1.00", "1.20000")
SHORT = position(7, "sell", "1.00", "1.20000")
NONE = {"confirm": "none"}


def test_exactly_three_percent_does_not_fire(golden: Golden) -> None:
    """ "All comparisons with thresholds are strict": 1 lot x 0.03000 is 3000.00 of 100000.00."""
    rows = golden.rows([account(0, "100000", LONG), tick(1, "1.17000", "1.17010")], limits=NONE)
    assert rows == [(1, DAILY + "_WARN_80", "warn", "0.03000000", "100000.00", None)]


def test_one_point_more_fires(golden: Golden) -> None:
    """ "`confirm = "none"` marked equity alone halts at once": 3001.00 is over 3 %."""
    rows = golden.rows([account(0, "100000", LONG), tick(1, "1.16999", "1.17010")], limits=NONE)
    assert rows == [
        (1, DAILY, "halt", "0.03001000", "100000.00", None),
        (1, TOTAL + "_WARN_50", "warn", "0.03001000", "100000.00", None),
    ]


def test_marked_breach_pauses_and_a_fresh_snapshot_halts(golden: Golden) -> None:
    """ "a breach ... pauses at once ...; a fresh snapshot that breaches halts"."""
    events = [account(0, "100000", LONG), tick(1, "1.16990", "1.17010"),
              account(2, "96980.00", balance="100000")]  # fmt: skip
    rows = golden.rows(events, limits={"total_drawdown": "0.5"})
    assert rows == [
        (1, DAILY, "pause", "0.03010000", "100000.00", None),
        (2, DAILY, "halt", "0.03020000", "100000.00", None),
    ]


def test_a_fresh_snapshot_that_does_not_breach_releases(golden: Golden) -> None:
    """ "one that does not breach releases that pause at once" and 1 % is under half of 3 %."""
    events = [account(0, "100000", LONG), tick(1, "1.16990", "1.17010"), account(2, "99000")]
    rows = golden.rows(events, limits={"total_drawdown": "0.5"})
    assert rows == [
        (1, DAILY, "pause", "0.03010000", "100000.00", None),
        (2, DAILY + "_CLEARED", "release", "0.01000000", "100000.00", None),
    ]


def test_release_then_warn_at_one_instant(golden: Golden) -> None:
    """ "no warn is printed while it is pending", then "release, warn, pause, halt"."""
    events = [account(0, "100000", LONG), tick(1, "1.16990", "1.17010"), account(2, "97500")]
    rows = golden.rows(events, limits={"total_drawdown": "0.5"})
    assert rows[1:] == [
        (2, DAILY + "_CLEARED", "release", "0.02500000", "100000.00", None),
        (2, DAILY + "_WARN_80", "warn", "0.02500000", "100000.00", None),
    ]


def test_confirmation_deadline_halts_what_still_breaches(golden: Golden) -> None:
    """ "`> T` falls due at start + T + 1 ns": more than 500 ms after the tick at 1 ns."""
    events = [account(0, "100000", LONG), tick(1, "1.16990", "1.17010"), clock(2 * S)]
    lines = golden.lines(events, limits={"total_drawdown": "0.5"})
    assert [(line["t_ns"] - T0, line["action"]) for line in lines] == [
        (1, "pause"), (500 * MS + 2, "halt"),
    ]  # fmt: skip
    assert lines[1]["index"] == 3
    assert lines[1]["source"] == {"file": "tape.jsonl", "line": 3}


def test_confirmation_deadline_releases_what_recovered(golden: Golden) -> None:
    """ "marked equity decides: ... otherwise the pause is released": 300.00 is 0.3 %."""
    events = [account(0, "100000", LONG), tick(1, "1.16990", "1.17010"),
              tick(2, "1.18000", "1.18010"), tick(3, "1.19700", "1.19710"), clock(S)]  # fmt: skip
    rows = golden.rows(events, limits={"total_drawdown": "0.5"})
    assert rows[1:] == [
        (500 * MS + 2, DAILY + "_CLEARED", "release", "0.00300000", "100000.00", None)
    ]


def test_event_at_the_confirmation_time_comes_before_the_deadline(golden: Golden) -> None:
    """ "when more than `confirm_ms` have passed": a snapshot exactly 500 ms later still counts."""
    events = [account(0, "100000", LONG), tick(1, "1.16990", "1.17010"),
              account(500 * MS + 1, "99000")]  # fmt: skip
    rows = golden.rows(events, limits={"total_drawdown": "0.5"})
    assert [row[:3] for row in rows[1:]] == [(500 * MS + 1, DAILY + "_CLEARED", "release")]


def test_untrusted_at_the_deadline_halts(golden: Golden) -> None:
    """ "still breaching or untrusted halts"; a missing equity is "no snapshot"."""
    broken = account(2, "0")
    del broken["equity"]
    events = [account(0, "100000", LONG), tick(1, "1.16990", "1.17010"), broken, clock(S)]
    rows = golden.rows(events, limits={"total_drawdown": "0.5"})
    assert rows[1:] == [
        (2, "EQUITY_UNTRUSTED", "pause", None, None, None),
        (500 * MS + 2, DAILY, "halt", "0.00000000", "100000.00", None),
    ]


def test_bad_account_pauses_until_a_valid_one(golden: Golden) -> None:
    """ "error class `bad_account`, pause EQUITY_UNTRUSTED until a valid one"."""
    events = [account(0, "NaN"), account(1, "Infinity"), account(2, "100000")]
    rows = golden.rows(events, limits={"errors_per_minute": 1})
    assert rows == [
        (0, "ERROR_RATE_EXCEEDS_MAX_WARN_80", "warn", "1", None, None),
        (0, "EQUITY_UNTRUSTED", "pause", None, None, None),
        (1, "ERROR_RATE_EXCEEDS_MAX", "pause", "2", None, None),
        (2, "EQUITY_UNTRUSTED_CLEARED", "release", None, None, None),
    ]


def test_reported_breach_halts_without_a_pause(golden: Golden) -> None:
    """ "A breach by reported equity halts at once, without a pause before it"."""
    rows = golden.rows([account(0, "100000"), account(1, "96000", balance="100000")])
    assert rows[0] == (1, DAILY, "halt", "0.04000000", "100000.00", None)
    assert rows[1][1:3] == (TOTAL + "_WARN_50", "warn")


def test_short_is_marked_at_ask(golden: Golden) -> None:
    """ "long at bid, short at ask": the ask is 0.02 above 1.2, 2000.00 lost."""
    rows = golden.rows([account(0, "100000", SHORT), tick(1, "1.21900", "1.22000")], limits=NONE)
    assert rows == [(1, DAILY + "_WARN_50", "warn", "0.02000000", "100000.00", None)]


def test_hedged_book_loses_only_the_spread(golden: Golden) -> None:
    """Long at bid and short at ask of one lot each lose (ask - bid) x 100000 = 2000.00."""
    other = position(8, "sell", "1.00", "1.20000")
    events = [account(0, "100000", LONG, other), tick(1, "1.09000", "1.11000")]
    assert golden.rows(events, limits=NONE)[0][3] == "0.02000000"


def test_snapshot_replaces_marks(golden: Golden) -> None:
    """ "until a later accepted tick of its symbol a position stands at its `price_current`"."""
    events = [account(0, "100000", LONG), tick(1, "1.19000", "1.19010"),
              account(2, "100000", LONG), clock(3), tick(4, "1.18500", "1.18510")]  # fmt: skip
    assert golden.rows(events, limits=NONE) == []


def test_out_fill_swaps_floating_for_realised(golden: Golden) -> None:
    """ "add profit + commission + swap + fee ... and remove the closed share".

    Snapshot 99500 holds -500 floating. Half is closed for -1300 - 20 - 5 - 3 = -1328; half of
    profit -400 and swap -100 leaves: 99500 - 1328 + 250 = 98422 and the rest is 1 point lower
    on half a lot: 98421.50, a loss of 1578.50 from 100000.
    """
    held = position(7, "buy", "1.00", "1.20000", profit="-400", swap="-100")
    events = [account(0, "99500", held, balance="100000"),
              fill(1, 11, "out sell", "0.50", "1.19", profit="-1300", commission="-20",
                   swap="-5", fee="-3"),
              tick(2, "1.19999", "1.20005")]  # fmt: skip
    assert golden.rows(events, limits=NONE) == [
        (1, DAILY + "_WARN_50", "warn", "0.01578000", "100000.00", None)
    ]
    events.insert(2, clock(1))
    tight = NONE | {"daily_loss": "0.015781"}
    assert golden.rows(events, limits=tight)[-1] == (
        2, DAILY, "halt", "0.01578500", "100000.00", None,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["out sell", "inout sell"])
def test_a_fill_of_volume_zero_moves_its_money_alone(golden: Golden, how: str) -> None:
    """1600 of commission count, the position stays whole: 1 lot, ten pips lower, loses 100 more."""
    charged = {"profit": "0", "commission": "-1600"}
    whole = position(7, "buy", "1.00", "1.20000")
    events = [account(0, "100000", whole), fill(1, 11, how, "0.00", "1.2", **charged),
              tick(2, "1.19900", "1.19905")]  # fmt: skip
    assert golden.rows(events, limits=NONE | {"daily_loss": "0.0169"}) == [
        (1, DAILY + "_WARN_80", "warn", "0.01600000", "100000.00", None),
        (2, DAILY, "halt", "0.01700000", "100000.00", None),
    ]


def test_a_fill_of_a_negative_volume_does_nothing(golden: Golden) -> None:
    """As one with a non-finite number."""
    events = [account(0, "100000", LONG),
              fill(1, 11, "out sell", "-0.10", "1.2", profit="-5000")]  # fmt: skip
    assert golden.rows(events, limits=NONE) == []


def test_seen_and_old_deals_do_nothing(golden: Golden) -> None:
    """ "a new `deal` (above the snapshot's optional `last_deal`)"."""
    loss = {"profit": "-1000"}
    events = [account(0, "100000", LONG, last_deal=11),
              fill(1, 11, "out sell", "0.10", "1.2", **loss),
              fill(2, 12, "out sell", "0.10", "1.2", **loss),
              fill(3, 12, "out sell", "0.10", "1.2", **loss),
              fill(4, 13, "out sell", "0.10", "1.2", profit="-600")]  # fmt: skip
    assert golden.rows(events, limits=NONE) == [
        (4, DAILY + "_WARN_50", "warn", "0.01600000", "100000.00", None)
    ]


def test_in_fill_opens_at_its_price(golden: Golden) -> None:
    """ "`in`: open at its price": 2 lots bought at 1.2, bid 1.19 later: 2000.00 lost."""
    events = [account(0, "100000"), fill(1, 11, "in buy", "2.00", "1.20000"),
              tick(2, "1.19000", "1.19010")]  # fmt: skip
    assert golden.rows(events, limits=NONE) == [
        (2, DAILY + "_WARN_50", "warn", "0.02000000", "100000.00", None)
    ]


def test_inout_closes_and_opens_the_other_way(golden: Golden) -> None:
    """ "`inout`: both": 1 lot long turned by a sale of 3 into 2 lots short at 1.2."""
    events = [account(0, "100000", LONG), fill(1, 11, "inout sell", "3.00", "1.20000"),
              tick(2, "1.20900", "1.21000")]  # fmt: skip
    assert golden.rows(events, limits=NONE) == [
        (2, DAILY + "_WARN_50", "warn", "0.02000000", "100000.00", None)
    ]


def test_deposit_is_no_profit_and_withdrawal_no_loss(golden: Golden) -> None:
    """ "a transfer also moves marked equity at its line": loss stays 1600 of base 100000."""
    events = [account(0, "100000", LONG), transfer(1, "-50000"), transfer(2, "7000", "bonus"),
              tick(3, "1.18400", "1.18410")]  # fmt: skip
    assert golden.rows(events, limits=NONE) == [
        (3, DAILY + "_WARN_50", "warn", "0.01600000", "100000.00", None)
    ]


def test_other_deal_kinds_are_loss(golden: Golden) -> None:
    """ "other deal kinds are profit or loss": a charge of 1600 is a loss of 1.6 %."""
    events = [account(0, "100000"), transfer(1, "-1600", "charge")]
    assert golden.rows(events, limits=NONE)[0] == (
        1, DAILY + "_WARN_50", "warn", "0.01600000", "100000.00", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "reference"),
    [
        ("max_balance_equity", "0.02000000", "101000.00"),
        ("balance", "0.01020000", "100000.00"),
        ("equity", "0.02000000", "101000.00"),
        ("initial_balance", "0.01020000", "100000.00"),
    ],
)
def test_first_reference(golden: Golden, kind: str, value: str, reference: str) -> None:
    """ "`reference`: `max_balance_equity`, `balance`, `equity`, `initial_balance`".

    Balance 100000, equity 101000; an equity of 98980 is 2020 or 1020 below the reference.
    """
    limits = {"daily_reference": kind, "daily_loss": "0.0102", "total_drawdown": "0.99"}
    events = [account(0, "101000", balance="100000"), account(1, "98980")]
    line = golden.lines(events, limits=limits)[-1]
    assert (line["value"], line["reference"]) == (value, reference)
    assert line["action"] == ("halt" if value == "0.02000000" else "warn")


def test_base_can_be_the_initial_balance(golden: Golden) -> None:
    """ "`base`: the reference without transfers, or the initial balance": 1000 of 50000 is 2 %."""
    rows = golden.rows(
        [account(0, "100000"), account(1, "99000")],
        limits={"daily_base": "initial_balance"},
        account={"initial_balance": "50000"},
    )
    assert rows == [(1, DAILY + "_WARN_50", "warn", "0.02000000", "100000.00", None)]


def test_rollover_takes_the_last_state_before_it(golden: Golden) -> None:
    """ "last balance ... and marked equity": 17:00 New York is 85600 s after T0.

    The mark of 101500 is the new reference; 1.185 leaves 98500, a loss of 3000 = 2.9557 %.
    """
    events = [account(0, "100000", LONG), tick(1, "1.21500", "1.21510"), clock(85_599 * S),
              tick(85_600 * S, "1.20000", "1.20010"),
              tick(85_600 * S + 1, "1.18500", "1.18510")]  # fmt: skip
    rows = golden.rows(events, limits=NONE | {"total_drawdown": "0.99", "price_age_max_s": 90000})
    assert rows == [(85_600 * S + 1, DAILY + "_WARN_80", "warn", "0.02955666", "101500.00", None)]


def test_event_at_the_rollover_is_in_the_new_day(golden: Golden) -> None:
    """ "An event at that instant is in the new day": the transfer is counted in it."""
    events = [account(0, "100000"), transfer(85_600 * S, "-90000"),
              transfer(85_600 * S + 1, "-2000", "charge")]  # fmt: skip
    rows = golden.rows(events, limits=NONE | {"total_drawdown": "0.99"})
    assert rows == [(85_600 * S + 1, DAILY + "_WARN_50", "warn", "0.02000000", "100000.00", None)]


@pytest.mark.parametrize(
    ("time", "start_s", "rollover_s"),
    [
        # 2024-03-10: 02:00-03:00 New York does not exist; it is 07:00 UTC when 03:00 comes.
        ("02:30", 1_710_054_000 - 600, 1_710_054_000),
        # 2024-11-03: 01:30 comes twice, first at 05:30 UTC.
        ("01:30", 1_730_611_800 - 600, 1_730_611_800),
    ],
)
def test_rollover_over_clock_changes(
    golden: Golden, time: str, start_s: int, rollover_s: int
) -> None:
    """ "a local time that does not exist means the next existing one, a doubled one the first"."""
    at = start_s * S - T0
    events = [account(at, "98400", balance="100000"), clock(at + 3 * 3600 * S)]
    limits = {"rollover_time": time, "total_drawdown": "0.99"}
    rows = golden.rows(events, limits=limits)
    warn = (DAILY + "_WARN_50", "warn", "0.01600000", "100000.00", None)
    assert rows == [(at, *warn), (rollover_s * S - T0, *warn)]


def test_operator_reference_stays_closed(golden: Golden) -> None:
    """ "`operator` stays closed": no daily loss is judged, drawdown is."""
    events = [account(0, "100000"), account(1, "93000")]
    rows = golden.rows(events, limits={"first_reference": "operator"})
    assert rows == [
        (0, "DAY_START_UNKNOWN", "pause", None, None, None),
        (1, TOTAL, "halt", "0.07000000", "100000.00", None),
    ]


def test_marks_never_raise_the_peak(golden: Golden) -> None:
    """ "a valid snapshot ... sets peak to it ...; marks never raise it"."""
    events = [account(0, "100000", LONG), tick(1, "1.22000", "1.22010"), account(2, "101000"),
              account(3, "94940")]  # fmt: skip
    rows = golden.rows(events, limits={"daily_loss": "0.99"})
    assert rows == [(3, TOTAL + "_WARN_80", "warn", "0.06000000", "101000.00", None)]


def test_first_peak_is_at_least_the_initial_balance(golden: Golden) -> None:
    """ "The first peak is max(initial balance, first reported equity)": 94000 is exactly 6 %."""
    rows = golden.rows([account(0, "94000")], limits={"daily_loss": "0.99"})
    assert rows == [(0, TOTAL + "_WARN_80", "warn", "0.06000000", "100000.00", None)]


def test_peak_and_transfers(golden: Golden) -> None:
    """ "peak + transfers - equity > threshold x peak, peak without transfers on the right".

    After a withdrawal of 50000 a loss of 5999 is 5.999 % of 100000; one of 6001 breaches.
    """
    events = [account(0, "100000"), transfer(1, "-50000"), account(2, "44001"),
              account(3, "43999")]  # fmt: skip
    rows = golden.rows(events, limits={"daily_loss": "0.99"})
    assert rows == [
        (2, TOTAL + "_WARN_80", "warn", "0.05999000", "100000.00", None),
        (3, TOTAL, "halt", "0.06001000", "100000.00", None),
    ]


def test_static_peak_never_moves(golden: Golden) -> None:
    """ "`static`: peak is the initial balance for ever": 120000 raises nothing."""
    events = [account(0, "120000"), account(1, "96000")]
    rows = golden.rows(events, limits={"daily_loss": "0.99", "drawdown_mode": "static"})
    assert rows == [(1, TOTAL + "_WARN_50", "warn", "0.04000000", "100000.00", None)]


def test_end_of_day_balance_raises_the_peak(golden: Golden) -> None:
    """ "raised to the balance at rollovers when above `peak + transfers`"."""
    events = [account(0, "110000"), account(1, "106000"), account(85_600 * S, "101760")]
    limits = {"daily_loss": "0.99", "drawdown_mode": "trailing_eod_balance"}
    assert golden.rows(events, limits=limits) == [
        (85_600 * S, TOTAL + "_WARN_50", "warn", "0.04000000", "106000.00", None)
    ]


def test_lock_at_is_a_floor_in_money(golden: Golden) -> None:
    """ "floor = min(peak - threshold x peak, lock_at) + transfers, breach when equity < floor"."""
    events = [account(0, "100000"), account(1, "120000"), account(2, "100000"),
              account(3, "99999.99")]  # fmt: skip
    rows = golden.rows(events, limits={"daily_loss": "0.99", "lock_at": "100000"})
    assert rows == [
        (2, TOTAL + "_WARN_80", "warn", "0.16666667", "120000.00", None),
        (3, TOTAL, "halt", "0.16666675", "120000.00", None),
    ]


def test_lock_at_below_the_first_floor_is_refused(golden: Golden) -> None:
    """ "a `lock_at` below the first floor is a configuration error": the floor is 94000."""
    with pytest.raises(BadConfig):
        golden.rows([], limits={"lock_at": "93999.99"})
    assert golden.rows([], limits={"lock_at": "94000"}) == []


def test_equity_of_zero_is_a_breach(golden: Golden) -> None:
    """ "A base <= 0 or an equity <= 0 is a breach", whatever the loss is."""
    rows = golden.rows(
        [account(0, "1000", balance="0"), account(1, "0")],
        limits={"daily_loss": "0.99", "total_drawdown": "0.99"},
        account={"initial_balance": "1000"},
    )
    assert [row[:3] for row in rows] == [(1, DAILY, "halt"), (1, TOTAL, "halt")]


def test_warn_rearms_at_half_the_band(golden: Golden) -> None:
    """ "A band re-arms ... when the value is at most half the band": 0.75 % is half of 1.5 %."""
    equities = ["98400", "99249", "98400", "99250", "98400"]
    events = [account(n, e, balance="100000") for n, e in enumerate(["100000", *equities])]
    rows = golden.rows(events, limits={"total_drawdown": "0.99"})
    assert [row[0] for row in rows] == [1, 5]


def test_conversion_is_inverse_through_its_own_quote(golden: Golden) -> None:
    """ "Choice: direct, else inverse": -1.600 x 100000 JPY at the mid 100 is -1600 USD."""
    held = position(7, "buy", "1.00", "101.590", symbol="USDJPY")
    events = [account(0, "100000", held), tick(1, "99.990", "100.010", symbol="USDJPY")]
    assert golden.rows(events, limits=NONE, symbols=[USDJPY]) == [
        (1, DAILY + "_WARN_50", "warn", "0.01600000", "100000.00", None)
    ]


def test_conversion_through_usd(golden: Golden) -> None:
    """ "else through USD": -2000 CHF x (1 / 1.25 USDCHF) x (1 / 0.8 EURUSD) is -2000 EUR."""
    symbols = [{"name": name, "digits": 5} for name in ("AUDCHF", "EURUSD", "USDCHF")]
    held = position(7, "buy", "1.00", "0.60000", symbol="AUDCHF")
    events = [tick(0, "0.80000", "0.80000"), tick(0, "1.25000", "1.25000", symbol="USDCHF"),
              account(0, "100000", held),
              tick(1, "0.58000", "0.58010", symbol="AUDCHF")]  # fmt: skip
    rows = golden.rows(events, limits=NONE, symbols=symbols, account={"currency": "EUR"})
    assert rows == [(1, DAILY + "_WARN_50", "warn", "0.02000000", "100000.00", None)]


def test_totals_are_rounded_half_even_once(golden: Golden) -> None:
    """ "totals are rounded half-even to minor units once, at the comparison".

    0.005 lots x 1 point is 0.005: equity 98499.995 rounds to 98500.00, one of two even ends.
    """
    held = position(7, "buy", "0.005", "1.20001")
    events = [account(0, "100000"), account(1, "98500.00", held, balance="100000"),
              tick(2, "1.20000", "1.20010"), tick(3, "1.19998", "1.20010")]  # fmt: skip
    rows = golden.rows(events, limits=NONE)
    assert rows == [(3, DAILY + "_WARN_50", "warn", "0.01500020", "100000.00", None)]


def test_price_text_rounds_half_even_to_points(golden: Golden) -> None:
    """ "integer points by half-even rounding of their decimal text": 1.184005 is 1.18400."""
    events = [account(0, "100000", LONG), tick(1, "1.184005", "1.184015")]
    assert golden.rows(events, limits=NONE)[0][3] == "0.01600000"


def test_value_is_rounded_up(golden: Golden) -> None:
    """ "rounded up, so that a breach always reads above its threshold"."""
    rows = golden.rows(
        [account(0, "1000000000.00"), account(1, "969999999.99")],
        limits={"total_drawdown": "0.99"},
        account={"initial_balance": "1000000000"},
    )
    assert rows == [(1, DAILY, "halt", "0.03000001", "1000000000.00", None)]


def test_line_text(golden: Golden) -> None:
    """ "Decision line (one per change; fixed key order)", compact, threshold as written."""
    text = golden.text([account(0, "100000"), account(1, "96000")],
                       config({"daily_loss": 0.03, "total_drawdown": "0.50"}))  # fmt: skip
    digest = json.loads(text[0])["config_hash"]
    assert len(digest) == 64
    assert text == [
        '{"v":1,"index":2,"t_ns":1700000000000000001,"account":"A","scope":"account",'
        '"trigger":"daily_loss","action":"halt","code":"DAILY_LOSS_EXCEEDS_MAX",'
        '"value":"0.04000000","threshold":"0.03","reference":"100000.00","symbol":null,'
        '"source":{"file":"tape.jsonl","line":2},"config_hash":"' + digest + '"}'
    ]


def test_ticks_without_account_go_to_every_account(tmp_path: Path) -> None:
    """ "tick lines without `account`, go to every account", "accounts in config order"."""
    parts = [account_table(name, currency_digits=0) for name in ("B", "A")]
    parts.append(table("[[symbol]]", {"name": "EURUSD", "digits": 5, "spread_normal_points": 10}))
    (tmp_path / "c.toml").write_text("\n".join(parts))
    wide = tick(0, "1.20000", "1.20051")
    del wide["account"]
    (tmp_path / "t.jsonl").write_text(json.dumps(wide) + "\n")
    lines = [json.loads(line) for line in replay(tmp_path / "c.toml", (), [tmp_path / "t.jsonl"])]
    assert [line["account"] for line in lines] == ["B", "A"]


def test_strategy_limit(golden: Golden) -> None:
    """ "`scope` is `account`, or `strategy:NAME`": 1 % of 100000 is lost by magic 5 alone."""
    more = table("[[strategy]]", {"name": "s", "magic": [5]})
    more += table("[strategy.limits]", {"daily_loss": "0.01"})
    mine = position(8, "buy", "1.00", "1.20000", magic=5)
    events = [account(0, "100000", mine), tick(1, "1.18999", "1.19010")]
    lines = golden.lines(events, limits=NONE, more=more)
    assert [(line["scope"], line["action"], line["value"]) for line in lines] == [
        ("strategy:s", "halt", "0.01001000")
    ]
