"""The gate: the library inside an execution engine that answers "may I open risk now?".

    gate = Gate("/run/edgeguard", account="A")
    if permit := gate.check(symbol="EURUSD"):
        broker.open(..., permit)
    else:
        log.warning("not opened: %s", permit)

Exits, cancels and queries never ask. The gate fails closed: no guard, no page, a stale heartbeat or
anything unexpected is a refusal. A gate on a run directory is plain Python that needs no other
package; where the Rust extension is installed the check runs there. A gate on an endpoint
(``tcp://`` or ``ipc://``) needs pyzmq and msgspec, and holds an echo lease on its own clock.
"""

from edgeguard.gate.answers import Code, GateClosedError, Permit, Refusal
from edgeguard.gate.gate import Gate

__all__ = ["Code", "Gate", "GateClosedError", "Permit", "Refusal"]
