"""An unmodified third-party client on the paper terminal: pymt5adapter, in a process of its own.

It wraps the whole package, its private `_RawOrder` included, checks types by what it imports and
turns each None into an exception by last_error. From the package index, into a folder of the test;
skipped, visibly, where pip cannot reach it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edgeguard.broker.paper.module as module_folder
from edgeguard.broker.paper import constants as c
from tests.contract.paper_terminal import STUCK_S, pip_install, running, with_paths

pytest.importorskip("numpy")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PACKAGE = "pymt5adapter==0.4.4"
CLIENT = """
import json
from datetime import datetime, timedelta
import MetaTrader5._core
import pymt5adapter as mta
from pymt5adapter.order import Order

said = {"core": MetaTrader5._core.order_send.__name__, "version": mta.__version__["MetaTrader5"]}
now = datetime.now()
spans = now - timedelta(days=30), now + timedelta(days=1)
connected = mta.connected(raise_on_errors=True, ensure_trade_enabled=True)
with connected as connection:
    said["ping"] = connection.ping().trade_server
    said["account"] = mta.account_info().login
    said["named"] = [s.name for s in mta.symbols_get(regex="^EUR")]
    tick = mta.symbol_info_tick("EURUSD")
    said["bars"] = [
        len(mta.copy_rates_from_pos("EURUSD", mta.TIMEFRAME.D1, 0, 200)),
        len(mta.copy_rates_from("EURUSD", mta.TIMEFRAME.M5, now, 10)),
        len(mta.copy_rates_range("EURUSD", mta.TIMEFRAME.MN1, *spans)) > 0,
        len(mta.copy_ticks_from("EURUSD", spans[0], 7, mta.COPY_TICKS.ALL)),
    ]
    said["bought"] = mta.Buy("EURUSD", 0.3, comment="by hand").retcode
    said["sold"] = Order.as_sell(symbol="GBPUSD", volume=0.2, type_filling=1).send().retcode
    said["held"] = sorted((p.symbol, p.type, p.volume) for p in mta.positions_get())
    pending = {
        "action": mta.TRADE_ACTION.PENDING, "symbol": "EURUSD", "volume": 0.1,
        "type": mta.ORDER_TYPE.BUY_LIMIT, "price": round(tick.bid * 0.9, 5),
        "type_filling": mta.ORDER_FILLING.RETURN,
    }
    said["checked"] = mta.order_check(dict(pending)).retcode
    placed = mta.order_send(dict(pending))
    said["placed"] = [o.ticket == placed.order for o in mta.orders_get(symbol="EURUSD")]
    remove = {"action": mta.TRADE_ACTION.REMOVE, "order": placed.order}
    said["removed"] = mta.order_send(remove).retcode
    try:
        mta.Buy("EURUSD", 1)
    except mta.MT5Error as error:
        said["refused"] = [int(error.error_code), error.description.split("(")[0]]
    said["closed"] = [mta.Close("EURUSD"), mta.Close("EURUSD"), mta.Close("GBPUSD")]
    said["left"] = mta.positions_total()
    said["deals"] = len(mta.history_deals_get(*spans))
    said["margin"] = mta.order_calc_margin(mta.ORDER_TYPE.BUY, "EURUSD", 1, tick.ask) > 0
    try:
        mta.Buy("NOPE", 0.1)
    except mta.MT5Error as error:
        said["unknown"] = [int(error.error_code), error.description.split("(")[0]]
print(json.dumps(said))
"""


def test_pymt5adapter_trades_on_the_paper_terminal(tmp_path: Path) -> None:
    """Import, look, look back, open, check, place, delete, be refused, close, read history."""
    assert module_folder.__file__ is not None
    packages = pip_install(tmp_path / "packages", PACKAGE)
    tmp_path.chmod(0o700)
    known = with_paths(Path(module_folder.__file__).parent, packages)
    known["EDGEGUARD_PAPER_SOCKET"] = str(tmp_path / "t.sock")
    with running(tmp_path / "t.sock"):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", CLIENT],
            env=known,
            capture_output=True,
            check=False,
            timeout=STUCK_S,
        )
    assert done.returncode == 0, done.stderr.decode()
    said: dict[str, Any] = json.loads(done.stdout)
    assert said == {
        "core": "order_send",
        "version": "5.0.6231",
        "ping": 77_850,
        "account": 5_000_001,
        "named": ["EURUSD", "EURCHF"],
        "bars": [200, 10, True, 7],
        "bought": c.TRADE_RETCODE_DONE,
        "sold": c.TRADE_RETCODE_DONE,
        "held": [["EURUSD", 0, 0.3], ["GBPUSD", 1, 0.2]],
        "checked": 0,
        "placed": [True],
        "removed": c.TRADE_RETCODE_DONE,
        "refused": [-2, 'Invalid "volume" argument'],
        "closed": [True, False, True],
        "left": 0,
        "deals": 5,
        "margin": True,
        "unknown": [-4, "Terminal: Not found"],
    }
