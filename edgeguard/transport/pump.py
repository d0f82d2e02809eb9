"""Draining raw sockets on an event loop without ever missing the descriptor's edge.

libzmq's descriptor is edge-triggered and may stay silent while messages wait. So a wake-up drains
until nothing is left or its budget is spent, asks EVENTS, and re-arms itself while that says more;
and a safety tick looks every 50 ms. A socket that is only received from need not be asked: a
receive that finds nothing has taken in every wake-up, and only a send could swallow a later one.

A message that only the tick finds, after a whole tick in which the descriptor told of nothing, is a
rescue: it is counted and must stay 0. A message may also arrive between the look at the descriptor
and the one at EVENTS: between two busy moments, or where this thread lost its core or the
interpreter between the two, the same look proves nothing, and the message is taken all the same.
What is left of that are arrivals within some microseconds, one in many thousands of messages.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from functools import partial
from typing import Final, cast

import zmq

from edgeguard.transport.sockets import Socket

BUDGET: Final = 256
"""Messages that one turn takes from one socket, so that no feed starves the control socket."""
SAFETY_TICK_S: Final = 0.05
CHUNK: Final = 64
"""Payloads of a feed that are handed over together once the first one is out of the way."""
PAYLOAD_MIN: Final = 0x80
"""A payload is a msgpack array and begins at or above this byte, a topic is text below it."""
_DONTWAIT: Final = int(zmq.DONTWAIT)
_EVENTS: Final = int(zmq.EVENTS)
_POLLIN: Final = int(zmq.POLLIN)

OnFrames = Callable[[list[bytes]], None]
Receive = Callable[[Socket], list[bytes]]
"""Takes the next message without waiting, or raises `zmq.Again`."""
OnError = Callable[[BaseException], None]


def switches() -> int:
    """Return how often this thread has given its core away, 0 where the host does not tell."""
    if sys.platform != "linux":
        return 0
    import resource  # noqa: PLC0415  # beside a terminal on Windows there is none

    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_nvcsw + usage.ru_nivcsw


def next_turn(now_s: float, interval_s: float) -> float:
    """Return when a periodic duty is next due by a loop's clock.

    All duties of a loop turn on one grid, so that they share wake-ups; the grid's next place counts
    from half an interval after `now_s`, as timers may run a little early. No turn is made up for.
    """
    now_ms, interval_ms = round(now_s * 1000), round(interval_s * 1000)
    return ((now_ms + interval_ms // 2) // interval_ms + 1) * interval_ms / 1000


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
            partial(socket.recv_multipart, _DONTWAIT)
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
        before = switches()
        if self._poll is not None and self._poll.poll(0):
            return
        if self._is_waiting():
            if not was_woken and switches() == before:
                self.rescues += 1
            self._drain()

    def _is_waiting(self) -> bool:
        return bool(int(cast("int", self._socket.getsockopt(_EVENTS))) & _POLLIN)

    def _again(self) -> None:
        self._is_armed = False
        self._drain()

    def _drain(self) -> None:
        if not self._is_running:
            return
        self._was_woken = True
        taken = self._take()
        if not self._is_running:
            return
        self.received += taken
        if taken >= self._budget or self._may_wait():
            self.kick()

    def _may_wait(self) -> bool:
        """Return whether something may wait although a receive found nothing."""
        return self._is_waiting()

    def _take(self) -> int:
        """Hand over what waits, within the budget; return how many messages that was."""
        taken = 0
        receive = self._receive
        while taken < self._budget:
            try:
                frames = receive()
            except zmq.Again:
                break
            taken += 1
            if not self._hand_over(frames):
                break
        return taken

    def _hand_over(self, frames: list[bytes]) -> bool:
        """Call back; return whether the pump still runs."""
        try:
            self._on_frames(frames)
        except BaseException as error:  # noqa: BLE001  # the owner decides what is fatal
            self._on_error(error)
        return self._is_running


class FeedPump(Pump):
    """Drains a socket of native messages into a callback that takes payloads, several at once.

    A message is a topic and a payload, or a payload alone; the first byte tells which, so that
    nobody need ask libzmq after every frame whether more follow. A topic without a payload is
    handed over as one: it is no message, and whoever takes payloads counts it.
    """

    def _may_wait(self) -> bool:
        # Nothing is ever sent on it.
        return False

    def _take(self) -> int:
        receive = self._socket.recv
        payloads: list[bytes] = []
        taken, room = 0, 1
        while taken < self._budget:
            try:
                payload = receive(_DONTWAIT)
            except zmq.Again:
                break
            if not payload or payload[0] < PAYLOAD_MIN:
                try:  # noqa: SIM105  # a context manager costs half a microsecond a message
                    # All parts of a message arrive together.
                    payload = receive(_DONTWAIT)
                except zmq.Again:
                    pass
            taken += 1
            payloads.append(payload)
            if len(payloads) == room:
                # Nobody waits behind the first one; what queues up is cheaper in chunks.
                if not self._hand_over(payloads):
                    return taken
                payloads, room = [], CHUNK
        if payloads:
            self._hand_over(payloads)
        return taken


class PumpSet:
    """The pumps of one loop and their common safety tick."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: OnError) -> None:
        """Make an empty set; `on_error` gets whatever a pump's callback raises."""
        self._loop = loop
        self._on_error = on_error
        self._pumps: list[Pump] = []
        self._timer: asyncio.TimerHandle | None = None
        self.turns = 0
        """Safety ticks that looked at every pump: the progress of draining."""

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
        return self._start(pump)

    def add_feed(self, socket: Socket, on_payloads: OnFrames, *, budget: int = BUDGET) -> Pump:
        """Start draining a feed of native messages into `on_payloads`."""
        return self._start(FeedPump(self._loop, socket, on_payloads, self._on_error, budget=budget))

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

    def _start(self, pump: Pump) -> Pump:
        self._pumps.append(pump)
        pump.start()
        if self._timer is None:
            self._arm()
        return pump

    def _arm(self) -> None:
        self._timer = self._loop.call_at(next_turn(self._loop.time(), SAFETY_TICK_S), self._tick)

    def _tick(self) -> None:
        self._arm()
        for pump in self._pumps:
            pump.tick()
        self.turns += 1
