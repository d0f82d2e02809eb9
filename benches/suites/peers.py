"""What people use today, where it is installed: `make bench-peers` puts it into `.venv-peers`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benches.harness import process, result
from benches.harness.bench import Bench

GROUP: Final = "peers"
PYTHON: Final = process.ROOT / ".venv-peers" / "bin" / "python"
"""Their dependencies would change those of EdgeGuard: they have an environment of their own."""
NAUTILUS: Final = (
    "cache, portfolio, unrealised profit, comparisons; exact Money, no learned spread, no windows"
)
VNPY: Final = (
    "4 symbols, 8 positions, a rule by hand in floats; no decimals, no windows, no confirmation"
)
OURS: Final = {
    "in batches": "through Python, frames of 128",
    "with a call each": "through Python, one tick per frame",
}
"""Figures of the core with which a peer's is compared: a peer is called for each quote."""
PEERS: Final = (
    ("NautilusTrader, 1 position", "nautilus_trader", ("benches.peers.nautilus", "1"), NAUTILUS),
    ("NautilusTrader, 8 positions", "nautilus_trader", ("benches.peers.nautilus", "8"), NAUTILUS),
    ("vn.py with a rule, called", "vnpy", ("benches.peers.vnpy_rule", "direct"), VNPY),
    (
        "vn.py with a rule, by its event thread",
        "vnpy",
        ("benches.peers.vnpy_rule", "thread"),
        VNPY,
    ),
)


def peers(bench: Bench) -> Iterator[result.Figure]:
    """Measure each peer per quote, or say that it is not installed."""
    for name, package, arguments, note in PEERS:
        if not _has(package):
            yield result.unjudged(GROUP, name, f"{package} is not installed: make bench-peers")
            continue
        rounds = process.run([PYTHON, "-m", *arguments], core=process.SUBJECT).split()
        figure = result.figure(GROUP, name, "ns/tick", [float(one) for one in rounds], note=note)
        yield figure
        assert figure.value is not None
        for how, measured in OURS.items():
            ours, times = bench.value("core", measured), f"{name} / EdgeGuard {how}"
            if ours is None:
                yield result.unjudged(GROUP, times, "needs the group core in the same run")
                continue
            is_expected = package == "nautilus_trader" and how == "in batches"
            expected = "500 x is expected; " if is_expected else ""
            yield result.Figure(
                group=GROUP,
                name=times,
                unit="x",
                value=figure.value / ours,
                note=f"{expected}EdgeGuard through Python, 64 positions on 8 symbols; medians",
            )


def _has(package: str) -> bool:
    return PYTHON.exists() and any(PYTHON.parents[1].glob(f"lib/*/site-packages/{package}"))


PARTS = (peers,)
