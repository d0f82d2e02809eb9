"""One message of every kind on the market side of the wire; `*.hex` holds their bytes.

The files are written by ``python -m tests.golden.samples``. A change of any of them changes the
wire: it needs an entry in the CHANGELOG and, unless it only appends, a new `WIRE_VERSION`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from edgeguard import messages

HERE: Final = Path(__file__).parent
T_NS: Final = 1_398_976_201_000_000_000

SAMPLES: Final[dict[str, messages.MarketMessage]] = {
    "tick_batch": messages.TickBatch(
        account="",
        source="main",
        epoch=7,
        seq=41,
        t_ns=T_NS,
        ticks=(
            messages.Tick("EURUSD", 1.38694, 1.38705, T_NS - 5),
            messages.Tick("XAUUSD", "1284.305", "1284.621"),
            messages.Tick("BTCUSDT", float("nan"), 61837.64, None),
        ),
    ),
    "fill": messages.Fill(
        account="A",
        source="terminal",
        epoch=7,
        seq=3,
        t_ns=T_NS,
        deal=11,
        position=7,
        symbol="EURUSD",
        side="sell",
        entry="out",
        volume="0.50",
        price="1.38690",
        profit="-5.00",
        commission="-3.50",
        swap="0.00",
        fee=None,
        order=12,
        magic=101,
    ),
    "account": messages.AccountSnapshot(
        account="A",
        source="terminal",
        epoch=7,
        seq=9,
        t_ns=T_NS,
        balance="99511.40",
        equity="99553.22",
        credit="0.00",
        margin="98.18",
        positions=(
            messages.Position(
                ticket=7,
                identifier=7,
                symbol="EURUSD",
                side="buy",
                volume="1.00",
                price_open="1.38652",
                price_current="1.38694",
                swap="-0.18",
                profit="42.00",
                magic=101,
                sl="1.38000",
                tp="0",
                time_msc=1_398_976_000_123,
            ),
        ),
        orders=(messages.Order(8, "EURUSD", "buy_limit", "0.10", "1.38000"),),
        last_deal=10,
        request=2,
        login=25115284,
        server="MetaQuotes-Demo",
        trade_mode="demo",
        currency="USD",
    ),
    "error": messages.ErrorEvent(
        account="A",
        source="engine",
        epoch=7,
        seq=1,
        t_ns=T_NS,
        class_="reject",
        code=10006,
        order=12,
        text="Request rejected",
    ),
    "heartbeat": messages.Heartbeat(account="A", source="engine", epoch=7, seq=200, t_ns=T_NS),
    "transfer": messages.Transfer(
        account="A",
        source="terminal",
        epoch=7,
        seq=1,
        t_ns=T_NS,
        deal=13,
        kind="balance",
        amount="500.00",
    ),
    "terminal": messages.TerminalProof(
        account="A",
        source="terminal",
        epoch=7,
        seq=5,
        t_ns=T_NS,
        connected=True,
        trade_allowed=False,
        expert_allowed=True,
        api_allowed=True,
        text="AutoTrading is off",
    ),
    "symbol": messages.SymbolFacts(
        account="A",
        source="terminal",
        epoch=7,
        seq=1,
        t_ns=T_NS,
        symbol="EURCAD",
        digits=5,
        contract_size="100000",
        calc_mode="FOREX",
        currency_base="EUR",
        currency_profit="CAD",
        tick_size="0.00001",
        tick_value="0.70436424",
    ),
}


def path(name: str) -> Path:
    """Return the file of a sample."""
    return HERE / f"{name}.hex"


def main() -> None:
    """Write every file anew."""
    for name, message in SAMPLES.items():
        path(name).write_text(msgspec.msgpack.encode(message).hex(" ", 16) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
