"""Stands in for the child's process: the same calls over the same surface, in virtual time.

A call takes its time before and after the server sees it. Killing the child does not unsend what
was written already: such a request still reaches the server, in time, late or never.
"""
# ruff: noqa: ANN401 - calls of any shape

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from edgeguard.broker.child import plain
from edgeguard.broker.frames import CallReply
from edgeguard.broker.link import CallFailedError
from edgeguard.broker.paper import PaperServer, PaperTerminal
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.connection import LOST_CODES
from edgeguard.broker.paper.errors import IpcError
from edgeguard.broker.paper.server import CallFate
from edgeguard.broker.paper.surface import Reply
from tests.sim.flatten.virtual import VirtualClock

NS = 1_000_000_000
TRANSIT_NS = 12 * NS
"""Longest a request stays on its way; well below the shipped quarantine of 30 s."""


class _NeedsTime(BaseException):
    """The call has begun; its answer takes time."""

    def __init__(self, method: str, fate: CallFate) -> None:
        super().__init__(method)
        self.method = method
        self.fate = fate


class SimConnection:
    """Begins a call in one step and finishes it in another, so that time may pass in between."""

    def __init__(self, server: PaperServer, clock: VirtualClock) -> None:
        self._server = server
        self._clock = clock
        self.is_open = False
        self.begun: CallFate | None = None

    def open(self, timeout_ms: int) -> None:
        del timeout_ms
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def call(self, method: str, args: Sequence[Any]) -> Reply:
        fate, self.begun = self.begun, None
        if fate is None:
            fate = self._server.begin(method, args, self._clock.wall_ns())
            raise _NeedsTime(method, fate)
        reply = self._server.finish(method, fate, self._clock.wall_ns())
        if reply.code <= c.RES_E_INTERNAL_FAIL:
            raise IpcError(reply.code, lost=reply.code in LOST_CODES)
        return reply


class SimLink:
    """The interface of `ChildLink` over a paper server in this process."""

    def __init__(
        self, server: PaperServer, clock: VirtualClock, draw: random.Random, watch: Any
    ) -> None:
        self._server = server
        self._clock = clock
        self._random = draw
        self._watch = watch
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._terminal: PaperTerminal | None = None
        self._connection: SimConnection | None = None
        self._in_call: asyncio.Future[None] | None = None
        self.order_ns = int(draw.choice((5, 20, 80)) * 1e6)
        self.read_ns = 300_000
        self.kill_before_call = 0.0
        self.lives = 0
        self.kills = 0
        self.pid = 0
        self.is_dead = False

    @property
    def now_s(self) -> float:
        return self._loop.time()

    @property
    def is_up(self) -> bool:
        return self._terminal is not None

    async def start(self) -> None:
        if self.is_dead:
            raise CallFailedError("killed")
        self._connection = SimConnection(self._server, self._clock)
        self._terminal = PaperTerminal(self._connection)
        self.lives += 1

    def stop(self) -> None:
        self._terminal = None
        if self._in_call is not None and not self._in_call.done():
            self._in_call.set_exception(ConnectionResetError("killed"))

    async def call(
        self, method: str, timeout_s: float, args: tuple[Any, ...] = (), **kwargs: Any
    ) -> CallReply:
        async with self._turn:
            terminal = self._terminal
            if terminal is None:
                raise CallFailedError("the terminal's process is not running")
            life = self.lives
            self._watch.before_call(life, method, args)
            try:
                async with asyncio.timeout(timeout_s):
                    reply = await self._call(terminal, method, args, kwargs)
            except TimeoutError as e:
                self.kills += 1
                self.stop()
                raise CallFailedError(f"{method} overran", overran=True) from e
            except ConnectionResetError as e:
                raise CallFailedError(f"died in {method}") from e
            self._watch.after_call(life, method, reply)
        return reply

    async def _call(
        self, terminal: PaperTerminal, method: str, args: Any, kwargs: Any
    ) -> CallReply:
        function: Callable[..., Any] = getattr(terminal, method)
        assert self._connection is not None
        connection = self._connection
        try:
            value = function(*args, **kwargs)
        except _NeedsTime as need:
            await self._pass_time(need)
            connection.begun = need.fate
            value = function(*args, **kwargs)
            connection.begun = None
            self._watch.after_server()
            await self._sleep(need.fate.after_ns + self._base_ns(method) // 2)
        code, text = terminal.last_error()
        return CallReply(0, msgspec.Raw(msgspec.msgpack.encode(plain(value))), code, text)

    def _base_ns(self, method: str) -> int:
        return self.order_ns if method == "order_send" else self.read_ns

    async def _pass_time(self, need: _NeedsTime) -> None:
        """Let the time before the server sees it pass; what was written stays written."""
        fate = need.fate
        before = fate.before_ns + self._base_ns(need.method) // 2
        due_ns = self._clock.boot_ns() + before
        if need.method == "order_send":
            self._maybe_die(before)
        try:
            await self._sleep(before)
            if fate.hang:
                # The server sees it (or not, as the fault says), the client never hears.
                self._server.finish(need.method, fate, self._clock.wall_ns())
                self._watch.after_server()
                due_ns = -1
                await self._sleep(10_000 * NS)
        except BaseException:
            if due_ns >= 0 and need.method == "order_send":
                self._lose_sight(need, max(0, due_ns - self._clock.boot_ns()))
            raise

    def _maybe_die(self, before_ns: int) -> None:
        """Be killed, or see the parent killed, while the request is on its way."""
        if self._watch.takes("kill_child_mid_send"):
            self._loop.call_later(before_ns / 2 / NS, self.stop)
        if self._watch.takes("kill_parent_mid_send"):
            self._loop.call_later(before_ns / 2 / NS, self._watch.kill_parent)
        if self._watch.takes("cut_power_mid_send"):
            self._loop.call_later(before_ns / 2 / NS, self._watch.cut_power)

    def _lose_sight(self, need: _NeedsTime, left_ns: int) -> None:
        """What was written when its writer died lands in time, late by some seconds, or never."""
        fate = self._random.random()
        if fate < 0.2:
            return
        late_ns = int(self._random.random() * TRANSIT_NS) if fate < 0.6 else 0
        self._loop.call_later((left_ns + late_ns) / NS, self._land_late, need)

    def _land_late(self, need: _NeedsTime) -> None:
        self._server.finish(need.method, need.fate, self._clock.wall_ns())
        self._watch.after_server()

    async def _sleep(self, duration_ns: int) -> None:
        """Sleep, unless the child is killed meanwhile."""
        waking: asyncio.Future[None] = self._loop.create_future()
        self._in_call = waking
        timer = self._loop.call_later(duration_ns / NS, _wake, waking)
        try:
            await waking
        finally:
            timer.cancel()
            self._in_call = None


def _wake(waking: asyncio.Future[None]) -> None:
    if not waking.done():
        waking.set_result(None)
