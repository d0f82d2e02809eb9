"""Flatten N positions and pendings over a paper terminal whose every order takes a fixed time c."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from benches.harness import process, stats
from benches.harness.bench import Bench
from benches.harness.result import Figure
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.api import PaperTerminal
from edgeguard.broker.paper.client import PaperControl, SocketConnection
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.messages import BrokerCommand
from edgeguard.transport import Client

GROUP = "flatten"
ACCOUNT = "A"
LONG_MS: Final = 2000
FLAT_S: Final = 120.0
READY_S: Final = 30.0
QUOTES: Final = {
    "EURUSD": ("1.08500", "1.08506", 5),
    "GBPUSD": ("1.26010", "1.26019", 5),
    "XAUUSD": ("2350.10", "2350.35", 2),
    "USDJPY": ("149.800", "149.806", 3),
}
CONFIG: Final = """
[[account]]
id = "A"
login = 5000001
server = "Paper-Demo"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000000.00"
terminal = "paper"
"""
SYMBOL: Final = """
[[symbol]]
name = "{name}"
digits = {digits}
[[paper.quotes]]
symbol = "{name}"
bid = "{bid}"
ask = "{ask}"
"""


def sizes(bench: Bench) -> Generator[Figure]:
    """Measure the flatten's time against N x c, beside a client that only sends."""
    for cost_ms in (5, 20, 50):
        yield ratio(bench, 60, cost_ms)
    for count in (10, 200):
        yield ratio(bench, count, 20)


def ratio(bench: Bench, count: int, cost_ms: int) -> Figure:
    """Measure one size at one c: the bare client, the broker, the bare client again, in turns."""
    ours: list[float] = []
    bare: list[float] = []
    nulls: list[float] = []
    reads: list[int] = []
    place = bench.fresh("f")
    with broker(place, cost_ms) as paths:
        nulls.append(send_all(paths, count))
        # A quick run has the time for one turn of what takes seconds.
        for _ in range(bench.pairs if bench.is_full or count * cost_ms < LONG_MS else 1):
            # What ended one turn begins the next.
            bare.append(nulls[-1])
            record = flatten(paths, count)
            ours.append(worked_s(record))
            reads.append(record["reads"])
            nulls.append(send_all(paths, count))
        del nulls[0]
    floor = count * cost_ms / 1000
    worst = max(ours) / floor
    own = stats.median(stats.ratios(ours, bare))
    return Figure(
        group=GROUP,
        name=f"flatten of {count}, c = {cost_ms} ms",
        unit="x N x c",
        value=stats.median(ours) / floor,
        null=stats.median(stats.ratios(nulls, bare)),
        samples=len(ours),
        note=(
            f"at worst {worst:.3f}; a bare client {stats.median(bare) / floor:.3f}, ratio to it "
            f"{own:.3f}; {stats.median(reads):.0f} reads"
        ),
    )


@contextlib.contextmanager
def broker(place: Path, cost_ms: int) -> Generator[Paths]:
    """Run a parent, its child and a paper terminal for the length of the block."""
    config = place / "edgeguard.toml"
    symbols = [
        SYMBOL.format(name=n, bid=bid, ask=ask, digits=d) for n, (bid, ask, d) in QUOTES.items()
    ]
    config.write_text(f'[guard]\nstate_dir = "{place / "state"}"\n' + CONFIG + "".join(symbols))
    paths = Paths(load_config(config)[0]).create()
    command = process.python("-m", "edgeguard", "--config", config, "broker", "--account", ACCOUNT)
    with process.running(command, log=place / "broker.log"):
        until = time.perf_counter() + READY_S
        while True:
            with contextlib.suppress(OSError), Client(paths.broker(ACCOUNT)) as client:
                if _hello(client):
                    break
            if time.perf_counter() > until:
                raise process.ChildError((place / "broker.log").read_text()[-500:])
        # Executed on arrival and answered c after it: what the paper terminal itself needs for an
        # order is part of c, not of what is measured.
        rule = {"name": "latency", "on": ["order_send"], "ms": cost_ms, "execute": True}
        with PaperControl(str(paths.paper_socket(ACCOUNT))) as control:
            control.admin("faults", plan={"rules": [rule]})
        yield paths


def _hello(client: Client) -> bool:
    """Return whether the broker has read its terminal."""
    client.send_broker(_command("hello"))
    bodies = [json.loads(event.body) for event in client.broker_events(0.5)]
    return any(body and body.get("read_age_ms") is not None for body in bodies)


def _command(verb: str, halt_id: str = "") -> BrokerCommand:
    now = time.time_ns()  # noqa: TID251  # a measuring client
    return BrokerCommand(ACCOUNT, str(now), now, verb, halt_id=halt_id, reason="bench")


def open_book(paths: Paths, count: int) -> None:
    """Open five positions for every pending order, none of them hedged."""
    names = list(QUOTES)
    orders = count // 6
    positions = [
        {"symbol": names[n % len(names)], "side": "buy", "lots": round(0.1 + n / 100, 2)}
        for n in range(count - orders)
    ]
    pendings = [
        {"symbol": "EURUSD", "type": "buy_limit", "lots": 0.1, "price": round(1.0 + n / 1e3, 5)}
        for n in range(orders)
    ]
    with PaperControl(str(paths.paper_socket(ACCOUNT))) as control:
        control.admin("open_book", positions=positions, orders=pendings)


def flatten(paths: Paths, count: int) -> dict[str, Any]:
    """Have the broker flatten a new book; return its record."""
    with Client(paths.broker(ACCOUNT)) as client:
        _hello(client)
        open_book(paths, count)
        halt = f"bench{time.perf_counter_ns()}"
        client.send_broker(_command("flatten", halt))
        # A large record reaches clients without its rows: the file has them all.
        if not any(e.kind == "flat" and e.halt_id == halt for e in client.broker_events(FLAT_S)):
            raise process.ChildError(f"{count} must be flat within {FLAT_S} s, were not")
        newest = max((paths.state_dir / "reports").glob("*.json"))
        record: dict[str, Any] = json.loads(newest.read_bytes())
        client.send_broker(_command("stop_flatten", halt))
        for event in client.broker_events(5.0):
            if event.kind == "status":
                break
    assert record["requests_sent"] == count
    return record


def worked_s(record: dict[str, Any]) -> float:
    """Return the seconds from the command to the last answer; the proof's second comes after."""
    return (max(r["answered_ns"] for r in record["requests"]) - record["started_ns"]) / 1e9


def send_all(paths: Paths, count: int) -> float:
    """Open the same book and close it as a bare client would; return its seconds."""
    open_book(paths, count)
    terminal = PaperTerminal(SocketConnection(str(paths.paper_socket(ACCOUNT))))
    assert terminal.initialize()
    begun = time.perf_counter()
    orders, positions = terminal.orders_get(), terminal.positions_get()
    assert orders is not None
    assert positions is not None
    requests = [{"action": c.TRADE_ACTION_REMOVE, "order": row.ticket} for row in orders]
    requests += [
        {
            "action": c.TRADE_ACTION_DEAL,
            "symbol": row.symbol,
            "volume": row.volume,
            "type": c.ORDER_TYPE_SELL,
            "position": row.ticket,
            "type_filling": c.ORDER_FILLING_IOC,
            "type_time": c.ORDER_TIME_GTC,
        }
        for row in positions
    ]
    assert len(requests) == count
    for request in requests:
        answer = terminal.order_send(request)
        assert answer is not None
        assert answer.retcode == c.TRADE_RETCODE_DONE
    seconds = time.perf_counter() - begun
    terminal.shutdown()
    return seconds


PARTS = (sizes,)
