"""The report as one self-contained HTML file: the table, and every distribution as an SVG."""

from __future__ import annotations

import html
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from benches.harness import known, plot, table
from benches.harness.result import MARKS, Figure, Report, Verdict

TITLES: Final = {
    "core": "Core: the cost of a tick in one process",
    "peers": "Peers: the cost of a quote in what people use today",
    "floors": "Floors: what the machine itself takes",
    "page": "Page: from a decision to its sight in another process",
    "gates": "Gates: from a trip to a closed gate",
    "wire": "Wire: from a tick to the halt, beside a native echo",
    "rates": "Rates: sustained messages, losses and lag",
    "load": "Load: the same under everything at once",
    "life": "Life: start, idle, memory, commands, flushes",
    "flatten": "Flatten: a book closed on the paper terminal",
}
JUDGED: Final[tuple[Verdict, ...]] = ("met", "missed", "not judged")
STYLE: Final = """
:root{--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--back:#fff;--band:#f6f8fa;--met:#1a7f37;
--missed:#d1242f;--open:#9a6700;--c0:#1f6feb;--c1:#8b949e;--c2:#bf8700;--c3:#1a7f37;--c4:#8250df}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#30363d;
--back:#0d1117;--band:#151b23;--met:#3fb950;--missed:#f85149;--open:#d29922;--c0:#58a6ff}}
body{font:14px/1.5 system-ui,sans-serif;max-width:78rem;margin:2rem auto;padding:0 1rem;
color:var(--ink);background:var(--back)}
h1{margin-bottom:.2rem}h2{margin:2.2rem 0 .4rem}h3{margin:1.6rem 0 .2rem}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:left;
vertical-align:top;border-bottom:1px solid var(--line)}
th[scope=rowgroup]{background:var(--band);padding-top:.5rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
span.met,td.met{color:var(--met)}span.missed,td.missed{color:var(--missed)}
span.not-judged,td.not-judged{color:var(--open)}
td.met,td.missed,td.not-judged{font-weight:600;white-space:nowrap}
tr.missed td:first-child{box-shadow:inset 3px 0 var(--missed)}
.note{color:var(--soft)}.sums{display:flex;gap:1.2rem;font-size:1.1rem;font-weight:600}
.machine{display:flex;flex-wrap:wrap;gap:0 1.4rem;color:var(--soft)}
.machine b{color:var(--ink);font-weight:600}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(30rem,1fr));gap:.4rem 2rem}
figure{margin:.6rem 0}figcaption{font-weight:600}
svg{display:block;width:100%;max-width:640px;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
"""


def render(report: Report) -> str:
    """Return the page."""
    kept: dict[Verdict, int] = dict.fromkeys(JUDGED, 0)
    for one in report.figures:
        if one.bound is not None:
            kept[one.verdict] += 1
    sums = "".join(
        f'<span class="{_style(verdict)}">{count} {verdict}</span>'
        for verdict, count in kept.items()
    )
    machine = "".join(
        f"<span>{html.escape(key)} <b>{html.escape(value)}</b></span>"
        for key, value in report.machine.items()
    )
    rows = "".join(
        f'<tr><th scope="rowgroup" colspan="6">{html.escape(TITLES.get(group, group))}</th></tr>'
        + "".join(_row(one) for one in figures)
        for group, figures in groupby(report.figures, lambda one: one.group)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>EdgeGuard benchmark</title><style>{STYLE}</style>"
        f"<h1>EdgeGuard benchmark, {html.escape(report.kind)}</h1>"
        f'<p class="sums"><span>Bounds:</span>{sums}</p>'
        f'<p class="machine">{machine}<span>took <b>{report.seconds:.0f} s</b></span>'
        f"<span>others used <b>{report.others_share:.0%} of a core</b></span></p>"
        "<table><thead><tr><th>Figure</th><th class=n>Value</th><th class=n>Bound</th><th></th>"
        f"<th class=n>p50 / p99 / p99.9</th><th>Note</th></tr></thead><tbody>{rows}</tbody></table>"
        f"{_missed(report)}"
        "<h2>Distributions</h2><p class=note>Each curve is the share of all samples at or below a "
        "value. Upwards every line is ten times rarer; values are on a logarithmic scale. "
        "A dashed line is the bound. How everything is measured: docs/PERFORMANCE.md.</p>"
        f"{''.join(_plots(report))}</html>\n"
    )


def _missed(report: Report) -> str:
    """Return what is known of the bounds that were missed, nothing where none was."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in known.lines(report.figures))
    return f"<h2>Missed bounds, and what is known of them</h2><ul>{items}</ul>" if items else ""


def _plots(report: Report) -> Iterator[str]:
    drawn = [one for one in report.figures if one.curves]
    for group, figures in groupby(drawn, lambda one: one.group):
        plots = "".join(plot.draw(one) for one in figures)
        yield f'<h3>{html.escape(TITLES.get(group, group))}</h3><div class="plots">{plots}</div>'


def _row(one: Figure) -> str:
    sign = "≥" if one.at_least else "≤"
    bound = "" if one.bound is None else f"{sign} {table.number(one.bound)}"
    style = _style(one.verdict)
    return (
        f'<tr class="{style}"><td class=name>{html.escape(one.name)}</td>'
        f'<td class="n">{html.escape(table.value(one))}</td><td class="n">{bound}</td>'
        f'<td class="{style}">{MARKS[one.verdict]}</td><td class="n">{table.tail(one)}</td>'
        f'<td class="note">{html.escape(table.note(one))}</td></tr>'
    )


def _style(verdict: Verdict) -> str:
    return verdict.replace(" ", "-")
