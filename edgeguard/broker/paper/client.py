"""Reach a paper terminal's process over its socket, blocking without a time-out as the vendor does.

A call waits for its answer for as long as it takes: a process that hangs hangs its caller. With
``hold_gil`` the wait also keeps the interpreter lock, as the vendor's extension does, so that every
thread of the client stands still.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.errors import IpcError
from edgeguard.broker.paper.surface import Reply
from edgeguard.broker.paper.wire import (
    LENGTH,
    FeedTick,
    FrameError,
    ReplyFrame,
    RequestFrame,
    pack,
    unpack_reply,
)
from edgeguard.clock import NS_PER_MS, Clock, SystemClock

# Pause between attempts to reach a process that is starting, seconds.
_RETRY_S: Final = 0.01


class Pipe:
    """One blocking stream of request and reply frames."""

    def __init__(self, path: str, *, hold_gil: bool = False) -> None:
        """Connect to a socket path.

        Raises:
            OSError: Nothing listens there.
        """
        family = getattr(socket, "AF_UNIX", None)
        if family is None:
            raise OSError("the paper terminal's process needs Unix sockets")
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._read = _locked_reader(self._socket) if hold_gil else self._socket.recv
        self._next_id = 1

    def close(self) -> None:
        """Close the stream."""
        self._socket.close()

    def take_id(self) -> int:
        """Return the next request id, from 1."""
        taken = self._next_id
        self._next_id = taken + 1
        return taken

    def send(self, frame: RequestFrame) -> None:
        """Write a request.

        Raises:
            OSError: The peer is gone.
        """
        self._socket.sendall(pack(frame))

    def receive(self) -> ReplyFrame:
        """Read one reply, waiting as long as it takes.

        Raises:
            OSError: The peer is gone.
            FrameError: What came is no reply.
        """
        length = LENGTH.unpack(self._exactly(LENGTH.size))[0]
        return unpack_reply(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        """Read so many bytes.

        Raises:
            OSError: The stream ends before.
        """
        parts: list[bytes] = []
        while count > 0:
            part = self._read(count)
            if not part:
                raise ConnectionResetError("the paper terminal closed the stream")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def _locked_reader(stream: socket.socket) -> Callable[[int], bytes]:
    """Return a recv that keeps the interpreter lock while it waits, as the vendor's module does."""
    library = ctypes.PyDLL(None, use_errno=True)

    def read(count: int) -> bytes:
        buffer = ctypes.create_string_buffer(count)
        got = library.recv(stream.fileno(), buffer, count, 0)
        if got < 0:
            raise OSError(ctypes.get_errno(), "recv failed")
        return buffer.raw[:got]

    return read


class SocketConnection:
    """A way to a terminal's process, for api.PaperTerminal."""

    def __init__(
        self,
        path: str,
        *,
        launch: Sequence[str] = (),
        hold_gil: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """Take where the process listens; nothing is opened yet.

        Args:
            path: Its socket.
            launch: Command that starts it, used by open() when nothing listens; empty for none.
            hold_gil: Keep the interpreter lock while waiting, as the vendor's extension does.
            clock: Clock of the start-up's limit; the machine's by default.
        """
        self._path = path
        self._launch = tuple(launch)
        self._hold_gil = hold_gil
        self._clock = SystemClock() if clock is None else clock
        self._pipe: Pipe | None = None
        self._launched: list[int] = []
        # The vendor's calls are serialised by the interpreter lock they hold; ours by this one,
        # so that threads never mix their frames.
        self._turn = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return self._pipe is not None

    def close(self) -> None:
        """Disconnect; the process goes on."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def open(self, timeout_ms: int) -> None:
        """Connect, launching the process when nothing listens and a command is known.

        Raises:
            IpcError: -10003 when there is nothing to connect to, -10005 when what was launched
                does not listen within the limit.
        """
        self.close()
        self._reap()
        try:
            self._pipe = Pipe(self._path, hold_gil=self._hold_gil)
        except OSError as error:
            if not self._launch:
                raise IpcError(
                    c.RES_E_INTERNAL_FAIL_INIT, detail="MetaTrader 5 x64 not found"
                ) from error
            self._start(timeout_ms)

    def _start(self, timeout_ms: int) -> None:
        """Launch the process, in a session of its own, and wait until it listens.

        Raises:
            IpcError: It cannot be started, ends, or does not listen in time.
        """
        deadline_ns = self._clock.boot_ns() + timeout_ms * NS_PER_MS
        try:
            child = subprocess.Popen(  # noqa: S603 - the operator's own command
                self._launch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise IpcError(c.RES_E_INTERNAL_FAIL_INIT, detail="Process create failed") from error
        while self._pipe is None:
            try:
                self._pipe = Pipe(self._path, hold_gil=self._hold_gil)
            except OSError as error:
                if child.poll() not in (None, 0, _IN_USE):
                    detail = "Process ended while starting"
                    raise IpcError(c.RES_E_INTERNAL_FAIL_INIT, detail=detail) from error
                if self._clock.boot_ns() >= deadline_ns:
                    raise IpcError(c.RES_E_INTERNAL_FAIL_TIMEOUT) from error
                time.sleep(_RETRY_S)
        # The terminal outlives its clients: this object must not wait for it or warn about it.
        if child.returncode is None:
            child.returncode = 0
            self._launched.append(child.pid)

    def _reap(self) -> None:
        """Let terminals that this client launched and that have ended leave the process table."""
        for pid in list(self._launched):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    continue
            self._launched.remove(pid)

    def call(self, method: str, args: Sequence[Any]) -> Reply:
        """Make one call and wait for its answer, without a time-out.

        Raises:
            IpcError: -10001 the request did not get out, -10002 it got out and no answer came,
                -10000 the answer is to another request, -10004 there is no connection.
        """
        with self._turn:
            return self._call(method, args)

    def _call(self, method: str, args: Sequence[Any]) -> Reply:
        """Make one call, alone on the pipe.

        Raises:
            IpcError: As call does.
        """
        pipe = self._pipe
        if pipe is None:
            raise IpcError(c.RES_E_INTERNAL_FAIL_CONNECT, lost=True)
        request = RequestFrame(id=pipe.take_id(), call=method, args=list(args))
        try:
            pipe.send(request)
        except OSError as error:
            # The vendor's client learns of a dead terminal from the read that follows the write.
            raise IpcError(c.RES_E_INTERNAL_FAIL_RECEIVE, lost=True) from error
        try:
            reply = pipe.receive()
        except (OSError, FrameError) as error:
            raise IpcError(c.RES_E_INTERNAL_FAIL_RECEIVE, lost=True) from error
        if reply.id != request.id:
            raise IpcError(c.RES_E_INTERNAL_FAIL)
        if reply.code <= c.RES_E_INTERNAL_FAIL:
            raise IpcError(reply.code, lost=reply.lost)
        return Reply(reply.code, reply.text, reply.value)


# Exit code of a process that found another one on its socket: someone else launched it first.
_IN_USE: Final = 4


class PaperControl:
    """The feed and admin side of a terminal's process, apart from the MetaTrader5 surface."""

    def __init__(self, path: str) -> None:
        """Connect to a process's socket.

        Raises:
            OSError: Nothing listens there.
        """
        self._pipe = Pipe(path)

    def __enter__(self) -> Self:
        """Use as a context manager: the stream is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the stream."""
        self.close()

    def close(self) -> None:
        """Close the stream; the process goes on."""
        self._pipe.close()

    def feed(self, ticks: Sequence[FeedTick], *, wait: bool = True) -> int:
        """Bring ticks: symbol, bid, ask and source UTC nanoseconds each.

        Args:
            ticks: The ticks, in order.
            wait: Wait until the process has taken them; False returns at once.

        Returns:
            How many were taken; 0 when not waiting. Unknown symbols and senseless prices are not.
        """
        frame = RequestFrame(id=self._pipe.take_id() if wait else 0, feed=list(ticks))
        self._pipe.send(frame)
        return self._pipe.receive().value if wait else 0

    def admin(self, name: str, **params: Any) -> Any:  # noqa: ANN401 - each request has its own
        """Make an admin request; admin.py lists them.

        Raises:
            ValueError: The process refused it; the text says why.
        """
        self._pipe.send(RequestFrame(id=self._pipe.take_id(), admin=name, params=params))
        reply = self._pipe.receive()
        if reply.code != c.RES_S_OK:
            raise ValueError(reply.text)
        return reply.value
