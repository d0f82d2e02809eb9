"""Where one guard keeps its files and sockets: everything follows from its state directory.

Imports nothing but the standard library, so that the emergency command can use it at once.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from edgeguard.errors import ConfigError, InUseError

if TYPE_CHECKING:
    from edgeguard.config.model import Config

SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a tmpfs; the directory below it is checked
MOUNTS: Final = Path("/proc/mounts")
SOCKET_PATH_MAX: Final = 107
"""Longest AF_UNIX path in bytes on Linux (`man 7 unix`: 108 with the closing zero)."""
PAGE_PREFIX: Final = "halt."


class PathNames(NamedTuple):
    """What a configuration says of paths; empty text leaves one to its default."""

    state_dir: str = ""
    run_dir: str = ""
    control: str = ""
    feeds_bind: str = ""
    halts_pub: str = ""
    gate_router: str = ""
    brokers: Mapping[str, str] = MappingProxyType({})
    """The endpoint of each account's broker, empty for the default."""


class Paths:
    """Every file and socket of one guard.

    Building it touches nothing; `create` makes the directories. Clients, which must find what a
    guard made, need no `create`.

    Attributes:
        state_dir: what survives a reboot: journal, latch, intents, the HALT file.
        run_dir: what does not: halt pages and sockets; resolved, so that socket paths stay short.
        control, feeds_bind, halts_pub, gate_router: the guard's endpoints.
        tap: where ops listens to what publishers send, for the tape of an incident.
        halt_file: the create-only file of a manual halt.
        journal, latch, lock, log_dir: the other files of the state directory.
    """

    def __init__(
        self, config: Config | PathNames | None, state_dir: str | Path | None = None
    ) -> None:
        """Derive all paths.

        Args:
            config: the configuration, or what it names; None where only the state directory is
                known.
            state_dir: overrides the configuration's state directory (``--state-dir``); a run
                directory or endpoint that the configuration names stays as named.

        Raises:
            ConfigError: neither argument was given.
        """
        names = config if isinstance(config, PathNames) else _names(config)
        given = state_dir or names.state_dir
        if not given:
            raise ConfigError("the state directory must be given with --state-dir, was absent")
        self.state_dir = Path(os.path.realpath(Path(given).expanduser()))
        self._link = None if names.run_dir else self.state_dir / "run"
        self.run_dir = _run_dir(self.state_dir)
        if names.run_dir:
            self.run_dir = Path(os.path.realpath(names.run_dir))
        self.control = names.control or self._ipc("control")
        self.feeds_bind = names.feeds_bind or self._ipc("feeds")
        self.halts_pub = names.halts_pub or self._ipc("halts")
        self.gate_router = names.gate_router or self._ipc("gate")
        self.tap = self._ipc("tap")
        self._brokers = names.brokers
        self.halt_file = self.state_dir / "HALT"
        self.journal = self.state_dir / "journal.sqlite"
        self.latch = self.state_dir / "latch.slots"
        self.lock = self.state_dir / "lock"
        self.log_dir = self.state_dir / "log"

    def broker(self, account: str) -> str:
        """Return the endpoint at which the broker's parent of `account` listens."""
        return self._brokers.get(account) or self._ipc(f"broker.{account}")

    def page(self, account: str) -> Path:
        """Return the halt page of `account`."""
        return self.run_dir / f"{PAGE_PREFIX}{account}"

    def pages(self) -> list[Path]:
        """Return every halt page that exists, by name."""
        return sorted(self.run_dir.glob(f"{PAGE_PREFIX}*"))

    def paper_socket(self, account: str) -> Path:
        """Return the AF_UNIX socket of the paper terminal of `account`."""
        return self.run_dir / f"paper.{account}.sock"

    def intents(self, account: str) -> Path:
        """Return the intent log of the broker's parent of `account`."""
        return self.state_dir / f"intents.{account}.log"

    def create(self) -> Paths:
        """Make the directories, private to this user, and return these paths.

        Raises:
            ConfigError: a directory cannot be made, or a socket path is too long for a socket.
            InUseError: the run directory belongs to another user.
        """
        self._check_lengths()
        _make_private(self.state_dir)
        _make_private(self.run_dir)
        if self._link is not None and self._link != self.run_dir:
            _link(self._link, self.run_dir)
        return self

    def _ipc(self, name: str) -> str:
        return f"ipc://{self.run_dir}/{name}.ipc"

    def _check_lengths(self) -> None:
        endpoints = [self.control, self.feeds_bind, self.halts_pub, self.gate_router]
        endpoints += [self.broker(account) for account in self._brokers]
        endpoints += [f"ipc://{self.paper_socket(account)}" for account in self._brokers]
        for endpoint in endpoints:
            path = endpoint.removeprefix("ipc://")
            if endpoint.startswith("ipc://") and len(os.fsencode(path)) > SOCKET_PATH_MAX:
                msg = (
                    f"the socket path {path} must have at most {SOCKET_PATH_MAX} bytes, had "
                    f"{len(os.fsencode(path))}: set guard.run_dir to a shorter directory"
                )
                raise ConfigError(msg)


def is_loopback(host: str) -> bool:
    """Return whether a host can only be this machine; a name other than localhost cannot."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_remote(endpoint: str) -> bool:
    """Return whether an endpoint is a TCP address that is not this machine alone."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return endpoint.startswith("tcp://") and not is_loopback(host)


def _names(config: Config | None) -> PathNames:
    """Return what `config` says of paths."""
    if config is None:
        return PathNames()
    guard = config.guard
    return PathNames(
        guard.state_dir,
        guard.run_dir,
        guard.control,
        guard.feeds_bind,
        guard.halts_pub,
        guard.gate_router,
        {account.id: account.broker for account in config.account},
    )


def _run_dir(state_dir: Path) -> Path:
    """Return the default run directory: what ``run`` already is, else one on shared memory."""
    link = state_dir / "run"
    # Whoever may not look into the state directory may still know the sockets (`[[peer]] uid`).
    if os.path.isdir(link) and not os.path.islink(link):  # noqa: PTH112, PTH114
        return link
    if not _is_shared_memory(SHARED_MEMORY):
        return link
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:12]
    return SHARED_MEMORY / f"edgeguard-{_owner(state_dir)}-{digest}"


def _owner(state_dir: Path) -> int:
    """Return whose state this is: root's command must find the guard of another user.

    Returns:
        The owner's user id; where nothing is there yet, or none can be seen, this process's own,
        and 0 on systems without any.
    """
    own = os.geteuid() if hasattr(os, "geteuid") else 0
    try:
        return state_dir.stat().st_uid
    except OSError:
        return own


def _is_shared_memory(path: Path) -> bool:
    """Tell whether `path` is a tmpfs that this user may write to."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8")
    except OSError:
        return False
    rows = [line.split() for line in mounts.splitlines()]
    mounted = any(row[1:3] == [str(path), "tmpfs"] for row in rows)
    return mounted and os.access(path, os.W_OK | os.X_OK)


def _make_private(path: Path) -> None:
    """Make `path` a directory of this user alone, or refuse it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise ConfigError(f"{path} must be a directory, was something else")
        if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
            msg = (
                f"{path} must belong to user {os.geteuid()}, was user {found.st_uid}'s: run as "
                "that user or choose another --state-dir"
            )
            raise InUseError(msg)
        if stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as e:
        reason = e.strerror or "unusable"
        raise ConfigError(
            f"{path} must be a directory that can be written, was not: {reason}"
        ) from e


def _link(link: Path, target: Path) -> None:
    """Point `link` at `target`; one that already does stays."""
    try:
        if link.is_symlink() and os.readlink(link) != str(target):  # noqa: PTH115
            link.unlink()
        if not link.is_symlink():
            link.symlink_to(target)
    except FileExistsError:
        return
    except OSError as e:
        raise ConfigError(f"{link} must be a link to {target}, was not: {e.strerror}") from e
