"""The examples, really run: each beside a paper guard, open and halted."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeguard.gate import Gate
from tests.e2e.rig import Running, running

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TERMINAL = ROOT / "edgeguard" / "broker" / "paper" / "module"
"""A module named MetaTrader5 that speaks to the paper terminal."""
TOKEN = "a token of the test"  # noqa: S105
RISING = "BTCUSDT 61837.63 61837.64\nBTCUSDT 61838.63 61838.64\n"
FALLING = "BTCUSDT 61837.63 61837.64\n"


@contextmanager
def example(name: str, guard: Running, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """Run an example beside a guard until the block ends."""
    process = subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, str(EXAMPLES / name), str(guard.paths.run_dir), "A", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{TERMINAL}",
            "EDGEGUARD_HOOK_TOKEN": TOKEN,
            "EDGEGUARD_PAPER_SOCKET": str(guard.paths.paper_socket("A")),
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that an example prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def post(port: int, **alert: str) -> tuple[int, str]:
    """Send an alert as TradingView would; return status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/", json.dumps(alert))
    answer = connection.getresponse()
    text = answer.read().decode().strip()
    connection.close()
    return answer.status, text


def alerts(port: int) -> dict[str, tuple[int, str]]:
    """Return what the webhook answers to an entry and to an exit."""
    entry = post(port, token=TOKEN, action="buy", symbol="EURUSD", strategy="trend")
    return {"entry": entry, "exit": post(port, token=TOKEN, action="close", symbol="EURUSD")}


def tell(process: subprocess.Popen[str], ticks: str) -> str:
    """Give the plain loop ticks and return what it says to them."""
    assert process.stdin is not None
    process.stdin.write(ticks)
    process.stdin.flush()
    return line(process)


def test_examples_trade_while_open_and_refuse_entries_once_halted(tmp_path: Path) -> None:
    """Webhook, plain loop and MT5 script: orders go out, then a halt, then only exits do."""
    with (
        running(tmp_path) as guard,
        example("tradingview_webhook.py", guard) as hook,
        example("plain_loop.py", guard) as loop,
        Gate(guard.paths.run_dir, "A") as gate,
    ):
        port = int(line(hook).removeprefix("listening on "))
        assert post(port, token=TOKEN[1:], action="buy", symbol="EURUSD")[0] == 403
        assert post(port, action="buy")[0] == 422
        assert alerts(port) == {"entry": (200, "sent"), "exit": (200, "sent")}
        assert line(hook) == "buy EURUSD"
        assert tell(loop, RISING) == "buy BTCUSDT Permit(account='A')"
        with example("mt5_script.py", guard, "BTCUSDT", "trend") as script:
            assert line(script) == "bought 0.01 BTCUSDT"
            assert script.wait(30) == 0
        halted = guard.command("halt", "--reason", "a test of the examples")
        assert halted.returncode == 0, halted.stderr
        assert not gate.check()
        answers = alerts(port)
        assert answers["entry"][0] == 409
        assert answers["entry"][1].startswith("HALTED: ")
        assert answers["exit"] == (200, "sent")
        assert tell(loop, FALLING) == "close BTCUSDT needs no permit"
        assert tell(loop, RISING).startswith("not opened: HALTED")
        with example("mt5_script.py", guard, "BTCUSDT", "trend") as script:
            assert line(script).startswith("not opened: HALTED")
