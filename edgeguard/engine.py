"""The trigger engine for everything above it: the one module that imports the compiled half for it.

`Engine` takes frames and clocks and returns decisions; its manual is `edgeguard/_core.pyi`. The
flags that a call returns are the bits of `Flag`.
"""

from __future__ import annotations

from enum import IntFlag

from edgeguard._core import Decision, Engine

__all__ = ["Decision", "Engine", "Flag"]


class Flag(IntFlag):
    """What a call on the engine tells its caller."""

    DECISIONS = 1
    """Decisions wait for `Engine.take_decisions`."""
    FRESH_READ = 2
    """A breach by marked equity waits for a fresh read of the account."""
    MALFORMED = 4
    """The payload was no message of the vocabulary, or of an account that is not configured."""
    HOLE = 8
    """Fills, account snapshots, errors or transfers are missing before this message (live)."""
    IGNORED = 16
    """The message's sequence number was there already."""
