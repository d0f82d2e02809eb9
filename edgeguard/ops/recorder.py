"""The last minutes of the market in memory, for the tape of an incident.

Publishers that also connect to `Paths.tap` are heard there; feeds that bind their own
endpoint are subscribed to. Whatever is lost here is lost to the tape alone.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.codec.peek import peek
from edgeguard.config.model import Config, FeedConfig

TAG_SYMBOL_FACTS: Final = 8
FACTS_MAX: Final = 4096
BYTES_PER_MB: Final = 1_000_000
OVERHEAD_BYTES: Final = 120
"""What a kept frame costs beside its payload."""


def recorded_feeds(config: Config) -> list[FeedConfig]:
    """Return the feeds that can be recorded at their own endpoints."""
    return [feed for feed in config.feed if feed.endpoint and feed.codec == "native"]


class Recorder:
    """A ring of frames, bounded in time and bytes."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Keep what `[incident]` says."""
        incident = config.incident
        self._span_ns = incident.evidence_minutes * 60 * NS_PER_S
        self._bytes_max = incident.evidence_mb * BYTES_PER_MB
        self._clock = clock
        self._ring: deque[tuple[int, bytes]] = deque()
        self._facts: dict[bytes, bytes] = {}
        self._bytes = 0

    def on_frames(self, frames: list[bytes]) -> None:
        """Take one message: any frames before the payload are topics."""
        payload = frames[-1]
        head = peek(payload)
        if head is None:
            return
        now_ns = self._clock.wall_ns()
        if head.tag == TAG_SYMBOL_FACTS and len(self._facts) < FACTS_MAX:
            # Facts are published once; a tape without them would lack digits and contract size.
            self._facts[frames[0] + payload[-64:]] = payload
        self._ring.append((now_ns, payload))
        self._bytes += len(payload) + OVERHEAD_BYTES
        while self._ring and (
            self._bytes > self._bytes_max or self._ring[0][0] < now_ns - self._span_ns
        ):
            _, oldest = self._ring.popleft()
            self._bytes -= len(oldest) + OVERHEAD_BYTES

    def frames(self) -> list[tuple[int, bytes]]:
        """Return what is kept, oldest first, the symbols' facts in front."""
        ring = list(self._ring)
        if not ring:
            return []
        kept = {payload for _, payload in ring}
        start_ns = ring[0][0]
        facts = [(start_ns, payload) for payload in self._facts.values() if payload not in kept]
        return [*facts, *ring]
