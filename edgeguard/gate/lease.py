"""A remote gate's lease: the pure machine that turns echoes and pushes into an answer.

The twin of `core_rs/src/lease.rs`, for hosts without the extension; tests compare the two. The gate
pings with its own clock and the guard echoes that stamp with the full state. A lease runs from the
stamp of the *ping*, so neither buffering nor the guard's clock can make an old word look fresh. A
lost lease closes and reopens on good echoes; a halt latches.

A push is the guard's state unasked, sent when it closes. It has no stamp of this gate's clock, so
nobody knows its age: it closes and never opens, and proves nothing of the lease. What it closed an
echo opens whose ping left after the push had arrived: the guard made that one later.
"""

from __future__ import annotations

from typing import Final, NamedTuple

GOOD_MIN: Final = 3
"""Echoes in a row that reopen a gate."""
LOST_NS_MAX: Final = 30_000_000_000
"""A gate that was lost for longer needs a handshake: echoes of pings sent after it knew."""
LATCHED_MAX: Final = 64


class Beat(NamedTuple):
    """The guard's state as an echo or a push carries it."""

    epoch: int
    state_seq: int
    state: str
    hole: bool
    halt_id: str
    resumed: list[str]

    def code(self) -> str:
        """Return what this state alone says of the account, ``OPEN`` for a permit."""
        if self.state == "HALTED":
            return "HALTED"
        if self.hole:
            return "HOLE"
        return {"ACTIVE": "OPEN", "PAUSED": "PAUSED"}.get(self.state, "STARTING")


class Told(NamedTuple):
    """What a push said, until an echo answers that was asked for after it had arrived."""

    epoch: int
    state_seq: int
    at_ns: int
    code: str


class Lease:
    """One gate's lease on one account; times in ns of the gate's own clock."""

    def __init__(self, lease_ns: int) -> None:
        """Make a closed lease."""
        self._lease_ns = lease_ns
        self._beat: Beat | None = None
        self._told: Told | None = None
        self._sent_ns = 0
        self._good = 0
        self._closed_since_ns: int | None = None
        self._handshake_after_ns: int | None = None
        self._latched: list[str] = []

    def on_echo(self, sent_ns: int, now_ns: int, beat: Beat) -> bool:
        """Take an echo of a ping sent at `sent_ns` that arrived at `now_ns`.

        Returns:
            Whether it was news: not older than what is known, not of a run that a later one has
            replaced, and not past its lease already.
        """
        if self._is_old(sent_ns, beat):
            return False
        known = self._beat.epoch if self._beat is not None else -(2**63)
        self._latched = [halt for halt in self._latched if halt not in beat.resumed]
        self._latch(beat)
        if now_ns - sent_ns >= self._lease_ns:
            return False
        was_lost = self._is_lost(now_ns)
        if was_lost and self._closed_since_ns is None:
            self._closed_since_ns = self._sent_ns + self._lease_ns
        lost_ns = 0 if self._closed_since_ns is None else now_ns - self._closed_since_ns
        is_new_run = self._beat is None or beat.epoch > known
        if is_new_run or (lost_ns > LOST_NS_MAX and self._handshake_after_ns is None):
            # What is in flight was asked before this gate knew that it had to ask anew.
            self._handshake_after_ns = now_ns
            self._good = 0
        if was_lost:
            self._good = 0
        self._beat = beat
        self._sent_ns = sent_ns
        self._answer_told(sent_ns)
        if self._handshake_after_ns is None or sent_ns >= self._handshake_after_ns:
            self._good += 1
        if self._good >= GOOD_MIN:
            self._closed_since_ns = None
            self._handshake_after_ns = None
        return True

    def on_push(self, now_ns: int, beat: Beat) -> bool:
        """Take a state that the guard sent unasked and that arrived at `now_ns`; it closes alone.

        Returns:
            Whether it was news: not older than what is known.
        """
        if (beat.epoch, beat.state_seq) < self._newest():
            return False
        self._latch(beat)
        code = beat.code()
        if code == "OPEN" and self._told is not None:
            # A push that leaves the account open does not take back what another has closed.
            code = self._told.code
        self._told = Told(beat.epoch, beat.state_seq, now_ns, code)
        return True

    def is_told(self) -> bool:
        """Return whether a push stands: no echo that was asked for after it has arrived."""
        return self._told is not None

    def check(self, now_ns: int) -> str:
        """Return the code at `now_ns`, ``OPEN`` for a permit."""
        if self._latched:
            return "HALTED"
        beat = self._beat
        if beat is None:
            return "MISSING"
        if self._is_lost(now_ns) or self._good < GOOD_MIN:
            return "STALE"
        if self._told is not None and self._told.code != "OPEN":
            return self._told.code
        return beat.code()

    def latched(self) -> list[str]:
        """Return the halts that this gate has seen and no resume has lifted."""
        return list(self._latched)

    def _is_lost(self, now_ns: int) -> bool:
        return now_ns - self._sent_ns >= self._lease_ns

    def _is_old(self, sent_ns: int, beat: Beat) -> bool:
        """Return whether an echo is of a run that was replaced, or was asked for too early."""
        is_fenced = beat.epoch < self._newest()[0]
        return is_fenced or (self._beat is not None and sent_ns <= self._sent_ns)

    def _answer_told(self, sent_ns: int) -> None:
        """Let go of a push where an echo of a ping sent at `sent_ns` was asked for after it."""
        if self._told is not None and sent_ns > self._told.at_ns:
            self._told = None

    def _newest(self) -> tuple[int, int]:
        """Return run and number of the newest state that is known."""
        known = [(word.epoch, word.state_seq) for word in (self._beat, self._told) if word]
        return max(known, default=(-(2**63), -(2**63)))

    def _latch(self, beat: Beat) -> None:
        is_new = beat.halt_id not in self._latched
        if beat.state == "HALTED" and is_new and len(self._latched) < LATCHED_MAX:
            self._latched.append(beat.halt_id)
