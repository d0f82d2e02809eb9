"""``edgeguard notify test``: prove every channel now, without waiting for an emergency."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx

from edgeguard.clock import NS_PER_S, Clock
from edgeguard.config.model import Config
from edgeguard.notify.outbox import Delivery, Message, Outbox
from edgeguard.notify.senders import Sender, make_senders


async def test_channels(config: Config, outbox: Outbox, clock: Clock) -> dict[str, str]:
    """Send one message to every channel at once; return each one's error, empty where it arrived.

    Raises:
        ConfigError: a channel has no URL.
    """
    now_ns = clock.wall_ns()
    moment = datetime.fromtimestamp(now_ns / NS_PER_S, UTC)
    environment = config.guard.environment
    text = (
        f"EdgeGuard test\nEnvironment {environment}, {moment:%Y-%m-%d %H:%M} UTC. Nothing is wrong."
    )
    async with httpx.AsyncClient() as client:
        senders = make_senders(config.notify.channel, client)
        # It goes through the outbox, so that what is proven is the whole way; the running ops
        # process must not take it, so it is queued for nobody and settled here.
        message = Message(f"test:{now_ns}", "", "test", "P4", text, now_ns)
        outbox.put(message, [])
        errors = await asyncio.gather(*(_send(sender, text) for sender in senders.values()))
    for name, error in zip(senders, errors, strict=True):
        if not error:
            delivery = Delivery(0, name, "", "test", text, now_ns, 0, 0)
            outbox.arrived(delivery, clock.wall_ns())
    return dict(zip(senders, errors, strict=True))


async def _send(sender: Sender, text: str) -> str:
    outcome = await sender.send(text, "")
    return outcome.error
