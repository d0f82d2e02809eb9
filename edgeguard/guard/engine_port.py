"""What the guard needs of the engine, so that a test may put another one in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

FLAG_DECISIONS: Final = 1
"""Decisions wait to be taken."""
FLAG_READ: Final = 2
"""A fresh read of the account is asked for, to confirm a marked breach."""
FLAG_MALFORMED: Final = 4
"""The payload was no message."""
FLAG_HOLE: Final = 8
"""Account, fills or errors lost a message."""
FLAG_IGNORED: Final = 16
"""The message was one of before."""


class Decision(Protocol):
    """One decision of the engine; times in ns since the Unix epoch."""

    @property
    def t_ns(self) -> int:
        """Receive time of the event behind it."""
        ...

    @property
    def account(self) -> str:
        """Whose it is."""
        ...

    @property
    def scope(self) -> str:
        """``account``, ``strategy:NAME`` or ``symbol:NAME``."""
        ...

    @property
    def trigger(self) -> str:
        """One of the five, or ``input``."""
        ...

    @property
    def action(self) -> str:
        """``warn``, ``pause``, ``release`` or ``halt``."""
        ...

    @property
    def code(self) -> str:
        """Stable code."""
        ...

    @property
    def value(self) -> str | None:
        """What was measured."""
        ...

    @property
    def threshold(self) -> str | None:
        """What it was compared with."""
        ...

    @property
    def reference(self) -> str | None:
        """What it was measured against."""
        ...

    @property
    def symbol(self) -> str | None:
        """The symbol it concerns."""
        ...

    def line(self) -> bytes:
        """Return the decision line, JSON without a newline."""
        ...


class EnginePort(Protocol):
    """The engine of all accounts; see `edgeguard._core.Engine`."""

    def on_frame(self, payload: bytes, t_ns: int, boot_ns: int, source: int, line: int) -> int:
        """Take one market message and return flags."""
        ...

    def on_ticks(self, payloads: list[bytes], begin: int, t_ns: int, boot_ns: int) -> int:
        """Take the tick batches from place `begin` on, up to the first that raises flags.

        A payload that is no batch of a stream which `on_frame` has taken before ends it too, and
        is left to the caller.

        Returns:
            The place behind the last one taken, times 256, plus the flags of that one.
        """
        ...

    def heard(self) -> Sequence[tuple[int, int]]:
        """Return the sources of tick streams, each with the boot time of its last batch."""
        ...

    def next_deadline_ns(self) -> int | None:
        """Return the boot time at which to call `advance` next; None while nothing is due."""
        ...

    def advance(self, t_ns: int, boot_ns: int, source: int, line: int) -> int:
        """Run what is due and return flags."""
        ...

    def register_source(self, name: str) -> int:
        """Return the number that stands for a source's name."""
        ...

    def take_decisions(self) -> Sequence[Decision]:
        """Return the decisions that wait, oldest first."""
        ...

    def status(self, account: str | None = None) -> bytes:
        """Return the engine's part of the status document, with one account alone if given."""
        ...

    def resume(self, account: str, t_ns: int, boot_ns: int) -> int:
        """Clear an account's halts after an operator's resume, and re-arm."""
        ...

    def would_fire(self, account: str) -> Sequence[Decision]:
        """Return the triggers that would fire at once."""
        ...

    def rebaseline(  # noqa: PLR0913  # a reference, by name
        self,
        account: str,
        *,
        t_ns: int,
        boot_ns: int,
        peak: str | None,
        day: str | None,
        transfers: str | None = None,
        provenance: str = "operator",
    ) -> int:
        """Set the peak or the day's reference by an operator's or history's word; return flags."""
        ...

    def release_pause(self, account: str, trigger: str | None, t_ns: int, boot_ns: int) -> int:
        """End an account's sticky pauses by an operator's word, and return flags."""
        ...

    def references(self) -> bytes:
        """Return what must survive a restart."""
        ...

    def load_references(self, data: bytes) -> None:
        """Take back what survived."""
        ...

    def baseline(self, account: str, symbol: str) -> bytes | None:
        """Return a symbol's spread samples, None without any."""
        ...

    def load_baseline(
        self, account: str, symbol: str, data: bytes, t_ns: int, boot_ns: int
    ) -> None:
        """Take a symbol's spread samples back."""
        ...

    def set_maintenance(self, account: str, until_boot_ns: int | None) -> None:
        """Suspend the engine-connection deadlines until then; never loss."""
        ...

    def silent_feed(
        self, account: str, limit_ns: int, t_ns: int, boot_ns: int
    ) -> tuple[str, int] | None:
        """Return the required feed that is silent beyond the limit, and for how many ns."""
        ...


def figures_of(engine: EnginePort, account: str) -> dict[str, Any]:
    """Return what the engine's status says of one account, nothing where it does not know it."""
    document: dict[str, Any] = msgspec.json.decode(engine.status(account))
    rows: list[dict[str, Any]] = document.get("accounts") or []
    nothing: dict[str, Any] = {}
    return next((row for row in rows if row.get("id") == account), nothing)
