"""Watch a flatten in a storm of faults: `python -m edgeguard.broker.storm [--seed N] [--netting]`.

A real parent, its child and a paper terminal as three processes in a folder of their own. The
terminal refuses, lags, hangs, lies about timing, loses its link; the child is killed on the way. It
ends with exit code 0 when two reads proved flat and every request has an end.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from edgeguard.broker.intents import read_log
from edgeguard.broker.paper.client import PaperControl
from edgeguard.broker.paper.wire import FeedTick
from edgeguard.broker.parent import Settings, run_broker
from edgeguard.broker.session import Timeouts
from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.config.model import AccountConfig, Config, PaperConfig, PaperSymbol, SymbolConfig
from edgeguard.config.paths import Paths
from edgeguard.errors import EdgeGuardError, UnreachableError
from edgeguard.messages import BrokerCommand, BrokerEvent
from edgeguard.transport import Client

ACCOUNT: Final = "STORM"
HALT: Final = "storm"
QUOTES: Final = {
    "EURUSD": ("1.08500", "1.08506", 5),
    "GBPUSD": ("1.26010", "1.26019", 5),
    "XAUUSD": ("2350.10", "2350.35", 2),
    "USDJPY": ("149.800", "149.806", 3),
}
STORM_S: Final = 12
"""The faults end after this, so that the end of the flatten can be seen."""
PATIENCE_S: Final = 180
LATENCY_MS: Final = 60
"""What every order takes, during the storm and after it."""
TEXT_WIDTH: Final = 100
TICK_S: Final = 0.5
RULES: Final[tuple[dict[str, Any], ...]] = (
    {"name": "requote", "probability": 0.2},
    {"name": "retcode", "retcode": 10006, "probability": 0.1},
    {"name": "retcode", "retcode": 10024, "probability": 0.1},
    {"name": "placed_late_fill", "ms": 200, "jitter_ms": 1500, "probability": 0.15},
    {"name": "timeout_executed", "probability": 0.1},
    {"name": "timeout_not_executed", "probability": 0.1},
    {"name": "partial_fill", "probability": 0.2, "fraction": 0.4},
    {"name": "listing_lag", "ms": 100, "jitter_ms": 600, "probability": 0.3},
    {"name": "none_list", "probability": 0.1},
    {"name": "ipc_recv", "probability": 0.05},
    {"name": "hang", "probability": 0.05, "count": 2},
    {"name": "autotrading_off", "ms": 2500, "probability": 0.05, "count": 1},
    {"name": "market_closed", "ms": 3000, "symbol": "XAUUSD", "probability": 0.1, "count": 1},
    {"name": "disconnect", "ms": 1500, "probability": 0.05, "count": 1},
    {"name": "foreign_open", "on": ["positions_get"], "probability": 0.02, "count": 2},
    {"name": "foreign_close", "probability": 0.05, "count": 1},
)
SETTINGS: Final = Settings(timeouts=Timeouts(initialize_s=10.0, read_s=2.0, order_s=2.0))
EDGE: Final = {"alarm": "!", "waiting": "~", "flat": "=", "not_flat": "~"}


def storm_config(*, netting: bool) -> Config:
    """Return the configuration of the one account."""
    account = AccountConfig(
        id=ACCOUNT,
        login=5_000_001,
        server="Paper-Storm",
        trade_mode="demo",
        currency="USD",
        initial_balance="1000000.00",
        terminal="paper",
    )
    return Config(
        account=(account,),
        symbol=tuple(SymbolConfig(name=n, digits=q[2]) for n, q in QUOTES.items()),
        paper=PaperConfig(
            margin_mode="netting" if netting else "hedging",
            latency_ms=LATENCY_MS,
            quotes=tuple(PaperSymbol(symbol=n, bid=q[0], ask=q[1]) for n, q in QUOTES.items()),
        ),
    )


def storm_book(dice: random.Random) -> dict[str, Any]:
    """Return 16 positions, some of them hedged, and 6 pending orders."""
    names = list(QUOTES)
    positions: list[dict[str, Any]] = []
    for number in range(12):
        lots = round(dice.choice((0.1, 0.3, 0.5, 1.0)), 2)
        side = dice.choice(("buy", "sell"))
        symbol = names[number % len(names)]
        positions.append({"symbol": symbol, "side": side, "lots": lots})
        if number % 3 == 0:
            other = "sell" if side == "buy" else "buy"
            positions.append({"symbol": symbol, "side": other, "lots": lots})
    orders: list[dict[str, Any]] = []
    for number in range(6):
        symbol = names[number % len(names)]
        price = round(float(QUOTES[symbol][0]) * 0.98, QUOTES[symbol][2])
        orders.append({"symbol": symbol, "type": "buy_limit", "lots": 0.2, "price": price})
    return {"positions": positions, "orders": orders}


class Storm:
    """One storm, from the start of its processes to the proof."""

    def __init__(self, folder: Path, seed: int, *, netting: bool) -> None:
        """Take where everything lives and what decides the faults."""
        self._config = storm_config(netting=netting)
        self._folder = folder
        self._seed = seed
        self._dice = random.Random(seed)  # noqa: S311 - a storm that can be repeated
        self._clock = SystemClock()
        self._paths = Paths(self._config, folder / "state").create()
        (folder / "config.json").write_bytes(msgspec.json.encode(self._config))
        self._start_ns = self._clock.wall_ns()

    def run(self) -> int:
        """Play it; return 0 when flat was proven and every request has an end."""
        command = [sys.executable, "-m", "edgeguard.broker.storm", "--serve", str(self._folder)]
        with (self._folder / "parent.log").open("ab") as log:
            parent = subprocess.Popen(command, stderr=log)  # noqa: S603 - this very module
        try:
            with Client(self._paths.broker(ACCOUNT)) as client:
                self._await_reader(client)
                with PaperControl(str(self._paths.paper_socket(ACCOUNT))) as control:
                    return self._flatten(client, control, parent.pid)
        finally:
            parent.send_signal(signal.SIGTERM)
            parent.wait(timeout=30)

    def _flatten(self, client: Client, control: PaperControl, parent: int) -> int:
        control.admin("open_book", **storm_book(self._dice))
        rules = [{**rule, "until_ms": STORM_S * 1000} for rule in RULES]
        # A plan replaces the one before it, the configured latency included.
        rules.append({"name": "latency", "on": ["order_send"], "ms": LATENCY_MS})
        control.admin("faults", plan={"seed": self._seed, "rules": rules})
        self._start_ns = self._clock.wall_ns()
        self._command(client, "flatten", halt_id=HALT, reason="a storm")
        kill_at = sorted(self._dice.sample(range(2, 20), 2))
        seen = 0
        for event in self._events(client, control):
            if event.halt_id != HALT or event.kind in ("reading", "hello"):
                continue
            self._show(event, control)
            seen += event.kind == "order"
            if kill_at and seen >= kill_at[0]:
                kill_at.pop(0)
                self._kill_child(parent)
            if event.kind == "flat":
                return self._verdict(control)
        return 1

    def _events(self, client: Client, control: PaperControl) -> Iterator[BrokerEvent]:
        """Yield events while the market moves: a symbol that ticks again is tried again."""
        deadline = self._clock.boot_ns() + PATIENCE_S * NS_PER_S
        while self._clock.boot_ns() < deadline:
            yield from client.broker_events(TICK_S)
            control.feed([self._tick(symbol) for symbol in QUOTES])

    def _tick(self, symbol: str) -> FeedTick:
        """Return the next quote of a symbol, a few points from its first one."""
        bid, ask, digits = QUOTES[symbol]
        moved = self._dice.randint(-5, 5) * 10**-digits
        low, high = round(float(bid) + moved, digits), round(float(ask) + moved, digits)
        return (symbol, low, high, self._clock.wall_ns())

    def _verdict(self, control: PaperControl) -> int:
        """Compare what was told with the server's own truth, and print the report."""
        truth = control.admin("dump")
        contents, _ = read_log(self._paths.intents(ACCOUNT).read_bytes())
        flat = not truth["positions"] and not truth["orders"]
        for report in sorted((self._paths.state_dir / "reports").glob("*.txt")):
            _say(report.read_text(encoding="utf-8"))
        firings = control.admin("counters")["firings"]
        _say("faults fired: " + ", ".join(f"{name} {n}" for name, n in sorted(firings.items())))
        _say(
            f"the server agrees that it is flat: {'yes' if flat else 'NO'}; requests without an "
            f"end: {len(contents.unresolved)}"
        )
        return 0 if flat and not contents.unresolved else 1

    def _await_reader(self, client: Client) -> None:
        """Wait until the parent has read the terminal once."""
        deadline = self._clock.boot_ns() + 30 * NS_PER_S
        while self._clock.boot_ns() < deadline:
            self._command(client, "hello")
            for event in client.broker_events(0.2):
                if msgspec.json.decode(event.body).get("read_age_ms") is not None:
                    return
        log = (self._folder / "parent.log").read_text(encoding="utf-8")
        raise UnreachableError(f"the broker did not start: {log[-300:] or 'it said nothing'}")

    def _command(self, client: Client, verb: str, halt_id: str = "", reason: str = "") -> None:
        now = self._clock.wall_ns()
        command = BrokerCommand(ACCOUNT, str(now), now, verb, halt_id=halt_id, reason=reason)
        client.send_broker(command)

    def _show(self, event: BrokerEvent, control: PaperControl) -> None:
        # When it was told, not when it is printed; what is left is counted now.
        seconds = (event.t_ns - self._start_ns) / NS_PER_S
        truth = control.admin("dump")
        left = f"{len(truth['positions']):2} pos {len(truth['orders'])} ord"
        mark = EDGE.get(event.kind, " ")
        _say(f"{seconds:7.3f} s  {left}  {mark} {event.kind:13} {shortened(event.text)}")

    def _kill_child(self, parent: int) -> None:
        """Kill the process that calls the terminal, as a watchdog or the kernel would."""
        children = Path(f"/proc/{parent}/task/{parent}/children")
        for pid in children.read_text(encoding="ascii").split():
            if b"broker.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                _say(f"{'':26}  x kill -9 of the child {pid}")
                os.kill(int(pid), signal.SIGKILL)


def shortened(text: str) -> str:
    """Return a text that fits one line, with a sign where something was left out."""
    return text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 1] + "…"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _serve(folder: Path) -> int:
    """Be the parent."""
    config = msgspec.json.decode((folder / "config.json").read_bytes(), type=Config)
    return run_broker(config, Paths(config, folder / "state"), ACCOUNT, SETTINGS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a storm; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m edgeguard.broker.storm", description="Flatten in a storm of faults."
    )
    parser.add_argument("--seed", type=int, default=1, help="decides book, faults and kills")
    parser.add_argument("--netting", action="store_true", help="a netting account")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    try:
        if options.serve is not None:
            return _serve(options.serve)
        with tempfile.TemporaryDirectory(prefix="edgeguard-storm-") as name:
            return Storm(Path(name), options.seed, netting=options.netting).run()
    except EdgeGuardError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
