"""Bugs planted on purpose, each behind its name: the simulation has to find every one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

PLANTS: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {}


@contextlib.contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant one bug, or none."""
    if name is None:
        yield
        return
    with PLANTS[name]():
        yield
