"""What tests of a broker in trouble share: quick bounds, who to hurt, and what must hold after."""

from pathlib import Path
from typing import Any

from edgeguard.broker.intents import read_log
from edgeguard.broker.parent import Settings
from edgeguard.broker.planner.model import Policy
from edgeguard.broker.session import Timeouts
from tests.process.broker_rig import Rig

MS = 1_000_000
QUICK = Settings(
    policy=Policy(
        settle_ns=50 * MS,
        hedging_resend_ns=200 * MS,
        netting_quarantine_ns=600 * MS,
        probe_ns=500 * MS,
        lag_ns=50 * MS,
        resync_ns=50 * MS,
        alarm_ns=300 * MS,
    ),
    timeouts=Timeouts(initialize_s=10.0, read_s=1.0, order_s=0.5),
)
OWN_MAGIC = 0x4547 << 32
"""Magic numbers of EdgeGuard's own requests begin here."""
CLOSING = {1, 3}
"""Entries of deals that close: out and out-by."""


def faults(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"plan": {"rules": list(rules)}}


def assert_accounted(made: Rig) -> None:
    """Nothing is left, and every intent in the log has an end."""
    state = made.dump()
    assert state["positions"] == {}
    assert state["orders"] == {}
    contents, _ = read_log(made.paths.intents(made.account).read_bytes())
    assert contents.unresolved == {}
    assert contents.damaged == 0


def own_deals(made: Rig) -> list[dict[str, Any]]:
    """The deals of EdgeGuard's own requests, as the server itself has them."""
    return [d for d in made.dump()["deals"].values() if d["magic"] >= OWN_MAGIC]


def assert_only_reduced(made: Rig) -> None:
    """No deal of EdgeGuard's own opened or reversed anything."""
    entries = [deal["entry"] for deal in own_deals(made)]
    assert entries
    assert set(entries) <= CLOSING


def child_pid(made: Rig) -> int:
    assert made.process is not None
    tasks = Path(f"/proc/{made.process.pid}/task/{made.process.pid}/children")
    pids = [int(pid) for pid in tasks.read_text().split()]
    for pid in pids:
        if b"edgeguard.broker.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return 0
