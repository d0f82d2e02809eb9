"""A remote gate and a guard whose echoes come late: age is judged by the ping, not by arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from pathlib import Path

import pytest
import zmq

from edgeguard.codec.native import decode, encode
from edgeguard.gate import Gate, Permit
from edgeguard.messages import Echo, Ping, StateBeat
from edgeguard.transport import Socket, make_context
from tests.process.guard_rig import CLOCK, DEADLINE_S

LATE = 15
"""Pings of 100 ms each by which an echo is late: more than the lease of a second."""
ECHOES = 10


class Line:
    """A guard's gate socket, on a line that keeps messages back."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._waiting: deque[tuple[bytes, Ping]] = deque()
        self._seq = 0

    def hear(self) -> None:
        """Take one ping."""
        assert self._socket.poll(int(DEADLINE_S * 1000))
        identity, payload = self._socket.recv_multipart()
        ping = decode(payload)
        assert isinstance(ping, Ping)
        self._waiting.append((identity, ping))

    def echo(self, kept_back: int) -> int:
        """Echo every ping but the last ones; return how many."""
        count = 0
        while len(self._waiting) > kept_back:
            identity, ping = self._waiting.popleft()
            self._seq += 1
            beat = StateBeat(
                account="A",
                epoch=1,
                seq=self._seq,
                t_ns=CLOCK.wall_ns(),
                boot_ns=CLOCK.boot_ns(),
                state="ACTIVE",
                state_seq=1,
                severity=0,
                flatten="NONE",
                halt=None,
                why="",
            )
            self._socket.send_multipart((identity, encode(Echo(ping.nonce, ping.gate_ns, beat))))
            count += 1
        return count


@pytest.fixture
def line(tmp_path: Path) -> Generator[tuple[Line, str]]:
    """The line, and where its guard's end is."""
    endpoint = f"ipc://{tmp_path}/gate.ipc"
    context = make_context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(endpoint)
    yield Line(socket), endpoint
    context.destroy(linger=0)


def test_echoes_that_were_kept_back_open_nothing(line: tuple[Line, str]) -> None:
    """P2, P3, N7: each echo says ACTIVE and arrives now; none is younger than the lease."""
    guard, endpoint = line
    with Gate(endpoint, "A") as gate:
        echoed = 0
        while echoed < ECHOES:
            guard.hear()
            echoed += guard.echo(kept_back=LATE)
            assert not gate.check()
        # The same guard on a line that keeps nothing back opens it: late was all that was wrong.
        guard.echo(kept_back=0)
        for _ in range(LATE):
            guard.hear()
            guard.echo(kept_back=0)
            if isinstance(gate.check(), Permit):
                return
        raise AssertionError(f"never open: {gate.check()}")
