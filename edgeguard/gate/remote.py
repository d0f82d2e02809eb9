"""Answers from a guard on another host, by an echo lease over ZeroMQ.

Echoes of this gate's own pings alone open it and hold it open. What the guard pushes unasked, on
the same connection, closes it at once.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
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

    def __init__(  # noqa: PLR0913  # options, by name
        self,
        endpoint: str,
        account: str,
        *,
        lease_s: float = LEASE_S_DEFAULT,
        clock: Clock | None = None,
        keys: CurveKeys | None = None,
        on_word: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect and start to ping.

        Args:
            endpoint: the guard's gate socket.
            account: the account's id.
            lease_s: how long an echo is trusted.
            clock: stands in for the host's clocks.
            keys: CURVE keys for a guard on another host.
            on_word: called from the thread after each word of the guard that was news.

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
        self._scopes_told: set[str] = set()
        """Scopes that a push has closed, until an echo answers that was asked for after it."""
        self._told_why = ""
        self._on_word = on_word
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
            told_why = self._told_why
        if code == "HALTED" and latched:
            return ", ".join(latched)
        if beat is None:
            return f"no echo for account {self._account} yet"
        return (told_why or beat.why) if code in {"PAUSED", "STARTING", "HALTED"} else ""

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
                message = decode(payload)
            except MalformedError:
                continue
            is_news = False
            if isinstance(message, Echo) and message.beat.account == self._account:
                is_news = self._take_echo(message)
            elif isinstance(message, StateBeat) and message.account == self._account:
                is_news = self._take_push(message)
            if is_news:
                self._on_word()

    def _take_push(self, beat: StateBeat) -> bool:
        """Take a state that the guard sent unasked: it closes, and opens nothing."""
        with self._lock:
            if not self._lease.on_push(self._clock.boot_ns(), _words_of(beat)):
                return False
            self._told_why = beat.why or self._told_why
            for item in beat.scopes:
                if item.state == "HALTED":
                    self._scopes_halted.add(item.scope)
                if item.state != "ACTIVE":
                    self._scopes_told.add(item.scope)
            return True

    def _take_echo(self, echo: Echo) -> bool:
        """Take an echo of a ping of ours; any other was never asked for."""
        sent_ns = self._pending.pop(echo.nonce, None)
        if sent_ns is None or echo.gate_ns != sent_ns:
            return False
        beat = echo.beat
        with self._lock:
            if not self._lease.on_echo(sent_ns, self._clock.boot_ns(), _words_of(beat)):
                return False
            self._beat = beat
            is_told = self._lease.is_told()
            if not is_told:
                self._told_why = ""
                self._scopes_told.clear()
            for item in beat.scopes:
                if item.state == "HALTED":
                    self._scopes_halted.add(item.scope)
                elif item.state == "ACTIVE" and not is_told:
                    self._scopes_halted.discard(item.scope)
            return True

    def _is_scope_closed(self, symbol: str | None, strategy: str | None) -> bool:
        """Judge scopes; one seen halted stays closed until the guard says it is active again."""
        wanted = {f"symbol:{symbol}", f"strategy:{strategy}"}
        states = {} if self._beat is None else {i.scope: i.state for i in self._beat.scopes}
        return any(
            scope in self._scopes_halted
            or scope in self._scopes_told
            or states.get(scope, "ACTIVE") != "ACTIVE"
            for scope in wanted
        )


def _words_of(beat: StateBeat) -> Beat:
    """Return what the lease judges of a state."""
    return Beat(
        beat.epoch,
        beat.state_seq,
        beat.state,
        "HOLE" in beat.pauses,
        beat.halt.id if beat.halt is not None else "",
        list(beat.resumed),
    )
