"""An engine in a process of its own that asks its gate all the time and keeps what it was told.

    python -m tests.process.gate_log page|wire|buffered WHERE

Each line on stdin is answered by a line on stdout: all answers since the last one as spans of equal
ones, each a code and when its first and last check began (ns of CLOCK_BOOTTIME). A span ends where
the code changes or two checks are further apart than `GAP_NS`: inside it there are no holes.
"""

from __future__ import annotations

import select
import sys

import msgspec

from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock
from edgeguard.codec.native import decode
from edgeguard.gate import Gate, Refusal
from edgeguard.gate.answers import Source
from edgeguard.messages import StateBeat
from edgeguard.transport import CurveKeys, make_context, subscriber
from tests.process.guard_rig import CLOCK

GAP_NS = 20 * NS_PER_MS
PAUSE_S = 0.001


class Span(msgspec.Struct, array_like=True):
    """Answers that were all the same, without a hole between them."""

    code: str
    first_ns: int
    last_ns: int


class BufferedSource:
    """A planted bug: believes heartbeats by the time at which it reads them from its queue."""

    def __init__(self, endpoint: str) -> None:
        self._context = make_context()
        self._socket = subscriber(self._context, endpoint, bind=False)
        self._state = ""
        self._heard_ns = 0

    def ask(self, symbol: str | None, strategy: str | None) -> str:  # noqa: ARG002  # the port's
        while self._socket.poll(0):
            beat = decode(self._socket.recv_multipart()[-1])
            if isinstance(beat, StateBeat):
                self._state, self._heard_ns = beat.state, CLOCK.boot_ns()
        is_live = CLOCK.boot_ns() - self._heard_ns < NS_PER_S
        return {"ACTIVE": "OPEN"}.get(self._state, self._state) if is_live else "STALE"

    def detail(self, code: str) -> str:  # noqa: ARG002  # the port's
        return ""

    def close(self) -> None:
        self._context.destroy(linger=0)


class BufferedGate(Gate):
    """A gate on the guard's published heartbeats, which DESIGN rules out."""

    def _attach(
        self,
        where: str,
        clock: Clock | None,  # noqa: ARG002  # as the base has it
        keys: CurveKeys | None,  # noqa: ARG002
        lease_s: float,  # noqa: ARG002
    ) -> Source | None:
        return BufferedSource(where)


def main() -> None:
    kind, where = sys.argv[1:]
    gate = BufferedGate(where, "A") if kind == "buffered" else Gate(where, "A")
    spans: list[Span] = []
    while True:
        begun_ns = CLOCK.boot_ns()
        answer = gate.check()
        code = answer.code if isinstance(answer, Refusal) else "OPEN"
        last = spans[-1] if spans else None
        if last is not None and last.code == code and begun_ns - last.last_ns <= GAP_NS:
            last.last_ns = begun_ns
        else:
            spans.append(Span(code, begun_ns, begun_ns))
        if select.select([sys.stdin], [], [], PAUSE_S)[0]:
            if not sys.stdin.readline():
                return
            sys.stdout.write(msgspec.json.encode(spans).decode() + "\n")
            sys.stdout.flush()
            spans.clear()


if __name__ == "__main__":
    main()
