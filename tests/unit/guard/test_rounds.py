"""A duty for many accounts: every account once a round, few of them in a turn, none starved."""

from __future__ import annotations

from collections.abc import Callable

from edgeguard.guard.rounds import ACCOUNTS_PER_TURN, Rounds


class Loop:
    """A loop whose turns are made by hand."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.rounds = 0
        self.waiting: list[Callable[[], None]] = []
        self.duty = Rounds[int](self.seen.append, self._on_done)
        self.duty.soon = self.waiting.append

    def turn(self) -> None:
        """Run what was asked for up to now."""
        due, self.waiting[:] = list(self.waiting), []
        for work in due:
            work()

    def _on_done(self) -> None:
        self.rounds += 1


def test_a_round_takes_a_few_accounts_in_each_turn() -> None:
    loop, accounts = Loop(), list(range(2 * ACCOUNTS_PER_TURN + 1))
    loop.duty.begin(accounts)
    assert (loop.seen, loop.rounds) == ([accounts[:ACCOUNTS_PER_TURN]], 0)
    loop.turn()
    assert (len(loop.seen), loop.rounds) == (2, 0)
    loop.turn()
    assert ([one for some in loop.seen for one in some], loop.rounds) == (accounts, 1)
    assert not loop.waiting


def test_a_round_that_is_overtaken_is_finished_first() -> None:
    """A loop that is short of turns leaves no account without its duty."""
    loop, accounts = Loop(), list(range(3 * ACCOUNTS_PER_TURN))
    for begun in range(1, 6):
        loop.duty.begin(accounts)
        done = [one for some in loop.seen for one in some]
        assert done == accounts * (begun - 1) + accounts[:ACCOUNTS_PER_TURN]
        assert loop.rounds == begun - 1
        assert len(loop.waiting) == 1
    while loop.waiting:
        loop.turn()
    assert [one for some in loop.seen for one in some] == accounts * 5
    assert loop.rounds == 5


def test_no_accounts_are_a_round_too() -> None:
    """The watchdog of a guard without accounts is pinged as well."""
    loop = Loop()
    loop.duty.begin([])
    assert (loop.rounds, loop.waiting) == (1, [])


def test_a_round_goes_on_after_a_duty_that_failed() -> None:
    """Whoever catches the error may begin the next round; the accounts before are not lost."""
    loop, accounts = Loop(), list(range(ACCOUNTS_PER_TURN + 1))
    loop.duty.begin(accounts)
    loop.waiting.clear()
    loop.duty.begin(accounts)
    assert [one for some in loop.seen for one in some] == accounts + accounts[:ACCOUNTS_PER_TURN]
