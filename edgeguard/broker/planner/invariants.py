"""Promises that the planner holds itself to: breaking one stops the process before it sends."""

from __future__ import annotations

from typing import TypeVar

from edgeguard.errors import EdgeGuardError

T = TypeVar("T")


class BrokenInvariantError(EdgeGuardError):
    """The planner was about to do what it must never do; a restart starts from evidence."""


def hold(condition: bool, promise: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Insist on a promise, also where Python runs without assertions.

    Raises:
        BrokenInvariantError: the promise is broken.
    """
    if not condition:
        raise BrokenInvariantError(promise)


def there(value: T | None, what: str) -> T:
    """Return a value that must be there.

    Raises:
        BrokenInvariantError: it is not.
    """
    if value is None:
        raise BrokenInvariantError(f"{what} must be there")
    return value
