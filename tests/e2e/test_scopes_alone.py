"""A halt of a strategy or a symbol with the guard dead: that alone is closed and stays closed."""

import json
import os
import signal
from pathlib import Path

import pytest

from edgeguard.demo.book import Entry
from edgeguard.gate import Gate
from tests.e2e.rig import edgeguard
from tests.e2e.runbook_rig import Phone, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    ("scope", "left", "closed", "still_open"),
    [
        ("strategy:trend", (1, 0), ("EURUSD", "trend"), ("EURUSD", "range")),
        ("symbol:EURUSD", (2, 0), ("EURUSD", "range"), ("GBPUSD", "trend")),
    ],
)
def test_without_a_guard_a_part_alone_is_flattened_and_blocked(
    tmp_path: Path,
    scope: str,
    left: tuple[int, int],
    closed: tuple[str, str],
    still_open: tuple[str, str],
) -> None:
    """Exit 0 by what was seen; every gate is shut without a guard, after its return that one."""
    with (
        Phone() as phone,
        environment(tmp_path, phone) as (here, guard),
        Gate(here.paths.run_dir, "A") as gate,
    ):
        trader = here.open_book()
        trader.open(Entry("GBPUSD", "buy", "0.20", 202))
        os.kill(guard.process.pid, signal.SIGSTOP)
        os.kill(guard.pid_of("guard"), signal.SIGKILL)
        try:
            where = ("--config", str(here.config))
            done = edgeguard("halt", "--reason", "a part", "--scope", scope, "--json", *where)
            stages = [json.loads(line) for line in done.stdout.splitlines()]
            assert done.returncode == 0, stages
            assert trader.counts() == left
            assert not gate.check(*still_open)
        finally:
            os.kill(guard.process.pid, signal.SIGCONT)
        guard.until(lambda _: bool(gate.check(*still_open)))
        refused = gate.check(*closed)
        assert not refused
        assert refused.code == "SCOPE"
        assert trader.counts() == left
