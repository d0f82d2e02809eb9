"""The web server inside the ops process: its socket, its bounds, its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator
from typing import Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgeguard.api.front import Front
from edgeguard.config.model import ApiConfig
from edgeguard.errors import ConfigError, InUseError

HEAD_S_MAX: Final = 10.0
"""How long a new connection may take to send its first request's head."""
HEAD_BYTES_MAX: Final = 16 * 1024
STOP_S: Final = 2
BACKLOG: Final = 512


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on who connects and never says what for."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._has_asked = False
        self._head_timer = self.loop.call_later(HEAD_S_MAX, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._head_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the wait is over when they made a request."""
        super().data_received(data)
        self._has_asked = self._has_asked or self.conn.their_state is not h11.IDLE

    def _give_up(self) -> None:
        if not self._has_asked:
            self.transport.close()


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing: the process ends it."""
        yield


class Server:
    """The interface on its socket."""

    def __init__(self, app: Front, config: ApiConfig) -> None:
        """Bind the socket.

        Raises:
            InUseError: somebody else listens there.
            ConfigError: the address or the certificate cannot be used.
        """
        self._socket = _bind(config.host, config.port)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=PatientProtocol,
                ws="none",
                loop="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=STOP_S,
                h11_max_incomplete_event_size=HEAD_BYTES_MAX,
                ssl_certfile=config.tls_cert or None,
                ssl_keyfile=config.tls_key or None,
            )
        )
        try:
            self._server.config.load()
        except OSError as e:
            self._socket.close()
            raise ConfigError(f"api.tls_cert and tls_key must be readable PEM files: {e}") from e

    @property
    def address(self) -> tuple[str, int]:
        """Return where it listens."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    async def serve(self) -> None:
        """Serve until `stop`."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """End: what is being answered gets two seconds."""
        self._server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, number)
    except OSError as e:
        raise ConfigError(f"api.host must be an address of this machine, was {host}: {e}") from e
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as e:
        bound.close()
        if e.errno == errno.EADDRINUSE:
            raise InUseError(f"{host}:{port} is in use: another ops? set [api] port") from e
        raise ConfigError(f"{host}:{port} cannot be bound: {e.strerror}") from e
    bound.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return bound
