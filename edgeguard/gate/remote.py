"""Answers from a guard on another host, by an echo lease over ZeroMQ."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from typing import Final

import zmq

from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError
from edgeguard.gate.lease import Beat, Lease
from edgeguard.messages import Echo, Ping, StateBeat
from edgeguard.transport import CurveKeys, check_endpoint, dealer, make_context

PING_MS: Final = 100
LEASE_S_DEFAULT: Final = 1.0
PENDING_MAX: Final = 64
"""Pings that may still be answered; an answer to an older one is none."""
NONCE_BYTES: Final = 8
ECHO_BYTES_MAX: Final = 65_536


class RemoteSource:
    """One account's lease, kept by a thread that pings and listens."""

    def __init__(
        self,
        endpoint: str,
        account: str,
        *,
        lease_s: float = LEASE_S_DEFAULT,
        clock: Clock | None = None,
        keys: CurveKeys | None = None,
    ) -> None:
        """Connect and start to ping.

        Raises:
            ConfigError: the endpoint must not be used.
        """
        self._account = account
        self._clock = clock or SystemClock()
        self._lease = Lease(int(lease_s * NS_PER_S))
        self._lock = threading.Lock()
        self._pending: OrderedDict[bytes, int] = OrderedDict()
        self._beat: StateBeat | None = None
        self._scopes_halted: set[str] = set()
        self._is_closed = threading.Event()
        check_endpoint(endpoint, keys)
        self._context = make_context()
        self._socket = dealer(
            self._context,
            endpoint,
            keys=keys,
            hwm=PENDING_MAX,
            message_bytes_max=ECHO_BYTES_MAX,
            immediate=True,
        )
        self._thread = threading.Thread(target=self._run, name="edgeguard-gate", daemon=True)
        self._thread.start()

    def ask(self, symbol: str | None, strategy: str | None) -> str:
        """Return the code, ``OPEN`` for a permit."""
        with self._lock:
            code = self._lease.check(self._clock.boot_ns())
            if code == "OPEN" and self._is_scope_closed(symbol, strategy):
                return "SCOPE"
            return code

    def detail(self, code: str) -> str:
        """Return what the guard said of why it is closed."""
        with self._lock:
            latched = self._lease.latched()
            beat = self._beat
        if code == "HALTED" and latched:
            return ", ".join(latched)
        if beat is None:
            return f"no echo for account {self._account} yet"
        return beat.why if code in {"PAUSED", "STARTING", "HALTED"} else ""

    def close(self) -> None:
        """Stop the thread and close the socket."""
        self._is_closed.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        next_ns = self._clock.boot_ns()
        while not self._is_closed.is_set():
            now_ns = self._clock.boot_ns()
            if now_ns >= next_ns:
                self._ping(now_ns)
                next_ns = now_ns + PING_MS * NS_PER_MS
            if self._socket.poll(max(1, (next_ns - now_ns) // NS_PER_MS)):
                self._drain()

    def _ping(self, now_ns: int) -> None:
        nonce = secrets.token_bytes(NONCE_BYTES)
        try:
            self._socket.send(encode(Ping(self._account, nonce, now_ns)), zmq.DONTWAIT)
        except zmq.Again:
            return
        self._pending[nonce] = now_ns
        while len(self._pending) > PENDING_MAX:
            self._pending.popitem(last=False)

    def _drain(self) -> None:
        while True:
            try:
                payload = self._socket.recv_multipart(zmq.DONTWAIT)[-1]
            except zmq.Again:
                return
            try:
                echo = decode(payload)
            except MalformedError:
                continue
            if isinstance(echo, Echo) and echo.beat.account == self._account:
                self._take(echo)

    def _take(self, echo: Echo) -> None:
        """Take an echo of a ping of ours; anything else was never asked for."""
        sent_ns = self._pending.pop(echo.nonce, None)
        if sent_ns is None or echo.gate_ns != sent_ns:
            return
        beat = echo.beat
        words = Beat(
            beat.epoch,
            beat.state_seq,
            beat.state,
            "HOLE" in beat.pauses,
            beat.halt.id if beat.halt is not None else "",
            list(beat.resumed),
        )
        with self._lock:
            if not self._lease.on_echo(sent_ns, self._clock.boot_ns(), words):
                return
            self._beat = beat
            for item in beat.scopes:
                if item.state == "HALTED":
                    self._scopes_halted.add(item.scope)
                elif item.state == "ACTIVE":
                    self._scopes_halted.discard(item.scope)

    def _is_scope_closed(self, symbol: str | None, strategy: str | None) -> bool:
        """Judge scopes; one seen halted stays closed until the guard says it is active again."""
        wanted = {f"symbol:{symbol}", f"strategy:{strategy}"}
        states = {} if self._beat is None else {i.scope: i.state for i in self._beat.scopes}
        return any(
            scope in self._scopes_halted or states.get(scope, "ACTIVE") != "ACTIVE"
            for scope in wanted
        )
