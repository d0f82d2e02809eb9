"""The status document: one account in a turn, and no question answered from before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from edgeguard.errors import RefusedError
from edgeguard.guard.accounts import GuardedAccount
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.heart import Heart
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Counters, Pipeline
from edgeguard.guard.status import ASKED_MAX, Status
from edgeguard.guard.storage import Copies
from edgeguard.guard.trading import TradingState
from tests.process.guard_rig import make_config

NOW = (1_732_003_661_000_000_009, 5_000)
NAMES = ("A", "B", "C")


def _is_away(_boot_ns: int) -> bool:
    return True


class Desk:
    """A status over accounts whose trading states are real, and a loop turned by hand."""

    def __init__(self) -> None:
        self.config = make_config(Path("unused"), *NAMES)
        self.states = {name: TradingState([]) for name in NAMES}
        self.asked_engine: list[str] = []
        self.waiting: list[Callable[[], None]] = []
        storage = SimpleNamespace(is_trusted=True, fault="", head=(7, b"h"))
        proof = SimpleNamespace(checked_ns=None, channel_ok=None)
        broker = SimpleNamespace(heard_boot_ns=None, proof=proof, is_away=_is_away)
        accounts = {
            account.id: GuardedAccount(
                account, self.config, self.states[account.id], cast("Any", None), 1
            )
            for account in self.config.account
        }
        parts = SimpleNamespace(
            accounts=accounts,
            brokers=dict.fromkeys(NAMES, broker),
            config=self.config,
            config_hash="",
            epoch=1,
            engine=SimpleNamespace(status=self._engine),
            storage=storage,
            latcher=SimpleNamespace(copies=Copies()),
            now=lambda: NOW,
        )
        pipeline = SimpleNamespace(counters=Counters(), heard=dict, proofs={})
        heart = SimpleNamespace(
            beats=0, withheld=0, withheld_for_feeds=0, gap_max_ns=0, away=0, rescues=lambda: 0
        )
        self.status = Status(
            cast("Parts", parts),
            cast("Pipeline", pipeline),
            cast("Actuators", SimpleNamespace(alarms=[])),
            cast("Heart", heart),
        )
        self.status.pace(self.waiting.append)

    def ask(self) -> list[dict[str, Any]]:
        """Ask; what is answered comes into the list."""
        told: list[dict[str, Any]] = []
        self.status.ask(lambda body: told.append(msgspec.json.decode(body)))
        return told

    def turn(self) -> None:
        """Run what was asked for up to now."""
        due, self.waiting[:] = list(self.waiting), []
        for work in due:
            work()

    def halt(self, name: str) -> None:
        """Halt an account."""
        halt = (f"H-{name}", 1, "daily_loss", "CODE", "why", False)
        self.states[name].halt(NOW, "account", halt)

    def _engine(self, account: str) -> bytes:
        self.asked_engine.append(account)
        rows = [{"id": account, "equity_used": "1.00"}] if account else []
        return msgspec.json.encode({"accounts": rows})


def test_an_account_a_turn_and_the_worst_of_all() -> None:
    desk = Desk()
    desk.halt("B")
    told = desk.ask()
    for turns in range(len(NAMES)):
        assert [name for name in desk.asked_engine if name] == list(NAMES[: turns + 1])
        assert (told == []) == (turns + 1 < len(NAMES))
        desk.turn()
    document = told[0]
    assert [row["id"] for row in document["accounts"]] == list(NAMES)
    assert [row["state"] for row in document["accounts"]] == ["ACTIVE", "HALTED", "ACTIVE"]
    assert [row["equity_used"] for row in document["accounts"]] == ["1.00"] * 3
    assert (document["state"], document["halt"]["id"]) == ("HALTED", "H-B")
    assert not document["gate"]["open"]
    assert document["flatten"] == document["accounts"][1]["flatten"]
    assert document["severity"] == 1
    assert not desk.waiting


def test_who_asks_meanwhile_hears_what_is_true_after_that() -> None:
    """An account that halts behind the look at it is in the next document, which is theirs."""
    desk = Desk()
    first = desk.ask()
    desk.turn()
    desk.halt("A")
    second, third = desk.ask(), desk.ask()
    while desk.waiting:
        desk.turn()
    assert first[0]["state"] == "ACTIVE"
    assert second == third
    assert (len(second), second[0]["state"]) == (1, "HALTED")
    # Three questions, two documents, of which nothing is left over.
    assert [name for name in desk.asked_engine if name] == list(NAMES) * 2
    assert desk.ask() == []
    assert len(desk.waiting) == 1


def test_only_so_many_wait() -> None:
    """P22, A-CTL-13: a flood of questions costs a document, and room for so many."""
    desk = Desk()
    told = [desk.ask() for _ in range(ASKED_MAX + 1)]
    with pytest.raises(RefusedError, match=f"at most {ASKED_MAX}"):
        desk.ask()
    while desk.waiting:
        desk.turn()
    assert [len(one) for one in told] == [1] * (ASKED_MAX + 1)
    assert [name for name in desk.asked_engine if name] == list(NAMES) * 2
