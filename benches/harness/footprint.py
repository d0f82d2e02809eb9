"""An engine with full baselines in a process of its own: `python -m benches.harness.footprint N`.

It prints three resident sizes in KiB: before the engine, with the engine, with every baseline full
(3,600 s of samples 250 ms apart, 14,400 a symbol), and ends.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec

from benches.harness import guarding
from edgeguard.codec.native import encode
from edgeguard.config.load import load_config
from edgeguard.engine import Engine
from edgeguard.messages import Tick, TickBatch

SAMPLES = 14_400
SAMPLE_NS = 250_000_000
START_NS = 1_772_020_800_000_000_000


def resident_kib() -> int:
    """Return this process's resident memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def main(symbols: int) -> None:
    """Fill the baselines and print the sizes."""
    with tempfile.TemporaryDirectory() as place:
        path = guarding.write_config(Path(place), guarding.Shape(symbols=symbols))
        config, digest = load_config(path)
    print(resident_kib())
    engine = Engine(msgspec.json.encode(config), digest, live=False)
    engine.register_source("bench")
    names = guarding.symbol_names(symbols)
    frames = [
        encode(
            TickBatch(
                "A",
                "market",
                1,
                None,
                START_NS,
                tuple(Tick(name, 1.38694, 1.38694 + (8 + wide) / 1e5) for name in names),
            )
        )
        for wide in range(7)
    ]
    print(resident_kib())
    for at in range(SAMPLES):
        now = START_NS + at * SAMPLE_NS
        engine.on_frame(frames[at % len(frames)], now, now, 0, 0)
    print(resident_kib())


if __name__ == "__main__":
    main(int(sys.argv[1]))
