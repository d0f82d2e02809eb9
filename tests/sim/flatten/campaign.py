"""Run many seeds, on all cores, and say what they showed."""
# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from edgeguard.clock import NS_PER_S, SystemClock
from tests.sim.flatten.plants import PLANTS, planted
from tests.sim.flatten.run import Result, simulate
from tests.sim.flatten.scenario import KILL_FAULTS, POWER_CUTS, RULES, draw

CHUNK = 25
FAULTS = sorted(set(RULES) | set(KILL_FAULTS) | set(POWER_CUTS))
ALL_FIRE_SEEDS = 1000
"""A campaign of this size in which a fault never fires has failed."""


def one(seed: int, plant: str | None = None, *, stop_early: bool = False) -> Result:
    """Run one seed; what escapes is a violation too."""
    scenario = draw(seed)
    try:
        with planted(plant):
            return simulate(scenario, stop_early=stop_early)
    except Exception:  # noqa: BLE001 - a crash of the shipped code is what is looked for
        text = traceback.format_exc()
        return Result(seed, scenario.mode, [f"CRASH: {text}"], 0, 0, 0, {}, None)


def many(seeds: Iterable[int]) -> list[Result]:
    """Run some seeds; their garbage goes between them, which saves a tenth of the time."""
    gc.disable()
    results = [one(seed) for seed in seeds]
    gc.enable()
    gc.collect()
    return results


def seeds_to_find(plant: str, first: int, limit: int) -> tuple[int, str] | None:
    """Return after how many seeds a planted bug was found, and by which promise."""
    for number in range(limit):
        found = one(first + number, plant, stop_early=True).violations
        if found:
            return number + 1, found[0].splitlines()[0][:100]
    return None


def _find(job: tuple[str, int, int]) -> tuple[str, tuple[int, str] | None]:
    return job[0], seeds_to_find(*job)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.flatten")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plants", type=int, default=0, help="seeds to look for each planted bug")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="one seed with one planted bug")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop early")
    options = parser.parse_args(argv)
    if options.plant:
        result = one(options.first, options.plant)
        print("\n".join(result.violations) or "nothing found")
        return 0
    code = 0
    if options.seeds:
        code = _campaign(options.first, options.seeds, options.jobs, options.minutes)
    if options.plants:
        code = max(code, _plants(options.plants, options.jobs))
    return code


class Totals:
    """What the seeds of a campaign gave together."""

    def __init__(self) -> None:
        self.seeds = self.virtual_ns = self.sends = self.reads = 0
        self.firings: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()
        self.flat_ns: list[int] = []
        self.bad: list[Result] = []

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.virtual_ns += result.virtual_ns
        self.sends += result.sends
        self.reads += result.reads
        self.firings.update(result.firings)
        self.modes[result.mode] += 1
        if result.flat_ns is not None:
            self.flat_ns.append(result.flat_ns)
        if result.violations:
            self.bad.append(result)

    @property
    def silent(self) -> list[str]:
        """The faults that never fired."""
        return [name for name in FAULTS if not self.firings.get(name)]

    def table(self) -> str:
        """Return what a person reads: the sums, the firings in columns, then what went wrong."""
        kinds = Counter(v.split(":")[0] for r in self.bad for v in r.violations)
        flat = sorted(self.flat_ns)
        lines = [
            f"seeds          {self.seeds}  {dict(sorted(self.modes.items()))}",
            f"virtual hours  {self.virtual_ns / 3.6e12:.1f}",
            f"orders sent    {self.sends}",
            f"reads          {self.reads}",
            f"proven flat    {len(flat)}",
        ]
        if flat:
            half, last = flat[len(flat) // 2] / 1e9, flat[-1] / 1e9
            lines.append(f"flat after     p50 {half:.2f} s, max {last:.2f} s (virtual)")
        lines.append(f"firings        {sum(self.firings.values())} of {len(FAULTS)} faults")
        cells = [f"{name:24}{self.firings.get(name, 0):8}" for name in FAULTS]
        lines += ["  " + "  ".join(cells[at : at + 3]) for at in range(0, len(cells), 3)]
        for result in self.bad[:10]:
            lines.append(f"seed {result.seed} ({result.mode}):")
            lines += [f"    {text}" for text in result.violations[:4]]
        if self.silent:
            lines.append(f"never fired    {', '.join(self.silent)}")
        lines.append(f"violations     {sum(kinds.values())} in {len(self.bad)} seeds {dict(kinds)}")
        return "\n".join(lines)


def _campaign(first: int, count: int, jobs: int, minutes: float) -> int:
    """Run the seeds, or as many as the minutes allow, and print what they showed."""
    last = first + count
    chunks = [range(at, min(at + CHUNK, last)) for at in range(first, last, CHUNK)]
    clock = SystemClock()
    end_ns = clock.boot_ns() + minutes * 60 * NS_PER_S
    totals = Totals()
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(many, chunks):
            for result in found:
                totals.add(result)
            print(f"\r{totals.seeds} seeds, {len(totals.bad)} bad", end="", file=sys.stderr)
            if clock.boot_ns() > end_ns:
                pool.shutdown(wait=False, cancel_futures=True)
                print(f"stopped after {minutes:g} minutes: {totals.seeds} of {count} seeds")
                break
    print(file=sys.stderr)
    print(totals.table())
    is_silent = bool(totals.silent) and totals.seeds >= ALL_FIRE_SEEDS
    return 1 if totals.bad or is_silent or totals.seeds < count else 0


def _plants(limit: int, jobs: int) -> int:
    work = [(name, 0, limit) for name in sorted(PLANTS)]
    missed = 0
    with ProcessPoolExecutor(jobs) as pool:
        for name, found in pool.map(_find, work):
            if found is None:
                missed += 1
                print(f"planted {name:28} NOT FOUND in {limit} seeds")
            else:
                print(f"planted {name:28} found after {found[0]:4} seeds: {found[1]}")
    print(f"planted bugs found {len(work) - missed}/{len(work)}")
    return 1 if missed else 0
