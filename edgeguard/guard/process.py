"""The guard's process: lock, start in the order of D8, run on uvloop, end closed.

Anything that goes wrong in any callback ends in halted pages and a non-zero exit: an event loop
would otherwise log it and run on with a dead engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from edgeguard.clock import NS_PER_MS, Clock, SystemClock
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.errors import ConfigError, InUseError
from edgeguard.guard.assembly import Base, assemble
from edgeguard.guard.engine_port import EnginePort
from edgeguard.guard.guard import Guard
from edgeguard.guard.notify import SystemdNotifier
from edgeguard.transport.pump import next_turn

WATCH_S: Final = 0.05
"""How often the guard looks for halts by hand and steps the engine when no deadline comes first."""
SECOND_S: Final = 1.0
REFERENCES_S: Final = 0.5
"""A kill forgets no more of the transfers than came within it."""
GC_THRESHOLDS: Final = (50_000, 20, 1_000)
"""Young collections stay; full ones, which stall for 100 ms on a large heap, are rare."""

SWITCH_S: Final = 0.0001
"""How long the writers' threads may keep the interpreter from the loop that wants it."""
DESCRIPTORS: Final = 65_536
"""Open files and connections that the guard asks the host for."""

MakeEngine = Callable[[Config, str], EnginePort]


def run_guard(
    config: Config,
    paths: Paths,
    config_hash: str,
    *,
    make_engine: MakeEngine | None = None,
    clock: Clock | None = None,
) -> int:
    """Run the guard until it is told to stop; return the exit code.

    Args:
        config: the configuration.
        paths: where its files and sockets are; the directories must exist (`Paths.create`).
        config_hash: sha256 of the configuration's bytes in hex.
        make_engine: builds the engine; the shipped one if not given.
        clock: the clocks; the machine's if not given.

    Raises:
        ConfigError: the configuration cannot be run.
        InUseError: another guard runs on this state or run directory, or a socket is taken.
    """
    clock = clock or SystemClock()
    _take_descriptors()
    locks = [lock(paths.lock), lock(paths.run_dir / "guard.lock")]
    try:
        engine = (make_engine or shipped_engine)(config, config_hash)
        return _Process(Base(config, paths, config_hash), engine, clock).run()
    finally:
        for descriptor in locks:
            os.close(descriptor)


def _take_descriptors() -> None:
    """Raise the soft limit: libzmq ends the process when a connection finds no descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def lock(path: Path) -> int:
    """Take an exclusive lock that dies with this process; return its descriptor.

    Raises:
        ConfigError: it cannot be opened: the disk is read-only, or another user's.
        InUseError: another process has it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(
            f"{path} must be writable, was not: {error}; check the disk or choose another "
            "--state-dir"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise InUseError(
            f"{path.parent} must have one guard, another runs on it already; stop that one or "
            "choose another --state-dir"
        ) from error
    return descriptor


def shipped_engine(config: Config, config_hash: str) -> EnginePort:
    """Return the Rust engine in live mode."""
    from edgeguard.engine import Engine  # noqa: PLC0415  # gates and brokers import no extension

    profiles = {
        symbol.name: Path(symbol.spread_profile).read_bytes()
        for symbol in config.symbol
        if symbol.spread_profile
    }
    return Engine(msgspec.json.encode(config), config_hash, live=True, profiles=profiles)


class _Process:
    """One run of the guard on its own event loop."""

    def __init__(self, base: Base, engine: EnginePort, clock: Clock) -> None:
        self._base = base
        self._engine = engine
        self._clock = clock
        self._loop = uvloop.new_event_loop()
        self._thread_hook = threading.excepthook
        self._notifier = SystemdNotifier(os.environ.get("NOTIFY_SOCKET", ""))
        self._guard: Guard | None = None
        self._exit_code = 0
        self._is_ending = False
        self._step: asyncio.TimerHandle | None = None

    def run(self) -> int:
        """Start, run, stop."""
        loop = self._loop
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(self._on_loop_error)
        # A writer's thread that dies of what it did not expect would look like a slow disk.
        self._thread_hook, threading.excepthook = threading.excepthook, self._on_thread_error
        try:
            guard = self._guard = assemble(self._base, self._engine, self._clock, loop, self._fatal)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
            guard.heart.on_earned = lambda: self._notifier.send("WATCHDOG=1")
            guard.on_deadline(self._step_at)
            guard.begin()
            self._every(WATCH_S, guard.look)
            self._every(self._base.config.guard.heartbeat_ms / 1000, guard.heart.beat)
            self._every(SECOND_S, guard.heart.second)
            self._every(REFERENCES_S, guard.save_references)
            self._every(SECOND_S, guard.baselines.save_next)
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            sys.setswitchinterval(SWITCH_S)
            self._notifier.send("READY=1")
            loop.run_forever()
        except BaseException as error:
            if self._guard is None:
                raise
            self._fatal(error)
        finally:
            self._end()
        return self._exit_code

    def _step_at(self, due_ns: int) -> None:
        """Step the engine at a boot time; of several times that are asked for the last is kept."""
        if self._step is not None:
            self._step.cancel()
        # Timers count whole milliseconds: a deadline runs up to two late, never early.
        wait_ms = max(due_ns - self._clock.boot_ns(), 0) // NS_PER_MS + 1
        self._step = self._loop.call_later(wait_ms / 1000, self._run_step)

    def _run_step(self) -> None:
        self._step = None
        if self._is_ending or self._guard is None:
            return
        try:
            self._guard.heart.step()
        except BaseException as error:  # noqa: BLE001  # the loop would swallow it
            self._fatal(error)

    def _every(self, interval_s: float, duty: Callable[[], None]) -> None:
        """Run a duty now and then once in every interval, by the loop's clock."""
        loop = self._loop

        def turn() -> None:
            if self._is_ending:
                return
            try:
                duty()
            except BaseException as error:  # noqa: BLE001  # the loop would swallow it
                self._fatal(error)
                return
            loop.call_at(next_turn(loop.time(), interval_s), turn)

        loop.call_soon(turn)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        text = str(context.get("message"))
        self._fatal(error if isinstance(error, BaseException) else RuntimeError(text))

    def _on_thread_error(self, failed: threading.ExceptHookArgs) -> None:
        error = failed.exc_value or RuntimeError(f"{failed.thread} ended")
        with contextlib.suppress(RuntimeError):  # the loop is closed: this run is over
            self._loop.call_soon_threadsafe(self._fatal, error)

    def _fatal(self, error: BaseException) -> None:
        """Close everything and end: whatever this was, the guard can no longer be trusted."""
        if self._is_ending:
            return
        self._exit_code = 1
        try:
            if self._guard is not None:
                self._guard.halt_all(error)
        finally:
            # Its log may be on the very disk that has failed.
            with contextlib.suppress(OSError):
                sys.stderr.write("".join(traceback.format_exception(error)))
            self._notifier.send("STOPPING=1")
            self._is_ending = True
            self._loop.stop()

    def _stop(self) -> None:
        """End cleanly: closed, and marked so that the next start knows."""
        if self._is_ending:
            return
        self._notifier.send("STOPPING=1")
        try:
            if self._guard is not None:
                self._guard.close_gates()
        except BaseException as error:  # noqa: BLE001  # a failed stop is no clean one
            self._fatal(error)
            return
        self._is_ending = True
        self._loop.stop()

    def _end(self) -> None:
        self._is_ending = True
        if self._guard is not None:
            is_durable = self._guard.shut(is_clean=self._exit_code == 0)
            if not is_durable and self._exit_code == 0:
                with contextlib.suppress(OSError):
                    sys.stderr.write(
                        "edgeguard: the end of this run could not be written to disk\n"
                    )
                self._exit_code = 1
        threading.excepthook = self._thread_hook
        self._loop.close()
        asyncio.set_event_loop(None)
        self._notifier.close()
