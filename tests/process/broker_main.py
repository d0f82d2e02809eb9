"""Run a broker's parent from JSON: what the tests of real processes start."""
# ruff: noqa: T201 - a command that prints

import sys
from pathlib import Path

import msgspec

from edgeguard.broker.parent import Settings, run_broker
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.errors import EdgeGuardError


def main() -> int:
    folder = Path(sys.argv[1])
    config = msgspec.json.decode((folder / "config.json").read_bytes(), type=Config)
    settings = msgspec.json.decode((folder / "settings.json").read_bytes(), type=Settings)
    paths = Paths(config, folder / "state").create()
    try:
        return run_broker(config, paths, sys.argv[2], settings)
    except EdgeGuardError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
