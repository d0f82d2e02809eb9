"""Ask a broker's parent to prove that the kill channel works; the client's side of its `check`."""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from edgeguard.broker.check import Check
from edgeguard.clock import SystemClock
from edgeguard.errors import UnreachableError
from edgeguard.messages import BrokerCommand
from edgeguard.transport.client import Client
from edgeguard.transport.endpoints import CurveKeys

PROOF_S: Final = 20.0
"""A proof takes a few reads a symbol; one that takes longer found a terminal that hangs."""


def prove(
    endpoint: str, account: str, timeout_s: float = PROOF_S, keys: CurveKeys | None = None
) -> Check:
    """Return what the parent of an account finds when it asks its terminal; nothing is traded.

    Blocks for up to `timeout_s` seconds; `keys` are needed where the parent listens on TCP.

    Raises:
        UnreachableError: no parent answers, or its terminal hangs.
    """
    now = SystemClock().wall_ns()
    command = BrokerCommand(account, secrets.token_hex(8), now, "check")
    with Client(endpoint, keys=keys) as client:
        client.send_broker(command)
        for event in client.broker_events(timeout_s):
            if event.kind == "check" and event.id == command.id:
                return msgspec.json.decode(event.body, type=Check)
    raise UnreachableError(
        f"no broker of {account} answered at {endpoint} within {timeout_s:g} s: start one with "
        "`edgeguard up`; a halt would start one by itself"
    )
