"""Run the benchmarks: `python -m benches [--full] [GROUP...]`."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benches.harness import cpu, machine, page, table
from benches.harness.bench import Bench
from benches.harness.native import MissingError
from benches.harness.process import ROOT
from benches.harness.result import Figure, Report, skipped

GROUPS = ("core", "peers", "floors", "wire", "rates", "life", "flatten")
RESULTS = ROOT / "benches" / "results"


def main() -> int:
    """Run what was asked for; exit 1 when a suite broke, never because a bound was missed."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--full", action="store_true", help="the thorough run")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the reports go")
    chosen = parser.parse_args()
    unknown = set(chosen.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    figures: list[Figure] = []
    begun, meter = time.perf_counter(), cpu.CpuMeter()
    with tempfile.TemporaryDirectory(prefix="egb-", dir=chosen.out.parent) as place:
        bench = Bench(chosen.full, Path(place))
        broken = sum(not _extend(figures, name, bench) for name in chosen.groups or GROUPS)
    kind = "full run" if chosen.full else "quick run"
    seconds = time.perf_counter() - begun
    report = Report(kind, machine.describe(), figures, seconds, meter.others())
    write(report, chosen.out)
    table.show(report)
    print(f"report: {chosen.out / 'report.html'}, figures: {chosen.out / 'latest.json'}")
    return 1 if broken else 0


def write(report: Report, out: Path) -> None:
    """Write the figures, the page and the table for the manual."""
    out.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report))
    (out / "latest.json").write_bytes(encoded)
    (out / "report.html").write_text(page.render(report))
    (out / "report.md").write_text(table.markdown(report))


def _extend(figures: list[Figure], name: str, bench: Bench) -> bool:
    """Add a suite's figures; return False if it broke."""
    print(f"== {name}", file=sys.stderr, flush=True)
    try:
        for figure in _suite(name, bench):
            print(f"   {figure.name}: {table.number(figure.value)} {figure.unit}", file=sys.stderr)
            figures.append(figure)
    except MissingError as error:
        figures.append(skipped(name, f"{name}: all", str(error)))
    except Exception as error:  # noqa: BLE001  # the other groups still count
        traceback.print_exc()
        figures.append(skipped(name, f"{name}: broke", str(error)[:200]))
        return False
    return True


def _suite(name: str, bench: Bench) -> Iterator[Figure]:
    module = importlib.import_module(f"benches.suites.{name}")
    return module.run(bench)


if __name__ == "__main__":
    raise SystemExit(main())
