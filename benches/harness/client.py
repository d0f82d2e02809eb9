"""A status client that never lets go: `python -m benches.harness.client CONFIG`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.transport.client import Client

INTERVAL_S = 0.1


def main(config_path: str) -> None:
    """Ask for the status ten times a second."""
    config, _ = load_config(Path(config_path))
    with Client(Paths(config).control) as client:
        print("ready", flush=True)
        while True:
            number = client.command("status", operator="bench", reason="load")
            for _ in client.replies(number, 5.0):
                pass
            time.sleep(INTERVAL_S)


if __name__ == "__main__":
    main(sys.argv[1])
