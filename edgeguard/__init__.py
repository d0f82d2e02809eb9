"""EdgeGuard: an independent kill switch for automated trading.

`Gate` and `Reporter` are what an execution engine needs; everything else runs by the `edgeguard`
command. Names are loaded on first use, so that importing the package costs the emergency path
nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeguard.gate import Gate, Permit, Refusal
    from edgeguard.reporter import Reporter
    from edgeguard.transport.keys import read_key

__version__ = "0.1.0"
__all__ = ["Gate", "Permit", "Refusal", "Reporter", "__version__", "read_key"]

_HOMES = {
    "Gate": "edgeguard.gate",
    "Permit": "edgeguard.gate",
    "Refusal": "edgeguard.gate",
    "Reporter": "edgeguard.reporter",
    "read_key": "edgeguard.transport.keys",
}


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    msg = f"module 'edgeguard' has no attribute {name!r}"
    raise AttributeError(msg)
