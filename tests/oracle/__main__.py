"""Run the oracle: python -m tests.oracle --config C [--ticks SPEC]... [TAPE...]."""

import argparse
import sys
from pathlib import Path

from tests.oracle.errors import BadConfig, Unreadable
from tests.oracle.reference import replay


def main(arguments: list[str] | None = None) -> int:
    """Print the decision lines and return the exit code of `edgeguard replay`."""
    parser = argparse.ArgumentParser(prog="tests.oracle")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--ticks", action="append", default=[], metavar="SPEC")
    parser.add_argument("tapes", type=Path, nargs="*", metavar="TAPE")
    options = parser.parse_args(arguments)
    try:
        for line in replay(options.config, options.ticks, options.tapes):
            sys.stdout.write(line + "\n")
    except BadConfig as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 6
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
