"""An event loop whose time jumps to the next timer, and a clock that reads it."""
# ruff: noqa: ANN401 - the shape that selectors have

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

WALL_START_NS = 1_700_000_000_000_000_000
BOOT_START_NS = 5_000_000_000_000
"""The boot clock starts well above 0, so that a forgotten 0 does not look like the present."""


class _Jump(selectors.BaseSelector):
    """Watches nothing: waiting for a while means that the while has passed."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.limit_ns = 1 << 62

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        if timeout > 0:
            # One nanosecond more, so that rounding a float never waits in place.
            self.now_ns += int(timeout * 1e9) + 1
            if self.now_ns > self.limit_ns:
                raise RuntimeError("virtual time is over")
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)

    def close(self) -> None:
        return


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs real asyncio code in no time; the same code gives the same order of events."""

    def __init__(self) -> None:
        self.jump = _Jump()
        super().__init__(self.jump)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.jump.now_ns / 1e9

    @property
    def now_ns(self) -> int:
        return self.jump.now_ns


class VirtualClock:
    """The shipped code's clock on a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def wall_ns(self) -> int:
        return WALL_START_NS + self._loop.now_ns

    def boot_ns(self) -> int:
        return BOOT_START_NS + self._loop.now_ns
