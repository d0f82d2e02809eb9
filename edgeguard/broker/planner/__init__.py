"""Plan a flatten as a pure state machine: `(now, observation or outcome) -> next action`.

Nothing here reads a clock, a socket or a file; `now_ns` is CLOCK_BOOTTIME as the caller read it.
"""

from edgeguard.broker.planner.core import Planner

__all__ = ["Planner"]
