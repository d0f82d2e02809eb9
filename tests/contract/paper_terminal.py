"""Start and reach paper terminal processes for the contract tests."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from edgeguard.broker.paper import PaperControl, PaperTerminal, SocketConnection
from edgeguard.broker.paper import constants as c

ROOT = Path(__file__).parents[2]
# No test waits this long when all is well; one that would hang for ever fails after it, seconds.
STUCK_S = 20.0


def pip_install(folder: Path, *packages: str) -> Path:
    """Install public packages into a folder through the ordinary pip; skip where it cannot."""
    where = ("--quiet", "--no-deps", "--target", str(folder))
    command = [sys.executable, "-m", "pip", "install", *where, *packages]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, check=False, timeout=120
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"pip install {packages[0]} took over 120 s")
    if done.returncode:
        pytest.skip(f"pip install {packages[0]} failed: {done.stderr.decode()[-200:]}")
    return folder


def with_paths(*folders: Path) -> dict[str, str]:
    """Return an environment in which what lies in the folders can be imported, and the checkout."""
    known = environment()
    paths = [*(str(folder) for folder in folders), known["PYTHONPATH"]]
    return {**known, "PYTHONPATH": os.pathsep.join(paths)}


def argv(socket: Path, *more: str) -> list[str]:
    """Return the command line of a terminal with the hedging preset unless told otherwise."""
    what = [] if {"--spec", "--preset"} & set(more) else ["--preset", "hedging"]
    module = "edgeguard.broker.paper.process"
    return [sys.executable, "-m", module, "--socket", str(socket), *what, *more]


def environment() -> dict[str, str]:
    """Return this process's environment with the checkout importable."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def connect(socket: Path, launch: Sequence[str] = (), *, hold_gil: bool = False) -> PaperTerminal:
    """Return a terminal client that is not initialised yet."""
    return PaperTerminal(SocketConnection(str(socket), launch=launch, hold_gil=hold_gil))


class Running:
    """One terminal process with its admin connection and a client, its market held open."""

    def __init__(self, socket: Path, *more: str) -> None:
        self.socket = socket
        self._clients: list[PaperTerminal] = []
        self.process = subprocess.Popen(argv(socket, *more), env=environment())  # noqa: S603
        self.mt5 = self._connect()
        self.control = PaperControl(str(socket))
        self.control.admin("market", open=True)

    def _connect(self) -> PaperTerminal:
        """Wait until the process listens: each failed attempt is one refused connection."""
        client = connect(self.socket)
        pause = threading.Event()
        while not client.initialize():
            assert self.process.poll() is None, "the terminal ended while starting"
            pause.wait(0.01)
        return client

    def client(self) -> PaperTerminal:
        """Return one more client, initialised."""
        client = connect(self.socket)
        assert client.initialize()
        self._clients.append(client)
        return client

    def stop(self) -> None:
        """End the process if it still runs."""
        self.control.close()
        for client in (self.mt5, *self._clients):
            client.shutdown()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running(socket: Path, *more: str) -> Generator[Running]:
    """Run a terminal for the block."""
    terminal = Running(socket, *more)
    try:
        yield terminal
    finally:
        terminal.stop()


def buy(volume: float = 0.1, symbol: str = "EURUSD", **more: object) -> dict[str, object]:
    """Return a market buy."""
    return {
        "action": c.TRADE_ACTION_DEAL,
        "symbol": symbol,
        "volume": volume,
        "type": c.ORDER_TYPE_BUY,
        "type_filling": c.ORDER_FILLING_IOC,
        **more,
    }
