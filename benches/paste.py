"""Put the last run's table into docs/PERFORMANCE.md: `python -m benches.paste`.

The manual quotes one run. Its table stands between two marks, so that a new run replaces it whole:
no line of an older run, or typed by hand, stays among the measured ones.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Final

import msgspec

from benches.harness import table
from benches.harness.process import ROOT
from benches.harness.result import Report

BEGIN: Final = "<!-- figures: begin -->"
END: Final = "<!-- figures: end -->"
CLEAN_BELOW: Final = 0.05
"""Others' share of a core up to which a run counts as one on a quiet machine."""


def main() -> int:
    """Paste, and say what was pasted."""
    results, manual = ROOT / "benches" / "results" / "latest.json", ROOT / "docs" / "PERFORMANCE.md"
    if not results.exists():
        print(f"{results} must exist: run make bench or make bench-full first", file=sys.stderr)
        return 1
    report = msgspec.json.decode(results.read_bytes(), type=Report)
    measured = datetime.fromtimestamp(results.stat().st_mtime, UTC)
    manual.write_text(pasted(manual.read_text(), report, f"{measured:%Y-%m-%d}"))
    print(f"{manual}: {report.kind} of {measured:%Y-%m-%d}, {len(report.figures)} figures")
    return 0


def pasted(manual: str, report: Report, date: str) -> str:
    """Return the manual with the report between its marks.

    Raises:
        ValueError: the marks are not there, once each and in their order.
    """
    head, begin, rest = manual.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in tail:
        raise ValueError(f"manual must have {BEGIN} and {END} once each, in this order")
    return f"{head}{BEGIN}\n{_words(report, date)}\n\n{table.markdown(report).strip()}\n{END}{tail}"


def _words(report: Report, date: str) -> str:
    command = "make bench-full" if report.kind.startswith("full run") else "make bench"
    share = f"{report.kind}; others used {report.others_share:.0%} of a core meanwhile"
    if report.others_share <= CLEAN_BELOW:
        return f"`{command}`, {date}; {share}."
    return (
        f"`{command}`, {date}. **Provisional**: {share}. In-process ratios hold (fastest\n"
        "samples); whatever waits for a processor shows the queue for it and is not judged."
    )


if __name__ == "__main__":
    sys.exit(main())
