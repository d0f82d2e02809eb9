"""systemd's notification socket, in the few lines that it takes."""

from __future__ import annotations

import contextlib
import socket


class SystemdNotifier:
    """Sends states such as ``READY=1``; without a socket it does nothing."""

    def __init__(self, address: str) -> None:
        """Take ``NOTIFY_SOCKET``; an ``@`` stands for an abstract name."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            if address
            else None
        )

    def send(self, state: str) -> None:
        """Send a state; a manager that does not listen changes nothing."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(state.encode(), self._address)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
