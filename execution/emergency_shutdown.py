"""Emergency shutdown: `python -m execution.emergency_shutdown --all --reason "..."`."""

import sys

from edgeguard.cli.runbook import emergency_shutdown

if __name__ == "__main__":
    sys.exit(emergency_shutdown(sys.argv[1:]))
