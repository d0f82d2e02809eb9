"""Who else used the processors while a run was measured."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STAT: Final = Path("/proc/stat")
DIRTY_ABOVE: Final = 0.05
"""A run is dirty when others used more than this share of one core."""


class CpuMeter:
    """Measures the share of one core that processes other than ours used.

    Ours are this process, its children that have ended, and the live ones that are named.
    """

    def __init__(self, pids: Iterable[int] = ()) -> None:
        """Start measuring."""
        self._pids = tuple(pids)
        self._begun = time.perf_counter()
        self._busy = busy_seconds()
        self._own = self._own_seconds()

    def others(self) -> float:
        """Return the share of one core that others have used since the start."""
        elapsed = time.perf_counter() - self._begun
        used = busy_seconds() - self._busy - (self._own_seconds() - self._own)
        return max(used, 0.0) / max(elapsed, 1e-9)

    def _own_seconds(self) -> float:
        times = os.times()
        ended = times.user + times.system + times.children_user + times.children_system
        return ended + sum(process_seconds(pid) for pid in self._pids)


def busy_seconds() -> float:
    """Return the seconds that all cores together have been busy or stolen since boot."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(
        int, _STAT.read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / _TICKS


def process_seconds(pid: int) -> float:
    """Return the processor time of a live process, 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
