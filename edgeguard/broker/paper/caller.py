"""Make calls to a terminal with the vendor's manners: None or False, and a code in last_error."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.arguments import ArgumentError
from edgeguard.broker.paper.connection import Connection
from edgeguard.broker.paper.errors import IpcError, text_of


class Caller:
    """One client of one terminal: a connection and the code and text of the last call."""

    def __init__(self, connection: Connection) -> None:
        """Take the way to the terminal; nothing is opened before initialize()."""
        self._connection = connection
        self._code = c.RES_S_OK
        self._text = "Success"

    def last_error(self) -> tuple[int, str]:
        """Return the code and text of the last call of this process, whichever thread made it."""
        return self._code, self._text

    def _set(self, code: int, text: str | None = None) -> None:
        """Set what last_error() returns."""
        self._code = code
        self._text = text_of(code) if text is None else text

    def _call(self, method: str, *args: object) -> Any:  # noqa: ANN401 - rows of any shape
        """Make one call; return its value, or None with the code set.

        A failure of the pipe that loses it closes the connection: there is no reconnecting but by
        initialize().
        """
        if not self._connection.is_open:
            self._set(c.RES_E_INTERNAL_FAIL_CONNECT)
            return None
        try:
            reply = self._connection.call(method, args)
        except IpcError as error:
            if error.lost:
                self._connection.close()
            self._set(error.code, error.text)
            return None
        self._set(reply.code, reply.text)
        return reply.value if reply.code >= c.RES_S_OK else None


C = TypeVar("C", bound=Caller)
P = ParamSpec("P")
R = TypeVar("R")


def _guarded(method: Callable[..., Any], refused: object) -> Callable[..., Any]:
    """Return a call that starts by setting success and answers refused arguments with -2."""

    @functools.wraps(method)
    def call(self: Caller, *args: object, **named: object) -> object:
        self._set(c.RES_S_OK)  # pyright: ignore[reportPrivateUsage]
        try:
            return method(self, *args, **named)
        except ArgumentError as error:
            self._set(c.RES_E_INVALID_PARAMS, str(error))  # pyright: ignore[reportPrivateUsage]
            return refused

    return call


def or_none(
    method: Callable[Concatenate[C, P], R | None],
) -> Callable[Concatenate[C, P], R | None]:
    """Decorate a call whose vendor twin returns None when it refuses its arguments."""
    return _guarded(method, None)


def or_false(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Decorate a call whose vendor twin returns False when it refuses its arguments."""
    return _guarded(method, refused=False)


def only(args: Sequence[object], count: int) -> Sequence[object]:
    """Return the arguments when there are exactly so many of them.

    Raises:
        ArgumentError: There are fewer or more.
    """
    if len(args) != count:
        raise ArgumentError("Invalid arguments")
    return args
