"""Feeds in the formats of MetaTrader bridges, on real sockets, into a whole guard."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import zmq

from edgeguard.config.model import FeedConfig
from edgeguard.messages import HaltEvent
from edgeguard.transport import Socket, make_context
from tests.process.guard_rig import CLOCK, World, make_config, until
from tests.process.test_guard_keys import free_endpoints

NORMAL_POINTS = 12


@dataclass
class Bridge:
    """A bridge's publisher: what it binds, and how it writes a tick."""

    socket: Socket
    write: Callable[[str, float, float], bytes]
    noise: tuple[bytes, ...]
    """What such bridges send beside ticks, and what is no message of theirs."""

    def tick(self, spread_points: float, symbol: str = "EURUSD") -> None:
        """Quote a symbol with that spread."""
        self.socket.send(self.write(symbol, 1.1, 1.1 + spread_points * 1e-5))


def dwx(symbol: str, bid: float, ask: float) -> bytes:
    """C's ``%f``: six digits, no stamp and no number."""
    return f"{symbol}:|:{bid:f};{ask:f}".encode()


def jsonapi(symbol: str, bid: float, ask: float) -> bytes:
    """One object, stamped by a broker's clock three hours ahead."""
    stamp_ms = CLOCK.wall_ns() // 1_000_000 + 10_800_000
    data = [stamp_ms, round(bid, 5), round(ask, 5)]
    item = {"status": "CONNECTED", "symbol": symbol, "timeframe": "TICK", "data": data}
    return json.dumps(item).encode()


FORMATS = {
    "dwx": (
        zmq.PUB,
        dwx,
        (
            b"EURUSD_M1:|:1606780800;1.19;1.29;1.19;1.19;37;12;0",
            b"EURUSD:|:",
            b"EURUSD:|:nan;inf",
            b"EURUSD\xff:|:1.0;2.0",
        ),
    ),
    "jsonapi": (
        zmq.PUSH,
        jsonapi,
        (
            b'{"status":"CONNECTED","symbol":"EURUSD","timeframe":"M1","data":[1,1.0,2.0,1,1,9]}',
            b'{"status":"DISCONNECTED"}',
            b'{"status":"CONNECTED","symbol":"EURUSD","timeframe":"TICK","data":[1,NaN,2]}',
            b"[" * 5000,
        ),
    ),
}


@pytest.fixture(params=list(FORMATS))
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[tuple[World, Bridge]]:
    """A guard that requires such a feed, and the feed, which has said nothing yet."""
    kind, write, noise = FORMATS[request.param]
    base = make_config(tmp_path / "state")
    (endpoint,) = free_endpoints(1)
    symbol = msgspec.structs.replace(base.symbol[0], spread_normal_points=NORMAL_POINTS)
    feed = FeedConfig(name="bridge", endpoint=endpoint, codec=request.param, required=True)
    context = make_context()
    socket = context.socket(kind)
    socket.bind(endpoint)
    world = World(msgspec.structs.replace(base, symbol=(symbol,), feed=(feed,)), "real")
    try:
        world.start()
        until(world.has_spoken)
        yield world, Bridge(socket, write, noise)
    finally:
        world.close()
        context.destroy(linger=0)


def bad_ticks(world: World) -> int:
    """Return what the guard counted as no message."""
    return world.status()["guard"]["malformed"]


def anomalies(world: World) -> list[HaltEvent]:
    """Return the pauses for a wide spread so far; a stall of the machine pauses for itself."""
    events = [event for event in world.observer.events if event.action == "pause"]
    return [event for event in events if event.trigger == "price_anomaly"]


def test_spread_anomaly_in_a_bridges_feed_pauses_the_account(desk: tuple[World, Bridge]) -> None:
    """P9: ticks as bridges write them open the account, and a wide one pauses it."""
    world, bridge = desk
    assert "feed:bridge" in world.status()["accounts"][0]["waiting"]

    def quoted() -> bool:
        bridge.tick(NORMAL_POINTS)
        return world.observer.beats[-1].state == "ACTIVE"

    until(quoted)
    world.until_open()
    # Bars, notices, another symbol of the same prefix and rubbish: counted or passed over.
    for payload in bridge.noise:
        bridge.socket.send(payload)
    bridge.tick(NORMAL_POINTS * 100, "EURUSD.m")
    bridge.tick(NORMAL_POINTS)
    until(lambda: bad_ticks(world) > 0)
    bridge.tick(NORMAL_POINTS * 6)
    until(lambda: anomalies(world))
    (event,) = anomalies(world)
    # By the value: none of what came before it has paused, and all of it came before.
    assert (event.symbol, event.value, event.threshold) == ("EURUSD", "6.00000000", "5")
    assert not world.gate.check()
    assert world.status()["halt"] is None
