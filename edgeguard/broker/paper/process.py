"""Run a paper terminal as a process of its own, as the real terminal is one. NOT FOR REAL TRADING.

``python -m edgeguard.broker.paper.process --socket PATH (--spec FILE.json | --preset NAME)``. The
book lives here: clients may come, hang, crash and come back. Ends by SIGTERM or the admin's stop.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from edgeguard.broker.paper import presets
from edgeguard.broker.paper.loop import Loop
from edgeguard.broker.paper.prices import PriceSource, price_source
from edgeguard.broker.paper.server import PaperServer
from edgeguard.broker.paper.spec import PaperSpec, load_spec, unconvertible
from edgeguard.broker.paper.state_file import StateFile
from edgeguard.clock import SystemClock
from edgeguard.errors import ConfigError, EdgeGuardError, InUseError

# Longest path a Unix socket address holds on Linux, bytes, without the final zero.
SOCKET_PATH_BYTES_MAX: Final = 107
_BACKLOG: Final = 64
# A holder that does not listen is starting or ending; 5 s is far more than either takes.
_LOCK_TRIES: Final = 500
_LOCK_RETRY_S: Final = 0.01
_PRESETS: Final = {
    "hedging": presets.hedging,
    "netting": presets.netting,
    "exchange": presets.exchange,
}


@contextlib.contextmanager
def listening(path: Path) -> Generator[socket.socket]:
    """Listen on a private socket for as long as the block runs.

    The folder is made with mode 0700 if missing; the socket has mode 0600. A lock beside it says
    whose it is, so that a socket left by a crash is taken over and a living one is not.

    Raises:
        ConfigError: The path is too long or its folder is open to others.
        InUseError: Another process has the socket.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise ConfigError(f"--socket must be at most {SOCKET_PATH_BYTES_MAX} bytes, was {path}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.parent.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(f"--socket must be in a folder of mode 0700, {path.parent} has {mode:o}")
    lock = path.with_name(path.name + ".lock")
    with lock.open("wb") as held, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        _take_lock(held.fileno(), path)
        path.unlink(missing_ok=True)
        old_mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(old_mask)
        listener.listen(_BACKLOG)
        listener.settimeout(0.0)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _take_lock(lock: int, path: Path) -> None:
    """Take the lock of a socket, waiting for a holder that is just ending.

    Raises:
        InUseError: The holder listens, or does not end.
    """
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) == 0:
                    break
            time.sleep(_LOCK_RETRY_S)
        else:
            return
    raise InUseError(f"another paper terminal already listens on {path}")


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m edgeguard.broker.paper.process",
        description="Run a paper MetaTrader 5 terminal. NOT FOR REAL TRADING.",
    )
    parser.add_argument("--socket", type=Path, required=True, help="socket to listen on")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--spec", type=Path, help="account and symbols, a JSON file")
    what.add_argument("--preset", choices=sorted(_PRESETS), help="a built-in account")
    parser.add_argument("--state", type=Path, help="file that keeps the book across restarts")
    parser.add_argument(
        "--prices",
        action="append",
        default=[],
        metavar="ENDPOINT",
        help="unix:PATH to read feed frames from, or synthetic[:SEED[:INTERVAL_MS]]",
    )
    return parser.parse_args(argv)


def _spec(options: argparse.Namespace) -> PaperSpec:
    """Return the spec the command line names.

    Raises:
        ConfigError: The file is missing or wrong.
    """
    if options.preset is not None:
        return _PRESETS[options.preset]()
    try:
        return load_spec(options.spec)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error


def serve(options: argparse.Namespace) -> None:
    """Listen and serve until told to stop.

    Raises:
        EdgeGuardError: The spec, the socket or the state file is wrong or in use.
    """
    clock = SystemClock()
    spec = _spec(options)
    for warning in unconvertible(spec):
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201 - who starts it should know
    state = None if options.state is None else StateFile(options.state)
    sources: list[PriceSource] = [price_source(text, spec) for text in options.prices]
    with listening(options.socket) as listener:
        book = None if state is None else state.load()
        server = PaperServer(spec, clock.wall_ns(), book)
        loop = Loop(server, clock, listener)
        if state is not None:
            loop.on_change = lambda: state.save(server.book)
            loop.on_change()
        for source in sources:
            source.start(loop)

        def stop(*_: object) -> None:
            loop.is_stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        # A signal must end the wait it arrives in: Python restarts an interrupted select.
        awake, wake = socket.socketpair()
        with awake, wake:
            awake.settimeout(0.0)
            wake.settimeout(0.0)
            signal.set_wakeup_fd(wake.fileno())
            loop.watch(awake, lambda: None)
            loop.run()
            signal.set_wakeup_fd(-1)
            # Gone from the outside before the last answers go out: who reads them may start anew.
            listener.close()
            options.socket.unlink(missing_ok=True)
            loop.finish()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the process; return its exit code as INTERFACES.md lists them."""
    options = _arguments(sys.argv[1:] if argv is None else argv)
    try:
        serve(options)
    except EdgeGuardError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's only output
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
