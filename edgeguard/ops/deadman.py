"""The outbound dead man's switch: a URL that is called while the kill channel is proven.

When this machine, its guard or its terminal dies, the calls stop, and whoever watches that URL (a
healthchecks-style service) raises the alarm from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from edgeguard.clock import NS_PER_S, Clock

IsProven = Callable[[], Awaitable[bool]]


class Deadman:
    """Calls the URL at each interval, if that call has been earned."""

    def __init__(
        self, url: str, every_s: int, client: httpx.AsyncClient, is_proven: IsProven, clock: Clock
    ) -> None:
        """Call `url` every `every_s` seconds while `is_proven`."""
        self._url = url
        self._every_s = every_s
        self._client = client
        self._is_proven = is_proven
        self._clock = clock
        self.called_ns = 0
        """When it was last called with success, wall ns."""
        self.error = ""
        """Why the last call was not made or failed, empty if it did not."""

    async def run(self) -> None:
        """Call until cancelled."""
        while True:
            start_ns = self._clock.boot_ns()
            await self.call()
            spent_s = (self._clock.boot_ns() - start_ns) / NS_PER_S
            await asyncio.sleep(max(0.0, self._every_s - spent_s))

    async def call(self) -> None:
        """Make one call, if it is earned."""
        if not await self._is_proven():
            self.error = "not called: the kill channel is not proven"
            return
        try:
            async with asyncio.timeout(min(10, self._every_s)):
                answer = await self._client.get(self._url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as e:
            self.error = type(e).__name__
            return
        if answer.is_success:
            self.called_ns, self.error = self._clock.wall_ns(), ""
        else:
            self.error = f"answered {answer.status_code}"
