"""ZeroMQ for EdgeGuard: endpoints, sockets and the pump that drains them on an event loop.

Only this package (and the remote gate and the reporter) imports `zmq`. It needs neither uvloop nor
the Rust extension.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeguard.transport.client import Client
    from edgeguard.transport.doorman import Doorman, receive_named
    from edgeguard.transport.endpoints import CurveKeys, check_endpoint, claim_ipc
    from edgeguard.transport.keys import Keyring
    from edgeguard.transport.pump import Pump, PumpSet
    from edgeguard.transport.sockets import (
        FEED_HWM,
        Context,
        Socket,
        dealer,
        make_context,
        publisher,
        puller,
        router,
        subscriber,
    )

__all__ = [
    "FEED_HWM",
    "Client",
    "Context",
    "CurveKeys",
    "Doorman",
    "Keyring",
    "Pump",
    "PumpSet",
    "Socket",
    "check_endpoint",
    "claim_ipc",
    "dealer",
    "make_context",
    "publisher",
    "puller",
    "receive_named",
    "router",
    "subscriber",
]


_HOMES = {
    "Client": "client",
    "CurveKeys": "endpoints",
    "Doorman": "doorman",
    "Keyring": "keys",
    "Pump": "pump",
    "PumpSet": "pump",
    "check_endpoint": "endpoints",
    "claim_ipc": "endpoints",
    "receive_named": "doorman",
}
"""The module of each name; those of sockets are not listed."""


def __getattr__(name: str) -> object:
    """Load a name on first use: the emergency command has no time for zmq and asyncio."""
    if name in __all__:
        return getattr(import_module(f"edgeguard.transport.{_HOMES.get(name, 'sockets')}"), name)
    msg = f"module 'edgeguard.transport' has no attribute {name!r}"
    raise AttributeError(msg)
