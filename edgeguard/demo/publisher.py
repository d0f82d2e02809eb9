"""The demo's tick publisher: a feed like any other, in a process of its own.

``python -m edgeguard.demo.publisher --config F --state-dir D --feed NAME [--seed N] [--speed X]
[--ticks SPEC]...`` binds the feed's endpoint and plays what stdin names: ``ordinary``, ``crash``,
``wide``, ``ticks START_NS``; ``sent SEQ`` asks when a batch was sent; ``stop`` ends it.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zmq

from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.codec.native import encode
from edgeguard.config.load import load_config
from edgeguard.config.model import Config, FeedConfig
from edgeguard.config.paths import Paths
from edgeguard.demo import market
from edgeguard.demo.market import Quote
from edgeguard.demo.messages import Orders, say
from edgeguard.demo.recorded import recorded_quotes
from edgeguard.errors import EdgeGuardError
from edgeguard.messages import Heartbeat, MarketMessage, Tick, TickBatch
from edgeguard.transport import make_context, publisher

BEAT_NS: Final = NS_PER_S // 4
"""Interval of the feed's heartbeats."""
BATCH_MAX: Final = 256
"""Ticks of one message."""
KEPT: Final = 4096
"""Batches whose time of sending is remembered."""
STILL_S: Final = 0.5
"""Interval of quotes while recorded ticks wait for the book, seconds."""
WIDE_SYMBOL: Final = "EURUSD"
WIDE_FACTOR: Final = 8


@dataclass(frozen=True)
class Options:
    """What to play, and how fast."""

    feed: FeedConfig
    account: str
    seed: int
    speed: float
    specs: tuple[str, ...]
    digits: dict[str, int]
    first: dict[str, tuple[str, str]]


class TickPublisher:
    """Plays quotes on the wall clock, `speed` times as fast as they were."""

    def __init__(self, options: Options, clock: SystemClock) -> None:
        """Bind the feed's endpoint.

        Raises:
            InUseError: another publisher has it.
        """
        self._options = options
        self._clock = clock
        self._context = make_context()
        self._socket = publisher(self._context, options.feed.endpoint, bind=True)
        self._epoch = clock.wall_ns()
        self._seqs = {"ticks": 0, "beats": 0}
        self._sent: deque[dict[str, object]] = deque(maxlen=KEPT)
        self._beat_due_ns = 0
        self._quotes: Iterator[Quote] = iter(())
        self._next: Quote | None = None
        self._start_ns = 0

    def run(self, orders: Orders) -> None:
        """Play until told to stop."""
        self._play("ordinary")
        while True:
            order = orders.next(self._wait_s())
            if order == "stop":
                break
            if order is not None:
                self._obey(order)
            self._send_due()
        self._socket.close(linger=200)
        self._context.term()

    def _obey(self, order: str) -> None:
        verb, _, argument = order.partition(" ")
        if verb == "sent":
            wanted = [sent for sent in self._sent if sent["seq"] == int(argument)]
            say(stage="sent", seq=int(argument), batch=wanted[0] if wanted else None)
        else:
            self._play(verb, argument)

    def _play(self, what: str, argument: str = "") -> None:
        seed = self._options.seed
        if what == "crash":
            self._quotes = market.crash(seed)
        elif what == "wide":
            self._quotes = market.widened(seed, WIDE_SYMBOL, WIDE_FACTOR)
        elif what == "ticks":
            options = self._options
            self._quotes = recorded_quotes(options.specs, options.digits, int(argument))
        elif self._options.specs:
            # Until the book is open: the first recorded quotes, twice a second.
            self._quotes = market.still(self._options.first, STILL_S * self._options.speed)
        else:
            self._quotes = market.ordinary(seed)
        self._start_ns = self._clock.boot_ns()
        self._next = next(self._quotes, None)
        say(stage="playing", what=what, t_ns=self._clock.wall_ns())

    def _due_ns(self, quote: Quote) -> int:
        return self._start_ns + int(quote.at_s / self._options.speed * NS_PER_S)

    def _wait_s(self) -> float:
        due_ns = self._beat_due_ns
        if self._next is not None:
            due_ns = min(due_ns, self._due_ns(self._next))
        return max(0.0, (due_ns - self._clock.boot_ns()) / NS_PER_S)

    def _send_due(self) -> None:
        now_ns = self._clock.boot_ns()
        if now_ns >= self._beat_due_ns:
            self._beat_due_ns = now_ns + BEAT_NS
            self._beat()
        batch: list[Tick] = []
        while self._next is not None and len(batch) < BATCH_MAX:
            if self._due_ns(self._next) > now_ns:
                break
            batch.append(Tick(self._next.symbol, self._next.bid, self._next.ask))
            self._next = next(self._quotes, None)
        if batch:
            self._send_ticks(tuple(batch))
        if self._next is None and self._quotes is not _NOTHING:
            self._quotes = _NOTHING
            say(stage="played", t_ns=self._clock.wall_ns())

    def _send_ticks(self, ticks: tuple[Tick, ...]) -> None:
        self._seqs["ticks"] += 1
        seq, t_ns = self._seqs["ticks"], self._clock.wall_ns()
        self._send(TickBatch("", self._options.feed.name, self._epoch, seq, t_ns, ticks))
        quotes = {tick.symbol: [tick.bid, tick.ask] for tick in ticks}
        self._sent.append({"seq": seq, "t_ns": t_ns, "quotes": quotes})

    def _beat(self) -> None:
        self._seqs["beats"] += 1
        source = f"feed:{self._options.feed.name}"
        account, seq = self._options.account, self._seqs["beats"]
        self._send(Heartbeat(account, source, self._epoch, seq, self._clock.wall_ns()))

    def _send(self, message: MarketMessage) -> None:
        topic = self._options.feed.name.encode()
        self._socket.send_multipart((topic, encode(message)), zmq.DONTWAIT)


_NOTHING: Final[Iterator[Quote]] = iter(())


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="edgeguard.demo.publisher")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--feed", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--ticks", action="append", default=[])
    given = parser.parse_args(arguments)
    config, _ = load_config(given.config)
    Paths(config, given.state_dir).create()
    return Options(
        _feed(config, given.feed),
        config.account[0].id,
        given.seed,
        given.speed,
        tuple(given.ticks),
        {symbol.name: symbol.digits for symbol in config.symbol},
        {quote.symbol: (quote.bid, quote.ask) for quote in config.paper.quotes},
    )


def _feed(config: Config, name: str) -> FeedConfig:
    return next(feed for feed in config.feed if feed.name == name)


def main() -> int:
    """Run the publisher; return its exit code."""
    try:
        TickPublisher(_options(sys.argv[1:]), SystemClock()).run(Orders())
    except EdgeGuardError as e:
        sys.stderr.write(f"{e}\n")
        return e.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
