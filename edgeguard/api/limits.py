"""How much one address may ask; an authorised halt is never counted."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from edgeguard.clock import NS_PER_S, Clock

ADDRESSES_MAX: Final = 4096
"""Addresses remembered; the one that was quiet longest is forgotten."""
BURST: Final = 4
"""Seconds' worth of requests that may come at once."""


class RateLimit:
    """A bucket of requests for each address, filled at a steady rate."""

    def __init__(self, per_s: int, clock: Clock) -> None:
        """Allow `per_s` requests a second in the long run."""
        self._per_s = per_s
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def takes(self, address: str) -> bool:
        """Count one request; tell whether it is within the limit."""
        now_ns = self._clock.boot_ns()
        full = float(self._per_s * BURST)
        left, then_ns = self._buckets.pop(address, (full, now_ns))
        left = min(full, left + (now_ns - then_ns) * self._per_s / NS_PER_S)
        is_within = left >= 1
        self._buckets[address] = (left - 1 if is_within else left, now_ns)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        return is_within
