"""Ask an account's broker for a proof: one way for `edgeguard check` and for operations."""

from __future__ import annotations

from edgeguard.broker.check import Check
from edgeguard.broker.proving import PROOF_S, prove
from edgeguard.cli.locate import Place, is_absent


def proof_of(place: Place, account: str, timeout_s: float = PROOF_S) -> Check:
    """Return what the broker of `account` finds; a socket that is not there is not waited for.

    Raises:
        UnreachableError: no broker answers, or its terminal hangs.
        ConfigError: its keys cannot be used.
    """
    endpoint = place.paths.broker(account)
    keys = place.keys(endpoint, f"broker.{account}", "broker")
    return prove(endpoint, account, 0.0 if is_absent(endpoint) else timeout_s, keys)
