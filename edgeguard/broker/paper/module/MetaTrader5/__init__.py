"""Stand in for the vendor's MetaTrader5 package over a paper terminal's process.

Put the folder above on the import path of any client. EDGEGUARD_PAPER_SOCKET names the process's
socket; EDGEGUARD_PAPER_LAUNCH, if set, is the command that initialize() starts it with.
"""

import os
import shlex
import sys

from edgeguard.broker.paper.api import PaperTerminal
from edgeguard.broker.paper.client import SocketConnection
from edgeguard.broker.paper.module import make_core, package_names

_terminal = PaperTerminal(
    SocketConnection(
        os.environ.get("EDGEGUARD_PAPER_SOCKET", ""),
        launch=shlex.split(os.environ.get("EDGEGUARD_PAPER_LAUNCH", "")),
        hold_gil=os.environ.get("EDGEGUARD_PAPER_HOLD_GIL", "") == "1",
    )
)
globals().update(package_names(_terminal))
# Importable as the vendor's compiled module is, although this folder has no such file.
_core = sys.modules[f"{__name__}._core"] = make_core(_terminal)
