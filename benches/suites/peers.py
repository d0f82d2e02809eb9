"""What people use today, where it is installed: `make bench-peers` puts it into `.venv-peers`."""

from __future__ import annotations

from collections.abc import Iterator

from benches.harness import process, result
from benches.harness.bench import Bench

GROUP = "peers"
PYTHON = process.ROOT / ".venv-peers" / "bin" / "python"
"""Its dependencies would change those of EdgeGuard: it has an environment of its own."""
NOTE = (
    "cache, portfolio, unrealised profit, comparisons; exact Money, no learned spread, no windows"
)


def run(bench: Bench) -> Iterator[result.Figure]:
    """Measure NautilusTrader per quote with one and with eight positions."""
    del bench
    for positions in (1, 8):
        name = f"NautilusTrader, {positions} position{'s' if positions > 1 else ''}"
        if not PYTHON.exists():
            yield result.skipped(GROUP, name, "not installed: make bench-peers")
            continue
        command = [PYTHON, "-m", "benches.peers.nautilus", str(positions)]
        rounds = process.run(command, core=process.SUBJECT).split()
        yield result.figure(GROUP, name, "ns/tick", [float(one) for one in rounds], note=NOTE)
