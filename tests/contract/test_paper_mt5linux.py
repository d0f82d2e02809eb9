"""An unmodified third-party client on the paper terminal: mt5linux over rpyc, as its users run it.

Server: rpyc's classic server whose import path has the folder with our package MetaTrader5, on
loopback alone, for classic mode is remote code execution by design. Client: mt5linux from the
package index, installed into a folder of the test; skipped, visibly, where pip cannot reach it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edgeguard.broker.paper.module as module_folder
from edgeguard.broker.paper import constants as c
from tests.contract.paper_terminal import STUCK_S, Running, pip_install, running, with_paths

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PACKAGES = ("mt5linux==1.0.11", "rpyc==6.0.2", "plumbum==1.7.0")
SERVER = """
import sys
from rpyc.core.service import SlaveService
from rpyc.utils.server import ThreadedServer
server = ThreadedServer(SlaveService, hostname="127.0.0.1", port=0)
print(server.port, flush=True)
server.start()
"""
CLIENT = """
import json, sys
from mt5linux import MetaTrader5
mt5 = MetaTrader5(host="127.0.0.1", port=int(sys.argv[1]))
said = {"initialized": mt5.initialize(), "error": tuple(mt5.last_error())}
said["login"] = mt5.account_info().login
said["version"] = tuple(mt5.version())
tick = mt5.symbol_info_tick("EURUSD")
request = {
    "action": mt5.TRADE_ACTION_DEAL, "symbol": "EURUSD", "volume": 0.3,
    "type": mt5.ORDER_TYPE_BUY, "type_filling": mt5.ORDER_FILLING_IOC,
    "price": tick.ask, "comment": "it's \\"quoted\\"", "magic": 7,
}
said["check"] = mt5.order_check(request).retcode
result = mt5.order_send(request)
said["sent"] = (result.retcode, result.request.comment, result._asdict()["volume"])
held = mt5.positions_get(symbol="EURUSD")
said["held"] = [(p.ticket == result.order, p.volume, p.magic) for p in held]
refused = mt5.order_send({**request, "volume": 1})
said["refused"] = (refused is None, tuple(mt5.last_error()))
close = {**request, "type": mt5.ORDER_TYPE_SELL, "position": held[0].ticket, "price": tick.bid}
said["closed"] = mt5.order_send(close).retcode
said["left"] = len(mt5.positions_get())
said["deals"] = len(mt5.history_deals_get(position=result.order))
said["constants"] = (mt5.TRADE_RETCODE_DONE, mt5.ORDER_TYPE_CLOSE_BY)
said["shutdown"] = mt5.shutdown()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's packages, through the ordinary pip."""
    return pip_install(tmp_path_factory.mktemp("packages"), *PACKAGES)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Running]:
    """A running terminal."""
    tmp_path.chmod(0o700)
    with running(tmp_path / "t.sock") as started:
        yield started


def test_mt5linux_trades_on_the_paper_terminal(packages: Path, terminal: Running) -> None:
    """Initialise, read, check, send, refuse an int volume, close, read history, shut down."""
    assert module_folder.__file__ is not None
    stand_in = Path(module_folder.__file__).parent
    known = with_paths(stand_in, packages)
    known["EDGEGUARD_PAPER_SOCKET"] = str(terminal.socket)
    server_command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(server_command, env=known, stdout=subprocess.PIPE) as server:  # noqa: S603
        try:
            assert server.stdout is not None
            port = server.stdout.readline().decode().strip()
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-c", CLIENT, port],
                env=with_paths(packages),
                capture_output=True,
                check=False,
                timeout=STUCK_S,
            )
        finally:
            server.kill()
    assert done.returncode == 0, done.stderr.decode()
    said: dict[str, Any] = json.loads(done.stdout)
    assert said == {
        "initialized": True,
        "error": [1, "Success"],
        "login": 5_000_001,
        "version": [500, 6231, "27 Sep 2026"],
        "check": 0,
        "sent": [c.TRADE_RETCODE_DONE, 'it\'s "quoted"', 0.3],
        "held": [[True, 0.3, 7]],
        "refused": [True, [-2, 'Invalid "volume" argument']],
        "closed": c.TRADE_RETCODE_DONE,
        "left": 0,
        "deals": 2,
        "constants": [10009, 8],
        "shutdown": True,
    }
    # The terminal is its own process: rpyc's death left it alone.
    assert terminal.mt5.positions_total() == 0
