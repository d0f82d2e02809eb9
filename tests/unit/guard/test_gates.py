"""Who is told unasked: whoever asked lately, up to a bound, and nobody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from edgeguard.clock import NS_PER_MS, NS_PER_S, ManualClock
from edgeguard.codec.native import decode, encode
from edgeguard.guard.accounts import GuardedAccount
from edgeguard.guard.gates import GATES_MAX, Gates
from edgeguard.guard.parts import Parts
from edgeguard.messages import Echo, Ping, StateBeat
from edgeguard.transport import PumpSet, Socket
from edgeguard.transport.pump import OnFrames

LEASE_MS = 1000


def beat_of(account: str) -> StateBeat:
    """Return an account's state."""
    return StateBeat(account, 1, 1, 1, 1, "PAUSED", 2, 2, "NONE", None, "why")


class Door:
    """A gate socket that nobody is connected to, and what was sent there."""

    def __init__(self) -> None:
        self.clock = ManualClock(0, NS_PER_S)
        self.sent: list[tuple[bytes, object]] = []
        self.kicks = 0
        self.may_open = True
        parts = SimpleNamespace(
            config=SimpleNamespace(guard=SimpleNamespace(lease_ms=LEASE_MS)),
            accounts={name: SimpleNamespace(id=name) for name in ("A", "B")},
            clock=self.clock,
            now=lambda: (self.clock.wall_ns(), self.clock.boot_ns()),
        )
        self.gates = Gates(
            cast("Socket", SimpleNamespace(send_multipart=self._send)),
            cast("Parts", parts),
            lambda account: beat_of(account.id),
            lambda _account, _boot_ns: self.may_open,
        )
        self.gates.start(cast("PumpSet", SimpleNamespace(add=self._add)))

    def ping(self, gate: bytes, account: str = "A") -> list[tuple[bytes, object]]:
        """Let a gate ping; return what it is answered."""
        self._on_frames([gate, encode(Ping(account, b"n", 1))])
        return self.taken()

    def push(self, account: str = "A", *actions: str) -> list[bytes]:
        """Let an account's state change; return who was told, each once with that state."""
        changed = cast("GuardedAccount", SimpleNamespace(id=account))
        self.gates.on_told(changed, actions or ("release", "pause"))
        told = self.taken()
        assert all(message == beat_of(account) for _, message in told)
        return [gate for gate, _ in told]

    def taken(self) -> list[tuple[bytes, object]]:
        """Return what was sent since."""
        sent, self.sent = self.sent, []
        return sent

    def _add(self, _socket: object, on_frames: OnFrames) -> object:
        self._on_frames = on_frames
        return SimpleNamespace(kick=self._kick)

    def _kick(self) -> None:
        self.kicks += 1

    def _send(self, frames: tuple[bytes, bytes], _flags: int) -> None:
        self.sent.append((frames[0], decode(frames[1])))


def test_push_goes_to_gates_of_the_account_that_pinged_within_a_lease() -> None:
    """P2: who never asked, asked for another account or fell silent is not told."""
    door = Door()
    assert door.push() == []
    assert door.kicks == 0, "with no gate nothing is done"
    door.ping(b"old")
    door.clock.advance(LEASE_MS * NS_PER_MS // 2)
    door.ping(b"one")
    door.ping(b"two")
    door.ping(b"other", "B")
    door.clock.advance(LEASE_MS * NS_PER_MS // 2)
    assert door.push() == [b"one", b"two"]
    assert door.kicks == 1, "a send on a duplex socket may swallow an edge"
    assert door.push("B") == [b"other"]
    assert door.push("A", "release", "resume") == [], "a push cannot open"
    assert door.push("A", "halt") == [b"one", b"two"]
    door.clock.advance(LEASE_MS * NS_PER_MS)
    assert door.push() == []


def test_gates_beyond_the_bound_are_echoed_and_not_told() -> None:
    """P2: the guard remembers so many gates; the room of one that fell silent is another's."""
    door = Door()
    names = [b"%d" % number for number in range(GATES_MAX + 5)]
    for name in names:
        assert [gate for gate, _ in door.ping(name)] == [name]
    assert door.push() == names[:GATES_MAX]
    door.clock.advance(LEASE_MS * NS_PER_MS // 2)
    for name in names[1:GATES_MAX]:
        door.ping(name)
    door.clock.advance(LEASE_MS * NS_PER_MS // 2)
    door.ping(b"late")
    door.ping(b"later")
    assert door.push() == [*names[1:GATES_MAX], b"late"]


def test_push_needs_no_earned_beat_and_echoes_end_with_the_guard() -> None:
    """P3: a word that closes need not be earned, one that holds open must, and none comes after."""
    door = Door()
    assert isinstance(door.ping(b"one")[0][1], Echo)
    door.may_open = False
    assert door.ping(b"one") == []
    assert door.push() == [b"one"]
    door.may_open = True
    door.gates.end(beat_of("A"))
    assert door.taken() == [(b"one", beat_of("A"))]
    assert door.ping(b"one") == []
