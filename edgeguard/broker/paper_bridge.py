"""Run the paper terminal's process for `terminal = "paper"` and bring the feeds' ticks to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper import presets
from edgeguard.broker.paper.client import PaperControl
from edgeguard.broker.paper.faults import FaultPlan, FaultRule
from edgeguard.broker.paper.spec import AccountSpec, PaperSpec, SymbolSpec, dump_spec
from edgeguard.broker.paper.wire import FeedTick, RequestFrame, pack
from edgeguard.broker.paper_rates import conversion_rates
from edgeguard.clock import NS_PER_S, Clock
from edgeguard.codec.native import decode
from edgeguard.config.model import AccountConfig, Config, SymbolConfig
from edgeguard.config.paths import Paths
from edgeguard.errors import InUseError, MalformedError, TerminalError
from edgeguard.messages import TickBatch
from edgeguard.transport import Context, CurveKeys, Keyring, PumpSet, Socket, subscriber

TRADE_MODES: Final = {"demo": 0, "contest": 1, "real": 2}
MARGIN_MODES: Final = {
    "netting": c.ACCOUNT_MARGIN_MODE_RETAIL_NETTING,
    "exchange": c.ACCOUNT_MARGIN_MODE_EXCHANGE,
    "hedging": c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
}
PriceFeed = tuple[str, CurveKeys | None]
"""A feed's endpoint, and the keys with which to connect to it."""
QUEUE_MAX: Final = 20_000
"""Ticks that wait for a paper terminal that does not read; above it the oldest are dropped."""
START_NS: Final = 15 * NS_PER_S
"""Longest start of the paper process."""


def paper_spec(config: Config, account: AccountConfig) -> PaperSpec:
    """Return the paper broker that the configuration describes for one account."""
    paper = config.paper
    quotes = {quote.symbol: (float(quote.bid), float(quote.ask)) for quote in paper.quotes}
    rules: tuple[FaultRule, ...] = ()
    if paper.latency_ms:
        rules = (FaultRule(name="latency", on=("order_send",), ms=paper.latency_ms),)
    return PaperSpec(
        account=AccountSpec(
            login=account.login,
            server=account.server,
            trade_mode=TRADE_MODES[account.trade_mode],
            currency=account.currency,
            currency_digits=account.currency_digits,
            leverage=paper.leverage,
            margin_mode=MARGIN_MODES[paper.margin_mode],
            balance=float(account.initial_balance),
        ),
        symbols=tuple(_symbol(symbol, quotes, paper.margin_mode) for symbol in config.symbol),
        rates={**conversion_rates(config.symbol, quotes, account.currency), **presets.RATES},
        faults=FaultPlan(rules=rules),
        past_days=presets.PAST_DAYS,
    )


def _symbol(
    symbol: SymbolConfig, quotes: dict[str, tuple[float, float]], margin_mode: str
) -> SymbolSpec:
    """Return a symbol's paper rules: a preset's where there is one, under the configured facts."""
    make = presets.SYMBOLS.get(symbol.name)
    base = SymbolSpec(name=symbol.name, digits=symbol.digits) if make is None else make()
    bid, ask = quotes.get(symbol.name, (0.0, 0.0))
    facts: dict[str, object] = {
        "digits": symbol.digits,
        "currency_base": symbol.currency_base or symbol.name[:3],
        "currency_profit": symbol.currency_profit or symbol.name[3:6] or symbol.name[:3],
        "sessions": "24x7" if symbol.session == "24x7" else "24x5",
        "bid": bid,
        "ask": ask,
    }
    if symbol.contract_size is not None:
        facts["contract_size"] = float(symbol.contract_size)
    if symbol.calc_mode is not None:
        facts["calc_mode"] = getattr(c, f"SYMBOL_CALC_MODE_{symbol.calc_mode}")
    if symbol.tick_size is not None:
        facts["tick_size"] = float(symbol.tick_size)
    if symbol.tick_value is not None:
        facts["tick_value"] = float(symbol.tick_value)
    if margin_mode == "exchange":
        facts |= {"execution": c.SYMBOL_TRADE_EXECUTION_EXCHANGE, "filling_mode": 7}
    return msgspec.structs.replace(base, **facts)


class PaperProcess:
    """The paper terminal's process of one account: found, or started and owned.

    It outlives a killed parent, as a terminal would; a pid file tells the next one that it is ours
    to end.
    """

    def __init__(self, config: Config, paths: Paths, account: AccountConfig, clock: Clock) -> None:
        """Take where it listens and what it is to simulate."""
        self._spec = paper_spec(config, account)
        self._folder = paths.state_dir / "paper"
        self._id = account.id
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = paths.paper_socket(account.id)

    async def ensure(self) -> None:
        """Start it unless something listens already, and wait until it does.

        Raises:
            TerminalError: it does not come up.
        """
        if self._listens():
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        spec = self._folder / f"{self._id}.spec.json"
        spec.write_bytes(dump_spec(self._spec))
        log = (self._folder / f"{self._id}.log").open("ab")
        with log:
            process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own module, once
                [
                    *(sys.executable, "-m", "edgeguard.broker.paper.process"),
                    *("--socket", str(self.socket), "--spec", str(spec)),
                    *("--state", str(self._folder / f"{self._id}.book")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._process = process
        self._pid_file.write_text(str(process.pid), encoding="ascii")
        deadline = self._clock.boot_ns() + START_NS
        while not self._listens():
            # Somebody else may have started one just before: then that one will listen.
            died = process.poll() not in (None, InUseError.exit_code)
            if died or self._clock.boot_ns() > deadline:
                raise TerminalError(
                    f"the paper terminal of {self._id} did not start; its words are in {log.name}"
                )
            await asyncio.sleep(0.01)

    def stop(self) -> None:
        """End the process if this state directory's parents started it."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return
        self._pid_file.unlink(missing_ok=True)
        # Asked over its own socket who it is, so that a reused pid is never signalled.
        if self._listens():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)

    @property
    def _pid_file(self) -> Path:
        return self._folder / f"{self._id}.pid"

    def _listens(self) -> bool:
        try:
            PaperControl(str(self.socket)).close()
        except OSError:
            return False
        return True


class PriceBridge:
    """Subscribes to the feeds and passes their ticks on, in order, never waiting for them."""

    def __init__(
        self, context: Context, pumps: PumpSet, feeds: list[PriceFeed], paper_socket: Path
    ) -> None:
        """Connect to the feeds; `run` passes ticks on."""
        self._queue: deque[FeedTick] = deque(maxlen=QUEUE_MAX)
        self._ready = asyncio.Event()
        self._paper_socket = paper_socket
        self.malformed = 0
        self._sockets: list[Socket] = []
        for endpoint, keys in feeds:
            feed = subscriber(context, endpoint, bind=False, keys=keys)
            self._sockets.append(feed)
            pumps.add(feed, self._on_frames)

    def close(self) -> None:
        """Close the sockets; their pumps have been stopped."""
        for feed in self._sockets:
            feed.close(linger=0)

    async def run(self) -> None:
        """Pass ticks on for ever, connecting again whenever the paper terminal is gone."""
        loop = asyncio.get_running_loop()
        while True:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
                stream.setblocking(False)  # noqa: FBT003
                try:
                    await loop.sock_connect(stream, str(self._paper_socket))
                    await self._pass_on(loop, stream)
                except OSError:
                    await asyncio.sleep(0.1)

    async def _pass_on(self, loop: asyncio.AbstractEventLoop, stream: socket.socket) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            ticks = list(self._queue)
            self._queue.clear()
            await loop.sock_sendall(stream, pack(RequestFrame(id=0, feed=ticks)))

    def _on_frames(self, frames: list[bytes]) -> None:
        try:
            message = decode(frames[-1])
        except MalformedError:
            self.malformed += 1
            return
        if not isinstance(message, TickBatch):
            return
        for tick in message.ticks:
            try:
                bid, ask = float(tick.bid), float(tick.ask)
            except ValueError:
                self.malformed += 1
                continue
            self._queue.append((tick.symbol, bid, ask, tick.source_ns or message.t_ns))
        self._ready.set()


def price_feeds(config: Config, ring: Keyring) -> list[PriceFeed]:
    """Return the native feeds that move the paper market: `[paper] prices`, else every feed's.

    Raises:
        ConfigError: a key that a feed needs cannot be read.
    """
    if config.paper.prices:
        return [(endpoint, None) for endpoint in config.paper.prices]
    return [
        (feed.endpoint, ring.client(feed.endpoint, feed.key) if feed.key else None)
        for feed in config.feed
        if feed.endpoint and feed.codec == "native"
    ]
