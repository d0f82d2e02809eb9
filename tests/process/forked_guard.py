"""A guard process that needs no half second of imports: forked from a server that has done them.

The process is as real as any other: its own memory, locks, sockets and death by SIGKILL. Only what
a campaign would pay a thousand times over, the start of the interpreter, is paid once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import msgspec

from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.errors import EdgeGuardError
from edgeguard.guard.process import run_guard
from tests.process.fake_engine import FakeEngine
from tests.process.guard_rig import DEADLINE_S, GuardProcess

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])


class ForkedGuard(GuardProcess):
    """As `GuardProcess`, started some ten times as fast; what it says on stderr is not kept."""

    def __init__(self, config: Config, engine: str = "fake") -> None:
        super().__init__(config, engine)
        self._child: ForkServerProcess | None = None

    @property
    def pid(self) -> int:
        """The process of the last start."""
        assert self._child is not None
        assert self._child.pid is not None
        return self._child.pid

    def start(self) -> None:
        self._child = _SERVER.Process(
            target=_run, args=(str(self.config_file), self.engine), daemon=True
        )
        self._child.start()

    def kill(self, number: int = signal.SIGKILL) -> int:
        os.kill(self.pid, number)
        return self.wait()

    def has_ended(self) -> bool:
        return self._child is not None and self._child.exitcode is not None

    def wait(self) -> int:
        assert self._child is not None
        self._child.join(DEADLINE_S)
        assert self._child.exitcode is not None
        return self._child.exitcode

    def close(self) -> None:
        if self._child is not None and self._child.exitcode is None:
            self._child.kill()
            self.wait()


def _run(config_file: str, engine: str) -> None:
    """Run one guard in the forked process."""
    config = msgspec.json.decode(Path(config_file).read_bytes(), type=Config)
    paths = Paths(config).create()
    make = FakeEngine if engine == "fake" else None
    try:
        sys.exit(run_guard(config, paths, "0" * 64, make_engine=make))
    except EdgeGuardError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
