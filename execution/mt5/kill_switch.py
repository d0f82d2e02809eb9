"""Kill switch: `python -m execution.mt5.kill_switch --activate --reason "..."`."""

import sys

from edgeguard.cli.runbook import kill_switch

if __name__ == "__main__":
    sys.exit(kill_switch(sys.argv[1:]))
