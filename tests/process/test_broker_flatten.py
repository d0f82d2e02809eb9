"""A real parent and child flatten a real paper terminal on command over ZeroMQ."""

from pathlib import Path

import msgspec
import pytest

from edgeguard.codec.native import encode
from edgeguard.messages import MESSAGE_BYTES_MAX, AccountSnapshot
from tests.process.broker_rig import hedged_book, make_config, rig

pytestmark = pytest.mark.slow


def test_a_hedged_book_is_flattened_and_proven_flat(tmp_path: Path) -> None:
    """12 hedged positions and 5 pendings go in half the requests; the record proves it."""
    with rig(tmp_path, make_config()) as made:
        made.admin("open_book", **hedged_book())
        made.command("flatten", halt_id="h1", reason="test")
        event = made.until("flat", halt_id="h1")
        record = msgspec.json.decode(event.body)
        state = made.dump()
        assert state["positions"] == {}
        assert state["orders"] == {}
        assert record["result"] == "FLAT"
        assert record["requests_sent"] == 6 + 5
        assert record["proof"]["apart_ms"] >= 1000
        kinds = [e.kind for e in made.events]
        assert kinds.index("first_order") < kinds.index("pendings_gone") < kinds.index("flat")
        assert {r["end"] for r in record["requests"]} == {"FILLED"}


@pytest.mark.timeout(180)
def test_a_thousand_positions_are_told_and_flattened(tmp_path: Path) -> None:
    """A snapshot of 1,000 positions reaches the guard's socket; 500 requests close the book."""
    config = make_config(initial_balance="1000000000.00")
    with rig(tmp_path, config) as made:
        pair = [{"symbol": "EURUSD", "side": side, "lots": 0.1} for side in ("buy", "sell")]
        made.admin("open_book", positions=pair * 500)
        told: list[AccountSnapshot] = []
        while not told or len(told[-1].positions) < 1000:
            told = [m for m in made.take_feed(1.0) if isinstance(m, AccountSnapshot)]
        assert len(encode(told[-1])) > MESSAGE_BYTES_MAX
        made.command("flatten", halt_id="h", reason="many")
        record = msgspec.json.decode(made.until("flat", halt_id="h", seconds=150).body)
        assert record["result"] == "FLAT"
        assert record["requests_sent"] == 500
        assert made.dump()["positions"] == {}
