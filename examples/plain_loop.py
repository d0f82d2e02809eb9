"""A plain Python trading loop with EdgeGuard beside it.

    python examples/plain_loop.py RUN_DIR ACCOUNT < ticks

A tick is a line ``EURUSD 1.10000 1.10012``. The lines marked "+" are all that EdgeGuard asks for.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

from edgeguard import Gate, Permit, Reporter  # +


class Strategy:
    """Buys when the price rose, sells when it fell; a stand-in for yours."""

    def __init__(self) -> None:
        """Start flat."""
        self.last = 0.0
        self.is_long = False

    def wanted(self, mid: float) -> str:
        """Return ``buy``, ``close`` or nothing."""
        rose, self.last = mid > self.last > 0, mid
        if rose and not self.is_long:
            return "buy"
        return "close" if self.is_long and not rose else ""


def send(side: str, symbol: str, permit: Permit | None) -> None:
    """Send an order: one that opens risk cannot be called without a permit."""
    sys.stdout.write(f"{side} {symbol} {permit or 'needs no permit'}\n")
    sys.stdout.flush()


def ticks() -> Iterator[tuple[str, float, float]]:
    """Read ticks from standard input."""
    for line in sys.stdin:
        symbol, bid, ask = line.split()
        yield symbol, float(bid), float(ask)


def main(run_dir: str, account: str) -> None:
    """Trade until the ticks end."""
    strategy = Strategy()
    with Gate(run_dir, account) as gate, Reporter(run_dir, account, feed="main") as reporter:  # +
        logging.getLogger().addHandler(reporter.handler(logging.ERROR))  # +
        for symbol, bid, ask in ticks():
            reporter.tick(symbol, bid, ask)  # +
            reporter.heartbeat()  # + where the loop makes progress, not in a thread of its own
            side = strategy.wanted((bid + ask) / 2)
            if side == "close":
                send(side, symbol, None)  # exits, cancels and queries never ask
                strategy.is_long = False
            elif side == "buy":
                if permit := gate.check(symbol=symbol):  # +
                    send(side, symbol, permit)
                    strategy.is_long = True
                else:  # +
                    sys.stdout.write(f"not opened: {permit}\n")  # +
                    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
