"""The report as one self-contained HTML file: the table, and every distribution as an SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Final

from benches.harness import bounds, table
from benches.harness.result import MARKS, Curve, Figure, Report
from benches.harness.table import number

WIDTH: Final = 640
HEIGHT: Final = 240
LEFT: Final = 56
BOTTOM: Final = 36
TOP: Final = 12
RIGHT: Final = 16
COLOURS: Final = ("#1f6feb", "#8b949e", "#d1242f", "#1a7f37", "#bf8700")
SHARES: Final = (0.5, 0.9, 0.99, 0.999, 0.9999)
NINES_MAX: Final = 4.3
"""The vertical scale ends at 1 - 10^-4.3."""
STYLE: Final = """
body{font:14px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;
color:#1f2328}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:left;
border-bottom:1px solid #d1d9e0}td.n{text-align:right;font-variant-numeric:tabular-nums;
white-space:nowrap}.met{color:#1a7f37}.missed{color:#d1242f;font-weight:600}.not-judged{color:#9a6700}
svg{display:block;width:100%;max-width:640px;height:auto}figure{margin:1.5rem 0}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:0 2rem}
svg text{font:11px system-ui,sans-serif;fill:#59636e}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}td,th{border-color:#30363d}
svg text{fill:#9198a1}}
"""


def render(report: Report) -> str:
    """Return the page."""
    rows = "".join(_row(one) for one in report.figures)
    plots = "".join(_plot(one) for one in report.figures if one.curves)
    machine = "".join(
        f"<tr><th>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>"
        for key, value in report.machine.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>EdgeGuard benchmark</title><style>{STYLE}</style>"
        f"<h1>EdgeGuard benchmark, {html.escape(report.kind)}</h1>"
        f"<p>Bounds: {bounds.tally(report.figures)}. {report.seconds:.0f} s; "
        f"others used {report.others_share:.0%} of a core meanwhile. "
        "The method is in docs/PERFORMANCE.md.</p>"
        "<table><thead><tr><th>Group</th><th>Figure</th><th>Value</th><th>Bound</th><th></th>"
        f"<th>Note</th></tr></thead><tbody>{rows}</tbody></table>"
        f'<h2>Distributions</h2><div class="plots">{plots}</div>'
        f"<h2>Machine</h2><table>{machine}</table></html>\n"
    )


def _row(one: Figure) -> str:
    value = "-" if one.value is None else f"{number(one.value)} {one.unit}"
    sign = "≥" if one.at_least else "≤"
    bound = "" if one.bound is None else f"{sign} {number(one.bound)}"
    style = one.verdict.replace(" ", "-")
    return (
        f"<tr><td>{html.escape(one.group)}</td><td>{html.escape(one.name)}</td>"
        f'<td class="n">{html.escape(value)}</td><td class="n">{bound}</td>'
        f'<td class="{style}">{MARKS[one.verdict]}</td>'
        f"<td>{html.escape(table.note(one))}</td></tr>"
    )


def _plot(one: Figure) -> str:
    """Draw the distributions of a figure: value on a log scale, share in nines."""
    values = [value for curve in one.curves for value, _ in curve.points if value > 0]
    if not values:
        return ""
    low, high = min(values), max(*values, min(values) * 1.01)
    parts = [_grid(low, high, one.unit)]
    for place, curve in enumerate(one.curves):
        colour = COLOURS[place % len(COLOURS)]
        parts.append(_line(curve, low, high, colour))
        parts.append(
            f'<rect x="{LEFT + 8}" y="{TOP + 6 + 16 * place}" width="10" height="3" '
            f'fill="{colour}"/><text x="{LEFT + 24}" y="{TOP + 11 + 16 * place}">'
            f"{html.escape(curve.label)}</text>"
        )
    return (
        f"<figure><figcaption>{html.escape(one.group)}: {html.escape(one.name)}, "
        f'{one.samples} samples</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="distribution of {html.escape(one.name)}">{"".join(parts)}</svg></figure>'
    )


def _x(value: float, low: float, high: float) -> float:
    share = math.log(max(value, low) / low) / math.log(high / low)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    nines = min(-math.log10(max(1 - share, 10**-NINES_MAX)), NINES_MAX)
    return HEIGHT - BOTTOM - nines / NINES_MAX * (HEIGHT - BOTTOM - TOP)


def _line(curve: Curve, low: float, high: float, colour: str) -> str:
    points: Sequence[tuple[float, float]] = curve.points
    path = " ".join(f"{_x(value, low, high):.1f},{_y(share):.1f}" for value, share in points)
    return f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{path}"/>'


def _grid(low: float, high: float, unit: str) -> str:
    parts: list[str] = []
    for share in SHARES:
        y = _y(share)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="#8b949e" stroke-opacity=".35"/><text x="{LEFT - 6}" y="{y + 4:.1f}" '
            f'text-anchor="end">{share * 100:g} %</text>'
        )
    for tick in range(5):
        value = low * (high / low) ** (tick / 4)
        parts.append(
            f'<text x="{_x(value, low, high):.1f}" y="{HEIGHT - BOTTOM + 18}" '
            f'text-anchor="middle">{number(value)}</text>'
        )
    parts.append(
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{html.escape(unit)}</text>'
    )
    return "".join(parts)
