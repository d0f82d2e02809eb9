"""Run many seeds, on all cores, and say what they showed."""
# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.sim.flatten.plants import PLANTS, planted
from tests.sim.flatten.run import Result, simulate
from tests.sim.flatten.scenario import KILL_FAULTS, RULES, draw

CHUNK = 25


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
    return [one(seed) for seed in seeds]


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
    options = parser.parse_args(argv)
    if options.plant:
        result = one(options.first, options.plant)
        print("\n".join(result.violations) or "nothing found")
        return 0
    code = 0
    if options.seeds:
        code = _campaign(options.first, options.seeds, options.jobs)
    if options.plants:
        code = max(code, _plants(options.plants, options.jobs))
    return code


def _campaign(first: int, count: int, jobs: int) -> int:
    last = first + count
    chunks = [range(at, min(at + CHUNK, last)) for at in range(first, last, CHUNK)]
    results: list[Result] = []
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(many, chunks):
            results += found
            bad = sum(1 for r in results if r.violations)
            if sys.stderr.isatty():
                print(f"\r{len(results)} seeds, {bad} bad", end="", file=sys.stderr)
    firings: Counter[str] = Counter()
    for result in results:
        firings.update(result.firings)
    hours = sum(r.virtual_ns for r in results) / 3.6e12
    bad = [r for r in results if r.violations]
    flat = sorted(r.flat_ns for r in results if r.flat_ns is not None)
    print(
        f"seeds {len(results)}  virtual hours {hours:.1f}  requests {sum(r.sends for r in results)}"
    )
    print(
        f"reads {sum(r.reads for r in results)}  by mode {dict(Counter(r.mode for r in results))}"
    )
    if flat:
        half, last = flat[len(flat) // 2] / 1e9, flat[-1] / 1e9
        print(f"flat after p50 {half:.2f} s, max {last:.2f} s (virtual)")
    names = sorted(set(RULES) | set(KILL_FAULTS))
    print("firings: " + "  ".join(f"{name} {firings.get(name, 0)}" for name in names))
    silent = [name for name in names if not firings.get(name)]
    for result in bad[:10]:
        print(f"seed {result.seed} ({result.mode}):")
        for text in result.violations[:4]:
            print(f"    {text}")
    kinds = Counter(v.split(":")[0] for r in bad for v in r.violations)
    print(f"violations {sum(kinds.values())} in {len(bad)} seeds {dict(kinds)}")
    if silent:
        print(f"never fired: {', '.join(silent)}")
    return 1 if bad or (silent and count >= 1000) else 0


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
