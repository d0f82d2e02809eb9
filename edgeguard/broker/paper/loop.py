"""Serve one paper terminal to many socket clients in one thread, with delays, hangs and timers."""

import contextlib
import heapq
import os
import selectors
import socket
from collections.abc import Callable
from typing import Any, Final

from edgeguard.broker.paper import admin
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.connection import LOST_CODES
from edgeguard.broker.paper.server import CallFate, PaperServer
from edgeguard.broker.paper.surface import Reply
from edgeguard.broker.paper.wire import (
    FRAME_BYTES_MAX,
    FeedTick,
    FrameBuffer,
    FrameError,
    ReplyFrame,
    RequestFrame,
    pack,
    unpack_request,
)
from edgeguard.clock import NS_PER_S, Clock

_READ_BYTES: Final = 1 << 18
# Streams served at once, listener included; beyond it new clients are turned away. Below the 1024
# descriptors that select can watch.
STREAMS_MAX: Final = 256
# Answers a client may leave unread before it is cut off, bytes: four of the largest frames.
UNREAD_BYTES_MAX: Final = 4 * FRAME_BYTES_MAX
# Longest the loop waits without looking at the clock, seconds: bounds the lateness of a timer
# that the server sets between two waits.
_IDLE_S: Final = 1.0
# Longest the end waits for one client to take its last bytes, seconds.
_GOODBYE_S: Final = 1.0


class Peer:
    """One connected client: its stream, what has come in, and what still has to go out."""

    def __init__(self, stream: socket.socket) -> None:
        """Take a connected, non-blocking stream."""
        self.stream = stream
        self.incoming = FrameBuffer()
        self.outgoing = bytearray()
        self.is_gone = False


class Loop:
    """The terminal's process: sockets in, one server, answers out when their time has come."""

    def __init__(self, server: PaperServer, clock: Clock, listener: socket.socket) -> None:
        """Take the server, the machine's clocks and a listening, non-blocking socket."""
        self.server = server
        self.clock = clock
        self.is_stopping = False
        self.on_change: Callable[[], None] = lambda: None
        self._selector = selectors.SelectSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._listener = listener
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._timer_number = 0
        self._hung_all = False
        # Calls that wait for a hang to end, in the order they came.
        self._held: list[Callable[[], None]] = []

    def at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Run an action when the boot clock reaches a moment, in order of moments."""
        self._timer_number += 1
        heapq.heappush(self._timers, (due_ns, self._timer_number, action))

    def watch(self, stream: socket.socket, on_ready: Callable[[], None]) -> None:
        """Call a function whenever a stream can be read."""
        self._selector.register(stream, selectors.EVENT_READ, on_ready)

    def unwatch(self, stream: socket.socket) -> None:
        """Stop watching a stream."""
        self._selector.unregister(stream)

    def run(self) -> None:
        """Serve until something sets ``is_stopping``."""
        while not self.is_stopping:
            for key, mask in self._selector.select(self._wait_s()):
                if isinstance(key.data, Peer):
                    self._serve(key.data, mask)
                else:
                    key.data()
            self._run_timers()

    def _wait_s(self) -> float:
        """Return how long the next wait may take."""
        waits = [_IDLE_S]
        if self._timers:
            waits.append((self._timers[0][0] - self.clock.boot_ns()) / NS_PER_S)
        due_ns = self.server.next_due_ns
        if due_ns is not None:
            waits.append((due_ns - self.clock.wall_ns()) / NS_PER_S)
        return max(0.0, min(waits))

    def _run_timers(self) -> None:
        """Run what is due, the server's own events first."""
        due_ns = self.server.next_due_ns
        if due_ns is not None and due_ns <= self.clock.wall_ns():
            self.server.advance(self.clock.wall_ns())
            self.on_change()
        while self._timers and self._timers[0][0] <= self.clock.boot_ns():
            heapq.heappop(self._timers)[2]()

    def _accept(self) -> None:
        """Take in a new client, or turn it away when there are too many."""
        try:
            stream, _ = self._listener.accept()
        except OSError:
            return
        if len(self._selector.get_map()) >= STREAMS_MAX:
            stream.close()
            return
        stream.settimeout(0.0)
        self._selector.register(stream, selectors.EVENT_READ, Peer(stream))

    def _drop(self, peer: Peer) -> None:
        """Forget a client; what it asked for has happened or not, as the server saw it."""
        if not peer.is_gone:
            peer.is_gone = True
            self._selector.unregister(peer.stream)
            peer.stream.close()

    def _serve(self, peer: Peer, mask: int) -> None:
        """Read from and write to a client that is ready."""
        if mask & selectors.EVENT_WRITE:
            self._flush(peer)
        if peer.is_gone or not mask & selectors.EVENT_READ:
            return
        try:
            data = peer.stream.recv(_READ_BYTES)
            frames = [unpack_request(body) for body in peer.incoming.add(data)]
        except BlockingIOError:
            return
        except (OSError, FrameError):
            self._drop(peer)
            return
        for frame in frames:
            self._take(peer, frame)
        if not data:
            self._drop(peer)

    def _take(self, peer: Peer, frame: RequestFrame) -> None:
        """Carry out one request of any family."""
        if frame.feed is not None:
            taken = self.feed(frame.feed)
            if frame.id:
                self._answer(peer, ReplyFrame(id=frame.id, value=taken))
        elif frame.admin is not None:
            self._administer(peer, frame, frame.admin)
        elif self._hung_all:
            self._held.append(lambda: self._begin(peer, frame))
        else:
            self._begin(peer, frame)

    def feed(self, ticks: list[FeedTick]) -> int:
        """Take ticks in order; return how many were known and made sense."""
        now_ns = self.clock.wall_ns()
        taken = sum(
            self.server.on_tick(symbol, bid, ask, now_ns, source_ns)
            for symbol, bid, ask, source_ns in ticks
        )
        self.on_change()
        return taken

    def _administer(self, peer: Peer, frame: RequestFrame, name: str) -> None:
        """Answer an admin request; ``stop``, ``unhang`` and ``pid`` are the loop's own."""
        if name == "stop":
            self.is_stopping = True
            # Sent by finish(), when the socket's path is free again.
            peer.outgoing += pack(ReplyFrame(id=frame.id, value=True))
            return
        if name == "unhang":
            reply = ReplyFrame(id=frame.id, value=self.unhang())
        elif name == "pid":
            reply = ReplyFrame(id=frame.id, value=os.getpid())
        else:
            reply = self._run_admin(frame, name)
        self.on_change()
        self._answer(peer, reply)

    def _run_admin(self, frame: RequestFrame, name: str) -> ReplyFrame:
        """Run an admin request of the server; its refusal is a reply as well."""
        try:
            value: Any = admin.run(self.server, name, frame.params, self.clock.wall_ns())
        except admin.AdminError as error:
            return ReplyFrame(id=frame.id, code=c.RES_E_FAIL, text=str(error))
        return ReplyFrame(id=frame.id, value=value)

    def unhang(self) -> int:
        """End every hang; return how many calls were waiting for that."""
        self._hung_all = False
        held, self._held = self._held, []
        for resume in held:
            resume()
        return len(held)

    def _begin(self, peer: Peer, frame: RequestFrame) -> None:
        """Decide a call's fate and carry it out now or after its delay.

        Delays count from the call's arrival: what this process itself needs is part of them.
        """
        due_ns = self.clock.boot_ns()
        fate = self.server.begin(frame.method, frame.args, self.clock.wall_ns())
        if fate.before_ns:
            due_ns += fate.before_ns
            self.at(due_ns, lambda: self._run(peer, frame, fate, due_ns))
        else:
            self._run(peer, frame, fate, due_ns)

    def _run(self, peer: Peer, frame: RequestFrame, fate: CallFate, due_ns: int) -> None:
        """Carry a call out, due at a moment, and answer it, late or never if its fate says so."""
        reply = self.server.finish(frame.method, fate, self.clock.wall_ns())
        self.on_change()
        if fate.hang:
            self._hang(peer, frame, fate, reply)
        elif fate.after_ns:
            self.at(due_ns + fate.after_ns, lambda: self._reply(peer, frame, reply))
        else:
            self._reply(peer, frame, reply)

    def _hang(self, peer: Peer, frame: RequestFrame, fate: CallFate, reply: Reply) -> None:
        """Withhold an answer until the hang ends: after its time, by ``unhang``, or never."""
        self._held.append(lambda: self._reply(peer, frame, reply))
        if fate.hang_all:
            self._hung_all = True
        if fate.hang_ns:
            self.at(self.clock.boot_ns() + fate.hang_ns, self._end_hang)

    def _end_hang(self) -> None:
        """End a hang whose time is over."""
        self.unhang()

    def _reply(self, peer: Peer, frame: RequestFrame, reply: Reply) -> None:
        """Send a call's answer, or fail in the way its code says."""
        if reply.code == c.RES_E_INTERNAL_FAIL_RECEIVE:
            # The request was read and nothing comes back: the client finds its stream closed.
            self._drop(peer)
            return
        wrong = 1 if reply.code == c.RES_E_INTERNAL_FAIL else 0
        lost = reply.code in LOST_CODES
        self._answer(
            peer,
            ReplyFrame(
                id=frame.id + wrong,
                code=reply.code,
                text=reply.text,
                value=reply.value,
                lost=lost,
            ),
        )

    def _answer(self, peer: Peer, reply: ReplyFrame) -> None:
        """Queue a reply and send what the stream takes now."""
        if peer.is_gone:
            return
        peer.outgoing += pack(reply)
        self._flush(peer)
        if len(peer.outgoing) > UNREAD_BYTES_MAX:
            self._drop(peer)

    def _flush(self, peer: Peer) -> None:
        """Send queued bytes; watch for room while some are left."""
        try:
            sent = peer.stream.send(peer.outgoing) if peer.outgoing else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(peer)
            return
        del peer.outgoing[:sent]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.outgoing else 0)
        self._selector.modify(peer.stream, events, peer)

    def finish(self) -> None:
        """Send what is still queued, as far as it goes, and close every stream."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Peer):
                key.data.stream.settimeout(_GOODBYE_S)
                with contextlib.suppress(OSError):
                    key.data.stream.sendall(key.data.outgoing)
                self._drop(key.data)
        self._selector.close()
