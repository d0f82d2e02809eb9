"""What a real parent publishes, how it reads on request, and how prices reach the paper market."""

from pathlib import Path

import msgspec
import pytest

from edgeguard.codec.native import encode
from edgeguard.config.model import FeedConfig
from edgeguard.messages import (
    AccountSnapshot,
    AnyMessage,
    Fill,
    SymbolFacts,
    TerminalProof,
    Tick,
    TickBatch,
    Transfer,
)
from edgeguard.transport import publisher
from tests.process.broker_rig import PATIENCE_S, QUOTES, Rig, hedged_book, make_config, rig

pytestmark = pytest.mark.slow


def until(made: Rig, kind: type, **fields: object) -> AnyMessage:
    """Return the next published message of a kind with these fields; what is behind it stays."""
    deadline = made.clock.boot_ns() + int(PATIENCE_S * 1e9)
    while made.clock.boot_ns() < deadline:
        while made.unread:
            message = made.unread.popleft()
            if not isinstance(message, kind):
                continue
            if all(getattr(message, name) == value for name, value in fields.items()):
                return message
        made.take_feed(0.2)
    raise AssertionError(f"no {kind.__name__} with {fields}")


def test_the_feed_tells_everything(tmp_path: Path) -> None:
    """Facts, snapshot, proof and quotes; a fresh read carries its number; deals come before it."""
    with rig(tmp_path, make_config()) as made:
        # What was told before the feed had a subscriber is lost; a message shows that it has one.
        until(made, AccountSnapshot)
        made.greet_anew()
        facts = until(made, SymbolFacts, symbol="EURUSD")
        assert isinstance(facts, SymbolFacts)
        assert (facts.digits, facts.contract_size, facts.calc_mode) == (5, "100000.0", "FOREX")
        proof = until(made, TerminalProof)
        assert isinstance(proof, TerminalProof)
        assert proof.connected
        made.command("read", request=42)
        assert msgspec.json.decode(made.until("reading").body)["ok"]
        snapshot = until(made, AccountSnapshot, request=42)
        assert isinstance(snapshot, AccountSnapshot)
        assert (snapshot.balance, snapshot.equity) == ("100000.00", "100000.00")
        assert (snapshot.login, snapshot.trade_mode) == (5_000_001, "demo")
        made.admin("open_book", **hedged_book(pairs=1, orders=1))
        fill = until(made, Fill)
        assert isinstance(fill, Fill)
        # The book is opened order by order: a snapshot may come between two of them.
        after = until(made, AccountSnapshot)
        while isinstance(after, AccountSnapshot) and not after.orders:
            assert len(after.positions) <= 2
            after = until(made, AccountSnapshot)
        assert isinstance(after, AccountSnapshot)
        assert len(after.positions) == 2
        assert after.orders[0].kind == "buy_limit"


def test_a_withdrawal_waits_for_a_guard(tmp_path: Path) -> None:
    """Money taken out while nobody greets is told as soon as somebody does, before a snapshot."""
    with rig(tmp_path, make_config()) as made:
        made.take_feed(0.5)
        made.admin("withdraw", amount=500.0)
        found: AnyMessage | None = None
        deadline = made.clock.boot_ns() + int(PATIENCE_S * 1e9)
        while found is None and made.clock.boot_ns() < deadline:
            made.command("hello")
            for message in made.take_feed(0.3):
                if isinstance(message, AccountSnapshot):
                    assert message.balance == "100000.00" or found is not None
                found = message if isinstance(message, Transfer) else found
        assert isinstance(found, Transfer)
        assert (found.kind, found.amount) == ("balance", "-500.00")


def test_prices_reach_the_paper_market(tmp_path: Path) -> None:
    """A native feed's ticks move the paper terminal, which says so in its own quotes."""
    endpoint = f"ipc://{tmp_path}/ticks.ipc"
    config = msgspec.structs.replace(
        make_config(), feed=(FeedConfig(name="main", endpoint=endpoint),)
    )
    with rig(tmp_path, config) as made:
        feed = publisher(made.context, endpoint, bind=True)
        try:
            deadline = made.clock.boot_ns() + int(PATIENCE_S * 1e9)
            moved = False
            number = 0
            while not moved and made.clock.boot_ns() < deadline:
                # A subscriber that has only just joined misses the first ones.
                number += 1
                tick = Tick("EURUSD", "1.20000", "1.20010", None)
                batch = TickBatch("", "main", 1, number, made.clock.wall_ns(), (tick,))
                feed.send_multipart([b"ticks", encode(batch)])
                made.command("status")
                made.until("status")
                quote = made.dump()["quotes"]["EURUSD"]
                moved = quote["bid"] == 1.2
            assert moved
            quoted = until(made, TickBatch)
            assert isinstance(quoted, TickBatch)
            assert quoted.source == "terminal"
            assert {row.symbol for row in quoted.ticks} <= set(QUOTES)
        finally:
            feed.close(linger=0)
