"""The one tree of exceptions, each with the exit code that it ends a command with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class EdgeGuardError(Exception):
    """Root of every exception that EdgeGuard raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(EdgeGuardError):
    """A command was called in a way it does not understand."""

    exit_code = 2


class ConfigError(EdgeGuardError):
    """The configuration is missing or wrong; `violations` has one sentence per fault."""

    exit_code = 3

    def __init__(self, violations: Sequence[str] | str) -> None:
        """Take every violation found, each a whole sentence."""
        self.violations: tuple[str, ...] = (
            (violations,) if isinstance(violations, str) else tuple(violations)
        )
        super().__init__("\n".join(self.violations))


class InUseError(EdgeGuardError):
    """A directory, socket, port or lock already belongs to another process."""

    exit_code = 4


class RefusedError(EdgeGuardError):
    """The command was understood and denied: rights, a stale halt id, a state not green."""

    exit_code = 5


class InputError(EdgeGuardError):
    """Recorded input cannot be read: names file, line and field."""

    exit_code = 6


class MalformedError(EdgeGuardError):
    """Bytes from a socket are no message of the vocabulary."""


class TerminalError(EdgeGuardError):
    """A terminal cannot be loaded or reached."""

    exit_code = 3


class StorageError(EdgeGuardError):
    """The journal or the latch could not be read or written; storage is untrusted from then on."""

    exit_code = 6


class UnreachableError(EdgeGuardError):
    """Nothing answered where a guard or a broker was expected."""

    exit_code = 14
