"""The latch's record is kept by account and must be what a look at all accounts would give."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeguard.guard.accounts import GuardedAccount, ScopeRow
from edgeguard.guard.latching import Latcher
from edgeguard.guard.storage import Storage
from edgeguard.guard.trading import TradingState
from edgeguard.latch import LatchRecord
from tests.process.fake_engine import FakeDecision
from tests.unit.guard.test_reaction import rows

NOW = (1_732_003_661_000_000_009, 5_000)
NAMES = ("A", "B", "C")
SCOPES = ("account", "strategy:X", "symbol:EURUSD")
CALLS = (
    "halt",
    "react",
    "pause",
    "release",
    "release_held",
    "resume",
    "resume_durable",
    "resume_failed",
    "persisted",
    "flattened",
    "exposed",
    "tick",
    "met",
    "restore_halt",
    "restore_scope",
    "restore_resumed",
)


class Account:
    """As much of a guarded account as its part of the record is made of."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.trading = TradingState(["snapshot"])

    def rows(self) -> list[ScopeRow]:
        """Return every scope with what is in force on it."""
        return list(rows(self.trading).values())

    def call(self, what: str, scope: str, number: int) -> None:
        """Let something happen to the trading state."""
        trading, halt_id = self.trading, f"H{number}"
        standing = self.standing() or halt_id
        halt = (halt_id, number, "daily_loss", "CODE", "x" * 300, False)
        pause = (f"cause{number}", "guard", "CODE", number % 2 == 0, number)
        action = ("halt", "pause", "release", "warn")[number]
        decision = FakeDecision(3, self.id, "daily_loss", action, "X", scope)
        good = (True, True, True)
        calls: dict[str, Callable[[], object]] = {
            "halt": lambda: trading.halt(NOW, scope, halt),
            "react": lambda: trading.react(decision, NOW, "t", NOW),
            "pause": lambda: trading.pause(scope, pause),
            "release": lambda: trading.release(scope, f"cause{number}"),
            "release_held": lambda: trading.release_held(scope),
            "resume": lambda: trading.resume(standing, "o", "r", good, [], dry=False),
            "resume_durable": lambda: trading.resume_durable(standing),
            "resume_failed": lambda: trading.resume_failed(standing),
            "persisted": lambda: trading.persisted(standing),
            "flattened": lambda: trading.flattened(scope, standing, "FLAT_VERIFIED"),
            "exposed": lambda: trading.exposed(NOW, scope),
            "tick": lambda: trading.tick(NOW),
            "met": lambda: trading.met("snapshot"),
            "restore_halt": lambda: trading.restore_halt(NOW, scope, halt),
            "restore_scope": lambda: trading.restore_scope(scope),
            "restore_resumed": lambda: trading.restore_resumed(halt_id),
        }
        calls[what]()

    def standing(self) -> str:
        """Return the id of a halt in force, empty without one."""
        return next((row.halt.id for row in self.rows() if row.halt is not None), "")


def latcher(accounts: dict[str, Account]) -> Latcher:
    def write(_record: LatchRecord) -> None:
        """Nothing is written: a test settles each write as it likes."""

    storage = SimpleNamespace(head=(7, b"h" * 32), write_latch=write)
    held = cast("dict[str, GuardedAccount]", accounts)
    return Latcher(held, cast("Storage", storage), run=1, boot="b", number=0)


HAPPENINGS = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(CALLS), st.sampled_from(SCOPES), st.integers(0, 3)
)


@given(st.lists(HAPPENINGS, max_size=30))
def test_a_record_that_is_kept_says_what_a_new_one_would(
    happenings: list[tuple[str, str, str, int]],
) -> None:
    """P7, P8: a change that the record passed over would be lost with the process."""
    accounts = {name: Account(name) for name in NAMES}
    kept = latcher(accounts)
    for number, (name, what, scope, value) in enumerate(happenings, 1):
        accounts[name].call(what, scope, value)
        found = kept.record(is_clean=False)
        fresh = latcher(accounts).record(is_clean=False)
        assert found.number == number
        assert (found.halts, found.pauses) == (fresh.halts, fresh.pauses)
        assert (found.resumed, found.scopes) == (fresh.resumed, fresh.scopes)


def test_every_call_that_changes_the_record_counts() -> None:
    """Each of them at least once where it does change it: the property above must meet them."""
    account = Account("A")
    kept = latcher({"A": account})
    account.call("met", "account", 0)

    def record() -> tuple[object, ...]:
        found = kept.record(is_clean=False)
        return found.halts, found.pauses, found.resumed, found.scopes

    seen = [record()]
    for what, scope, number in (
        ("pause", "account", 0),
        ("release", "account", 0),
        ("pause", "account", 2),
        ("release_held", "account", 0),
        ("react", "account", 0),
        ("resume", "account", 0),
        ("resume_failed", "account", 0),
        ("resume", "account", 0),
        ("resume_durable", "account", 0),
        ("restore_resumed", "account", 3),
        ("halt", "symbol:EURUSD", 1),
        ("restore_scope", "strategy:X", 0),
        ("restore_halt", "account", 2),
    ):
        if what == "resume":
            account.call("flattened", scope, 0)
        account.call(what, scope, number)
        seen.append(record())
        if what != "resume_durable":
            assert seen[-1] != seen[-2], what


def writing_latcher(accounts: dict[str, Account]) -> tuple[Latcher, list[tuple[str, str]]]:
    """Return a latcher, and what it tells to be durable as its writes are settled."""
    told: list[tuple[str, str]] = []
    latching = latcher(accounts)

    def durable(account: GuardedAccount, halt_id: str) -> None:
        told.append((account.id, halt_id))
        account.trading.persisted(halt_id)

    latching.on_durable = durable
    return latching, told


def halted() -> tuple[Account, Latcher, list[tuple[str, str]]]:
    """Return an account that is halted by H1, its latcher, and what that tells to be durable."""
    account = Account("A")
    latching, told = writing_latcher({"A": account})
    account.call("met", "account", 0)
    account.call("halt", "account", 1)
    return account, latching, told


def begin_resume(account: Account) -> None:
    """Prove the account flat and begin to resume it: the next record leaves its halt out."""
    account.call("flattened", "account", 1)
    account.call("resume", "account", 0)


def test_a_halt_is_told_durable_once() -> None:
    """Told with every record, the halt of one account would do the work of all others again."""
    accounts = {name: Account(name) for name in NAMES}
    latching, told = writing_latcher(accounts)
    for number, name in enumerate(NAMES):
        accounts[name].call("halt", "account", number)
        written = latching.persist()
        latching.settle("file", written, "")
        latching.settle("row", written, "")
        assert told == [(before, f"H{at}") for at, before in enumerate(NAMES[: number + 1])]


def test_a_halt_whose_write_failed_is_told_durable_by_a_later_one() -> None:
    account = Account("A")
    latching, told = writing_latcher({"A": account})
    account.call("halt", "account", 1)
    first = latching.persist()
    latching.settle("file", first, "no room")
    latching.settle("row", first, "no room")
    assert told == []
    second = latching.persist()
    latching.settle("row", second, "")
    assert told == [("A", "H1")]


def test_a_halt_that_outlives_its_resume_is_told_durable_anew() -> None:
    """P8: the record of the resume left it out, so only a later one holds it again."""
    account, latching, told = halted()
    latching.settle("file", latching.persist(), "")
    begin_resume(account)
    without = latching.persist()
    account.call("halt", "account", 2)
    again = latching.persist()
    latching.settle("file", without, "")
    assert told == [("A", "H1")]
    latching.settle("file", again, "")
    assert told == [("A", "H1"), ("A", "H1")]


def test_a_record_that_leaves_a_halt_out_does_not_make_it_durable() -> None:
    """P5: the disk is slow, and the first record done is that of a resume which is void by then."""
    account, latching, told = halted()
    with_it = latching.persist()
    begin_resume(account)
    without = latching.persist()
    account.call("halt", "account", 2)
    again = latching.persist()
    # The writer takes the newest that waits: the first may be passed over, or told late.
    latching.settle("file", without, "")
    latching.settle("row", with_it, "")
    assert told == []
    latching.settle("file", again, "")
    assert told == [("A", "H1")]


def test_a_broken_account_keeps_the_halts_of_the_others_from_no_record() -> None:
    """The panic of one account ends the guard, whose last record holds what was halted before."""
    accounts = {name: Account(name) for name in NAMES}
    latching, _ = writing_latcher(accounts)
    accounts["B"].call("halt", "account", 2)
    latching.persist()
    accounts["A"].call("halt", "account", 1)
    accounts["B"].trading = cast("TradingState", Broken())
    assert [halt.id for halt in latching.record(is_clean=False).halts] == ["H1", "H2"]


def test_a_broken_account_whose_halt_was_being_resumed_is_not_passed_over() -> None:
    """What was recorded last leaves its halt out: that must not be taken for its state."""
    account, latching, _ = halted()
    begin_resume(account)
    latching.persist()
    account.trading = cast("TradingState", Broken())
    with pytest.raises(RuntimeError, match="panicked"):
        latching.persist()


class Broken:
    """A trading state that has panicked: it answers nothing any more."""

    def changes(self) -> int:
        """Fail, as every call does."""
        raise RuntimeError("panicked")
