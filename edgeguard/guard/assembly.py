"""Putting a guard together in the order in which it must come up, and taking it down.

Order: storage and latch compared, pages closed, control bound (a halt
works from here on), the closed state published, feeds and brokers, and only then the wait for what
opens it. No time-out opens anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from edgeguard import halt_page
from edgeguard.clock import NS_PER_MS, Clock
from edgeguard.config.model import AccountConfig, Config
from edgeguard.config.paths import Paths
from edgeguard.errors import ConfigError, EdgeGuardError
from edgeguard.guard import baselines
from edgeguard.guard.accounts import (
    ACCOUNT,
    SNAPSHOT_GOOD,
    STORAGE_GOOD,
    Action,
    GuardedAccount,
    new_halt_id,
)
from edgeguard.guard.engine_port import EnginePort
from edgeguard.guard.guard import Guard, Restored
from edgeguard.guard.latching import Latcher
from edgeguard.guard.lifting import UNACKNOWLEDGED
from edgeguard.guard.parts import Parts
from edgeguard.guard.start import FoundPage, StartVerdict, epoch_after, judge_start
from edgeguard.guard.storage import Storage
from edgeguard.guard.trading import TradingState
from edgeguard.latch import LatchHalt, read_halt_file

if TYPE_CHECKING:
    from edgeguard._core import PageWriter

_HALTED: Final = halt_page.STATE_BYTES.index("HALTED")

OnError = Callable[[BaseException], None]


class Base(NamedTuple):
    """What a guard is started with; `config_hash` is the sha256 of the file's bytes in hex."""

    config: Config
    paths: Paths
    config_hash: str


def assemble(
    base: Base, engine: EnginePort, clock: Clock, loop: asyncio.AbstractEventLoop, fatal: OnError
) -> Guard:
    """Return a guard whose pages are closed and whose sockets are bound.

    Args:
        base: configuration, its hash and the paths.
        engine: the engine of all accounts.
        clock: the clocks.
        loop: the loop on which the guard will run.
        fatal: ends the process, closed; takes what must not have happened.

    Raises:
        ConfigError: a page or an endpoint cannot be had.
        InUseError: an endpoint is taken.
    """
    config, paths = base.config, base.paths
    wall_ns, begun_boot_ns = clock.wall_ns(), clock.boot_ns()
    boot = halt_page.boot_id().hex()
    storage = Storage(paths, run=wall_ns, boot=boot, clock=clock)
    epoch = epoch_after(wall_ns, storage.remember())
    storage.begin_run(epoch)
    _load_references(engine, storage)
    baselines.load(engine, storage, clock, config)
    pages = {account.id: _claim(account, config, paths, epoch) for account in config.account}
    template = LatchHalt("", ACCOUNT, new_halt_id(clock), wall_ns, "start", "START", "")
    verdict = judge_start(
        storage.remember(),
        {name: _found(page) for name, page in pages.items()},
        read_halt_file(paths.halt_file),
        boot,
        template,
    )
    accounts: dict[str, GuardedAccount] = {}
    restored: Restored = []
    for account in config.account:
        trading = TradingState(_conditions(config, account))
        guarded = GuardedAccount(account, config, trading, pages[account.id], epoch)
        accounts[account.id] = guarded
        restored.append((guarded, list(_restore(guarded, verdict, (wall_ns, clock.boot_ns())))))
        guarded.write_page()
    carried = tuple(halt for halt in verdict.halts if halt.account not in accounts)
    latcher = Latcher(
        accounts, storage, run=epoch, boot=boot, number=verdict.number, carried=carried
    )
    parts = Parts(
        config, base.config_hash, epoch, clock, engine, storage, latcher, accounts, begun_boot_ns
    )
    return Guard(parts, paths, loop, fatal, restored)


def _load_references(engine: EnginePort, storage: Storage) -> None:
    """Give the engine back its references; what it cannot take makes storage untrusted."""
    references = storage.read_references()
    if references is None:
        return
    try:
        engine.load_references(references)
    except (EdgeGuardError, ValueError) as error:
        storage.faults.append(f"stored references must load, did not: {error}")


def _claim(account: AccountConfig, config: Config, paths: Paths, epoch: int) -> PageWriter:
    path = paths.page(account.id)
    try:
        return halt_page.writer(path, account.id, config.guard.lease_ms * NS_PER_MS, epoch)
    except OSError as error:
        raise ConfigError(
            f"halt page {path} must be writable, was not: {error}; check guard.run_dir"
        ) from error


def _found(page: PageWriter) -> FoundPage | None:
    found = page.found()
    if found is None:
        return None
    word, halt_id, manual, epoch = found
    is_halted = word[0] == _HALTED
    return FoundPage(is_halted=is_halted, halt_id=halt_id, manual=manual, epoch=epoch)


def _conditions(config: Config, account: AccountConfig) -> list[str]:
    """Return what must have been good once before the account opens."""
    feeds = [
        f"feed:{feed.name}"
        for feed in config.feed
        if feed.required and feed.account in {"", account.id}
    ]
    return [STORAGE_GOOD, SNAPSHOT_GOOD, *feeds]


def _restore(
    account: GuardedAccount, verdict: StartVerdict, now: tuple[int, int]
) -> Iterable[Action]:
    """Bring what stands into the account's trading state; yield what is to be done about it."""
    trading = account.trading
    for halt_id in _own(verdict.resumed, account.id):
        trading.restore_resumed(halt_id)
    for scope in _own(verdict.scopes, account.id):
        trading.restore_scope(scope)
    for pause in verdict.pauses:
        # A pause for the disk's sake ends with the restart that has verified the disk.
        if pause.account == account.id and pause.trigger != "storage":
            held = (pause.cause, pause.trigger, pause.code, True, pause.since_ns)
            yield from trading.pause(pause.scope, held)
    if verdict.unacknowledged:
        doubt = (UNACKNOWLEDGED, "start", "UNACKNOWLEDGED", True, now[0])
        yield from trading.pause(ACCOUNT, doubt)
        yield ("alarm", ACCOUNT, "UNACKNOWLEDGED", verdict.unacknowledged, "")
    for halt in verdict.halts:
        if halt.account == account.id:
            words = (halt.id, halt.t_ns, halt.trigger, halt.code, halt.reason, False)
            yield from trading.restore_halt(now, halt.scope, words)


def _own(pairs: Iterable[tuple[str, str]], account: str) -> list[str]:
    """Return the second words of the pairs that begin with the account."""
    return [word for owner, word in pairs if owner == account]
