"""The NautilusTrader example in a real backtest, where ``make bench-peers`` has installed it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgeguard import halt_page
from edgeguard.clock import SystemClock

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"


def backtest(page: Path) -> str:
    """Return the sides of the orders that were filled."""
    script = Path(__file__).with_name("nautilus_backtest.py")
    done = subprocess.run(  # noqa: S603  # the interpreter that has NautilusTrader
        [PEERS, script, ROOT / "examples", page],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.timeout(240)
@pytest.mark.skipif(not PEERS.exists(), reason="NautilusTrader is not installed: make bench-peers")
def test_an_order_goes_out_while_open_and_is_denied_while_paused(tmp_path: Path) -> None:
    """Open: bought and closed. Paused: neither, since there is nothing to close."""
    path = tmp_path / "halt.A"
    writer = halt_page.writer(path, "A", halt_page.LEASE_NS_MAX, 1)
    for state, filled in ((2, "BUY SELL"), (3, "none")):
        writer.set_state((state, 0, 0, 0, state), "")
        for _ in range(3):
            writer.beat(SystemClock().boot_ns())
        assert backtest(path) == filled
