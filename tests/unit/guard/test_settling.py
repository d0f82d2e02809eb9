"""What follows a change: gathered for pauses, at once for what the latch holds, never lost."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from edgeguard import halt_page
from edgeguard.clock import NS_PER_S, ManualClock
from edgeguard.codec.native import decode
from edgeguard.config.paths import Paths
from edgeguard.gate import Gate
from edgeguard.guard.accounts import GuardedAccount
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.guard import Guard
from edgeguard.guard.latching import Latcher
from edgeguard.guard.parts import Parts
from edgeguard.guard.rounds import ACCOUNTS_PER_TURN
from edgeguard.guard.storage import WAITING_MAX, Storage
from edgeguard.guard.trading import TradingState
from edgeguard.journal import export
from edgeguard.latch import LatchFile, LatchRecord
from edgeguard.messages import HaltEvent, StateBeat
from edgeguard.transport import Socket
from tests.process.fake_engine import FakeDecision
from tests.process.guard_rig import make_config

SENT_AT = (1_732_003_661_000_000_009, 5 * NS_PER_S)
GOOD = (True, True, True)


class Desk:
    """Actuators over a real journal and a real page, with a publisher and timers of paper."""

    def __init__(self, place: Path, *names: str) -> None:
        config = make_config(place, *names)
        self.clock = ManualClock(*SENT_AT)
        self.paths = made_paths(place)
        self.storage = Storage(self.paths, run=1, boot="b", clock=self.clock)
        self.sent: list[bytes] = []
        self.due: list[Callable[[], None]] = []
        self.changes: list[list[str]] = []
        self.turns: list[Callable[[], None]] = []
        self.failing = ""
        """The account of which no broker can be told anything."""
        self.order: list[tuple[str, ...]] = []
        """What was begun: a record of the latch with the accounts that it halts, or a flatten."""
        accounts = {
            one.id: GuardedAccount(
                one,
                config,
                TradingState([]),
                halt_page.writer(self.paths.page(one.id), one.id, NS_PER_S, 1),
                1,
            )
            for one in config.account
        }
        self.accounts = accounts
        self.account = accounts["A"]
        self._write_latch = self.storage.write_latch
        self.storage.write_latch = self._latch
        latcher = Latcher(accounts, self.storage, run=1, boot="00" * 16, number=0)
        parts = SimpleNamespace(
            accounts=accounts,
            storage=self.storage,
            latcher=latcher,
            clock=self.clock,
            brokers={name: SimpleNamespace(send=partial(self._command, name)) for name in accounts},
            config_hash="",
            now=lambda: (self.clock.wall_ns(), self.clock.boot_ns()),
        )
        publisher = SimpleNamespace(send=self._send)
        self.actuators = Actuators(cast("Parts", parts), cast("Socket", publisher))
        self.actuators.later = self.due.append
        self.actuators.on_told = lambda _account, changes: self.changes.append(changes)
        self.latcher = latcher
        self.storage.start(_ignore)

    def _send(self, data: bytes, _flags: int) -> None:
        self.sent.append(data)

    def _latch(self, record: LatchRecord) -> None:
        self.order.append(("latch", *(halt.account for halt in record.halts)))
        self._write_latch(record)

    def _command(self, account: str, verb: str, **_words: object) -> None:
        if account == self.failing:
            raise RuntimeError("no such broker")
        self.order.append((verb, account))

    def decide(
        self, action: str, symbol: str = "EURUSD", account: str = "A", scope: str = "account"
    ) -> None:
        """Let the engine decide, on a spread or on a loss."""
        trigger = "daily_loss" if action == "halt" else "price_anomaly"
        decision = FakeDecision(7, account, trigger, action, "CODE", scope, symbol=symbol)
        now = (self.clock.wall_ns(), self.clock.boot_ns())
        self.actuators.decide(self.accounts[account], cast("Any", decision), now)

    def turn(self) -> None:
        """Let the loop do what it was asked to do after the ticks that wait."""
        works, self.turns[:] = list(self.turns), []
        for work in works:
            work()

    def messages(self) -> list[str]:
        """Return what was published since, an event by its change and a beat by its state."""
        sent, self.sent = self.sent, []
        found = [decode(data) for data in sent if data[0] >= 0x80]
        told = [one.action for one in found if isinstance(one, HaltEvent)]
        beats = [one.state for one in found if isinstance(one, StateBeat)]
        assert len(told) + len(beats) == len(found)
        return [*told, *beats]

    def rows(self) -> list[tuple[str, str]]:
        """Close, and return kind and change or code of every row."""
        assert self.storage.close()
        rows = [msgspec.json.decode(line) for line in export(self.paths.journal)]
        # An event is an array in the journal too.
        return [
            (row["kind"], row["body"][5 if row["kind"] == "state" else "action"]) for row in rows
        ]


def broken() -> object:
    """Fail to make a row's body."""
    raise RuntimeError("no body")


def note(number: int) -> dict[str, str]:
    """Return the body of a row."""
    return {"action": str(number)}


def _ignore(_copy: str, _number: int, _error: str) -> None:
    pass


@pytest.fixture
def hall(tmp_path: Path) -> Generator[Desk]:
    """Return a desk of more accounts than are served in one turn, with turns of its own."""
    hall = Desk(tmp_path, "A", *(f"A{number}" for number in range(1, ACCOUNTS_PER_TURN + 2)))
    hall.actuators.soon = hall.turns.append
    yield hall
    hall.storage.close()


def made_paths(place: Path) -> Paths:
    """Return the paths of a configuration, made."""
    paths = Paths(make_config(place))
    paths.create()
    return paths


@pytest.fixture
def desk(tmp_path: Path) -> Generator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.storage.close()


def test_a_pause_is_told_at_once_and_its_beat_and_rows_are_gathered(desk: Desk) -> None:
    """The next tick does not wait for what the last one left."""
    for symbol in ("EURUSD", "GBPUSD", "XAUUSD"):
        desk.decide("pause", symbol)
    assert desk.messages() == ["pause"] * 3
    assert desk.changes == [["pause"]] * 3
    assert len(desk.due) == 1
    desk.clock.advance(NS_PER_S)
    desk.due.pop()()
    assert desk.messages() == ["PAUSED"]
    assert not desk.due
    assert desk.rows() == [("state", "pause"), ("decision", "pause")] * 3
    stamps = [msgspec.json.decode(line) for line in export(desk.paths.journal)]
    assert {(row["t_ns"], row["boot_ns"]) for row in stamps} == {SENT_AT}
    assert len([row for row in stamps if row["account"] == "A"]) == 6


def test_a_halt_waits_for_nothing_and_takes_along_what_waits(desk: Desk) -> None:
    desk.decide("pause")
    desk.decide("halt")
    assert desk.messages() == ["pause", "halt", "HALTED"]
    # What was due is done already, and doing it again does nothing.
    desk.due.pop()()
    assert desk.messages() == []
    pauses = [("state", "pause"), ("decision", "pause")]
    assert desk.rows() == [*pauses, ("state", "halt"), ("decision", "halt")]


def test_rows_keep_the_order_in_which_they_were_made(desk: Desk) -> None:
    """P23: a row that does not wait takes those before it along."""
    desk.decide("pause")
    desk.storage.append("command", {"action": "mine"})
    desk.decide("release")
    assert desk.rows() == [
        ("state", "pause"),
        ("decision", "pause"),
        ("command", "mine"),
        ("state", "release"),
        ("decision", "release"),
    ]


def test_an_end_loses_no_row_that_waits(desk: Desk) -> None:
    desk.decide("pause")
    assert desk.rows() == [("state", "pause"), ("decision", "pause")]


def test_only_so_many_rows_wait(desk: Desk) -> None:
    """A storm of decisions within one wait is bounded by rows, not by time."""
    made: list[int] = []

    def body(number: int) -> dict[str, str]:
        made.append(number)
        return note(number)

    for number in range(WAITING_MAX + 1):
        assert made == []
        desk.storage.append_soon("note", partial(body, number), account="A", now=SENT_AT)
    assert made == list(range(WAITING_MAX + 1))
    assert desk.rows() == [("note", str(number)) for number in range(WAITING_MAX + 1)]


def test_a_heartbeat_pays_a_beat_that_is_owed(desk: Desk) -> None:
    desk.decide("pause")
    desk.actuators.beat(desk.account)
    assert desk.messages() == ["pause", "PAUSED"]
    desk.due.pop()()
    assert desk.messages() == []


def test_a_new_halt_has_an_id_of_its_own(desk: Desk) -> None:
    """Whatever word halts uses the prepared id up."""
    tail = desk.account.tail
    desk.decide("pause")
    assert desk.account.tail == tail
    desk.decide("an unknown word")
    halt = desk.account.row().halt
    assert halt is not None
    assert halt.id.endswith(tail)
    assert desk.account.tail != tail


def test_a_row_that_cannot_be_made_takes_nothing_along(desk: Desk) -> None:
    """P5: the latch is on its way before any row, and the rows behind the bad one stay."""
    for number in range(3):
        body = broken if number == 1 else partial(note, number)
        desk.storage.append_soon("note", body, account="A", now=SENT_AT)
    record = desk.latcher.record(is_clean=False)
    with pytest.raises(RuntimeError):
        desk.storage.write_latch(record)
    assert desk.rows() == [("note", "0"), ("note", "2")]
    assert LatchFile(desk.paths.latch).read() == record


def test_an_end_closes_although_a_row_cannot_be_made(desk: Desk) -> None:
    desk.storage.append_soon("note", broken, account="A", now=SENT_AT)
    assert not desk.storage.close()
    assert [*export(desk.paths.journal)] == []


def test_halts_of_one_turn_are_told_first_and_share_a_record(hall: Desk) -> None:
    """In the minute in which one account halts all others do; every gate closes before that."""
    names = list(hall.accounts)
    for name in names:
        hall.decide("halt", account=name)
        assert hall.accounts[name].state == "HALTED"
        assert not Gate(hall.paths.page(name), account=name).check()
    assert hall.messages() == ["halt"] * len(names)
    assert hall.order == []
    hall.actuators.end_turn()
    hall.actuators.end_turn()
    assert hall.order == [("latch", *names)]
    assert len(hall.turns) == 1


def test_flattens_follow_the_record_a_few_in_each_turn(hall: Desk) -> None:
    names = list(hall.accounts)
    for name in names:
        hall.decide("halt", account=name)
    hall.turn()
    # The record is begun first even where nobody has said that the turn ends.
    few = [("flatten", name) for name in names[:ACCOUNTS_PER_TURN]]
    assert hall.order == [("latch", *names), *few]
    hall.turn()
    assert hall.order == [("latch", *names), *(("flatten", name) for name in names)]
    while hall.turns:
        hall.turn()
    assert hall.messages() == ["halt"] * len(names) + ["HALTED"] * len(names)
    assert len(hall.order) == 1 + len(names)


def test_a_halt_that_comes_between_turns_has_a_record_before_its_flatten(hall: Desk) -> None:
    for name in list(hall.accounts)[:-1]:
        hall.decide("halt", account=name)
    hall.actuators.end_turn()
    hall.turn()
    last = list(hall.accounts)[-1]
    hall.decide("halt", account=last)
    while hall.turns:
        hall.turn()
    assert hall.order.index(("latch", *hall.accounts)) < hall.order.index(("flatten", last))
    assert hall.order.count(("flatten", last)) == 1


def test_an_end_leaves_no_halt_without_its_flatten(hall: Desk) -> None:
    """What the loop was asked to do later is not done after an end."""
    for name in hall.accounts:
        hall.decide("halt", account=name)
    hall.actuators.finish()
    done = [("latch", *hall.accounts), *(("flatten", name) for name in hall.accounts)]
    assert hall.order == done
    hall.actuators.finish()
    hall.turn()
    assert hall.order == done
    assert hall.messages() == ["halt"] * len(hall.accounts) + ["HALTED"] * len(hall.accounts)


def halt_all(hall: Desk) -> None:
    """Halt by a guard that ends because of an error."""
    words = {"_paths": hall.paths, "_accounts": hall.accounts, "_actuators": hall.actuators}
    parts = SimpleNamespace(clock=hall.clock, now=lambda: SENT_AT)
    guard = SimpleNamespace(**words, _parts=parts, _is_closed=False)
    Guard.halt_all(cast("Guard", guard), RuntimeError("an error of the guard's own"))


def test_an_error_leaves_no_halt_of_before_it_without_record_and_flatten(hall: Desk) -> None:
    """P1: those were only to wait for ticks; the guard that is started again comes later."""
    for name in hall.accounts:
        hall.decide("halt", account=name)
    halt_all(hall)
    assert hall.order == [("latch", *hall.accounts), *(("flatten", name) for name in hall.accounts)]


def test_an_order_that_cannot_be_given_keeps_no_other_from_being_given(hall: Desk) -> None:
    names = list(hall.accounts)
    for name in names:
        hall.decide("halt", account=name)
    hall.failing = names[1]
    with pytest.raises(RuntimeError, match="no such broker"):
        hall.turn()
    halt_all(hall)
    others = [("flatten", name) for name in names if name != hall.failing]
    assert hall.order == [("latch", *names), *others]


def test_what_follows_a_halt_is_noted_before_anything_can_fail(hall: Desk) -> None:
    def fail(_account: GuardedAccount, _changes: list[str]) -> None:
        raise RuntimeError("a remote gate's socket")

    hall.actuators.on_told = fail
    with pytest.raises(RuntimeError, match="socket"):
        hall.decide("halt")
    hall.actuators.on_told = lambda _account, _changes: None
    halt_all(hall)
    assert hall.order[0][:2] == ("latch", "A")
    assert [done for done in hall.order if done[0] == "flatten"] == [("flatten", "A")]


def test_a_halt_that_was_lifted_meanwhile_is_not_flattened(hall: Desk) -> None:
    """P8: its account trades again, and its order to stop flattening has gone before."""
    for name in hall.accounts:
        hall.decide("halt", account=name)
    hall.actuators.end_turn()
    hall.turn()
    last = list(hall.accounts)[-1]
    account = hall.accounts[last]
    halt = account.row().halt
    assert halt is not None
    account.trading.flattened("account", halt.id, "FLAT_VERIFIED")
    refusals, _ = account.trading.resume(halt.id, "o", "r", GOOD, [], dry=False)
    assert refusals == []
    account.trading.resume_durable(halt.id)
    while hall.turns:
        hall.turn()
    assert ("flatten", last) not in hall.order


def test_two_halts_of_one_turn_have_two_ids(hall: Desk) -> None:
    hall.decide("halt", scope="strategy:X")
    hall.decide("halt", scope="symbol:EURUSD")
    ids = {row.halt.id for row in hall.account.rows() if row.halt is not None}
    assert len(ids) == 2
