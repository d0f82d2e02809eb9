"""A remote gate on a real socket, against a guard that the test plays word by word."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
import zmq

from edgeguard.codec.native import decode, encode
from edgeguard.gate import Gate, Permit, Refusal
from edgeguard.messages import Echo, HaltInfo, Ping, ScopeState, State, StateBeat
from edgeguard.transport import make_context
from tests.process.guard_rig import DEADLINE_S, until

ACTIVE = StateBeat("A", 7, 1, 1, 1, "ACTIVE", 10, 0, "NONE", None, "")
PAUSED = msgspec.structs.replace(ACTIVE, state="PAUSED", state_seq=11, why="first")


def halt_of(halt_id: str) -> HaltInfo:
    """Return a halt by hand."""
    return HaltInfo(halt_id, 1, "manual", "r", durable=False)


class PlayedGuard:
    """Receives pings, and says what it is told to."""

    def __init__(self, endpoint: str) -> None:
        self._context = make_context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind(endpoint)
        self._gate = b""

    def ping(self) -> Ping:
        """Return the gate's next ping."""
        assert self._socket.poll(int(DEADLINE_S * 1000)), "a gate pings"
        self._gate, payload = self._socket.recv_multipart()
        ping = decode(payload)
        assert isinstance(ping, Ping)
        return ping

    def echo(self, ping: Ping, beat: StateBeat) -> None:
        self._socket.send_multipart((self._gate, encode(Echo(ping.nonce, ping.gate_ns, beat))))

    def push(self, beat: StateBeat) -> None:
        self._socket.send_multipart((self._gate, encode(beat)))

    def close(self) -> None:
        self._context.destroy(linger=0)


class Pair:
    """A gate and its guard, open."""

    def __init__(self, folder: Path) -> None:
        endpoint = f"ipc://{folder}/gate.ipc"
        self.guard = PlayedGuard(endpoint)
        self.gate = Gate(endpoint, "A", lease_s=60.0)
        self.reopen(ACTIVE)

    def code(self, strategy: str | None = None) -> str:
        answer = self.gate.check(strategy=strategy)
        return answer.code if isinstance(answer, Refusal) else "OPEN"

    def reopen(self, beat: StateBeat, strategy: str | None = None) -> None:
        """Echo pings with a state until the gate is open."""
        while self.code(strategy) != "OPEN":
            self.guard.echo(self.guard.ping(), beat)

    def settle(self) -> None:
        """Wait until the gate has taken everything that was sent: the last word is its why."""
        self.guard.push(msgspec.structs.replace(PAUSED, state_seq=99, why="last"))
        until(lambda: "last" in str(self.gate.check()), lambda: str(self.gate.check()))


@pytest.fixture
def pair(tmp_path: Path) -> Generator[Pair]:
    """Return an open gate and its guard."""
    made = Pair(tmp_path)
    yield made
    made.gate.close()
    made.guard.close()


def test_push_closes_and_an_echo_under_way_does_not_reopen(pair: Pair) -> None:
    """P2: a push closes with nothing echoed; only an echo asked for afterwards opens."""
    asked_before = pair.guard.ping()
    pair.guard.push(PAUSED)
    until(lambda: pair.code() == "PAUSED")
    assert "first" in str(pair.gate.check())
    pair.guard.echo(asked_before, ACTIVE)
    pair.settle()
    assert pair.code() == "PAUSED"
    pair.reopen(msgspec.structs.replace(ACTIVE, state_seq=100))


@pytest.mark.parametrize(
    ("state", "pauses", "code"),
    [("PAUSED", ("HOLE",), "HOLE"), ("STARTING", (), "STARTING"), ("ACTIVE", (), "OPEN")],
)
def test_push_is_judged_as_an_echo_would_be(
    pair: Pair, state: State, pauses: tuple[str, ...], code: str
) -> None:
    """P2: a hole and a guard that stops close too, a state that is open does not."""
    beat = msgspec.structs.replace(ACTIVE, state=state, pauses=pauses)
    marker = (ScopeState("strategy:Z", "PAUSED"),)
    pair.guard.push(msgspec.structs.replace(beat, scopes=marker))
    expected = code if code != "OPEN" else "SCOPE"
    until(lambda: pair.code("Z") == expected)
    assert pair.code() == code


def test_pushed_halt_latches(pair: Pair) -> None:
    """P1: a halt that was pushed is lifted by an echo that names it as resumed, and by no push."""
    halted = msgspec.structs.replace(ACTIVE, state="HALTED", state_seq=11)
    pair.guard.push(msgspec.structs.replace(halted, halt=halt_of("H1")))
    until(lambda: pair.code() == "HALTED")
    resumed = msgspec.structs.replace(ACTIVE, state_seq=12, resumed=("H1",))
    pair.guard.push(resumed)
    for _ in range(5):
        pair.guard.echo(pair.guard.ping(), msgspec.structs.replace(resumed, resumed=()))
    # What is taken last shows that everything before it was.
    last = msgspec.structs.replace(halted, state_seq=13, halt=halt_of("H2"))
    pair.guard.push(last)
    until(lambda: "H2" in str(pair.gate.check()))
    assert "H1" in str(pair.gate.check())
    pair.reopen(msgspec.structs.replace(resumed, state_seq=14, resumed=("H1", "H2")))


def test_pushed_scope_closes_for_itself_alone(pair: Pair) -> None:
    """P2: a scope's pause or halt closes that scope, until an echo says that it is over."""
    scopes = (ScopeState("strategy:X", "HALTED", "H"), ScopeState("strategy:Y", "PAUSED"))
    asked_before = pair.guard.ping()
    pair.guard.push(msgspec.structs.replace(ACTIVE, state_seq=11, scopes=scopes))
    until(lambda: pair.code("X") == "SCOPE")
    assert pair.code("Y") == "SCOPE"
    assert pair.code("Z") == pair.code() == "OPEN"
    over = tuple(ScopeState(scope.scope, "ACTIVE") for scope in scopes)
    pair.guard.echo(asked_before, msgspec.structs.replace(ACTIVE, scopes=over))
    pair.guard.push(
        msgspec.structs.replace(
            ACTIVE, state_seq=12, scopes=(*scopes, ScopeState("strategy:Z", "PAUSED"))
        )
    )
    until(lambda: pair.code("Z") == "SCOPE")
    assert pair.code("X") == pair.code("Y") == "SCOPE"
    assert pair.code() == "OPEN"
    freed = msgspec.structs.replace(ACTIVE, state_seq=13, scopes=over)
    for strategy in ("X", "Y", "Z"):
        pair.reopen(freed, strategy)


def test_old_and_foreign_pushes_change_nothing(pair: Pair) -> None:
    """H9, N7: a push of an older run or state, or of another account, is passed over."""
    for old in (
        msgspec.structs.replace(PAUSED, epoch=6),
        msgspec.structs.replace(PAUSED, state_seq=9),
        msgspec.structs.replace(PAUSED, account="B"),
    ):
        pair.guard.push(old)
    pair.guard.push(msgspec.structs.replace(ACTIVE, scopes=(ScopeState("strategy:Z", "PAUSED"),)))
    until(lambda: pair.code("Z") == "SCOPE")
    assert pair.code() == "OPEN"


def test_listener_hears_of_a_push_without_polling(pair: Pair) -> None:
    """A listener whose poll never comes is told by the push, and ends with its gate."""
    heard: list[bool] = []
    closed = threading.Event()

    def listen(answer: Permit | Refusal) -> None:
        heard.append(bool(answer))
        if not answer:
            closed.set()

    pair.gate.on_change(listen, poll_s=3600.0)
    until(lambda: heard == [True])
    pair.guard.push(PAUSED)
    assert closed.wait(DEADLINE_S)
    assert heard == [True, False]
