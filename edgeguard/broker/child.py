"""The broker's child: calls the terminal and nothing else, so that it may be killed at any time.

The vendor's package holds the interpreter lock during every call and has no time-out: only another
process can end a call that hangs. This one has no timers, no threads, no state of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import msgspec

from edgeguard.broker.frames import Call, CallReply, pack, receive
from edgeguard.broker.terminals import CALLS, Terminal, load_terminal
from edgeguard.errors import EdgeGuardError

PR_SET_PDEATHSIG: Final = 1
"""`prctl(2)`: the signal that this process gets when its parent dies."""
_CALL: Final = msgspec.msgpack.Decoder(Call)
NOTHING: Final = msgspec.Raw(msgspec.msgpack.encode(None))
LOADED: Final = 0
"""Id of the first frame: the terminal was loaded, or why not."""

Rows = dict[object, object]
SCALARS: Final = frozenset({bool, int, float, str, bytes, type(None)})
"""Exact types that msgpack writes as they are."""


def plain(value: object) -> object:
    """Return a terminal's value as dicts, lists and scalars: its structs by field name."""
    # Rows of a thousand positions pass through here on every read: the common types go first.
    if type(value) in SCALARS:
        return value
    as_dict: Callable[[], dict[str, object]] | None = getattr(value, "_asdict", None)
    if as_dict is not None:
        row = as_dict()
        for name, inner in row.items():
            if type(inner) not in SCALARS:
                row[name] = plain(inner)
        return row
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in cast("Rows", value).items()}
    if isinstance(value, (tuple, list)):
        rows = cast("Sequence[object]", value)
        return [plain(inner) for inner in rows]
    if isinstance(value, (bool, int, float, str, bytes)):
        return value
    item = getattr(value, "item", None)
    return item() if item is not None else str(value)


def serve(terminal: Terminal, sock: socket.socket) -> None:
    """Answer calls, one at a time, until the parent is gone."""
    while body := receive(sock):
        call = _CALL.decode(body)
        sock.sendall(pack(_answer(terminal, call)))


def _answer(terminal: Terminal, call: Call) -> CallReply:
    if call.method not in CALLS:
        fault = f"{call.method} is no call of the terminal"
        return CallReply(call.id, NOTHING, 0, "", fault)
    try:
        value = getattr(terminal, call.method)(*call.args, **call.kwargs)
        raw = msgspec.Raw(msgspec.msgpack.encode(plain(value)))
        code, text = terminal.last_error()
    except Exception as error:  # noqa: BLE001 - whatever a package raises is an outcome to report
        fault = f"{type(error).__name__}: {error}"[:500]
        return CallReply(call.id, NOTHING, 0, "", fault)
    return CallReply(call.id, raw, int(code), str(text))


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, where a kernel does that.

    A child that outlives its parent inside a hanging `order_send` could still execute an order
    after the next parent has looked for evidence.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


def open_socket(where: str) -> socket.socket:
    """Return the socket to the parent: a descriptor's number, or `share` to read one from stdin."""
    if where != "share":
        return socket.socket(fileno=int(where))
    # Windows hands sockets to another process as a blob made for its process id.
    from_share: Any = getattr(socket, "fromshare")  # noqa: B009 - absent outside Windows
    opened: socket.socket = from_share(sys.stdin.buffer.read())
    return opened


def main(argv: list[str]) -> int:
    """Run the child: `child.py SOCKET PARENT_PID TERMINAL [PAPER_SOCKET]`."""
    sock = open_socket(argv[1])
    sock.setblocking(True)  # noqa: FBT003
    die_with_parent(int(argv[2]))
    # The parent ends this process; an interrupt meant for the group must not end it mid-call.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        terminal = load_terminal(argv[3], paper_socket=argv[4] if argv[4:] else "")
    except EdgeGuardError as error:
        sock.sendall(pack(CallReply(LOADED, NOTHING, 0, str(error))))
        return error.exit_code
    sock.sendall(pack(CallReply(LOADED, NOTHING)))
    serve(terminal, sock)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
