"""A script on the MetaTrader5 package with EdgeGuard beside it.

    python examples/mt5_script.py RUN_DIR ACCOUNT SYMBOL STRATEGY

On Windows beside the terminal, or anywhere on the paper terminal's module of the same name. The
broker worker already reports account, deals and quotes, so this script only asks and beats.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import MetaTrader5  # pyright: ignore[reportMissingImports]

from edgeguard import Gate, Permit, Reporter  # +

mt5: Any = MetaTrader5
"""The vendor's package has no types."""
TURNS = 20


def buy(symbol: str, lots: float, _permit: Permit) -> Any:  # the vendor's struct
    """Buy at market: there is no way to call this without a permit."""
    return mt5.order_send(
        {
            "action": mt5.TRADE_ACTION_DEAL,
            "symbol": symbol,
            "volume": lots,
            "type": mt5.ORDER_TYPE_BUY,
            "price": mt5.symbol_info_tick(symbol).ask,
            "deviation": 20,
            "type_filling": mt5.ORDER_FILLING_IOC,
        }
    )


def main(run_dir: str, account: str, symbol: str, strategy: str) -> None:
    """Try to buy once a turn; one position is enough."""
    if not mt5.initialize() or not mt5.symbol_select(symbol, True):  # noqa: FBT003  # the vendor's
        raise SystemExit(f"the terminal must answer: {mt5.last_error()}")
    with Gate(run_dir, account) as gate, Reporter(run_dir, account) as reporter:  # +
        for _ in range(TURNS):
            reporter.heartbeat()  # +
            permit = gate.check(symbol=symbol, strategy=strategy)  # +
            if isinstance(permit, Permit):  # +
                result = buy(symbol, 0.01, permit)
                if result is not None and result.retcode == mt5.TRADE_RETCODE_DONE:
                    sys.stdout.write(f"bought {result.volume} {symbol}\n")
                    break
                code = mt5.last_error()[0] if result is None else result.retcode
                reporter.error("reject", code=code)  # +
            else:
                sys.stdout.write(f"not opened: {permit}\n")  # +
            time.sleep(0.25)
    mt5.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
