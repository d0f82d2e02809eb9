"""Run the benchmarks: `python -m benches [--full] [--pairs N] [GROUP...]`."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benches.harness import bounds, cpu, machine, page, table
from benches.harness.bench import Bench
from benches.harness.native import MissingError
from benches.harness.process import ROOT
from benches.harness.result import Figure, Report, unjudged

GROUPS = ("core", "peers", "floors", "page", "gates", "wire", "rates", "load", "life", "flatten")
ONE_BY_ONE = frozenset({"page", "gates", "wire", "rates", "load"})
"""Groups that record what others used in each run on their own."""
RESULTS = ROOT / "benches" / "results"

Part = Callable[[Bench], Figure | Iterable[Figure]]


def main() -> int:
    """Run what was asked for; exit 1 when a part broke, never because a bound was missed."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--full", action="store_true", help="the thorough run")
    parser.add_argument("--pairs", type=int, default=0, metavar="N", help="pairs a comparison")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the reports go")
    chosen = parser.parse_args()
    unknown = set(chosen.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    kind = "full run" if chosen.full else "quick run"
    if chosen.pairs:
        kind += f" of {chosen.pairs} pairs"
    run = Run(kind, chosen.out)
    with tempfile.TemporaryDirectory(prefix="egb-", dir=ROOT / "benches") as place:
        bench = Bench(chosen.full, Path(place), run.figures, chosen.pairs)
        for group in GROUPS:
            if group in (chosen.groups or GROUPS):
                run.measure(group, bench)
            else:
                run.figures += bounds.missing((), group, "the group was not asked for")
    report = run.report(is_complete=True)
    write(report, chosen.out)
    table.show(report)
    print(f"report: {chosen.out / 'report.html'}, figures: {chosen.out / 'latest.json'}")
    return 1 if run.broken else 0


@dataclass
class Run:
    """What has been measured so far; it is on disk after every part."""

    kind: str
    out: Path
    figures: list[Figure] = field(default_factory=list)
    broken: int = 0
    _begun: float = field(default_factory=time.perf_counter)
    _meter: cpu.CpuMeter = field(default_factory=cpu.CpuMeter)

    def measure(self, group: str, bench: Bench) -> None:
        """Measure a group part by part: one that breaks leaves the others their figures."""
        begun, why = time.perf_counter(), "the group measured no such figure"
        for part in parts(group):
            why = self._part(group, part, bench) or why
            write(self.report(is_complete=False), self.out)
        self.figures += bounds.missing(self.figures, group, why)
        _say(f"== {group}: {time.perf_counter() - begun:.0f} s")

    def report(self, *, is_complete: bool) -> Report:
        """Return the report of what there is."""
        kind = self.kind if is_complete else f"{self.kind}, unfinished"
        seconds = time.perf_counter() - self._begun
        return Report(kind, machine.describe(), list(self.figures), seconds, self._meter.others())

    def _part(self, group: str, part: Part, bench: Bench) -> str:
        """Add the figures of a part; return why some are not there, empty if all are."""
        name = f"{group}: {part.__name__}"
        meter = cpu.CpuMeter()
        try:
            made = part(bench)
            for figure in [made] if isinstance(made, Figure) else made:
                _say(f"   {figure.name}: {table.number(figure.value)} {figure.unit}")
                self.figures.append(bounds.bounded(soiled(figure, meter.others())))
        except MissingError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001  # the other parts still count
            traceback.print_exc()
            self.broken += 1
            why = f"{name} broke: {str(error)[:200]}"
        else:
            return ""
        self.figures.append(unjudged(group, name, why))
        return why


def parts(group: str) -> Sequence[Part]:
    """Return what a suite measures, each part on its own."""
    module = importlib.import_module(f"benches.suites.{group}")
    return module.PARTS


def soiled(figure: Figure, others: float) -> Figure:
    """Return a figure as dirty where others used the machine since its part of the group began.

    Most suites judge this themselves, run by run. For the others it is judged here; others can only
    make these values worse, but for the ratios, which are of the fastest samples on both sides.
    """
    if figure.group in ONE_BY_ONE or figure.unit == "x" or figure.value is None:
        return figure
    dirty = int(others > cpu.DIRTY_ABOVE)
    return msgspec.structs.replace(figure, dirty=dirty, is_upper=True)


def write(report: Report, out: Path) -> None:
    """Write the figures, the page and the table for the manual."""
    out.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report))
    (out / "latest.json").write_bytes(encoded)
    (out / "report.html").write_text(page.render(report))
    (out / "report.md").write_text(table.markdown(report))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
