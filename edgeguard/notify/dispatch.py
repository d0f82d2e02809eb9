"""Sending what the outbox holds: one task for each channel, so that a hung one delays no other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from edgeguard.clock import Clock
from edgeguard.notify.outbox import Delivery, Outbox
from edgeguard.notify.senders import Outcome, Sender
from edgeguard.notify.splitting import split

LOOK_S: Final = 0.5
"""How often a channel looks for deliveries that have become due."""


class Dispatcher:
    """Takes deliveries to their channels."""

    def __init__(self, outbox: Outbox, senders: Mapping[str, Sender], clock: Clock) -> None:
        """Send by `senders`, named like the outbox's channels."""
        self._outbox = outbox
        self._senders = senders
        self._clock = clock
        self._more = asyncio.Event()

    def wake(self) -> None:
        """Look at once: something was put in."""
        # A new event for the next wait: one that stays set would be waited for without end.
        self._more.set()
        self._more = asyncio.Event()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rest())
            for channel in self._senders:
                group.create_task(self._serve(channel))

    async def send_due(self, channel: str) -> bool:
        """Send one channel's oldest due delivery; return whether there was one."""
        delivery = self._outbox.due(channel, self._clock.wall_ns())
        if delivery is None:
            return False
        outcome = await self._send(delivery, self._senders[channel])
        now_ns = self._clock.wall_ns()
        if outcome.error:
            self._outbox.failed(
                delivery, now_ns, outcome.error, after_s=outcome.after_s, final=outcome.final
            )
        else:
            self._outbox.arrived(delivery, now_ns)
        return True

    async def _send(self, delivery: Delivery, sender: Sender) -> Outcome:
        parts = split(delivery.text, sender.units_max)
        for number in range(delivery.parts, len(parts)):
            is_last = number == len(parts) - 1
            ack = delivery.incident if is_last and delivery.kind == "alert" else ""
            outcome = await sender.send(parts[number], ack)
            if outcome.error:
                return outcome
            self._outbox.part_arrived(delivery, number + 1)
        return Outcome()

    async def _serve(self, channel: str) -> None:
        while True:
            more = self._more
            if not await self.send_due(channel):
                await more.wait()

    async def _rest(self) -> None:
        """Wake every channel now and then, because waits come to their end."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.wake()
