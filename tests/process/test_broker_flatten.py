"""A real parent and child flatten a real paper terminal on command over ZeroMQ."""

from pathlib import Path

import msgspec
import pytest

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
