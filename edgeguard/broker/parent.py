"""The broker's parent: one per account; reads, publishes, obeys the guard, and outlives it.

Plain asyncio, one thread. The child calls the terminal; everything that can hang is there.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Final

import msgspec
import zmq

from edgeguard.broker.desk import Desk
from edgeguard.broker.flatten_run import Runner
from edgeguard.broker.guard_watch import GuardWatch, boot_id
from edgeguard.broker.intents import IntentLog
from edgeguard.broker.link import ChildLink
from edgeguard.broker.lock import AccountLock
from edgeguard.broker.paper_bridge import PaperProcess, PriceBridge, price_endpoints
from edgeguard.broker.planner import Planner
from edgeguard.broker.planner.model import Identity, Policy
from edgeguard.broker.polling import POLL_NS, Poller
from edgeguard.broker.publisher import TRADE_MODES, Publisher
from edgeguard.broker.session import ReadError, TerminalSession, Timeouts
from edgeguard.broker.telling import Teller
from edgeguard.broker.terminals import check_terminal_name
from edgeguard.clock import NS_PER_S, Clock, SystemClock
from edgeguard.config.model import AccountConfig, Config
from edgeguard.config.paths import Paths
from edgeguard.errors import ConfigError
from edgeguard.transport import PumpSet, make_context, publisher, router

POLL_RETRY_S: Final = 1.0
"""Pause after a poll that failed."""


class Settings(msgspec.Struct, frozen=True):
    """What tests shorten: bounds of the planner, deadlines of calls, patience with the guard."""

    policy: Policy = Policy()
    timeouts: Timeouts = Timeouts()
    guard_lost_ns: int = 60 * NS_PER_S


def run_broker(
    config: Config, paths: Paths, account_id: str, settings: Settings | None = None
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
        asyncio.run(Parent(config, paths, account, settings or Settings()).run())
    finally:
        lock.close()
    return 0


class Parent:
    """Owns the parts and runs them together."""

    def __init__(
        self, config: Config, paths: Paths, account: AccountConfig, settings: Settings
    ) -> None:
        """Take the configuration; nothing is opened yet."""
        self._config = config
        self._paths = paths
        self._account = account
        self._settings = settings
        self._clock: Clock = SystemClock()

    async def run(self) -> None:
        """Open everything, run until a signal, close everything."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        log = IntentLog(self._paths.intents(self._account.id))
        context = make_context()
        faults: list[BaseException] = []

        def on_error(error: BaseException) -> None:
            faults.append(error)
            stop.set()

        pumps = PumpSet(loop, on_error)
        paper: PaperProcess | None = None
        link = ChildLink(self._account.terminal, self._paper_socket())
        try:
            if self._account.terminal == "paper":
                paper = PaperProcess(self._config, self._paths, self._account, self._clock)
                await paper.ensure()
            await self._serve(context, pumps, log, link, stop)
        finally:
            pumps.stop()
            link.stop()
            context.destroy(linger=100)
            log.close()
            if paper is not None:
                paper.stop()
        if faults:
            raise faults[0]

    def _paper_socket(self) -> str:
        return str(self._paths.paper_socket(self._account.id))

    async def _serve(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        pumps: PumpSet,
        log: IntentLog,
        link: ChildLink,
        stop: asyncio.Event,
    ) -> None:
        account, clock = self._account, self._clock
        commands = router(context, self._paths.broker(account.id))
        feed = publisher(context, self._paths.feeds_bind, bind=False)
        # Operations keep the last minutes of it for an incident's tape.
        feed.connect(self._paths.tap)

        def publish(frames: list[bytes]) -> None:
            feed.send_multipart(frames, zmq.DONTWAIT)

        session = TerminalSession(link, clock, self._settings.timeouts)
        symbols = tuple(symbol.name for symbol in self._config.symbol)
        out = Publisher(account.id, clock, publish)
        poller = Poller(session, out, clock, log, symbols)
        desk = Desk(commands, account.id, clock)
        mode = TRADE_MODES.index(account.trade_mode)
        identity = Identity(account.login, account.server, mode)
        planner = Planner(
            self._settings.policy,
            identity,
            log.contents.past(clock.wall_ns()),
        )
        teller = Teller(
            planner,
            session,
            log,
            clock,
            desk.tell,
            account=account.id,
            reports=self._paths.state_dir / "reports",
        )
        runner = Runner(
            planner, session=session, poller=poller, log=log, clock=clock, teller=teller
        )
        watch = GuardWatch(account, log, clock, boot_id(), self._settings.guard_lost_ns)
        desk.open(runner, poller, watch, identity, symbols)
        poller.is_heard = watch.is_here
        # The first start of the child shows whether the terminal can be loaded at all.
        await link.start()
        desk.resume(log)
        pumps.add(commands, desk.on_frames)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(runner.run()),
                group.create_task(self._poll(poller, runner, desk)),
                group.create_task(self._watch_guard(watch, desk)),
            ]
            if account.terminal == "paper":
                bridge = PriceBridge(
                    context, pumps, price_endpoints(self._config), Path(self._paper_socket())
                )
                tasks.append(group.create_task(bridge.run()))
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _poll(self, poller: Poller, runner: Runner, desk: Desk) -> None:
        """Read and publish at the stated rate, unless a flatten does."""
        while True:
            start = self._clock.boot_ns()
            pause = POLL_NS / NS_PER_S
            try:
                if desk.check_requests:
                    await desk.answer_checks()
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

    async def _watch_guard(self, watch: GuardWatch, desk: Desk) -> None:
        while True:
            await asyncio.sleep(1.0)
            if watch.is_lost_now():
                desk.guard_lost()
