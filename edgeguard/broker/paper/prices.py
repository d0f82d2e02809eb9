"""Bring prices to a paper terminal's process: from another socket, or made up from a seed."""

import random
import socket
from pathlib import Path
from typing import Final, Protocol

from edgeguard.broker.paper.loop import Loop
from edgeguard.broker.paper.spec import PaperSpec
from edgeguard.broker.paper.units import NS_PER_MS, NS_PER_S
from edgeguard.broker.paper.wire import FeedTick, FrameBuffer, FrameError, unpack_request
from edgeguard.errors import ConfigError

_READ_BYTES: Final = 1 << 18
# Pause between attempts to reach a source that is not there, nanoseconds.
_RETRY_NS: Final = NS_PER_S
_INTERVAL_MS: Final = 200
# Standard deviation of one synthetic step, as a fraction of the price: a quiet market.
_STEP_FRACTION: Final = 2e-5


class PriceSource(Protocol):
    """Something that brings ticks into a running loop."""

    def start(self, loop: Loop) -> None:
        """Begin to bring ticks."""
        ...


class SyntheticPrices:
    """A seeded random walk around each symbol's first quote, its spread kept."""

    def __init__(self, spec: PaperSpec, seed: int, interval_ms: int) -> None:
        """Take the symbols that have a first quote, a seed and the time between ticks."""
        self._random = random.Random(seed)  # noqa: S311 - prices to play with
        self._interval_ns = interval_ms * NS_PER_MS
        self._quotes = {
            symbol.name: (symbol.bid, symbol.ask, symbol.digits)
            for symbol in spec.symbols
            if symbol.bid > 0.0
        }

    def start(self, loop: Loop) -> None:
        """Tick now, and again after each interval."""
        loop.feed(self.step(loop.clock.wall_ns()))
        loop.at(loop.clock.boot_ns() + self._interval_ns, lambda: self.start(loop))

    def step(self, now_ns: int) -> list[FeedTick]:
        """Move every price one step; return the ticks."""
        ticks: list[FeedTick] = []
        for name, (bid, ask, digits) in self._quotes.items():
            moved = round(bid * (1.0 + self._random.gauss(0.0, _STEP_FRACTION)), digits)
            self._quotes[name] = (moved, round(moved + ask - bid, digits), digits)
            ticks.append((name, moved, self._quotes[name][1], now_ns))
        return ticks


class SocketPrices:
    """Feed frames read from a Unix socket that something else serves; reconnects when it ends."""

    def __init__(self, path: Path) -> None:
        """Take the socket's path."""
        self._path = path

    def start(self, loop: Loop) -> None:
        """Connect, or try again after a pause."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(0.0)
        try:
            stream.connect(str(self._path))
        except OSError:
            stream.close()
            loop.at(loop.clock.boot_ns() + _RETRY_NS, lambda: self.start(loop))
            return
        buffer = FrameBuffer()
        loop.watch(stream, lambda: self._read(loop, stream, buffer))

    def _read(self, loop: Loop, stream: socket.socket, buffer: FrameBuffer) -> None:
        """Take what has come; a stream that ends or talks nonsense is left and retried."""
        try:
            data = stream.recv(_READ_BYTES)
            frames = [unpack_request(body) for body in buffer.add(data)]
        except BlockingIOError:
            return
        except (OSError, FrameError):
            data, frames = b"", []
        for frame in frames:
            loop.feed(frame.feed or [])
        if not data:
            loop.unwatch(stream)
            stream.close()
            loop.at(loop.clock.boot_ns() + _RETRY_NS, lambda: self.start(loop))


def price_source(text: str, spec: PaperSpec) -> PriceSource:
    """Return the source an endpoint names.

    Args:
        text: ``unix:PATH`` or ``synthetic[:SEED[:INTERVAL_MS]]``.
        spec: The symbols.

    Raises:
        ConfigError: The endpoint is neither.
    """
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest:
        return SocketPrices(Path(rest))
    if kind == "synthetic":
        seed, _, interval = rest.partition(":")
        try:
            return SyntheticPrices(spec, int(seed or 0), int(interval or _INTERVAL_MS))
        except ValueError as error:
            raise ConfigError(f"--prices must have whole numbers, was {text!r}") from error
    raise ConfigError(f"--prices must be unix:PATH or synthetic[:SEED[:MS]], was {text!r}")
