"""Endpoints: what may be bound or connected to, and whether somebody already listens there."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Final

import msgspec

from edgeguard.config.paths import is_loopback
from edgeguard.errors import ConfigError, InUseError

PORT_MAX: Final = 65_535
IPC_PATH_BYTES_MAX: Final = 107
"""Longest path of a unix socket on Linux (`sockaddr_un`, with its closing zero)."""


class CurveKeys(msgspec.Struct, frozen=True):
    """CURVE keys in Z85 text: our pair, and the public key of the server to connect to."""

    public: str
    secret: str
    server: str = ""

    def __repr__(self) -> str:
        """Show the public keys alone: a secret must not reach a log."""
        return f"CurveKeys(public={self.public!r}, server={self.server!r})"


def check_endpoint(endpoint: str, keys: CurveKeys | None = None) -> None:
    """Refuse an endpoint that EdgeGuard must not use.

    Args:
        endpoint: ``ipc://PATH``, ``tcp://HOST:PORT`` or, within one process, ``inproc://NAME``.
        keys: CURVE keys, without which TCP stays on this host.

    Raises:
        ConfigError: the endpoint is malformed, too long, or in the open without keys.
    """
    kind, separator, rest = endpoint.partition("://")
    if not separator or kind not in {"ipc", "tcp", "inproc"} or not rest:
        raise ConfigError(f"endpoint must be ipc://PATH or tcp://HOST:PORT, was {endpoint!r}")
    if kind == "ipc":
        length = len(rest.encode())
        if length > IPC_PATH_BYTES_MAX:
            raise ConfigError(
                f"endpoint path must have at most {IPC_PATH_BYTES_MAX} bytes, was {length}: "
                f"{endpoint!r}; choose a shorter run_dir"
            )
        return
    if kind == "tcp":
        _check_tcp(endpoint, rest, keys)


def _check_tcp(endpoint: str, rest: str, keys: CurveKeys | None) -> None:
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    is_port = port == "*" or (port.isdecimal() and int(port) <= PORT_MAX)
    if not host or not is_port:
        raise ConfigError(f"endpoint must be tcp://HOST:PORT, was {endpoint!r}")
    if keys is None and not is_loopback(host):
        raise ConfigError(
            f"endpoint outside this host must have CURVE keys, was {endpoint!r} without; "
            "make them with `edgeguard keys new`, or use ipc:// or 127.0.0.1"
        )


def claim_ipc(endpoint: str) -> None:
    """Make sure that binding an ``ipc://`` path takes it from nobody.

    libzmq silently steals the path of a live owner. A path that nobody answers on is what a killed
    process left, and is removed.

    Raises:
        InUseError: somebody answers there, or something that is no socket is in the way.
    """
    if not endpoint.startswith("ipc://"):
        return
    path = Path(endpoint.removeprefix("ipc://"))
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise InUseError(f"{path} must be a socket or free, is something else; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise InUseError(f"{path} must be free, its owner does not answer: {error}") from error
    raise InUseError(f"{path} is in use by a running process; stop it or choose another run_dir")
