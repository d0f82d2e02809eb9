"""Resume, re-basing and ending pauses: nothing returns without being judged anew."""

import pytest

from tests.unit.engine.desk import Desk

HALT_DAY = "halt DAILY_LOSS_EXCEEDS_MAX"


def resume(desk: Desk) -> list[str]:
    desk.engine.resume("A", desk.wall_ns, desk.boot_ns)
    return desk.taken()


def test_a_resume_under_a_loss_that_still_stands_fires_again_at_once() -> None:
    desk = Desk()
    desk.account("100000.00")
    assert HALT_DAY in desk.account("96000.00")
    assert desk.account("95900.00") == [], "a halted trigger prints no more"
    assert [(d.trigger, d.value) for d in desk.engine.would_fire("A")] == [
        ("daily_loss", "0.04100000")
    ]
    assert "pause DAILY_LOSS_EXCEEDS_MAX" in resume(desk)
    assert desk.account("95900.00") == [HALT_DAY], "the broker's figure confirms it"


def test_a_rebased_day_lets_the_account_return() -> None:
    desk = Desk()
    desk.account("100000.00")
    desk.account("96000.00")
    desk.engine.rebaseline("A", day="96000.00", t_ns=desk.wall_ns, boot_ns=desk.boot_ns)
    assert desk.engine.would_fire("A") == []
    assert resume(desk) == ["warn TOTAL_DRAWDOWN_EXCEEDS_MAX_WARN_50"], "bands re-arm at resume"
    assert desk.halted() == []
    assert HALT_DAY in desk.account("93119.99")


@pytest.mark.parametrize("day", ["", "abc", "NaN", "-1", "0", "1.001"])
def test_a_new_reference_must_be_an_amount(day: str) -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="must"):
        desk.engine.rebaseline("A", day=day, t_ns=desk.wall_ns, boot_ns=desk.boot_ns)
    with pytest.raises(ValueError, match="account must be configured, was B"):
        desk.engine.resume("B", desk.wall_ns, desk.boot_ns)
    with pytest.raises(ValueError, match="peak or day must be given"):
        desk.engine.rebaseline("A", t_ns=desk.wall_ns, boot_ns=desk.boot_ns)


def test_an_operator_ends_a_sticky_pause() -> None:
    desk = Desk("releases_per_hour = 0\n")
    for _ in range(10):
        desk.error()
    assert desk.error() == ["pause ERROR_RATE_EXCEEDS_MAX"]
    desk.wait(3600)
    assert desk.status()["states"][0]["sticky"] is True
    desk.engine.release_pause("A", "price_anomaly", desk.wall_ns, desk.boot_ns)
    assert desk.taken() == []
    desk.engine.release_pause("A", None, desk.wall_ns, desk.boot_ns)
    assert desk.taken() == ["release ERROR_RATE_EXCEEDS_MAX_CLEARED"]
    assert desk.status()["states"] == []


def test_an_unknown_trigger_is_refused() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="trigger must be one of the six"):
        desk.engine.release_pause("A", "nothing", desk.wall_ns, desk.boot_ns)
