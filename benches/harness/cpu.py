"""Who else used the processors while a run was measured."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STAT: Final = Path("/proc/stat")
DIRTY_ABOVE: Final = 0.05
"""A run is dirty when others used more than this share of one core."""


class CpuMeter:
    """Measures the share of one core that processes other than ours used.

    Ours are this process and whatever it has started, directly or not: those that live, and those
    that have ended and were waited for. Whoever started this process (make, a shell) only waits for
    it, and is somebody else if it does not.
    """

    def __init__(self) -> None:
        """Start measuring."""
        self._begun = time.perf_counter()
        self._sampled, self._idle = _stat_seconds()
        self._own = self._own_seconds()

    def own(self) -> float:
        """Return the processor seconds that were ours since the start."""
        return self._own_seconds() - self._own

    def others(self) -> float:
        """Return the share of one core that others have used since the start.

        The lesser of two readings, neither of which is right alone: the kernel samples who is busy
        at its timer's ticks, which errs either way in a short run; idle time is exact, but what
        our wake-ups cost between idle and running would be charged to others.
        """
        elapsed = time.perf_counter() - self._begun
        sampled, idle = _stat_seconds()
        not_idle = elapsed * (os.cpu_count() or 1) - (idle - self._idle)
        used = min(sampled - self._sampled, not_idle) - self.own()
        return max(used, 0.0) / max(elapsed, 1e-9)

    def _own_seconds(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        here = time.process_time() + ended.ru_utime + ended.ru_stime
        return here + sum(process_seconds(pid) for pid in descendants(os.getpid()))


def _stat_seconds() -> tuple[float, float]:
    """Return the seconds since boot, of all cores, that were sampled busy or stolen, and idle."""
    user, nice, system, idle, wait, irq, soft, steal = map(
        int, _STAT.read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / _TICKS, (idle + wait) / _TICKS


def process_seconds(pid: int) -> float:
    """Return the processor time of a live process, 0 once it is gone.

    Its threads tell theirs in nanoseconds; the process's own sum is in ticks of 10 ms, but has
    also what ended threads used. With it counts what its own children used that it waited for.
    """
    place = Path(f"/proc/{pid}")
    try:
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        threads = [int(one.read_text().split()[0]) for one in place.glob("task/*/schedstat")]
    except OSError:
        return 0.0
    used, of_children = (sum(map(int, fields[at : at + 2])) / _TICKS for at in (11, 13))
    return max(used, sum(threads) / 1e9) + of_children


def descendants(pid: int) -> list[int]:
    """Return the live processes that a process has started, and those that they have."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(place.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found
