"""The parts that one guard is made of, as its modules hand them around."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeguard.clock import Clock
from edgeguard.config.model import Config
from edgeguard.guard.accounts import GuardedAccount
from edgeguard.guard.brokers import BrokerLink
from edgeguard.guard.engine_port import EnginePort
from edgeguard.guard.latching import Latcher
from edgeguard.guard.storage import Storage


@dataclass(frozen=True, slots=True)
class Parts:
    """Made once by the assembly; `epoch` is this run, wall ns at its start.

    `begun_boot_ns` is that start on CLOCK_BOOTTIME: no page and no socket of this run is older.
    """

    config: Config
    config_hash: str
    epoch: int
    clock: Clock
    engine: EnginePort
    storage: Storage
    latcher: Latcher
    accounts: dict[str, GuardedAccount]
    begun_boot_ns: int
    brokers: dict[str, BrokerLink] = field(default_factory=dict[str, BrokerLink])

    def now(self) -> tuple[int, int]:
        """Return wall and boot nanoseconds."""
        return self.clock.wall_ns(), self.clock.boot_ns()
