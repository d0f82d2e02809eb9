"""JSON lines between the demo and its helper processes: orders on stdin, reports on stdout."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from edgeguard.supervisor import end

Report = Mapping[str, Any]
QUEUE_MAX: Final = 10_000


def say(**report: object) -> None:
    """Write one report to stdout; a demo that is gone does not matter any more."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


class Orders:
    """Orders from stdin, read by a thread so that nobody waits for them."""

    def __init__(self) -> None:
        """Start reading; the end of stdin counts as ``stop``."""
        self._queue: queue.Queue[str] = queue.Queue(QUEUE_MAX)
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def next(self, timeout_s: float) -> str | None:
        """Return the next order, None when there is none within the time."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return None

    def _read(self) -> None:
        for line in sys.stdin:
            self._queue.put(line.strip())
        self._queue.put("stop")


class Helper:
    """A helper process of the demo; its reports land in a queue shared with other helpers."""

    def __init__(
        self, name: str, arguments: list[str], reports: queue.Queue[Report], log: Path
    ) -> None:
        """Start ``python ARGUMENTS``; its stderr goes to the file `log`."""
        self.name = name
        self.is_wanted = True
        self._reports = reports
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules, our own arguments
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                text=True,
                env=os.environ,
            )
        threading.Thread(target=self._read, name=f"{name} reports", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """Return the last line that the process wrote to its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else f"exit code {self._process.poll()}"

    def tell(self, order: str) -> None:
        """Give an order; a process that is gone takes none."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):
                stdin.write(order + "\n")
                stdin.flush()

    def kill(self) -> None:
        """Kill the process at once (SIGKILL)."""
        self.is_wanted = False
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End the process and wait for that."""
        self.tell("stop")
        end(self._process, timeout_s=5.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _read(self) -> None:
        stdout: IO[str] | None = self._process.stdout
        if stdout is None:
            return
        # The pipe is closed under this thread at the end: that is its end too.
        with contextlib.suppress(ValueError):
            for line in stdout:
                try:
                    report: Report = json.loads(line)
                except ValueError:
                    report = {"stage": "noise", "text": line}
                with contextlib.suppress(queue.Full):
                    self._reports.put_nowait({"from": self.name, **report})
