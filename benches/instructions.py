"""Instructions per tick of the core, counted by callgrind: `python -m benches.instructions`.

A count does not depend on the clock or on who else uses the machine, so CI can hold it. Each
workload runs twice, with one and with two portions of ticks: the difference is free of what
building it costs. A bound is about 1.5 times what was measured when it was set: a failure is a
change of the work per tick, not noise. Lower a bound when the core gets faster; raise it only with
the reason in the commit.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from benches.harness import process

PORTION: Final = 64_000
BUILD_S: Final = 1200.0
BOUNDS: Final = {"batch": 340, "single": 950, "positions": 340, "symbols": 340}
"""Most instructions per tick: 64 positions on 8 symbols in frames of 128; in frames of one; with
10,000 positions; with 1,000 symbols."""
_COLLECTED: Final = re.compile(r"Collected\s*:\s*(\d+)")


def main() -> int:
    """Count, print a line per workload, and return 1 when a bound is broken."""
    valgrind, cargo = shutil.which("valgrind"), shutil.which("cargo")
    if valgrind is None or cargo is None:
        print("instructions: SKIPPED, valgrind and cargo are needed (Debian: valgrind)")
        return 0
    program = build(cargo)
    broken = 0
    for workload, bound in BOUNDS.items():
        count = per_tick(valgrind, program, workload)
        verdict = "ok" if count <= bound else "TOO MANY"
        print(f"instructions: {workload} {count:.0f} per tick, at most {bound}: {verdict}")
        broken += count > bound
    if broken:
        print(
            "instructions: the core does more work per tick than it did. Find where with\n"
            f"  valgrind --tool=callgrind {program.name} batch {PORTION}; callgrind_annotate\n"
            "and make it cheap again, or raise the bound in benches/instructions.py and say why."
        )
    return 1 if broken else 0


def build(cargo: str) -> Path:
    """Return the workload's program, built like the extension.

    Raises:
        ChildError: it does not build.
    """
    target = ["-p", "edgeguard-core", "--bench", "instructions"]
    command = [cargo, "build", "--release", "--locked", "--quiet", *target]
    lines = process.run([*command, "--message-format=json"], timeout_s=BUILD_S).splitlines()
    messages = [json.loads(line) for line in lines]
    made = [one["executable"] for one in messages if one.get("executable")]
    return Path(made[-1])


def per_tick(valgrind: str, program: Path, workload: str) -> float:
    """Return the instructions of one tick.

    Raises:
        ChildError: the program or callgrind failed.
    """
    once, twice = (collect(valgrind, program, workload, PORTION * times) for times in (1, 2))
    return (twice - once) / PORTION


def collect(valgrind: str, program: Path, workload: str, ticks: int) -> int:
    """Return what callgrind counts over a whole run."""
    tool = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    text = process.run([*tool, "--log-fd=1", program, workload, str(ticks)])
    return collected(text)


def collected(report: str) -> int:
    """Return the count in callgrind's report.

    Raises:
        ValueError: there is none.
    """
    found = _COLLECTED.search(report)
    if found is None:
        raise ValueError(f"callgrind must report what it collected, said {report[-200:]!r}")
    return int(found[1])


if __name__ == "__main__":
    sys.exit(main())
