"""Simulate a MetaTrader 5 terminal and its broker: same surface, same manners, switchable faults.

NOT FOR REAL TRADING. The server is a pure object under a caller's clock; api.py puts the vendor's
functions on it; process.py makes it a process of its own; module/ installs it as MetaTrader5.
"""

from edgeguard.broker.paper.api import FUNCTIONS, PaperTerminal
from edgeguard.broker.paper.client import PaperControl, SocketConnection
from edgeguard.broker.paper.connection import Connection, LocalConnection
from edgeguard.broker.paper.errors import HungError, IpcError
from edgeguard.broker.paper.faults import FAULT_NAMES, FaultPlan, FaultRule
from edgeguard.broker.paper.local import local_terminal
from edgeguard.broker.paper.module import install_as_metatrader5
from edgeguard.broker.paper.server import PaperServer
from edgeguard.broker.paper.spec import (
    AccountSpec,
    ClockSpec,
    PaperSpec,
    SymbolSpec,
    TerminalSpec,
    dump_spec,
    load_spec,
)

__all__ = [
    "FAULT_NAMES",
    "FUNCTIONS",
    "AccountSpec",
    "ClockSpec",
    "Connection",
    "FaultPlan",
    "FaultRule",
    "HungError",
    "IpcError",
    "LocalConnection",
    "PaperControl",
    "PaperServer",
    "PaperSpec",
    "PaperTerminal",
    "SocketConnection",
    "SymbolSpec",
    "TerminalSpec",
    "dump_spec",
    "install_as_metatrader5",
    "load_spec",
    "local_terminal",
]
