"""Draining raw sockets on an event loop without ever missing the descriptor's edge.

libzmq's descriptor is edge-triggered and may stay silent while messages wait. So a wake-up drains
until nothing is left or its budget is spent, asks EVENTS, and re-arms itself while that says more;
and a safety tick looks every 50 ms. A message that only the tick finds, after a whole tick in which
the descriptor told of nothing, is a rescue: it is counted and must stay 0. Between two busy moments
the same look proves nothing, as a message may arrive between the look at the descriptor and the one
at EVENTS; it is taken all the same.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from functools import partial
from typing import Final, cast

import zmq

from edgeguard.transport.sockets import Socket

BUDGET: Final = 256
"""Messages that one turn takes from one socket, so that no feed starves the control socket."""
SAFETY_TICK_S: Final = 0.05

OnFrames = Callable[[list[bytes]], None]
Receive = Callable[[Socket], list[bytes]]
"""Takes the next message without waiting, or raises `zmq.Again`."""
OnError = Callable[[BaseException], None]


class Pump:
    """Drains one socket into a callback."""

    def __init__(  # noqa: PLR0913  # what tests and rare sockets set, by name
        self,
        loop: asyncio.AbstractEventLoop,
        socket: Socket,
        on_frames: OnFrames,
        on_error: OnError,
        *,
        budget: int = BUDGET,
        receive: Receive | None = None,
    ) -> None:
        """Make a pump that is not running yet.

        Args:
            loop: the loop whose thread owns the socket.
            socket: a raw socket that can receive.
            on_frames: called with each message's frames.
            on_error: called with whatever `on_frames` raises; the pump goes on.
            budget: messages per turn.
            receive: takes a message in another way than its plain frames.
        """
        self._loop = loop
        self._socket = socket
        self._on_frames = on_frames
        self._on_error = on_error
        self._budget = budget
        self._receive: Callable[[], list[bytes]] = (
            partial(socket.recv_multipart, zmq.DONTWAIT)
            if receive is None
            else partial(receive, socket)
        )
        self._descriptor = cast("int", socket.getsockopt(zmq.FD))
        self._is_running = False
        self._is_armed = False
        self._was_woken = False
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(self._descriptor, select.POLLIN)
        self.rescues = 0
        """Times that the safety tick found what the descriptor had not told of."""
        self.received = 0
        """Messages taken since the start."""

    def start(self) -> None:
        """Begin to drain; what waits already is taken in the next turn."""
        self._is_running = True
        self._loop.add_reader(self._descriptor, self._drain)
        self.kick()

    def stop(self) -> None:
        """End; the socket may be closed afterwards."""
        if self._is_running:
            self._is_running = False
            self._loop.remove_reader(self._descriptor)

    def kick(self) -> None:
        """Look again in the next turn: to be called after every send on a duplex socket."""
        if self._is_running and not self._is_armed:
            self._is_armed = True
            self._loop.call_soon(self._again)

    def tick(self) -> None:
        """Look whether an edge was missed; the descriptor being readable is none."""
        was_woken, self._was_woken = self._was_woken, False
        if not self._is_running or self._is_armed:
            return
        if self._poll is not None and self._poll.poll(0):
            return
        if self._is_waiting():
            if not was_woken:
                self.rescues += 1
            self._drain()

    def _is_waiting(self) -> bool:
        return bool(cast("int", self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def _again(self) -> None:
        self._is_armed = False
        self._drain()

    def _drain(self) -> None:
        if not self._is_running:
            return
        self._was_woken = True
        taken = 0
        receive = self._receive
        while taken < self._budget:
            try:
                frames = receive()
            except zmq.Again:
                break
            taken += 1
            try:
                self._on_frames(frames)
            except BaseException as error:  # noqa: BLE001  # the owner decides what is fatal
                self._on_error(error)
                if not self._is_running:
                    return
        self.received += taken
        if taken == self._budget or self._is_waiting():
            self.kick()


class PumpSet:
    """The pumps of one loop and their common safety tick."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: OnError) -> None:
        """Make an empty set; `on_error` gets whatever a pump's callback raises."""
        self._loop = loop
        self._on_error = on_error
        self._pumps: list[Pump] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self,
        socket: Socket,
        on_frames: OnFrames,
        *,
        budget: int = BUDGET,
        receive: Receive | None = None,
    ) -> Pump:
        """Start draining a socket into `on_frames`."""
        pump = Pump(self._loop, socket, on_frames, self._on_error, budget=budget, receive=receive)
        self._pumps.append(pump)
        pump.start()
        if self._timer is None:
            self._timer = self._loop.call_later(SAFETY_TICK_S, self._tick)
        return pump

    def stop(self) -> None:
        """Stop every pump; the sockets may be closed afterwards."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for pump in self._pumps:
            pump.stop()
        self._pumps.clear()

    @property
    def rescues(self) -> int:
        """Edges missed and found by the safety tick; must stay 0."""
        return sum(pump.rescues for pump in self._pumps)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(SAFETY_TICK_S, self._tick)
        for pump in self._pumps:
            pump.tick()
