"""A status client that never lets go: `python -m benches.harness.client CONFIG`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.transport.client import Client

INTERVAL_S = 0.05


def main(config_path: str) -> None:
    """Ask for the status twenty times a second; each answer is a byte in a file."""
    config, _ = load_config(Path(config_path))
    with Client(Paths(config).control) as client:
        count = Path(config_path).parent / "answers_of_status"
        count.touch()
        print("ready", flush=True)
        while True:
            number = client.command("status", operator="bench", reason="load")
            for _ in client.replies(number, 5.0):
                with count.open("ab") as file:
                    file.write(b".")
            time.sleep(INTERVAL_S)


if __name__ == "__main__":
    main(sys.argv[1])
