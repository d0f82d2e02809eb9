"""Everybody around one guard, and a driver that makes every way through it be gone."""

from __future__ import annotations

import re
import shutil
import threading

import zmq

from edgeguard.codec.native import decode, encode
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.gate import Gate
from edgeguard.messages import (
    Command,
    ErrorEvent,
    Heartbeat,
    Ping,
    Position,
    Reply,
    Tick,
    TickBatch,
)
from edgeguard.transport import make_context, publisher
from tests.process.guard_rig import CLOCK, FakeBroker


class Surroundings:
    """A broker, a gate, an engine, an operator; `is_over` is set when the guard has ended."""

    def __init__(self, config: Config, paths: Paths) -> None:
        self.config = config
        self.paths = paths
        self.broker = FakeBroker(paths, config)
        self.gate = Gate(paths.run_dir, "A")
        self.is_over = threading.Event()
        self._context = make_context()

    def close(self) -> None:
        self.is_over.set()
        self.broker.close()
        self.gate.close()
        self._context.destroy(linger=0)
        shutil.rmtree(self.paths.run_dir, ignore_errors=True)

    def go_every_way(self) -> None:
        """Make every way through the guard be gone once."""
        self._speak_of_the_market()
        self.tell("status")
        self.tell("maintenance", seconds="1")
        self.tell("rebaseline", account="A", day="1")
        self.tell("pause")
        self.tell("resume", pause="1")
        self.tell("halt", scope="strategy:X", timeout="0")
        halted = self.tell("halt", timeout="0")
        self.is_over.wait(0.1)
        self.broker.positions = (Position(7, 7, "EURUSD", "buy", "1", "1", "1", "0", "0", magic=7),)
        self.is_over.wait(0.4)
        for halt_id in re.findall(rb'"id":"(H[^"]+)"', halted[-1].body if halted else b""):
            self.tell("resume", halt_id=halt_id.decode())
        self.is_over.wait(0.1)

    def tell(self, verb: str, **args: str) -> list[Reply]:
        """Send a command; return its answer, as far as the guard lives to give one."""
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(self.paths.control)
        nonce = CLOCK.boot_ns().to_bytes(8, "big")
        socket.send(encode(Command(verb, nonce, CLOCK.wall_ns(), verb, "o", "r", args)))
        replies: list[Reply] = []
        while not self.is_over.is_set() and not (replies and replies[-1].final):
            if socket.poll(20):
                reply = decode(socket.recv_multipart()[-1])
                assert isinstance(reply, Reply)
                replies.append(reply)
        socket.close(linger=0)
        return replies

    def _speak_of_the_market(self) -> None:
        """Ping as a remote gate does, and send ticks, a heartbeat and errors of a new source."""
        feeds = publisher(self._context, self.paths.feeds_bind, bind=False, watched=True)
        ping = self._context.socket(zmq.DEALER)
        ping.connect(self.paths.gate_router)
        ping.send(encode(Ping("A", b"n", 1)))
        source = f"s{CLOCK.boot_ns()}"
        quotes = (Tick("EURUSD", 1.1, 1.1001),)
        messages = (
            TickBatch("A", source, 1, 1, CLOCK.wall_ns(), quotes),
            TickBatch("A", source, 1, 2, CLOCK.wall_ns(), quotes),
            Heartbeat("A", source, 1, 1, 1),
            *(ErrorEvent("A", "engine", 1, seq, 1, "reject") for seq in range(1, 13)),
        )
        if feeds.poll(200):
            for message in messages:
                feeds.send_multipart((b"A", encode(message)))
        feeds.close(linger=100)
        ping.close(linger=100)
