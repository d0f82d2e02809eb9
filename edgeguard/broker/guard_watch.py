"""Notice that the guard is gone, also across restarts of this process on the same boot."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgeguard.broker.intents import GuardLine, IntentLog
from edgeguard.clock import Clock
from edgeguard.config.model import AccountConfig

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return this boot's id; empty where the system has none, which never equals another."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class GuardWatch:
    """Silence counts from the first hello on; a broker run by itself never decides that it is lost.

    Attributes:
        policy: what to do, `flatten` or `hold`.
        is_lost: the guard has been silent for too long and has not come back.
    """

    def __init__(
        self, account: AccountConfig, log: IntentLog, clock: Clock, boot: str, patience_ns: int
    ) -> None:
        """Take up the watch where an earlier life on this boot left it."""
        self.policy = account.limits.on_guard_lost
        self._log = log
        self._clock = clock
        self._boot = boot
        self._patience_ns = patience_ns
        known = log.contents.guard
        self._armed = known is not None and bool(boot) and known.boot_id == boot
        self._heard_ns = clock.boot_ns()
        self.is_lost = False

    def hello(self) -> None:
        """Note that the guard lives."""
        if not self._armed:
            self._armed = True
            self._log.append(GuardLine(self._boot, self._clock.wall_ns()), durable=True)
        self._heard_ns = self._clock.boot_ns()
        self.is_lost = False

    @property
    def silent_ns(self) -> int:
        """Nanoseconds since the guard was heard, or since this process began."""
        return self._clock.boot_ns() - self._heard_ns

    def is_lost_now(self) -> bool:
        """Return True once per loss, when patience ends."""
        if not self._armed or self.is_lost or self.silent_ns <= self._patience_ns:
            return False
        self.is_lost = True
        return True
