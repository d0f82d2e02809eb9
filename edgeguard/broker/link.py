"""The parent's side of the child: start it, call through it, kill it when a call overruns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from typing import Any, BinaryIO, Final, cast

import msgspec

from edgeguard.broker.child import LOADED
from edgeguard.broker.frames import HEAD_BYTES, Call, CallReply, body_length, pack
from edgeguard.errors import TerminalError

_REPLY: Final = msgspec.msgpack.Decoder(CallReply)
START_TIMEOUT_S: Final = 20.0
"""Time for the interpreter to start and the vendor's package to load, seconds."""


class CallFailedError(Exception):
    """A call gave no answer, or raised inside the child; `overran` where it was killed for time."""

    def __init__(self, text: str, *, overran: bool = False) -> None:
        """Take the reason in words."""
        super().__init__(text)
        self.overran = overran


class ChildLink:
    """One child at a time, one call at a time.

    Attributes:
        lives: how many children have been started; a new one proves nothing about the last one's
            calls.
        pid: the running child's process id, 0 without one.
        kills: children killed because a call overran.
    """

    def __init__(self, terminal: str, paper_socket: str = "") -> None:
        """Take the terminal's configured name; nothing is started yet."""
        self._terminal = terminal
        self._paper_socket = paper_socket
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._turn = asyncio.Lock()
        self._next_id = LOADED + 1
        self.lives = 0
        self.kills = 0

    @property
    def pid(self) -> int:
        """The running child's process id, 0 without one."""
        return 0 if self._process is None else self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether a child was started and has not been found dead."""
        return self._socket is not None

    async def start(self) -> None:
        """Start a child and wait until it has loaded the terminal.

        Raises:
            TerminalError: it cannot load the terminal; the sentence says why.
            CallFailedError: it died or took too long.
        """
        self.stop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003
        try:
            self._process = _spawn(theirs, [self._terminal, self._paper_socket])
        finally:
            theirs.close()
        self._socket = ours
        self.lives += 1
        loaded = await self._within(self._read(ours), START_TIMEOUT_S, "loading the terminal")
        if loaded.text:
            self.stop()
            raise TerminalError(loaded.text)

    async def call(
        self,
        method: str,
        timeout_s: float,
        args: tuple[Any, ...] = (),
        **kwargs: Any,  # noqa: ANN401
    ) -> CallReply:
        """Call the terminal; calls wait for each other's end.

        Args:
            method: the vendor's function.
            timeout_s: the child is killed when the call takes longer.
            args: positional arguments.
            kwargs: named ones.

        Raises:
            CallFailedError: no answer, or the call raised; without a child, at once.
        """
        async with self._turn:
            stream = self._socket
            if stream is None:
                raise CallFailedError("the terminal's process is not running")
            call = Call(self._next_id, method, list(args), kwargs)
            self._next_id += 1
            reply = await self._within(self._exchange(stream, call), timeout_s, method)
        if reply.id != call.id:
            self.stop()
            raise CallFailedError(f"{method}: answer {reply.id} to call {call.id}")
        if reply.fault:
            raise CallFailedError(f"{method} raised {reply.fault}")
        return reply

    def stop(self) -> None:
        """Kill the child, if any, and collect it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            # A killed process ends at once, unless the kernel itself is stuck in a call.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
            self._process = None

    async def _within(self, work: Any, timeout_s: float, what: str) -> CallReply:  # noqa: ANN401
        try:
            async with asyncio.timeout(timeout_s):
                reply: CallReply = await work
        except TimeoutError as e:
            self.kills += 1
            self.stop()
            text = f"{what} took longer than {timeout_s:g} s and was killed"
            raise CallFailedError(text, overran=True) from e
        except (OSError, ValueError, msgspec.MsgspecError) as e:
            self.stop()
            raise CallFailedError(f"the terminal's process died in {what}") from e
        except asyncio.CancelledError:
            # Half an exchange on the stream would answer the next call.
            self.stop()
            raise
        return reply

    async def _exchange(self, stream: socket.socket, call: Call) -> CallReply:
        await asyncio.get_running_loop().sock_sendall(stream, pack(call))
        return await self._read(stream)

    async def _read(self, stream: socket.socket) -> CallReply:
        head = await self._exactly(stream, HEAD_BYTES)
        return _REPLY.decode(await self._exactly(stream, body_length(head)))

    async def _exactly(self, stream: socket.socket, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        parts = bytearray()
        while len(parts) < count:
            part = await loop.sock_recv(stream, min(count - len(parts), 1 << 20))
            if not part:
                raise ConnectionResetError("end of stream")
            parts += part
        return bytes(parts)


def _spawn(theirs: socket.socket, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a child that holds the other end of the socket."""
    command = [sys.executable, "-m", "edgeguard.broker.child"]
    mine = str(os.getpid())
    if os.name == "posix":
        where = str(theirs.fileno())
        return subprocess.Popen(  # noqa: S603 - our own module
            [*command, where, mine, *arguments],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    process = subprocess.Popen(  # noqa: S603 - our own module
        [*command, "share", mine, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    share: Any = getattr(theirs, "share")  # noqa: B009 - absent outside Windows
    with cast("BinaryIO", process.stdin) as handover:
        handover.write(share(process.pid))
    return process
