"""The engine's side of EdgeGuard: publishes its ticks, fills, errors and heartbeats to the guard.

    reporter = Reporter("/run/edgeguard", account="A")
    reporter.wait_ready(5.0)
    logging.getLogger().addHandler(reporter.handler(logging.ERROR))
    reporter.tick("EURUSD", 1.38694, 1.38705)
    reporter.heartbeat()

Sending never blocks the engine. Quotes have a lane of their own, so that a flood of them holds up
nothing else. Where that lane is full the newest quote of each symbol waits, in place of the older
ones, and goes out with the next message. Where the other lane is full the message is dropped and
counted, and its number is used up all the same: the guard sees a hole and closes for fills and
errors until the next account snapshot. Plain Python; needs pyzmq and msgspec.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import zmq

from edgeguard.clock import NS_PER_S, Clock, SystemClock
from edgeguard.codec.native import encode
from edgeguard.messages import (
    Entry,
    ErrorEvent,
    Fill,
    Heartbeat,
    MarketMessage,
    Price,
    Side,
    Tick,
    TickBatch,
)
from edgeguard.transport.endpoints import IPC_PATH_BYTES_MAX, CurveKeys, check_endpoint
from edgeguard.transport.sockets import Context, Socket, make_context, publisher

QUEUE_MAX: Final = 10_000
"""Messages queued to the guard on each lane; of more, quotes are conflated and others dropped."""
HELD_MAX: Final = 4_096
"""Symbols of which a quote may wait for room; a quote of one more is dropped and counted."""
TICKS_MAX: Final = 500
"""Ticks in one message, which keeps it under the guard's 64 KiB."""
READY_POLL_S: Final = 0.005
TEXT_MAX: Final = 512
"""Characters of an error's text; the rest is cut."""

Number = str | int | float | Decimal
"""A decimal: text is kept as it is, a float becomes its shortest decimal text."""
TickTuple = tuple[str, Price, Price, int | None]
"""Symbol, bid, ask and the source's own stamp in ns or None."""


def feeds_endpoint(where: str | Path) -> str:
    """Return the guard's feeds endpoint for a run directory; an endpoint stands for itself."""
    text = str(where)
    if "://" in text:
        return text
    # The resolved path is the short one: RUN_DIR is a symbolic link into shared memory.
    return f"ipc://{Path(text).resolve() / 'feeds.ipc'}"


class _Lane:
    """One socket to the guard's feeds; at its bound a send fails instead of being dropped."""

    def __init__(self, socket: Socket, tap: Socket | None) -> None:
        self.socket = socket
        self._tap = tap
        self.socket.setsockopt(zmq.XPUB_NODROP, 1)
        self.subscriptions = 0

    def send(self, topic: bytes, payload: bytes) -> bool:
        """Queue one message; return whether there was room."""
        self.read_subscriptions()
        try:
            self.socket.send_multipart((topic, payload), flags=zmq.DONTWAIT)
        except zmq.Again:
            return False
        if self._tap is not None:
            self._tap.send_multipart((topic, payload), flags=zmq.DONTWAIT)
        return True

    def read_subscriptions(self) -> None:
        """Take in who came and went; an XPUB that is never read would fill up."""
        while True:
            try:
                change = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            self.subscriptions += 1 if change[:1] == b"\x01" else -1


class Reporter:
    """Publishes for one account under one source's name; safe to share between threads."""

    def __init__(  # noqa: PLR0913  # an engine sets what it needs by name
        self,
        where: str | Path,
        account: str,
        source: str = "engine",
        *,
        feed: str = "",
        queue_max: int = QUEUE_MAX,
        keys: CurveKeys | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Connect, without waiting for the guard.

        Args:
            where: `RUN_DIR` or the guard's feeds endpoint.
            account: the account's id as the guard's configuration has it.
            source: name on fills, errors and heartbeats.
            feed: the ``[[feed]]`` name on ticks; empty: `source`.
            queue_max: messages kept for a guard that is slow or away.
            keys: CURVE keys for a guard on another host.
            clock: stands in for the host's clocks.

        Raises:
            ConfigError: the endpoint must not be used.
        """
        self.account = account
        self.source = source
        self.feed = feed or source
        self._clock: Clock = clock or SystemClock()
        self._epoch = self._clock.wall_ns()
        self._lock = threading.Lock()
        self._seqs: dict[tuple[int, str], int] = {}
        endpoint = feeds_endpoint(where)
        check_endpoint(endpoint, keys)
        self._context = make_context()
        self._tap = _tap(self._context, endpoint, queue_max)

        def lane() -> _Lane:
            socket = publisher(
                self._context, endpoint, bind=False, hwm=queue_max, keys=keys, watched=True
            )
            return _Lane(socket, self._tap)

        self._quotes, self._others = lane(), lane()
        self._held: dict[str, Tick] = {}
        self._beats: threading.Thread | None = None
        self._stop = threading.Event()
        self._is_closed = False
        self.dropped = 0
        """Messages dropped at the bound; each is a hole in the guard's eyes."""
        self.conflated = 0
        """Quotes that a newer one of their symbol replaced while the lane was full."""

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until a guard listens; return whether one does. Nothing sent before was heard."""
        deadline_ns = self._clock.boot_ns() + int(timeout_s * NS_PER_S)
        while not self._is_closed:
            with self._lock:
                for lane in (self._quotes, self._others):
                    lane.read_subscriptions()
                if self._quotes.subscriptions > 0 and self._others.subscriptions > 0:
                    return True
            if self._clock.boot_ns() >= deadline_ns:
                return False
            # Not under the lock: other threads send on the socket meanwhile.
            self._stop.wait(READY_POLL_S)
        return False

    def tick(self, symbol: str, bid: Price, ask: Price, source_ns: int | None = None) -> bool:
        """Publish one quote; return whether it was queued. One that was not waits for room.

        Args:
            symbol: as the guard's configuration has it.
            bid: a float or exact decimal text.
            ask: a float or exact decimal text.
            source_ns: the source's own stamp, ns since the Unix epoch.
        """
        return self._publish_ticks((Tick(symbol, bid, ask, source_ns),))

    def ticks(self, batch: Iterable[Tick | TickTuple]) -> bool:
        """Publish quotes in their order; return whether all were queued."""
        ticks = tuple(item if isinstance(item, Tick) else Tick(*item) for item in batch)
        return self._publish_ticks(ticks)

    def fill(  # noqa: PLR0913  # the fields of a deal, by name
        self,
        *,
        deal: int,
        position: int,
        symbol: str,
        side: Side,
        entry: Entry,
        volume: Number,
        price: Number,
        profit: Number | None = None,
        commission: Number | None = None,
        swap: Number | None = None,
        fee: Number | None = None,
        order: int | None = None,
        magic: int | None = None,
    ) -> bool:
        """Publish one deal; return whether it was queued. Volume in lots, money as the account."""
        return self._publish(
            2,
            self.source,
            lambda seq, t_ns: Fill(
                self.account,
                self.source,
                self._epoch,
                seq,
                t_ns,
                deal,
                position,
                symbol,
                side,
                entry,
                str(volume),
                str(price),
                _text(profit),
                _text(commission),
                _text(swap),
                _text(fee),
                order,
                magic,
            ),
        )

    def error(
        self, class_: str, code: int | None = None, order: int | None = None, text: str = ""
    ) -> bool:
        """Publish one error; return whether it was queued.

        Args:
            class_: its class, ``reject`` or ``timeout`` for example.
            code: the broker's or engine's number.
            order: the order it concerns: it counts once per order and minute.
            text: for people; cut at 512 characters.
        """
        return self._publish(
            4,
            self.source,
            lambda seq, t_ns: ErrorEvent(
                self.account,
                self.source,
                self._epoch,
                seq,
                t_ns,
                class_,
                code,
                order,
                text[:TEXT_MAX],
            ),
        )

    def heartbeat(self) -> bool:
        """Publish that the engine lives; to be called where the engine makes progress."""
        return self._beat(self.source)

    def feed_heartbeat(self) -> bool:
        """Publish that the quotes' source lives although it may be quiet."""
        return self._beat(f"feed:{self.feed}")

    def start_beats(self, interval_s: float = 1.0, alive: Callable[[], bool] | None = None) -> None:
        """Send heartbeats from a thread.

        A thread beats on while the engine hangs, so give `alive`: a cheap claim that the engine
        made progress since the last beat. Without it this proves the process alone.
        """
        if self._beats is not None:
            return

        def run() -> None:
            while not self._stop.wait(interval_s):
                if alive is None or alive():
                    self.heartbeat()

        self._beats = threading.Thread(target=run, name="edgeguard-beats", daemon=True)
        self._beats.start()

    def handler(self, level: int = logging.ERROR) -> logging.Handler:
        """Return a handler that reports log records of at least `level` as errors.

        A record's attribute ``error_class`` (by ``extra=``) names its class, else it is ``log``.
        """
        return _ErrorHandler(self, level)

    def close(self, timeout_s: float = 0.2) -> None:
        """Stop; what is queued still gets `timeout_s` to leave."""
        self._stop.set()
        if self._beats is not None:
            self._beats.join()
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                for lane in (self._quotes, self._others):
                    lane.socket.close(linger=int(timeout_s * 1000))
                if self._tap is not None:
                    self._tap.close(linger=0)
                self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _beat(self, source: str) -> bool:
        return self._publish(
            5, source, lambda seq, t_ns: Heartbeat(self.account, source, self._epoch, seq, t_ns)
        )

    def _publish_ticks(self, ticks: tuple[Tick, ...]) -> bool:
        with self._lock:
            return not self._is_closed and self._send_quotes(ticks)

    def _send_quotes(self, ticks: tuple[Tick, ...]) -> bool:
        """Queue what waits and then `ticks`; from the first that finds no room on, they wait."""
        if self._held:
            ticks = (*self._held.values(), *ticks)
            self._held.clear()
        key = (1, self.feed)
        for start in range(0, len(ticks), TICKS_MAX):
            some = ticks[start : start + TICKS_MAX]
            seq = self._seqs.get(key, 0) + 1
            t_ns = self._clock.wall_ns()
            batch = TickBatch(self.account, self.feed, self._epoch, seq, t_ns, some)
            if not self._quotes.send(f"{self.account}.1".encode(), encode(batch)):
                for tick in ticks[start:]:
                    self._hold(tick)
                return False
            self._seqs[key] = seq
        return True

    def _hold(self, tick: Tick) -> None:
        """Keep the newest quote of a symbol until there is room."""
        if self._held.pop(tick.symbol, None) is not None:
            self.conflated += 1
        if len(self._held) >= HELD_MAX:
            self.dropped += 1
            return
        self._held[tick.symbol] = tick

    def _publish(self, tag: int, source: str, make: Callable[[int, int], MarketMessage]) -> bool:
        """Number, encode and queue one message; the number is used up whatever happens."""
        with self._lock:
            if self._is_closed:
                return False
            if self._held:
                self._send_quotes(())
            seq = self._seqs[tag, source] = self._seqs.get((tag, source), 0) + 1
            payload = encode(make(seq, self._clock.wall_ns()))
            is_queued = self._others.send(f"{self.account}.{tag}".encode(), payload)
            self.dropped += not is_queued
            return is_queued


def _tap(context: Context, endpoint: str, queue_max: int) -> Socket | None:
    """Return the way to operations on the guard's host, for the tape of an incident.

    A socket of its own: whoever listens there is no guard, and may be slow or absent at no cost to
    what the guard hears; at the bound this one drops.
    """
    kind, _, path = endpoint.partition("://")
    if kind != "ipc":
        return None
    tap = Path(path).with_name("tap.ipc")
    if len(str(tap).encode()) > IPC_PATH_BYTES_MAX:
        return None
    return publisher(context, f"ipc://{tap}", bind=False, hwm=queue_max)


class _ErrorHandler(logging.Handler):
    """Turns log records into error events."""

    def __init__(self, reporter: Reporter, level: int) -> None:
        super().__init__(level)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Publish the record; a record that cannot be formatted is reported all the same."""
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001  # a bad log call must not hurt the engine
            text = f"{record.msg!r}: {error!r}"
        self._reporter.error(getattr(record, "error_class", "log"), text=text)


def _text(number: Number | None) -> str | None:
    return None if number is None else str(number)
