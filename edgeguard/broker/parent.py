"""The broker's parent: one per account; reads, publishes, obeys the guard, and outlives it.

Plain asyncio, one thread. The child calls the terminal; everything that can hang is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final, NamedTuple

import msgspec
import zmq

from edgeguard.broker.desk import Desk
from edgeguard.broker.flatten_run import Runner
from edgeguard.broker.guard_watch import GuardWatch, boot_id
from edgeguard.broker.intents import IntentLog
from edgeguard.broker.link import ChildLink
from edgeguard.broker.lock import AccountLock
from edgeguard.broker.paper_bridge import PaperProcess, PriceBridge, price_feeds
from edgeguard.broker.planner import Planner
from edgeguard.broker.planner.model import Identity, Policy
from edgeguard.broker.polling import POLL_NS, Poller
from edgeguard.broker.publisher import TRADE_MODES, Publisher
from edgeguard.broker.session import ReadError, TerminalSession, Timeouts
from edgeguard.broker.telling import Teller
from edgeguard.broker.terminals import check_terminal_name
from edgeguard.clock import NS_PER_S, Clock, SystemClock
from edgeguard.config.check_keys import GUARD_PEER
from edgeguard.config.model import AccountConfig, Config
from edgeguard.config.paths import Paths
from edgeguard.errors import ConfigError, TerminalError
from edgeguard.transport import (
    Context,
    Doorman,
    Keyring,
    PumpSet,
    make_context,
    publisher,
    receive_named,
    router,
)

POLL_RETRY_S: Final = 1.0
"""Pause after a poll that failed."""


class Settings(msgspec.Struct, frozen=True):
    """What tests shorten: bounds of the planner, deadlines of calls, patience with the guard."""

    policy: Policy = Policy()
    timeouts: Timeouts = Timeouts()
    guard_lost_ns: int = 60 * NS_PER_S


def run_broker(
    config: Config,
    paths: Paths,
    account_id: str,
    settings: Settings | None = None,
) -> int:
    """Run the broker's parent of one account until SIGTERM or SIGINT.

    Args:
        config: the whole configuration.
        paths: where sockets and files are; the directories must exist.
        account_id: the configured account.
        settings: bounds and deadlines; the shipped ones by default.

    Returns:
        0, the exit code of a clean stop.

    Raises:
        ConfigError: no such account.
        InUseError: another parent runs for it.
        TerminalError: its terminal cannot be loaded.
        StorageError: its intent log cannot be read.
    """
    account = next((a for a in config.account if a.id == account_id), None)
    if account is None:
        known = ", ".join(a.id for a in config.account)
        raise ConfigError(f"account must be one of {known}, was {account_id}")
    check_terminal_name(account.terminal)
    lock = AccountLock(paths.state_dir / f"broker.{account.id}.lock", account.id)
    try:
        parent = Parent(config, paths, account, settings or Settings())
        # The selector loop on Windows too: ZeroMQ's descriptors are watched as readers.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(parent.run())
    except BaseExceptionGroup as group:
        # One loop's failure ends them all; it is that one which has to be seen.
        raise group.exceptions[0] from group
    finally:
        lock.close()
    return 0


class Parts(NamedTuple):
    """What runs together."""

    runner: Runner
    poller: Poller
    desk: Desk
    watch: GuardWatch


class Parent:
    """Owns the parts and runs them together."""

    def __init__(
        self,
        config: Config,
        paths: Paths,
        account: AccountConfig,
        settings: Settings,
    ) -> None:
        """Take the configuration; nothing is opened yet."""
        self._config = config
        self._paths = paths
        self._account = account
        self._settings = settings
        self._ring = Keyring.of(config, f"broker.{account.id}", "broker")
        self._clock: Clock = SystemClock()
        self._faults: list[BaseException] = []
        self._paper: PaperProcess | None = None
        if account.terminal == "paper":
            self._paper = PaperProcess(config, paths, account, self._clock)

    async def run(self) -> None:
        """Open everything, run until a signal, close everything."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        _on_signals(loop, stop)
        log = IntentLog(self._paths.intents(self._account.id))
        context = make_context()

        def on_error(error: BaseException) -> None:
            self._faults.append(error)
            stop.set()

        pumps = PumpSet(loop, on_error)
        link = ChildLink(self._account.terminal, str(self._paths.paper_socket(self._account.id)))
        try:
            if self._paper is not None:
                await self._paper.ensure()
            # The first start of the child shows whether the terminal can be loaded at all.
            await link.start()
            await self._serve(self._assemble(context, pumps, log, link), context, pumps, stop)
        finally:
            pumps.stop()
            link.stop()
            context.destroy(linger=100)
            log.close()
            if self._paper is not None:
                self._paper.stop()
        if self._faults:
            raise self._faults[0]

    def _assemble(self, context: Context, pumps: PumpSet, log: IntentLog, link: ChildLink) -> Parts:
        """Build the parts, take up what earlier lives left, and open the front desk."""
        account, clock, settings = self._account, self._clock, self._settings
        endpoint = self._paths.broker(account.id)
        doorman = Doorman(context, self._config.peer)
        commands = router(context, endpoint, keys=self._ring.server(endpoint), door="broker")
        doorman.start(pumps)
        session = TerminalSession(link, clock, settings.timeouts)
        symbols = tuple(symbol.name for symbol in self._config.symbol)
        out = Publisher(account.id, clock, self._feed(context))
        poller = Poller(session, out, clock, log, symbols)
        desk = Desk(commands, account.id, clock, doorman.rights)
        mode = TRADE_MODES.index(account.trade_mode)
        identity = Identity(account.login, account.server, mode)
        unknown = account.netting_unknown
        policy = msgspec.structs.replace(settings.policy, netting_unknown=unknown)
        boot = boot_id()
        log.end_unsent(boot, clock.wall_ns())
        planner = Planner(policy, identity, log.contents.past(clock.wall_ns()))
        reports = self._paths.state_dir / "reports"
        teller = Teller(
            planner, session, log, clock, desk.tell, account=account.id, reports=reports
        )
        runner = Runner(
            planner,
            session=session,
            poller=poller,
            log=log,
            clock=clock,
            teller=teller,
            boot=boot,
        )
        watch = GuardWatch(account, log, clock, boot, settings.guard_lost_ns)
        desk.open(runner, poller, watch, identity, symbols)
        poller.is_heard = watch.is_here
        desk.resume(log)
        pumps.add(commands, desk.on_frames, receive=receive_named)
        return Parts(runner, poller, desk, watch)

    def _feed(self, context: Context) -> Callable[[list[bytes]], None]:
        """Return what publishes frames to the guard, and on its host to operations."""
        endpoint = self._paths.feeds_bind
        keys = self._ring.client(endpoint, GUARD_PEER)
        feed = publisher(context, endpoint, bind=False, keys=keys)
        if self._paths.feeds_bind.startswith("ipc://"):
            # Operations keep the last minutes of it for an incident's tape.
            feed.connect(self._paths.tap)

        def publish(frames: list[bytes]) -> None:
            feed.send_multipart(frames, zmq.DONTWAIT)

        return publish

    async def _serve(
        self, parts: Parts, context: Context, pumps: PumpSet, stop: asyncio.Event
    ) -> None:
        """Run every loop until the stop."""
        jobs: list[Coroutine[Any, Any, None]] = [
            parts.runner.run(),
            self._poll(parts),
            self._watch_guard(parts),
        ]
        if self._paper is not None:
            feeds = price_feeds(self._config, self._ring)
            bridge = PriceBridge(context, pumps, feeds, self._paper.socket)
            jobs += [self._keep_paper(self._paper), bridge.run()]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _poll(self, parts: Parts) -> None:
        """Read and publish at the stated rate, unless a flatten does."""
        poller, runner, desk = parts.poller, parts.runner, parts.desk
        while True:
            start = self._clock.boot_ns()
            pause = POLL_NS / NS_PER_S
            try:
                if desk.check_requests:
                    await desk.answer_checks()
                if desk.history_requests and not runner.planner.is_working:
                    await desk.answer_histories()
                if desk.read_requests:
                    await desk.answer_reads()
                elif not runner.planner.is_working:
                    obs = await poller.cycle()
                    runner.watch(obs)
                    await poller.quotes()
            except ReadError as e:
                desk.read_failed(str(e))
                pause = POLL_RETRY_S
            spent = (self._clock.boot_ns() - start) / NS_PER_S
            await desk.wait_for_read(max(0.0, pause - spent))

    async def _keep_paper(self, paper: PaperProcess) -> None:
        """Start the paper terminal again when it died, as `initialize` would a real one."""
        while True:
            await asyncio.sleep(1.0)
            with contextlib.suppress(TerminalError):
                await paper.ensure()

    async def _watch_guard(self, parts: Parts) -> None:
        """Act once when the guard has been gone for too long."""
        while True:
            await asyncio.sleep(1.0)
            if parts.watch.is_lost_now():
                parts.desk.guard_lost()


def _on_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """End cleanly on SIGTERM and SIGINT, also where a loop cannot watch signals (Windows)."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            signal.signal(number, end)
