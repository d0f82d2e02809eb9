"""An independent witness of stalls: says when this machine, not EdgeGuard, stood still.

    python -m tests.process.stall_watch DIRECTORY PID...

It shares nothing with the guard but the machine. Thirty times a second it looks at three things and
prints what was long as a line of JSON, a `Stall`: its own sleep came back late; a write and
fdatasync to a file in DIRECTORY took long; a thread of a watched process was ready to run and
waited for a core, by the kernel's own count (``/proc/PID/task/*/schedstat``). It ends with its
standard input.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from pathlib import Path

import msgspec

from edgeguard.clock import NS_PER_MS, NS_PER_S
from tests.process.guard_rig import CLOCK

LOOK_NS = NS_PER_S // 30
OWN_NS_MIN = 100 * NS_PER_MS
DISK_NS_MIN = 100 * NS_PER_MS
QUEUED_NS_MIN = 20 * NS_PER_MS


class Stall(msgspec.Struct):
    """`kind`: own, disk or queued; `who` the process that waited for a core, 0 for the others."""

    kind: str
    who: int
    from_ns: int
    to_ns: int
    ns: int
    """How long within that time."""


def _say(stall: Stall) -> None:
    sys.stdout.write(msgspec.json.encode(stall).decode() + "\n")
    sys.stdout.flush()


def watch_disk(directory: Path) -> None:
    """Probe the disk for ever, on a thread of its own."""
    path = directory / "stall-watch"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    pause = threading.Event()
    while not pause.wait(0.1):
        begun_ns = CLOCK.boot_ns()
        os.pwrite(descriptor, begun_ns.to_bytes(8, "little"), 0)
        os.fdatasync(descriptor)
        ended_ns = CLOCK.boot_ns()
        if ended_ns - begun_ns >= DISK_NS_MIN:
            _say(Stall("disk", 0, begun_ns, ended_ns, ended_ns - begun_ns))


def queued_ns(pid: int) -> dict[str, int]:
    """Return how long each thread of a process has been ready and not on a core."""
    waits: dict[str, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            waits[task.name] = int((task / "schedstat").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return waits


def main() -> None:
    directory, pids = Path(sys.argv[1]), [int(pid) for pid in sys.argv[2:]]
    threading.Thread(target=watch_disk, args=(directory,), daemon=True).start()
    last_ns = CLOCK.boot_ns()
    last = {pid: queued_ns(pid) for pid in pids}
    while not select.select([sys.stdin], [], [], LOOK_NS / NS_PER_S)[0]:
        now_ns = CLOCK.boot_ns()
        late_ns = now_ns - last_ns - LOOK_NS
        if late_ns >= OWN_NS_MIN:
            _say(Stall("own", 0, last_ns, now_ns, late_ns))
        for pid in pids:
            try:
                waits = queued_ns(pid)
            except OSError:
                continue
            worst_ns = max(ns - last[pid].get(task, ns) for task, ns in waits.items())
            if worst_ns >= QUEUED_NS_MIN:
                _say(Stall("queued", pid, last_ns, now_ns, worst_ns))
            last[pid] = waits
        last_ns = now_ns


if __name__ == "__main__":
    main()
