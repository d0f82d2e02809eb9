"""ZeroMQ for EdgeGuard: endpoints, sockets and the pump that drains them on an event loop.

Only this package (and the remote gate and the reporter) imports `zmq`. It needs neither uvloop nor
the Rust extension.
"""

from edgeguard.transport.client import Client
from edgeguard.transport.endpoints import CurveKeys, check_endpoint, claim_ipc
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
