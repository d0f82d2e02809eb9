"""Say what api.py needs of a way to a terminal, and give the one that stays in process."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.errors import HungError, IpcError
from edgeguard.broker.paper.server import PaperServer
from edgeguard.broker.paper.surface import Reply

# Failures after which the pipe is gone and every call answers -10004 until initialize().
LOST_CODES: Final = frozenset({c.RES_E_INTERNAL_FAIL_RECEIVE, c.RES_E_INTERNAL_FAIL_CONNECT})


class Connection(Protocol):
    """A way to a terminal: opened by initialize(), closed by shutdown() or a failure."""

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        ...

    def open(self, timeout_ms: int) -> None:
        """Connect, starting the terminal if need be.

        Raises:
            IpcError: With -10003 or -10005.
        """
        ...

    def close(self) -> None:
        """Disconnect; the terminal goes on."""
        ...

    def call(self, method: str, args: Sequence[Any]) -> Reply:
        """Make one call and wait for its answer, for as long as it takes.

        Raises:
            IpcError: The way failed; whether the call was carried out may be unknown.
        """
        ...


def _no_sleep(duration_ns: int) -> None:
    """Let a delay pass without waiting: for callers whose clock is their own."""


class LocalConnection:
    """A terminal in this process, under the caller's clock: for tests and simulations."""

    def __init__(
        self,
        server: PaperServer,
        now_ns: Callable[[], int],
        sleep_ns: Callable[[int], None] = _no_sleep,
    ) -> None:
        """Take the server and a clock.

        Args:
            server: The terminal.
            now_ns: Returns the present, UTC.
            sleep_ns: Lets a delay of the terminal pass; it may move the clock.
        """
        self._server = server
        self._now_ns = now_ns
        self._sleep_ns = sleep_ns
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return self._is_open

    def open(self, timeout_ms: int) -> None:
        """Connect; in process that always succeeds."""
        del timeout_ms
        self._is_open = True

    def close(self) -> None:
        """Disconnect; the server keeps its state."""
        self._is_open = False

    def call(self, method: str, args: Sequence[Any]) -> Reply:
        """Make one call; a delay passes by ``sleep_ns``, a hang raises HungError.

        Raises:
            IpcError: The call's fate is a failure of the pipe.
            HungError: The call would never return.
        """
        fate = self._server.begin(method, args, self._now_ns())
        if fate.before_ns:
            self._sleep_ns(fate.before_ns)
        reply = self._server.finish(method, fate, self._now_ns())
        if fate.hang:
            raise HungError(method)
        if fate.after_ns:
            self._sleep_ns(fate.after_ns)
        if reply.code <= c.RES_E_INTERNAL_FAIL:
            raise IpcError(reply.code, lost=reply.code in LOST_CODES)
        return reply
