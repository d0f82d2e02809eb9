"""A real parent, child and paper terminal in a folder of their own, and a client for them."""
# ruff: noqa: ANN401 - admin requests of any shape

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import zmq

from edgeguard.broker.paper.client import PaperControl
from edgeguard.broker.parent import Settings
from edgeguard.clock import SystemClock
from edgeguard.codec.native import decode
from edgeguard.config.model import AccountConfig, Config, PaperConfig, PaperSymbol, SymbolConfig
from edgeguard.config.paths import Paths
from edgeguard.messages import FEED_BYTES_MAX, AnyMessage, BrokerCommand, BrokerEvent
from edgeguard.transport import Client, make_context, subscriber

ROOT = Path(__file__).parents[2]
QUOTES = {
    "EURUSD": ("1.08500", "1.08506", 5),
    "GBPUSD": ("1.26010", "1.26019", 5),
    "XAUUSD": ("2350.10", "2350.35", 2),
    "USDJPY": ("149.800", "149.806", 3),
}
PATIENCE_S = 25.0
"""Bound on any wait of these tests; nothing asserts how long something took."""


def make_config(margin_mode: str = "hedging", latency_ms: int = 0, **account: Any) -> Config:
    fields: dict[str, Any] = {
        "id": "A",
        "login": 5_000_001,
        "server": "Paper-Demo",
        "trade_mode": "demo",
        "currency": "USD",
        "initial_balance": "100000.00",
        "terminal": "paper",
        **account,
    }
    return Config(
        account=(AccountConfig(**fields),),
        symbol=tuple(SymbolConfig(name=n, digits=q[2]) for n, q in QUOTES.items()),
        paper=PaperConfig(
            margin_mode=margin_mode,  # type: ignore[arg-type]
            latency_ms=latency_ms,
            quotes=tuple(PaperSymbol(n, q[0], q[1]) for n, q in QUOTES.items()),
        ),
    )


def hedged_book(pairs: int = 6, orders: int = 5) -> dict[str, Any]:
    """`pairs` equal opposite positions over the symbols, and pending orders away from the price."""
    names = list(QUOTES)
    positions: list[dict[str, Any]] = []
    for number in range(pairs):
        symbol = names[number % len(names)]
        lots = round(0.1 * (1 + number), 2)
        positions += [
            {"symbol": symbol, "side": side, "lots": lots, "magic": number}
            for side in ("buy", "sell")
        ]
    pendings: list[dict[str, Any]] = []
    for number in range(orders):
        symbol = names[number % len(names)]
        price = round(float(QUOTES[symbol][0]) * 0.97, QUOTES[symbol][2])
        pendings.append({"symbol": symbol, "type": "buy_limit", "lots": 0.1, "price": price})
    return {"positions": positions, "orders": pendings}


def mixed_book(orders: int = 3) -> dict[str, Any]:
    """Eight positions on four symbols, nothing hedged: four on a netting account; and pendings."""
    positions = [
        {"symbol": name, "side": "buy" if number % 2 else "sell", "lots": 0.3}
        for number, name in enumerate(QUOTES)
        for _ in range(2)
    ]
    return {"positions": positions, "orders": hedged_book(0, orders)["orders"]}


class Rig:
    """One account's parent with its paper terminal."""

    def __init__(self, folder: Path, config: Config, settings: Settings | None = None) -> None:
        self.folder = folder
        self.config = config
        self.paths = Paths(config, folder / "state").create()
        (folder / "config.json").write_bytes(msgspec.json.encode(config))
        (folder / "settings.json").write_bytes(msgspec.json.encode(settings or Settings()))
        self.account = config.account[0].id
        self.clock = SystemClock()
        self.process: subprocess.Popen[bytes] | None = None
        self.context = make_context()
        self.feed = subscriber(
            self.context, self.paths.feeds_bind, bind=True, message_bytes_max=FEED_BYTES_MAX
        )
        self.client: Client | None = None
        self.events: list[BrokerEvent] = []
        self.messages: list[AnyMessage] = []
        self.unread: deque[AnyMessage] = deque()
        """Those that nobody has looked for yet."""

    def start(self) -> None:
        with (self.folder / "parent.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "tests.process.broker_main", str(self.folder), self.account],
                cwd=ROOT,
                stderr=log,
                stdout=log,
            )
        self.client = Client(self.paths.broker(self.account))

    def greet_anew(self) -> None:
        """Greet as somebody who has not been heard of before, who is told everything again."""
        assert self.client is not None
        self.client.close()
        self.client = Client(self.paths.broker(self.account))
        self.command("hello")
        self.until("hello")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=PATIENCE_S)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5)
            self.process.kill()
            self.process.wait(timeout=5)
        if self.client is not None:
            self.client.close()
        self.feed.close(linger=0)
        self.context.term()
        pid_file = self.paths.state_dir / "paper" / f"{self.account}.pid"
        if pid_file.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGKILL)

    def command(self, verb: str, **fields: Any) -> str:
        assert self.client is not None
        number = f"c{self.clock.wall_ns()}"
        self.client.send_broker(
            BrokerCommand(self.account, number, self.clock.wall_ns(), verb, **fields)
        )
        return number

    def until(
        self, kind: str, *, halt_id: str | None = None, seconds: float = PATIENCE_S
    ) -> BrokerEvent:
        """Return the next event of a kind; every event on the way is kept."""
        assert self.client is not None
        deadline = self.clock.boot_ns() + int(seconds * 1e9)
        while self.clock.boot_ns() < deadline:
            for event in self.client.broker_events(0.2):
                self.events.append(event)
                if event.kind == kind and (halt_id is None or event.halt_id == halt_id):
                    return event
        raise AssertionError(
            f"no {kind} event; had {[(e.kind, e.text) for e in self.events][-20:]}; "
            f"log: {(self.folder / 'parent.log').read_text()[-2000:]}"
        )

    def take_feed(self, wait_s: float = 0.0) -> list[AnyMessage]:
        """Read what the parent published since the last call."""
        found: list[AnyMessage] = []
        while self.feed.poll(int(wait_s * 1000)):
            found.append(decode(self.feed.recv_multipart(zmq.DONTWAIT)[-1]))
            wait_s = 0.0
        self.messages += found
        self.unread += found
        return found

    def ready(self) -> None:
        """Wait until the parent answers and has read the terminal once."""
        body: dict[str, Any] = {}
        deadline = self.clock.boot_ns() + int(PATIENCE_S * 1e9)
        while self.clock.boot_ns() < deadline:
            self.command("hello")
            body = msgspec.json.decode(self.until("hello").body)
            if body["read_age_ms"] is not None:
                return
        raise AssertionError(f"not ready: {body}")

    def control(self) -> PaperControl:
        return PaperControl(str(self.paths.paper_socket(self.account)))

    def admin(self, name: str, **params: Any) -> Any:
        with self.control() as control:
            return control.admin(name, **params)

    def dump(self) -> dict[str, Any]:
        found: dict[str, Any] = self.admin("dump")
        return found


@contextlib.contextmanager
def rig(folder: Path, config: Config, settings: Settings | None = None) -> Generator[Rig]:
    made = Rig(folder, config, settings)
    try:
        made.start()
        made.ready()
        yield made
    finally:
        made.close()
