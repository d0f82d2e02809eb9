"""What a halt comes to on disks that fail, wait or refuse, with the times at which it was told.

    make disk-faults

The times are for comparison with the first line, which traces and changes nothing: tracing itself
slows the guard down.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.process.disk_rig import BOTH, JOURNAL, LATCH, STRACE, Halted, failing, files_of
from tests.process.guard_rig import make_config, running

DELAY = "delay_enter=3000000:when=1"
SYNCS = "fdatasync,fsync"
TIMEOUT_S = 5.0


def cases() -> list[tuple[str, str, str]]:
    """Return what fails, how, and on which copy of the latch."""
    found = [("nothing", "", BOTH)]
    found += [
        (f"{error} {often}", f"error={error}:when={when}", target)
        for target in (JOURNAL, LATCH, BOTH)
        for error in ("EIO", "ENOSPC", "EROFS")
        for often, when in (("once", "1"), ("for ever", "1+"))
    ]
    found += [("first sync takes 3 s", DELAY, target) for target in (JOURNAL, LATCH, BOTH)]
    return found


def main() -> int:
    if STRACE is None:
        sys.stderr.write("strace is needed: apt-get install strace\n")
        return 1
    say = sys.stdout.write
    say(f"{'what':<22} {'on':<8} stopped ms  told ms  first word     last words\n")
    for what, inject, target in cases():
        with (
            tempfile.TemporaryDirectory(prefix="edgeguard-disk-") as place,
            running(make_config(Path(place))) as world,
        ):
            process = world.guard.process
            assert process is not None
            calls = SYNCS if "delay" in inject else f"pwrite64,{SYNCS}"
            with failing(process.pid, inject, files_of(world, target), calls=calls):
                halted = Halted(world, TIMEOUT_S)
                trusted = world.status()["guard"]["storage"]["trusted"]
            told = next(stage for stage in halted.stages if "durable" in stage)
            storage = "trusted" if trusted else "not trusted"
            say(
                f"{what:<22} {target:<8} {halted.stages['stopped']:>10.1f}"
                f" {halted.stages[told]:>8.1f}  {told:<13}  {halted.text}, storage {storage}\n"
            )
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
