"""Who may give which command, and the record of what was refused."""

from __future__ import annotations

from collections import Counter
from typing import Final

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.errors import RefusedError
from edgeguard.guard.storage import Storage
from edgeguard.messages import Command
from edgeguard.transport import Doorman

RIGHT_OF: Final = {
    "halt": "halt",
    "pause": "halt",
    "resume": "resume",
    "acknowledge": "resume",
    "rebaseline": "resume",
    "maintenance": "resume",
}
"""The right that each command needs; any other verb is open to everybody who was let in."""
ROW_NS: Final = NS_PER_S
"""Refusals of one kind within this time are one row of the journal: a flood fills no disk."""


class Refusals:
    """Judges rights, and counts and writes down what was not allowed."""

    def __init__(self, storage: Storage, clock: Clock, doorman: Doorman) -> None:
        """Take the journal, the clock and who was let in."""
        self._storage = storage
        self._clock = clock
        self._doorman = doorman
        self._counts: Counter[str] = Counter()
        self._written_ns: dict[str, int] = {}

    def check(self, peer: str, command: Command) -> None:
        """Refuse a command for which a peer lacks the right.

        Raises:
            RefusedError: it lacks it.
        """
        right = RIGHT_OF.get(command.verb)
        held = self._doorman.rights(peer)
        if right is None or right in held:
            return
        self.note("rights", peer, command)
        raise RefusedError(
            f"{command.verb} must be ordered by a peer with the right {right}, was by "
            f"{peer or 'nobody'} with {', '.join(sorted(held)) or 'none'}"
        )

    def note(self, cause: str, peer: str, command: Command) -> None:
        """Count a refused command, and write it down unless one just like it was."""
        self._counts[cause] += 1
        boot_ns = self._clock.boot_ns()
        if boot_ns - self._written_ns.get(cause, -ROW_NS) >= ROW_NS:
            self._written_ns[cause] = boot_ns
            body = {"cause": cause, "peer": peer, "command": command, "count": self._counts[cause]}
            self._storage.append("refused", body)

    def counts(self) -> dict[str, int]:
        """Return how many connections and commands were refused, by cause."""
        return dict(self._doorman.refused + self._counts)
