"""Keep a few processes running: start, restart what dies, end in order.

A synchronous state machine: the owner calls `tick` a few times a second and `stop` at the end. It
takes its clock and the way to start a process as arguments. A supervisor that is killed leaves its
processes running: the guard and the broker go on without it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.config.secrets import without_tokens
from edgeguard.log_files import LogFiles

BACKOFF_S: Final = 0.2
"""Wait before the first restart; doubles with every failure in a row."""
BACKOFF_S_MAX: Final = 10.0
HEALTHY_S: Final = 30.0
"""A process that ran so long is forgiven its earlier failures."""
STOP_S: Final = 10.0
"""How long a process may take to end before it is killed."""
HOPELESS: Final = frozenset({2, 3, 4})
"""Exit codes that a restart does not mend: usage, configuration, in use."""


class Process(Protocol):
    """What is needed of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        ...

    def send_signal(self, number: int, /) -> None:
        """Send a signal."""
        ...

    def wait(self, timeout: float) -> int:
        """Wait for the end; raise `subprocess.TimeoutExpired` after `timeout` seconds."""
        ...


@dataclass(frozen=True)
class Role:
    """One process to keep running.

    Attributes:
        name: for people.
        arguments: what follows the interpreter.
        is_vital: whether the others must end when this one cannot be started at all.
        has_tokens: whether it is given the HTTP tokens in the environment.
    """

    name: str
    arguments: tuple[str, ...]
    is_vital: bool = True
    has_tokens: bool = False


Spawn = Callable[[Role], Process]
Tell = Callable[[str], None]


@dataclass
class _Kept:
    role: Role
    process: Process | None = None
    started_ns: int = 0
    failures: int = 0
    due_ns: int = 0
    was_healthy: bool = field(default=False)


class Supervisor:
    """Keeps its roles running, in the order given; ends them in the same order."""

    def __init__(self, roles: Sequence[Role], spawn: Spawn, clock: Clock, tell: Tell) -> None:
        """Take what to run; nothing starts before `tick`.

        Args:
            roles: in the order in which they are to end: who commands before who obeys.
            spawn: starts one process.
            clock: for back-off.
            tell: told one sentence about each start and death.
        """
        self._kept = [_Kept(role) for role in roles]
        self._spawn = spawn
        self._clock = clock
        self._tell = tell
        self.hopeless: int | None = None
        """Exit code of a process that cannot be started at all; the owner should stop."""

    def tick(self) -> None:
        """Start what is due and note what has died."""
        for kept in self._kept:
            if kept.process is None:
                self._start(kept)
            else:
                self._check(kept, kept.process)

    def pids(self) -> dict[str, int]:
        """Return the process id of each role that runs."""
        return {k.role.name: k.process.pid for k in self._kept if k.process is not None}

    def stop(self) -> None:
        """End every process, one after the other; kill what does not end in time."""
        for kept in self._kept:
            if kept.process is not None:
                end(kept.process)
                kept.process = None

    def _start(self, kept: _Kept) -> None:
        now_ns = self._clock.boot_ns()
        if now_ns >= kept.due_ns:
            kept.process = self._spawn(kept.role)
            kept.started_ns = now_ns
            self._tell(f"{kept.role.name} started, process {kept.process.pid}")

    def _check(self, kept: _Kept, process: Process) -> None:
        code = process.poll()
        now_ns = self._clock.boot_ns()
        if now_ns - kept.started_ns >= HEALTHY_S * NS_PER_S:
            kept.failures, kept.was_healthy = 0, True
        if code is None:
            return
        kept.process = None
        if code in HOPELESS and not kept.was_healthy and kept.role.is_vital:
            self.hopeless = code
        wait_s = min(BACKOFF_S * 2**kept.failures, BACKOFF_S_MAX)
        kept.failures += 1
        kept.due_ns = now_ns + int(wait_s * NS_PER_S)
        self._tell(f"{kept.role.name} ended with {code}, restarts in {wait_s:g} s")


def end(process: Process, timeout_s: float = STOP_S) -> None:
    """Ask one process to end, and kill it when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=timeout_s)


def roles_of(config: Config, config_path: Path, paths: Paths) -> list[Role]:
    """Return the processes of one guard: itself, and a broker per account."""
    where = ("--config", str(config_path), "--state-dir", str(paths.state_dir))
    guard = Role("guard", ("-m", "edgeguard", "guard", *where))
    brokers = [
        Role(f"broker {a.id}", ("-m", "edgeguard", "broker", *where, "--account", a.id))
        for a in config.account
    ]
    return [guard, *brokers]


def ops_role(config_path: Path, paths: Paths) -> Role:
    """Return the ops process; a faulty token, contact or port of its must not stop the guard."""
    where = ("--config", str(config_path), "--state-dir", str(paths.state_dir))
    return Role("ops", ("-m", "edgeguard", "ops", *where), is_vital=False, has_tokens=True)


def spawner(logs: LogFiles) -> Spawn:
    """Return a way to start roles with this interpreter.

    Args:
        logs: where each process's output goes; to this process's own where the disk is no help.
    """

    def spawn(role: Role) -> Process:
        output = logs.open(role.name)
        try:
            # A session of its own: Ctrl-C reaches the supervisor alone, which ends all in order.
            return subprocess.Popen(  # noqa: S603 - our own modules with our own arguments
                [sys.executable, *role.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=None if role.has_tokens else without_tokens(),
            )
        finally:
            if output is not None:
                output.close()

    return spawn
