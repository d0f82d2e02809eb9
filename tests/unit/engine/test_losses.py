"""Loss limits to the cent, the confirmation by the broker's figure, and what moves references."""

import pytest

from tests.unit.engine.desk import SYMBOL, Desk, long

HALT_DAY = "halt DAILY_LOSS_EXCEEDS_MAX"
PAUSE_DAY = "pause DAILY_LOSS_EXCEEDS_MAX"
FREE_DAY = "release DAILY_LOSS_EXCEEDS_MAX_CLEARED"
WARN_80 = "warn DAILY_LOSS_EXCEEDS_MAX_WARN_80"


def test_a_loss_of_exactly_three_percent_does_not_fire_and_a_cent_more_does() -> None:
    desk = Desk()
    desk.account("100000.00")
    assert desk.account("97000.00") == [WARN_80]
    assert desk.account("96999.99") == [HALT_DAY, "warn TOTAL_DRAWDOWN_EXCEEDS_MAX_WARN_50"]


def test_a_drawdown_of_exactly_six_percent_does_not_fire_and_a_cent_more_does() -> None:
    desk = Desk('daily_loss = "0.5"\n')
    desk.account("100000.00")
    assert desk.account("94000.00") == ["warn TOTAL_DRAWDOWN_EXCEEDS_MAX_WARN_80"]
    assert desk.account("93999.99") == ["halt TOTAL_DRAWDOWN_EXCEEDS_MAX"]


@pytest.mark.parametrize("loss", ["0.0300000001", "0.03", "0.02999999999"])
def test_thresholds_are_exact_decimals(loss: str) -> None:
    desk = Desk(f'daily_loss = "{loss}"\n')
    desk.account("100000.00")
    assert (HALT_DAY in desk.account("97000.00")) == (loss < "0.03")


def test_a_marked_breach_pauses_at_once_and_the_broker_confirms_it() -> None:
    desk = Desk()
    desk.account("100000.00", positions=(long("1.10000"),))
    assert desk.tick("1.06999", "1.07005") == [
        PAUSE_DAY,
        "warn TOTAL_DRAWDOWN_EXCEEDS_MAX_WARN_50",
    ], "no jump: 3 % is far from the default of 2 %"


def test_a_confirmed_breach_halts_and_a_denied_one_is_released() -> None:
    for equity, expected in (("96999.00", HALT_DAY), ("99000.00", FREE_DAY)):
        desk = Desk('jump_frac = "0.5"\n')
        desk.account("100000.00", positions=(long("1.10000"),))
        assert PAUSE_DAY in desk.tick("1.06999", "1.07005")
        assert desk.flags & 2, "a fresh read is wanted"
        # The regular poll does not answer a breach, a fresh read does.
        assert desk.account("99000.00", positions=(long("1.06999"),)) == []
        assert expected in desk.account(equity, positions=(long("1.06999"),), request=1)


def test_without_an_answer_marked_equity_decides() -> None:
    for bid, expected in (("1.06999", HALT_DAY), ("1.09000", FREE_DAY)):
        desk = Desk('jump_frac = "0.5"\n')
        desk.account("100000.00", positions=(long("1.10000"),))
        assert PAUSE_DAY in desk.tick("1.06999", "1.07005")
        desk.tick(bid, "1.10005")
        assert desk.wait(0.5) == []
        assert expected in desk.wait(0.001)


def test_not_a_number_is_no_snapshot_and_never_clears() -> None:
    """P9."""
    desk = Desk()
    desk.account("100000.00")
    for equity in ("NaN", "Infinity", None):
        lines = desk.account(equity)
        assert lines in (["pause EQUITY_UNTRUSTED"], [])
    assert desk.account("96000.00") == [
        HALT_DAY,
        "warn TOTAL_DRAWDOWN_EXCEEDS_MAX_WARN_50",
        "release EQUITY_UNTRUSTED_CLEARED",
    ]


def test_deposits_and_withdrawals_are_no_profit_and_no_loss() -> None:
    desk = Desk()
    desk.account("100000.00")
    assert desk.transfer("-50000.00") == []
    assert desk.account("50000.00") == []
    assert desk.transfer("30000.00", "credit") == []
    assert desk.account("80000.00") == []
    assert desk.transfer("-2500.00", "commission") == [WARN_80]


def test_a_day_begins_at_17_new_york_and_does_not_clear_a_halt() -> None:
    desk = Desk()
    desk.account("100000.00")
    assert HALT_DAY in desk.account("96000.00")
    desk.wait(10 * 3600 - 1)
    assert desk.status()["day"]["reference"] == "100000.00"
    desk.wait(1)
    assert desk.status()["day"]["reference"] == "96000.00"
    assert desk.halted() == ["daily_loss"]


def test_a_strategy_and_a_symbol_have_limits_of_their_own() -> None:
    rest = (
        SYMBOL
        + """
[symbol.limits]
daily_loss = "0.01"
[[strategy]]
name = "trend"
magic = [101]
[strategy.limits]
daily_loss = "0.005"
"""
    )
    desk = Desk('jump_frac = "0.5"\n', rest)
    desk.account("100000.00", positions=(long("1.10000"),))
    assert desk.tick("1.09100", "1.09105") == ["warn DAILY_LOSS_EXCEEDS_MAX_WARN_80 symbol:EURUSD"]
    assert "pause DAILY_LOSS_EXCEEDS_MAX symbol:EURUSD" in desk.tick("1.08999", "1.09005")
