"""A desk from the pure wheel: parent, child and paper terminal; `halt` makes the account flat.

Run by the clean environment's own interpreter, with nothing of the repository in sight:
`python -I pure_desk.py FOLDER`.
"""
# ruff: noqa: T201 - a script that prints

import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from edgeguard.broker.paper.client import PaperControl
from edgeguard.clock import SystemClock
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.messages import BrokerCommand
from edgeguard.transport import Client

PATIENCE_S = 60
CONFIG = """
[guard]
state_dir = "{state}"
[[account]]
id = "A"
login = 5000001
server = "Paper-Demo"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000.00"
terminal = "paper"
[[symbol]]
name = "EURUSD"
digits = 5
[[paper.quotes]]
symbol = "EURUSD"
bid = "1.08500"
ask = "1.08506"
"""
BOOK = {
    "positions": [{"symbol": "EURUSD", "side": "buy", "lots": 0.1 * n} for n in (1, 2, 3)],
    "orders": [{"symbol": "EURUSD", "type": "buy_limit", "lots": 0.1, "price": 1.01}],
}


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def is_read(client: Client) -> bool:
    now = SystemClock().wall_ns()
    client.send_broker(BrokerCommand("A", str(now), now, "hello"))
    bodies = [json.loads(event.body) for event in client.broker_events(0.5)]
    return any(body and body.get("read_age_ms") is not None for body in bodies)


def await_reader(client: Client, broker: subprocess.Popen[bytes], log: Path) -> None:
    until = SystemClock().boot_ns() + PATIENCE_S * 10**9
    while not is_read(client):
        assert SystemClock().boot_ns() < until, log.read_text()
        assert broker.poll() is None, log.read_text()


def main(folder: Path) -> None:
    absent = [n for n in ("edgeguard._core", "uvloop", "apsw") if find_spec(n) is None]
    assert len(absent) == 3, absent
    config = folder / "edgeguard.toml"
    config.write_text(CONFIG.format(state=(folder / "state").as_posix()))
    paths = Paths(load_config(config)[0]).create()
    command = [sys.executable, "-I", "-m", "edgeguard", "--config", str(config)]
    with (folder / "broker.log").open("w") as log:
        broker = subprocess.Popen([*command, "broker"], stdout=log, stderr=log)  # noqa: S603
    try:
        with Client(paths.broker("A")) as client:
            await_reader(client, broker, folder / "broker.log")
        with PaperControl(str(paths.paper_socket("A"))) as control:
            control.admin("open_book", **BOOK)
            assert len(control.admin("dump")["positions"]) == 3
            halt = [*command, "halt", "--reason", "pure wheel", "--timeout", str(PATIENCE_S)]
            done = subprocess.run(halt, capture_output=True, text=True, check=False)  # noqa: S603
            state = control.admin("dump")
            assert not state["positions"], done.stdout + done.stderr
            assert not state["orders"], done.stdout + done.stderr
            say(f"halt without a guard: exit {done.returncode}, the server shows nothing left")
        assert list((paths.state_dir / "reports").glob("*.json"))
    finally:
        broker.send_signal(signal.SIGTERM)
        code = broker.wait(timeout=PATIENCE_S)
    assert code == 0, (folder / "broker.log").read_text()
    say("broker: parent and child ran on the paper terminal and ended with 0")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
