"""What goes to the guard: exact text, counters per kind, deals before their snapshot."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from edgeguard.broker.intents import IntentLog
from edgeguard.broker.paper import constants as c
from edgeguard.broker.polling import Poller
from edgeguard.broker.publisher import Publisher
from edgeguard.broker.rows import DealRow, TickRow
from edgeguard.clock import ManualClock
from edgeguard.codec.native import decode
from edgeguard.messages import (
    AccountSnapshot,
    AnyMessage,
    ErrorEvent,
    Fill,
    SymbolFacts,
    TerminalProof,
    TickBatch,
    Transfer,
)
from tests.unit.broker.planner.play import Play, pending, position, spec
from tests.unit.broker.test_session import ACCOUNT, Turns, session

DEAL = DealRow(11, 12, 1, 1, c.DEAL_ENTRY_OUT, 7, 1, "EURUSD", 0.5, 1.3869, -5.0, -1.75, 0.0, 0.0)


class Sink:
    def __init__(self) -> None:
        self.topics: list[bytes] = []
        self.messages: list[AnyMessage] = []

    def __call__(self, frames: list[bytes]) -> None:
        self.topics.append(frames[0])
        self.messages.append(decode(frames[1]))


def publisher() -> tuple[Publisher, Sink]:
    sink = Sink()
    return Publisher("A", ManualClock(10**18), sink), sink


def test_a_snapshot_is_exact_text() -> None:
    """Money in the currency's digits, prices in the symbol's, volumes in the step's."""
    out, sink = publisher()
    out.facts(spec())
    play = Play(position(7, 1, 0.3, profit=-6.004, magic=5), orders=(pending(8),))
    out.snapshot(play.observation(), last_deal=11, request=3)
    facts, snapshot = sink.messages
    assert isinstance(facts, SymbolFacts)
    assert isinstance(snapshot, AccountSnapshot)
    assert snapshot.balance == "100000.00"
    assert (snapshot.login, snapshot.server, snapshot.trade_mode) == (5, "Demo", "demo")
    assert (snapshot.last_deal, snapshot.request) == (11, 3)
    row = snapshot.positions[0]
    assert (row.side, row.volume, row.price_open) == ("sell", "0.30", "1.10000")
    assert (row.profit, row.magic) == ("-6.00", 5)
    order = snapshot.orders[0]
    assert (order.kind, order.volume) == ("buy_limit", "0.10")


def test_deals_are_fills_or_transfers() -> None:
    """Trades are fills; money that moves without a trade is a transfer of its kind."""
    out, sink = publisher()
    out.facts(spec())
    out.deal(DEAL, 2)
    out.deal(msgspec.structs.replace(DEAL, type=c.DEAL_TYPE_BALANCE, profit=500.0), 2)
    out.deal(msgspec.structs.replace(DEAL, type=99, profit=1.0, commission=0.0), 2)
    fill, transfer, strange = sink.messages[1:]
    assert isinstance(fill, Fill)
    assert (fill.side, fill.entry, fill.volume, fill.price) == ("sell", "out", "0.50", "1.38690")
    assert (fill.profit, fill.commission, fill.magic) == ("-5.00", "-1.75", 7)
    assert isinstance(transfer, Transfer)
    assert (transfer.kind, transfer.amount) == ("balance", "498.25")
    assert isinstance(strange, Transfer)
    assert strange.kind == "type_99"


def test_what_does_not_fit_is_told_and_not_sent() -> None:
    """A snapshot above the wire's limit would cut the connection: an error goes out instead."""
    out, sink = publisher()
    many = Play(*(position(n) for n in range(1, 40_000))).observation()
    out.snapshot(many, last_deal=None, request=0)
    out.snapshot(many, last_deal=None, request=0)
    assert [type(m) for m in sink.messages] == [ErrorEvent]


def test_counters_run_per_kind() -> None:
    """Each kind of message counts from 1 within the publisher's epoch."""
    out, sink = publisher()
    for _ in range(2):
        out.ticks([("EURUSD", TickRow(1.1, 1.2, 1))])
        out.proof(None, trade_ok=False, text="gone")
    seqs = [(type(m).__name__, m.seq) for m in sink.messages]  # type: ignore[union-attr]
    assert seqs == [
        ("TickBatch", 1),
        ("TerminalProof", 1),
        ("TickBatch", 2),
        ("TerminalProof", 2),
    ]


def test_facts_go_out_once_and_again_when_somebody_new_listens() -> None:
    """A tick value that moves with the rates is no change of facts."""
    out, sink = publisher()
    out.facts(spec())
    out.facts(spec(trade_tick_value=1.0001))
    assert len(sink.messages) == 1
    out.facts(spec(trade_contract_size=10.0))
    assert len(sink.messages) == 2
    out.forget_facts()
    out.facts(spec(trade_contract_size=10.0))
    assert len(sink.messages) == 3


def poller(folder: Path, sink: Sink, *symbols: str, **answers: object) -> Poller:
    made, _ = session(**answers)
    clock = ManualClock(10**18, 10**12)
    log = IntentLog(folder / "log")
    return Poller(made, Publisher("A", clock, sink), clock, log, symbols)


def deal_dict(ticket: int) -> dict[str, object]:
    row = msgspec.structs.replace(DEAL, ticket=ticket)
    return msgspec.structs.asdict(row)


def test_a_cycles_deals_come_before_its_snapshot(tmp_path: Path) -> None:
    """TRIGGERS 3: the snapshot replaces everything before it, so its deals must be before."""
    sink = Sink()
    made = poller(
        tmp_path, sink, history_deals_get=Turns([deal_dict(1)], [deal_dict(1), deal_dict(2)])
    )

    async def twice() -> None:
        await made.cycle()
        await made.cycle()

    asyncio.run(twice())
    assert [type(m) for m in sink.messages] == [
        AccountSnapshot,
        TerminalProof,
        Fill,
        AccountSnapshot,
        TerminalProof,
    ]
    last = sink.messages[3]
    assert isinstance(last, AccountSnapshot)
    assert last.last_deal == 2


def test_without_its_deals_a_snapshot_is_not_published(tmp_path: Path) -> None:
    """A withdrawal would look like a loss; the observation itself goes on to the planner."""
    sink = Sink()
    made = poller(tmp_path, sink, history_deals_get=None)
    obs = asyncio.run(made.cycle())
    assert obs.account.balance == ACCOUNT["balance"]
    assert not any(isinstance(m, AccountSnapshot) for m in sink.messages)
    assert any(isinstance(m, TerminalProof) and not m.connected for m in sink.messages)


def transfer_dict(ticket: int) -> dict[str, object]:
    return {**deal_dict(ticket), "type": c.DEAL_TYPE_BALANCE, "profit": -100.0}


def test_a_transfer_waits_for_a_guard(tmp_path: Path) -> None:
    """While no guard listens neither the withdrawal nor a snapshot that shows it goes out."""
    sink = Sink()
    turns = Turns([], [transfer_dict(5)], [transfer_dict(5)])
    made = poller(tmp_path, sink, history_deals_get=turns)

    async def thrice() -> None:
        await made.cycle()
        made.is_heard = lambda: False
        await made.cycle()
        assert not any(isinstance(m, Transfer) for m in sink.messages)
        assert sum(isinstance(m, AccountSnapshot) for m in sink.messages) == 1
        made.is_heard = lambda: True
        await made.cycle()

    asyncio.run(thrice())
    assert [type(m) for m in sink.messages[-3:]] == [Transfer, AccountSnapshot, TerminalProof]


def test_a_transfer_while_the_parent_was_down_is_told(tmp_path: Path) -> None:
    """A restarted parent tells what came since the last one told; the first ever tells nothing."""
    first, second = Sink(), Sink()
    asyncio.run(poller(tmp_path, first, history_deals_get=[transfer_dict(5)]).cycle())
    assert not any(isinstance(m, Transfer) for m in first.messages)
    later = [transfer_dict(5), deal_dict(6), transfer_dict(7)]
    asyncio.run(poller(tmp_path, second, history_deals_get=later).cycle())
    told = [m.deal for m in second.messages if isinstance(m, Transfer)]
    assert told == [7]


def test_only_changed_quotes_are_published(tmp_path: Path) -> None:
    """A quiet symbol publishes nothing."""
    sink = Sink()
    tick = {"bid": 1.1, "ask": 1.2, "time_msc": 1}
    reader = poller(tmp_path, sink, "EURUSD", symbol_info_tick=tick)

    async def twice() -> None:
        await reader.quotes()
        await reader.quotes()
        reader.tell_again()
        await reader.quotes()

    asyncio.run(twice())
    assert len([m for m in sink.messages if isinstance(m, TickBatch)]) == 2


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_trade_modes_have_names(mode: int) -> None:
    """As the configuration writes them."""
    out, sink = publisher()
    play = Play()
    play.account = msgspec.structs.replace(play.account, trade_mode=mode)
    out.snapshot(play.observation(), last_deal=None, request=0)
    snapshot = sink.messages[0]
    assert isinstance(snapshot, AccountSnapshot)
    assert snapshot.trade_mode == ("demo", "contest", "real")[mode]
