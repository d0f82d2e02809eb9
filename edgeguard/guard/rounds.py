"""One duty for every account, a few of them in each turn of the loop.

A beat for each of many accounts in one turn would keep a tick waiting for milliseconds; between two
turns the loop drains its sockets, and libzmq's thread, which fills them, is let run.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

ACCOUNTS_PER_TURN: Final = 4
"""Some 0.1 ms of beats."""

let_others_run: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)
"""Lets libzmq's thread run where it shares a core with the loop. It was woken by a send or by what
arrived, but a loop that goes on keeps the core from it until it sleeps: 70 to 100 us later after a
decision, some milliseconds later in a round."""

Account = TypeVar("Account")
Soon = Callable[[Callable[[], None]], object]
"""Runs what it is given in the loop's next turn."""


class Rounds(Generic[Account]):
    """Runs a duty over all accounts, again and again."""

    def __init__(
        self,
        duty: Callable[[list[Account]], None],
        on_done: Callable[[], None],
        *,
        per_turn: int = ACCOUNTS_PER_TURN,
    ) -> None:
        """Take what is done with a few accounts, and what is done after the last of them."""
        self._duty = duty
        self._on_done = on_done
        self._per_turn = per_turn
        self._left: deque[Account] = deque()
        self._is_waiting = False
        self.soon: Soon = lambda work: work()
        """At once where nobody sets it."""

    def begin(self, accounts: Iterable[Account]) -> None:
        """Begin a round; what an earlier one has left is done first, in this turn."""
        if self._left:
            self._turn(len(self._left))
        self._left.extend(accounts)
        self._step()

    def _step(self) -> None:
        self._turn(self._per_turn)
        if self._left and not self._is_waiting:
            self._is_waiting = True
            let_others_run()
            self.soon(self._go_on)

    def _go_on(self) -> None:
        self._is_waiting = False
        if self._left:
            self._step()

    def _turn(self, room: int) -> None:
        count = min(room, len(self._left))
        self._duty([self._left.popleft() for _ in range(count)])
        if not self._left:
            self._on_done()
