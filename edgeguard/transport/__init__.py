"""ZeroMQ for EdgeGuard: endpoints, sockets and the pump that drains them on an event loop.

Only this package (and the remote gate and the reporter) imports `zmq`. It needs neither uvloop nor
the Rust extension.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from edgeguard.transport.client import Client
from edgeguard.transport.endpoints import CurveKeys, check_endpoint, claim_ipc
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

if TYPE_CHECKING:
    from edgeguard.transport.doorman import Doorman, receive_named
    from edgeguard.transport.keys import Keyring
    from edgeguard.transport.pump import Pump, PumpSet

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
    "Doorman": "doorman",
    "Keyring": "keys",
    "Pump": "pump",
    "PumpSet": "pump",
    "receive_named": "doorman",
}


def __getattr__(name: str) -> object:
    """Load on first use what the emergency command has no time for, such as asyncio's pump."""
    if name in _HOMES:
        return getattr(import_module(f"edgeguard.transport.{_HOMES[name]}"), name)
    msg = f"module 'edgeguard.transport' has no attribute {name!r}"
    raise AttributeError(msg)
