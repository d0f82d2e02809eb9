"""Ports of loopback for servers that a test starts a while after it has chosen them."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

LOW = 10_000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, and that the kernel gives to nobody by itself.

    A port that is asked of the kernel and let go again is one of those that it deals out: until
    the server has it, any connection of this host may get it as its own end.
    """
    high = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    candidates = list(range(LOW, high) if high > LOW + count else range(LOW, 65_536))
    random.SystemRandom().shuffle(candidates)
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = candidates.pop()
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found
