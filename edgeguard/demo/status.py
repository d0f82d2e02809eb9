"""The demo's look at the guard: its status over the control socket, without ever waiting for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.transport.client import Client

LOOK_NS: Final = NS_PER_S // 5
"""Interval between two looks."""
ANSWER_S: Final = 0.5
Document = Mapping[str, Any]


class StatusWatch:
    """The last status document of a guard that may not run yet."""

    def __init__(self, endpoint: str, clock: Clock) -> None:
        """Connect, without waiting for anybody."""
        self._client = Client(endpoint, clock=clock)
        self._clock = clock
        self._due_ns = 0
        self.document: Document | None = None

    @property
    def state(self) -> str:
        """The worst state of all accounts, empty while nothing is known."""
        return "" if self.document is None else self.document["state"]

    @property
    def flatten(self) -> str:
        """The flatten status, empty while nothing is known."""
        return "" if self.document is None else self.document["flatten"]

    def counts(self) -> tuple[int, int] | None:
        """Return the numbers of positions and orders in the last snapshot."""
        if self.document is None:
            return None
        account = self.document["accounts"][0]
        return account["positions"], account["orders"]

    def why(self) -> str:
        """Return in a few words how things stand, for an error."""
        if self.document is None:
            return "the guard does not answer"
        gate = self.document["gate"]
        return f"{self.state}, flatten {self.flatten}: {gate['why']}"

    def look(self) -> None:
        """Fetch the status if it is time to."""
        now_ns = self._clock.boot_ns()
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + LOOK_NS
        command_id = self._client.command("status", operator="demo", reason="")
        for reply in self._client.replies(command_id, ANSWER_S):
            if reply.final and reply.stage == "done":
                self.document = json.loads(reply.body)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
