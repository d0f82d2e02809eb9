"""Compare oracle and program byte for byte: python -m tests.oracle.agreement --tapes N."""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.oracle import coverage
from tests.oracle.adapter import edgeguard_lines, oracle_lines
from tests.oracle.tapes import Case, make_case

CONTEXT_LINES = 3
CHUNK = 20
SHOWN = 5
PROGRESS = 1_000


@dataclass
class Tally:
    """What a number of seeds came to."""

    tapes: int = 0
    events: int = 0
    decisions: int = 0
    exits: Counter[int] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    decided: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.tapes += other.tapes
        self.events += other.events
        self.decisions += other.decisions
        self.exits.update(other.exits)
        self.reached.update(other.reached)
        self.decided.update(other.decided)
        self.disagreements += other.disagreements


def run_seeds(seeds: range, keep: Path, *, oracle_only: bool) -> Tally:
    """Run some seeds in this process."""
    tally = Tally()
    coverage.REACHED.clear()
    coverage.DECISIONS.clear()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
            case = make_case(seed, Path(folder))
            _run_case(seed, case, keep, tally, oracle_only=oracle_only)
    tally.reached.update(coverage.REACHED)
    tally.decided.update(coverage.DECISIONS)
    return tally


def _run_case(seed: int, case: Case, keep: Path, tally: Tally, *, oracle_only: bool) -> None:
    arguments = (case.config_path, case.tick_specs, case.tape_paths)
    code, lines = oracle_lines(*arguments)
    tally.tapes += 1
    tally.events += sum(path.read_text().count("\n") for path in case.tape_paths)
    tally.decisions += len(lines)
    tally.exits[code] += 1
    if oracle_only:
        return
    found_code, found = _program(case)
    if (code, lines) == (found_code, found):
        return
    kept = keep / f"seed{seed}"
    shutil.rmtree(kept, ignore_errors=True)
    make_case(seed, kept)
    (kept / "oracle.txt").write_text("\n".join([*lines, f"exit {code}", ""]))
    (kept / "program.txt").write_text("\n".join([*found, f"exit {found_code}", ""]))
    tally.disagreements.append(
        _report(kept, [*lines, f"exit {code}"], [*found, f"exit {found_code}"])
    )


def _program(case: Case) -> tuple[object, list[str]]:
    """Run the program under test; anything it throws is a result to disagree with."""
    try:
        return edgeguard_lines(case.config_path, case.tick_specs, case.tape_paths)
    except ImportError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"crash {type(error).__name__}: {error}", []


def _report(kept: Path, expected: list[str], found: list[str]) -> str:
    """Return the first differing line with the lines before it."""
    at = next(
        (n for n, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]),
        min(len(expected), len(found)),
    )
    before = [f"    {line}" for line in expected[max(at - CONTEXT_LINES, 0) : at]]
    rows = [f"{kept}: line {at + 1} of {len(expected)}", *before]
    rows += [f"  oracle  {line}" for line in expected[at : at + 2]]
    rows += [f"  program {line}" for line in found[at : at + 2]]
    return "\n".join(rows)


def _chunks(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, CHUNK):
        yield range(start, min(start + CHUNK, first + count))


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison and return 1 if anything differed."""
    parser = argparse.ArgumentParser(prog="tests.oracle.agreement")
    parser.add_argument("--tapes", type=int, required=True, help="number of seeds to run")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "disagreements")
    parser.add_argument("--oracle-only", action="store_true", help="coverage without the program")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    total = Tally()
    for tally in _tallies(options):
        total.add(tally)
        _tell(total, tally)
    _print(total, time.perf_counter() - started)
    return 1 if total.disagreements else 0


def _tell(total: Tally, latest: Tally) -> None:
    """Say on stderr what a long run has come to so far, and each disagreement when it is found."""
    rows = list(latest.disagreements)
    if rows or total.tapes % PROGRESS == 0:
        rows.append(f"{total.tapes} tapes, disagreements {len(total.disagreements)}")
    sys.stderr.write("".join(f"{row}\n" for row in rows))


def _tallies(options: argparse.Namespace) -> Iterator[Tally]:
    chunks = list(_chunks(options.seed, options.tapes))
    if options.jobs <= 1:
        for chunk in chunks:
            yield run_seeds(chunk, options.keep, oracle_only=options.oracle_only)
        return
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [
            pool.submit(run_seeds, chunk, options.keep, oracle_only=options.oracle_only)
            for chunk in chunks
        ]
        for future in futures:
            yield future.result()


def _print(total: Tally, seconds: float) -> None:
    coverage.REACHED.clear()
    coverage.REACHED.update(total.reached)
    coverage.DECISIONS.clear()
    coverage.DECISIONS.update(total.decided)
    exits = ", ".join(f"{code}: {count}" for code, count in sorted(total.exits.items()))
    missing = coverage.missing()
    rows = [
        coverage.table(),
        *total.disagreements[:SHOWN],
        f"tapes {total.tapes}, events {total.events}, decisions {total.decisions}",
        f"exits {{{exits}}}, {total.tapes / seconds:.1f} tapes/s",
        f"rules reached {len(coverage.RULES) - len(missing)} of {len(coverage.RULES)}",
        f"rules never reached: {', '.join(missing) or 'none'}",
        f"disagreements {len(total.disagreements)}",
    ]
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    sys.exit(main())
