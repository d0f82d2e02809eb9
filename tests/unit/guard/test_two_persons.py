"""The rule of two persons: who may lift what, and when."""

import pytest

from edgeguard.clock import NS_PER_S
from edgeguard.errors import RefusedError
from edgeguard.guard.two_persons import ASKED_MAX, WITHIN_NS, TwoPersons
from edgeguard.messages import Command


def command(operator: str, verb: str = "resume", **args: str) -> Command:
    return Command("id", b"nonce", 1, verb, operator, "over", {"halt_id": "H1"} | args)


def refused(rule: TwoPersons, asked: Command, boot_ns: int = 0) -> str:
    with pytest.raises(RefusedError) as error:
        rule.require(asked, boot_ns)
    return str(error.value)


def test_off_asks_for_nobody_else() -> None:
    TwoPersons(is_on=False).require(command("ann"), 0)


def test_the_second_of_two_lifts_and_the_third_begins_anew() -> None:
    rule = TwoPersons(is_on=True)
    assert "ann has; another one must within 10 minutes" in refused(rule, command("ann"))
    rule.require(command("bob"), WITHIN_NS)
    assert "carl has" in refused(rule, command("carl"), WITHIN_NS)


@pytest.mark.parametrize("name", ["ann", " Ann ", "ANN", "a nn".replace(" ", "")])
def test_the_same_operator_twice_is_one(name: str) -> None:
    """However it is written; and asking again does not give more time."""
    rule = TwoPersons(is_on=True)
    refused(rule, command("ann"))
    assert "ann has" in refused(rule, command(name), WITHIN_NS // 2)
    assert "bob has" in refused(rule, command("bob"), WITHIN_NS + 1)


def test_a_late_second_is_a_first() -> None:
    rule = TwoPersons(is_on=True)
    refused(rule, command("ann"), 0)
    assert "bob has" in refused(rule, command("bob"), WITHIN_NS + 1)
    rule.require(command("ann"), WITHIN_NS + NS_PER_S)


@pytest.mark.parametrize(
    "other",
    [
        command("bob", halt_id="H2"),
        command("bob", verb="rebaseline"),
        command("bob", peak="1"),
    ],
    ids=["another halt", "another verb", "other arguments"],
)
def test_both_must_ask_for_the_same(other: Command) -> None:
    rule = TwoPersons(is_on=True)
    refused(rule, command("ann"))
    assert "bob has" in refused(rule, other)


def test_who_may_only_be_second_is_never_first() -> None:
    """Not even twice, and by two."""
    rule = TwoPersons(is_on=True)
    for name in ("telegram:7", "telegram:8"):
        assert "must ask for it first" in refused(rule, command(name, second="1"))
    refused(rule, command("ann"))
    rule.require(command("telegram:7", second="1"), 1)
    assert "is off" in refused(TwoPersons(is_on=False), command("telegram:7", second="1"))


def test_what_is_remembered_is_bounded() -> None:
    rule = TwoPersons(is_on=True)
    for number in range(ASKED_MAX + 1):
        refused(rule, command("ann", halt_id=f"H{number}"))
    assert "bob has" in refused(rule, command("bob", halt_id="H0"))
    rule.require(command("bob", halt_id=f"H{ASKED_MAX}"), 0)
