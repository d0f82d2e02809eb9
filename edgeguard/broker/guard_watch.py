"""Notice that the guard is gone, also across restarts of this process on the same boot."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgeguard.broker.intents import GuardLine, IntentLog
from edgeguard.clock import NS_PER_S, Clock
from edgeguard.config.model import AccountConfig

PRESENT_NS: Final = 3 * NS_PER_S
"""A guard greets every second; one that missed three greetings is away."""
JOIN_NS: Final = NS_PER_S
"""A feed's subscriber is connected by then: reconnecting takes 20 to 500 ms."""
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
        self._since_ns: int | None = None
        self.is_lost = False

    def hello(self) -> None:
        """Note that the guard lives."""
        if self._since_ns is None or self.silent_ns > PRESENT_NS:
            self._since_ns = self._clock.boot_ns()
        if not self._armed:
            self._armed = True
            self._log.append(GuardLine(self._boot, self._clock.wall_ns()), durable=True)
        self._heard_ns = self._clock.boot_ns()
        self.is_lost = False

    def is_here(self) -> bool:
        """Tell whether a guard has been greeting for long enough to hear the feed as well."""
        now = self._clock.boot_ns()
        settled = self._since_ns is not None and now - self._since_ns >= JOIN_NS
        return settled and self.silent_ns <= PRESENT_NS

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
