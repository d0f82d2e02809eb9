"""The ops process: the HTTP interface, and the office on a thread of its own, until SIGTERM.

Nothing that the office does, not even an endless loop, keeps a shutdown by HTTP waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, cast

import apsw
import httpx

from edgeguard import halt_page
from edgeguard.api.app import Api, Parts
from edgeguard.api.health import code_of, judge_health
from edgeguard.api.port import Control
from edgeguard.api.server import Server
from edgeguard.api.tokens import RIGHTS, Tokens, read_tokens
from edgeguard.clock import Clock, SystemClock, utc
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.config.secrets import Secret
from edgeguard.errors import EdgeGuardError, InUseError, StorageError, UnreachableError
from edgeguard.incident.reading import halts
from edgeguard.incident.store import Incidents
from edgeguard.notify.contacts import Contacts, read_contacts
from edgeguard.notify.database import OpsDatabase
from edgeguard.notify.outbox import Outbox
from edgeguard.notify.senders import make_senders
from edgeguard.ops.deadman import Deadman
from edgeguard.ops.office import Office, OfficeParts
from edgeguard.ops.prover import Prover
from edgeguard.plain import escaped

STOP_S: Final = 3.0
"""How long the office may take to end."""
RETRY_S: Final = 5.0
"""Wait before an office that failed is started again."""
DATABASE: Final = "ops.sqlite"


def tell(sentence: str) -> None:
    """Tell the process's log one sentence; on a full disk it is lost."""
    said = escaped(f"edgeguard ops: {utc(SystemClock().wall_ns())} {sentence}")
    with contextlib.suppress(OSError):
        sys.stderr.write(said + "\n")
        sys.stderr.flush()


def run_ops(config: Config, paths: Paths, control: Control) -> int:
    """Run until SIGTERM or SIGINT; return the exit code.

    Args:
        config: the configuration.
        paths: the guard's files and sockets; the directories must exist.
        control: the way to the guard.

    Raises:
        ConfigError: tokens, contacts or channels cannot be used.
        InUseError: another ops runs here, or the port is taken.
    """
    descriptor = _lock(paths.state_dir / "ops.lock")
    try:
        ops = Ops(config, paths, control, SystemClock())
        asyncio.run(ops.run())
    finally:
        os.close(descriptor)
    return 0


class OfficeThread:
    """Runs a coroutine on a thread with a loop of its own."""

    def __init__(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run what `work` returns, once started."""
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="edgeguard-office", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the work; a thread that does not end is left to the process's end."""
        if self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        await self._work()


class Ops:
    """One run of the process."""

    def __init__(self, config: Config, paths: Paths, control: Control, clock: Clock) -> None:
        """Read tokens and contacts and bind the port, or refuse to start."""
        self.signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        """What ends `run`; only the main thread of a process can hear any."""
        self._config = config
        self._paths = paths
        self._control = control
        self._clock = clock
        named = config.notify.contacts
        self._contacts = read_contacts(Path(named)) if named else Contacts()
        self._database = self._open_database()
        self._deadman: Deadman | None = None
        self._pages = {
            account.id: halt_page.reader(paths.page(account.id), account.id)
            for account in config.account
        }
        tokens = read_tokens(config.api)
        _warn_of_missing(tokens)
        # The channels' secrets are read now, so that a wrong one is said at the start.
        self._client = httpx.AsyncClient(follow_redirects=False)
        self._senders = make_senders(config.notify.channel, self._client)
        notify = config.notify
        secret = Secret("edgeguard-deadman-url", notify.deadman_url_file, "", notify.deadman_url)
        self._deadman_url = secret.read()
        self._api = Api(
            Parts(
                config=config,
                tokens=tokens,
                control=control,
                page_code=self._page_code,
                halts=lambda: halts(paths.journal),
                audit=self._audit,
                acknowledge=self._acknowledge,
                about=self._about,
                clock=clock,
            )
        )
        self._server = Server(self._api.app(), config.api)

    @property
    def address(self) -> tuple[str, int]:
        """Return where the interface listens."""
        return self._server.address

    def stop(self) -> None:
        """End `run`."""
        self._server.stop()

    async def run(self) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        for number in self.signals:
            loop.add_signal_handler(number, self.stop)
        host, port = self.address
        tell(f"listening on {host}:{port}, {len(self._senders)} channels")
        office = OfficeThread(self._background)
        office.start()
        try:
            await self._server.serve()
        finally:
            await asyncio.to_thread(office.stop)
            self._api.close()
            if self._database is not None:
                self._database.close()

    async def _background(self) -> None:
        """Run the office, and again after a failure: the interface needs none of it."""
        try:
            await self._office_again_and_again()
        finally:
            await self._client.aclose()

    async def _office_again_and_again(self) -> None:
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._office())
                    names = tuple(account.id for account in self._config.account)
                    prover = Prover(names, self._status, self._control.prove)
                    group.create_task(prover.run())
                    if self._deadman_url:
                        every_s = self._config.notify.deadman_s
                        self._deadman = Deadman(
                            self._deadman_url, every_s, self._client, self._is_proven, self._clock
                        )
                        group.create_task(self._deadman.run())
            except Exception as e:  # noqa: BLE001 - whatever it was, notifications must come back
                tell(f"the office failed and starts again in {RETRY_S:g} s: {_innermost(e)!r}")
            await asyncio.sleep(RETRY_S)

    def _open_database(self) -> OpsDatabase | None:
        """Open the interface's own connection; without one, audits go to the log."""
        try:
            return OpsDatabase(self._paths.state_dir / DATABASE)
        except StorageError as e:
            tell(str(e))
            return None

    async def _office(self) -> None:
        with OpsDatabase(self._paths.state_dir / DATABASE) as database:
            office = Office(
                OfficeParts(
                    config=self._config,
                    paths=self._paths,
                    contacts=self._contacts,
                    database=database,
                    senders=self._senders,
                    client=self._client,
                    status=self._status,
                    health=self._failing,
                    confirm=self._confirm if self._config.resume.two_person else None,
                    clock=self._clock,
                    tell=tell,
                )
            )
            await office.run()

    def _status(self) -> dict[str, Any] | None:
        """Ask the guard; None where none answers. Blocks."""
        try:
            return self._control.ask("status", "", "", {})[-1].body
        except EdgeGuardError:
            return None

    def _confirm(self, halt_id: str, by: str) -> str:
        """Ask the guard for a resume as the second of two operators. Blocks."""
        args = {"halt_id": halt_id, "second": "1"}
        try:
            stages = self._control.ask("resume", by, "confirmed by Telegram", args)
        except EdgeGuardError as e:
            return str(e)
        return f"{halt_id}: {stages[-1].text}"

    async def _is_proven(self) -> bool:
        return not self._failing(await asyncio.to_thread(self._status))

    def _failing(self, status: dict[str, Any] | None) -> str:
        """Return the first part of the kill channel that a status does not prove, or nothing."""
        wall_ns = self._clock.wall_ns()
        return judge_health(status, self._config, self._page_code, wall_ns).failing or ""

    def _page_code(self, account: str) -> str:
        return code_of(self._pages[account].check())

    def _audit(self, who: str, what: str, outcome: str) -> None:
        database = self._database
        if database is None:
            tell(f"audit: {who} {what}: {outcome}")
            return
        try:
            database.audit(self._clock.wall_ns(), who, what, outcome)
        except apsw.Error as e:
            tell(f"audit could not be written ({e}): {who} {what}: {outcome}")

    def _acknowledge(self, incident: str, by: str) -> str | None:
        database = self._database
        if database is None:
            raise UnreachableError("ops.sqlite could not be opened: nothing can be acknowledged")
        try:
            if Incidents(database).get(incident) is None:
                return None
            now_ns = self._clock.wall_ns()
            is_new = Outbox(database).acknowledge(incident, by, "http", now_ns)
        except apsw.Error as e:
            raise UnreachableError(f"ops.sqlite could not be written: {e}") from e
        return f"{incident} acknowledged" + ("" if is_new else " before, by somebody else")

    def _about(self) -> dict[str, Any]:
        database = self._database
        names = [channel.name for channel in self._config.notify.channel]
        proven: dict[str, int] = {}
        waiting: dict[str, tuple[int, str]] = {}
        if database is not None:
            with contextlib.suppress(apsw.Error):
                outbox = Outbox(database)
                proven, waiting = outbox.proven(), outbox.waiting()
        channels = {
            name: {
                "proven_ns": proven.get(name),
                "waiting": waiting.get(name, (0, ""))[0],
                "error": waiting.get(name, (0, ""))[1],
            }
            for name in names
        }
        deadman = self._deadman
        called = None if deadman is None else {"t_ns": deadman.called_ns, "error": deadman.error}
        return {"channels": channels, "deadman": called}


def _innermost(error: BaseException) -> BaseException:
    """Return the first real error inside groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def _warn_of_missing(tokens: Tokens) -> None:
    missing = [right for right in RIGHTS if right not in tokens.rights()]
    if missing:
        tell(f"no token for {', '.join(missing)}: nobody may do that by HTTP")


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(descriptor)
        raise InUseError(f"{path.parent} has an ops process already: one is enough") from e
    return descriptor
