"""Give a paper terminal in this process on the machine's clock, for notebooks and quick trials.

Anything that must survive its caller uses the process instead, as the real terminal is one.
"""

import time

from edgeguard.broker.paper import presets
from edgeguard.broker.paper.api import PaperTerminal
from edgeguard.broker.paper.connection import LocalConnection
from edgeguard.broker.paper.server import PaperServer
from edgeguard.broker.paper.spec import PaperSpec
from edgeguard.clock import NS_PER_S, Clock, SystemClock


def local_terminal(
    spec: PaperSpec | None = None, clock: Clock | None = None
) -> tuple[PaperTerminal, PaperServer]:
    """Return a terminal, not initialised yet, and the server behind it.

    Args:
        spec: The account and symbols; the hedging preset by default.
        clock: The machine's by default; delays of faults really pass then.

    Returns:
        The terminal to trade on and the server to bring ticks and faults to.
    """
    used = SystemClock() if clock is None else clock
    server = PaperServer(presets.hedging() if spec is None else spec, used.wall_ns())

    def sleep_ns(duration_ns: int) -> None:
        if clock is None:
            time.sleep(duration_ns / NS_PER_S)

    return PaperTerminal(LocalConnection(server, used.wall_ns, sleep_ns)), server
