"""A broker that answers every read at once and never trades: `python -m benches.harness.broker`.

It lets one guard watch many accounts, so that one run sees many halts. It speaks the protocol of
the broker's parent over the guard's sockets: an event for every command, a snapshot for every read.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import zmq

from edgeguard.codec.native import decode, encode
from edgeguard.config.load import load_config
from edgeguard.config.model import AccountConfig
from edgeguard.config.paths import Paths
from edgeguard.messages import (
    AccountSnapshot,
    BrokerCommand,
    BrokerEvent,
    Heartbeat,
    Position,
    TerminalProof,
)
from edgeguard.transport.endpoints import CurveKeys
from edgeguard.transport.keys import Keyring

HEARTBEAT_S = 5.0
SYMBOLS_MAX = 64
"""Positions at most: a snapshot of more does not fit one message."""


def main(config_path: str, other: str = "") -> None:
    """Serve every account of the configuration but the one of a real broker until SIGTERM."""
    config, _ = load_config(Path(config_path))
    paths = Paths(config)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    feed = context.socket(zmq.PUB)
    feed.setsockopt(zmq.LINGER, 0)
    feed.setsockopt(zmq.SNDHWM, 0)
    _show_keys(feed, Keyring.of(config, "bench").client(paths.feeds_bind, "guard"))
    feed.connect(paths.feeds_bind)
    brokers: dict[zmq.Socket[bytes], _Broker] = {}
    names = [symbol.name for symbol in config.symbol][:SYMBOLS_MAX]
    for account in config.account:
        if account.id == other:
            continue
        socket = context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(paths.broker(account.id))
        brokers[socket] = _Broker(account, names, feed.send_multipart)
    signal.signal(signal.SIGTERM, _stop)
    flattens = Path(config_path).parent / "flattens"
    flattens.touch()
    print("ready", flush=True)
    poller = zmq.Poller()
    for socket in brokers:
        poller.register(socket, zmq.POLLIN)
    due = time.perf_counter()
    while True:
        if time.perf_counter() >= due:
            due += HEARTBEAT_S
            for broker in brokers.values():
                broker.prove()
        for socket, _ in poller.poll(200):
            _answer(socket, brokers[socket], flattens)


def _answer(socket: zmq.Socket[bytes], broker: _Broker, flattens: Path) -> None:
    frames = socket.recv_multipart()
    message = decode(frames[-1])
    if not isinstance(message, BrokerCommand):
        return
    if message.verb == "flatten":
        with flattens.open("ab") as file:
            file.write(b".")
    socket.send_multipart((frames[0], encode(broker.answer(message))))


def _show_keys(socket: zmq.Socket[bytes], keys: CurveKeys | None) -> None:
    if keys is not None:
        socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())
        socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


class _Broker:
    """One account: 100,000 of balance, one lot of the first symbol, a little of each other."""

    def __init__(
        self,
        account: AccountConfig,
        symbols: list[str],
        send: Callable[[tuple[bytes, bytes]], object],
    ) -> None:
        self._account = account
        self._symbols = symbols
        self._send = send
        self._epoch = _wall_ns()
        self._seq = 0

    def answer(self, command: BrokerCommand) -> BrokerEvent:
        """Do what a command asks, as far as a broker without a market can."""
        if command.verb == "read":
            self._snapshot(command.request)
        kind = "hello" if command.verb == "hello" else "status"
        return BrokerEvent(
            account=command.account,
            id=command.id,
            t_ns=_wall_ns(),
            kind=kind,
            halt_id=command.halt_id,
            text="",
        )

    def prove(self) -> None:
        """Say that terminal and engine live."""
        name, now = self._account.id, _wall_ns()
        self._publish(
            TerminalProof(
                name, "terminal", self._epoch, None, now, connected=True, trade_allowed=True
            )
        )
        self._publish(Heartbeat(name, "engine", self._epoch, None, now))

    def _snapshot(self, request: int) -> None:
        account = self._account
        self._seq += 1
        positions = tuple(
            Position(
                ticket=number,
                identifier=number,
                symbol=symbol,
                side="buy",
                volume="1.00" if number == 1 else "0.01",
                price_open="1.38694",
                price_current="1.38694",
                swap="0.00",
                profit="0.00",
                sl="1.0",
            )
            for number, symbol in enumerate(self._symbols, 1)
        )
        self._publish(
            AccountSnapshot(
                account=account.id,
                source="terminal",
                epoch=self._epoch,
                seq=self._seq,
                t_ns=_wall_ns(),
                balance="100000.00",
                equity="100000.00",
                credit="0.00",
                margin="0.00",
                positions=positions,
                request=request,
                login=account.login,
                server=account.server,
                trade_mode=account.trade_mode,
                currency=account.currency,
            )
        )

    def _publish(self, message: AccountSnapshot | TerminalProof | Heartbeat) -> None:
        self._send((f"{self._account.id}.broker".encode(), encode(message)))


def _wall_ns() -> int:
    return time.time_ns()  # noqa: TID251  # this process stands in for a machine of its own


if __name__ == "__main__":
    main(*sys.argv[1:])
