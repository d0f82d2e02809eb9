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
    from edgeguard.transport.pump import Pump, PumpSet

__all__ = [
    "FEED_HWM",
    "Client",
    "Context",
    "CurveKeys",
    "Pump",
    "PumpSet",
    "Socket",
    "check_endpoint",
    "claim_ipc",
    "dealer",
    "make_context",
    "publisher",
    "puller",
    "router",
    "subscriber",
]


def __getattr__(name: str) -> object:
    """Load the pump on first use: it needs asyncio, which the emergency command has no time for."""
    if name in {"Pump", "PumpSet"}:
        return getattr(import_module("edgeguard.transport.pump"), name)
    msg = f"module 'edgeguard.transport' has no attribute {name!r}"
    raise AttributeError(msg)
