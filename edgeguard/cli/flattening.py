"""A halt without a guard: close the pages, drive the brokers' parents, start one that is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from edgeguard import halt_page
from edgeguard.cli.halting import Order, Seen, Voice
from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.config.secrets import without_tokens
from edgeguard.errors import EdgeGuardError, UsageError
from edgeguard.log_files import LogFiles
from edgeguard.messages import BrokerCommand, BrokerEvent
from edgeguard.transport.client import Client, quick_client

if TYPE_CHECKING:
    from edgeguard.cli.locate import Place

BROKER_ANSWER_S: Final = 2.0
"""How long a broker's parent that takes connections may stay silent before it counts as hung."""
BROKER_TURN_S: Final = 0.05
"""How long one broker is listened to before the next one is."""
LEASE_S: Final = 1.5
"""How long the page of a dead guard may take to run out."""
LEFT_S: Final = 1.0
"""How long a broker may take to say what is left open."""
LEFT_MAX: Final = 50
LOG_TAIL_BYTES: Final = 2_000
LOCKS: Final = Path("/proc/locks")
CLOSED_BY_ITSELF: Final = frozenset({"HALTED", "STALE", "MISSING"})
"""What a gate reads on a page that lets nothing through any more."""
NO_SCOPE: Final = frozenset({"all", "account"})


def halt_without_guard(order: Order, place: Place, seen: Seen, voice: Voice) -> None:
    """Close the pages and drive the brokers by this command alone."""
    accounts = _accounts(order.scope, place)
    for account in accounts:
        _close_page(order, place, account, seen, voice)
    if not accounts:
        voice.tell("no_broker", "no account is known here: name the configuration with --config")
        return
    flat = Flattening(order, place, voice).run(accounts)
    # A broker that took the order stops nothing by itself, yet the account it proved flat is flat.
    seen.flat = flat == set(accounts)


def tell_what_is_left(place: Place, voice: Voice) -> None:
    """Name what each broker still holds, and whom to phone."""
    for account in place.accounts:
        _tell_left(place, account, voice)
    desk = ""
    if not all(place.phones.get(account) for account in place.accounts):
        desk = _broker_desk(place.contacts)
    for account in place.accounts:
        phone = place.phones.get(account) or desk
        if phone:
            voice.tell("phone", f"the broker of account {account}: {phone}")


def _accounts(scope: str, place: Place) -> tuple[str, ...]:
    kind, _, name = scope.partition(":")
    if kind == "strategy" and place.magics and name not in place.magics:
        known = ", ".join(place.magics)
        raise UsageError(f"--scope must name one of the strategies {known}, was {name}")
    if kind != "account":
        return place.accounts
    if place.accounts and name not in place.accounts:
        known = ", ".join(place.accounts)
        raise UsageError(f"--scope must name one of the accounts {known}, was {name}")
    return (name,)


def _close_page(order: Order, place: Place, account: str, seen: Seen, voice: Voice) -> None:
    """Close an account's gates; a part of an account is closed with all of it, by lack of beats.

    A page's manual word means the whole account, and a guard that returns would flatten all of it:
    for a strategy or a symbol it is set only where the gates would stay open otherwise.
    """
    page = place.paths.page(account)
    if order.scope.partition(":")[0] not in NO_SCOPE:
        code = _page_code(page, account)
        if code in CLOSED_BY_ITSELF:
            voice.tell("stopped", f"the gates of account {account} are closed: they read {code}")
            seen.stopped = True
            return
    try:
        halt_page.set_manual(page, SystemClock().wall_ns())
    except (OSError, ValueError) as e:
        voice.tell("no_page", f"{page} could not be closed: {e}; a gate without a page is closed")
        return
    voice.tell("stopped", f"the gates of account {account} are closed by the page's manual word")
    seen.stopped = True


def _page_code(page: Path, account: str) -> str:
    """Return what a gate reads, once the lease of a dead guard is over."""
    clock = SystemClock()
    until_ns = clock.boot_ns() + int(LEASE_S * NS_PER_S)
    reader = halt_page.reader(page, account)
    while True:
        code = halt_page.CODES[reader.check()]
        if code in CLOSED_BY_ITSELF or clock.boot_ns() >= until_ns:
            return code
        _pause()


def _pause() -> None:
    threading.Event().wait(BROKER_TURN_S)


class _Broker:
    """One account's broker: its connection, and the process where this command started it."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.client: Client | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.since_ns = 0
        self.is_heard = False


class Flattening:
    """Drives the broker's parent of each account until it is flat or time is over."""

    def __init__(self, order: Order, place: Place, voice: Voice) -> None:
        """Give this halt an id; nothing is sent yet."""
        self._order = order
        self._place = place
        self._voice = voice
        self._clock = SystemClock()
        self._halt_id = f"manual-{self._clock.wall_ns()}"

    def run(self, accounts: tuple[str, ...]) -> set[str]:
        """Return the accounts that were verified flat."""
        brokers = [_Broker(account) for account in accounts]
        flat: set[str] = set()
        start_ns = self._clock.boot_ns()
        waiting = [broker for broker in brokers if self._reach(broker)]
        try:
            while waiting and self._since(start_ns) < self._order.timeout_s:
                waiting = [broker for broker in waiting if self._turn(broker, flat)]
        finally:
            for broker in brokers:
                if broker.client is not None:
                    broker.client.close()
        for broker in brokers:
            if broker.process is not None and broker.process.poll() is None:
                self._tell_of(broker, is_flat=broker.account in flat)
        return flat

    def _since(self, start_ns: int) -> float:
        return (self._clock.boot_ns() - start_ns) / NS_PER_S

    def _reach(self, broker: _Broker) -> bool:
        """Connect to a broker, or start one; return whether there is something to wait for."""
        try:
            self._connect(broker)
        except EdgeGuardError as e:
            self._voice.tell("no_broker", f"account {broker.account}: {e}")
            return self._start(broker)
        return True

    def _turn(self, broker: _Broker, flat: set[str]) -> bool:
        """Listen to one broker for a moment; return whether to go on."""
        if broker.client is None:
            return self._await_start(broker)
        for event in broker.client.broker_events(BROKER_TURN_S):
            broker.is_heard = True
            if self._take(broker.account, event):
                flat.add(broker.account)
                return False
        if broker.client.is_closed:
            self._voice.tell("no_broker", f"the broker of {broker.account} ended meanwhile")
            broker.client, broker.process = None, None
            return self._start(broker)
        is_silent = not broker.is_heard and self._since(broker.since_ns) > BROKER_ANSWER_S
        # One that was started here cannot have hung before: it waits for its terminal.
        if is_silent and broker.process is None:
            self._tell_hung(broker.account)
            return False
        return True

    def _connect(self, broker: _Broker) -> None:
        """Connect and order the flatten.

        Raises:
            UnreachableError: nobody listens.
            ConfigError: the endpoint cannot be used.
        """
        kind, _, name = self._order.scope.partition(":")
        is_part = kind in {"strategy", "symbol"}
        client = _client(self._place, broker.account)
        broker.client, broker.since_ns = client, self._clock.boot_ns()
        client.send_broker(
            BrokerCommand(
                account=broker.account,
                id=f"{self._halt_id}.{broker.account}",
                t_ns=self._clock.wall_ns(),
                verb="flatten",
                scope=self._order.scope if is_part else "account",
                magics=self._place.magics.get(name, ()) if kind == "strategy" else (),
                halt_id=self._halt_id,
                reason=self._order.reason,
            )
        )

    def _start(self, broker: _Broker) -> bool:
        """Start a broker's parent that outlives this command; return whether it was possible."""
        config, paths = self._place.config, self._place.paths
        if config is None:
            text = f"no broker of {broker.account} can be started: name the file with --config"
            self._voice.tell("no_broker", text)
            return False
        arguments = ["--config", str(config.resolve()), "--state-dir", str(paths.state_dir)]
        command = [sys.executable, "-m", "edgeguard", "broker", "--bound-log", *arguments]
        # A disk that takes no log stops no flatten; and root appends to nothing that another user
        # could have put there.
        owner = _as_owner(paths.state_dir)
        log = None if owner else LogFiles(paths.log_dir).open(_log_name(broker.account))
        try:
            broker.process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, "--account", broker.account],
                stdin=subprocess.DEVNULL,
                stdout=log or subprocess.DEVNULL,
                stderr=log or subprocess.DEVNULL,
                start_new_session=True,
                env=without_tokens(),
                user=owner[0] if owner else None,
                group=owner[1] if owner else None,
                extra_groups=() if owner else None,
            )
        except OSError as e:
            self._voice.tell("no_broker", f"no broker of {broker.account} can be started: {e}")
            return False
        finally:
            if log is not None:
                log.close()
        pid = broker.process.pid
        text = f"started the broker of account {broker.account}, process {pid}"
        self._voice.tell("broker_started", text)
        return True

    def _await_start(self, broker: _Broker) -> bool:
        """Try to connect to a broker that is starting; return whether to go on."""
        process = broker.process
        if process is not None and process.poll() is not None:
            said = _last_line(self._place.paths.log_dir / f"{_log_name(broker.account)}.log")
            text = f"the broker of {broker.account} could not run: {said}"
            self._voice.tell("no_broker", text)
            if process.returncode == 4:  # noqa: PLR2004 - in use: another one holds the lock
                self._tell_hung(broker.account)
            return False
        try:
            self._connect(broker)
        except EdgeGuardError:
            _pause()
        return True

    def _take(self, account: str, event: BrokerEvent) -> bool:
        """Tell one event; return whether the account was verified flat."""
        if event.halt_id != self._halt_id or event.account != account:
            return False
        self._voice.tell(event.kind, f"account {account}: {event.text}", event.body)
        return event.kind == "flat"

    def _tell_hung(self, account: str) -> None:
        pid = _holder(self._place.paths.state_dir / f"broker.{account}.lock")
        words = f"; it hangs as process {pid}: `kill -9 {pid}` and run this again" if pid else ""
        self._voice.tell("no_broker", f"the broker of {account} does not answer{words}")

    def _tell_of(self, broker: _Broker, *, is_flat: bool) -> None:
        """Say that what was started stays, and what that means."""
        assert broker.process is not None  # noqa: S101 - only such are told of
        pid = broker.process.pid
        if not is_flat and not broker.is_heard:
            text = f"the terminal of account {broker.account} does not answer; its broker goes on"
            self._voice.tell("no_terminal", text)
        self._voice.tell(
            "broker_stays",
            f"process {pid} stays and closes whatever appears on account {broker.account}; end it "
            f"(`kill {pid}`) before `edgeguard up`",
        )


def _as_owner(state_dir: Path) -> tuple[int, int] | None:
    """Return the user and group as which root starts what keeps another user's state."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    try:
        found = state_dir.stat()
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid else None


def _log_name(account: str) -> str:
    return f"broker.{account}.by-hand"


def _client(place: Place, account: str) -> Client:
    """Connect to an account's broker.

    Raises:
        UnreachableError: nobody listens.
        ConfigError: the endpoint or its keys cannot be used.
    """
    endpoint = place.paths.broker(account)
    return quick_client(endpoint, place.keys(endpoint, f"broker.{account}", "broker"))


def _tell_left(place: Place, account: str, voice: Voice) -> None:
    """List what a broker says is open; silence where it says nothing."""
    try:
        client = _client(place, account)
    except EdgeGuardError:
        return
    with client:
        now_ns = SystemClock().wall_ns()
        client.send_broker(BrokerCommand(account, f"left-{now_ns}", now_ns, "status"))
        for event in client.broker_events(LEFT_S):
            if event.kind == "status" and event.account == account:
                for line in _left(json.loads(event.body or b"{}")):
                    voice.tell("left_open", f"account {account}: {line}")
                return


def _left(status: dict[str, Any]) -> list[str]:
    """Return what a broker's status says is still open, one line each."""
    by_run = cast("dict[str, list[dict[str, Any]]]", status.get("remaining") or {})
    rows = {str(row.get("ticket")): row for run in by_run.values() for row in run}
    lines = [_row(row) for row in list(rows.values())[:LEFT_MAX]]
    if len(rows) > LEFT_MAX:
        lines.append(f"{len(rows)} in all")
    runs = cast("dict[str, str]", status.get("runs") or {})
    is_pending = any(result != "FLAT_VERIFIED" for result in runs.values())
    return lines or (["not known: the terminal could not be read"] if is_pending else [])


def _row(row: dict[str, Any]) -> str:
    words = [str(row.get(name) or "") for name in ("what", "side", "volume", "symbol")]
    why = f": {row['why']}" if row.get("why") else ""
    return " ".join(word for word in words if word) + f", ticket {row.get('ticket')}{why}"


def _broker_desk(contacts: Path | None) -> str:
    """Return how to reach the broker's desk by the contacts; empty where they do not say."""
    if contacts is None:
        return ""
    try:
        from edgeguard.notify.contacts import read_contacts  # noqa: PLC0415 - needs PyYAML

        desk = read_contacts(contacts).broker()
    except (ImportError, EdgeGuardError):
        return ""
    return "" if desk is None else desk.line()


def _last_line(path: Path) -> str:
    try:
        data = path.read_bytes()[-LOG_TAIL_BYTES:]
    except OSError:
        return "it said nothing"
    lines = data.decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _holder(lock: Path) -> int:
    """Return the process that holds a lock, 0 where the system does not say."""
    try:
        inode = lock.stat().st_ino
        rows = [line.split() for line in LOCKS.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return 0
    return next((int(row[4]) for row in rows if row[5].endswith(f":{inode}")), 0)
