"""Earned heartbeats and everything else that happens by the clock.

A heart that beats by itself proves nothing. What is asked of the guard itself (the loop turns, the
sockets are drained, the engine steps, the journal's writer makes progress) every beat must earn,
and systemd's watchdog too: a restart may mend it. What is asked of the market (no required feed of
the account is silent) earns the words that hold a gate open, the page's stamp and the echo, and not
the watchdog's ping: no restart makes a feed speak, and a guard that systemd gave up would guard
nothing when it does. The published beat goes on then and says PAUSED and why: observers take its
absence for a dead guard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.guard.accounts import ACCOUNT, SNAPSHOT_GOOD, GuardedAccount
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Pipeline
from edgeguard.guard.rounds import Rounds, Soon
from edgeguard.guard.watch import ManualWatch

ASK_NS: Final = 250 * NS_PER_MS
"""How often a fresh read is asked for while there is none."""
FEED_SILENT: Final = "feed_silent"
"""Cause of the pause while a required feed is silent."""
PROGRESS_NS: Final = 200 * NS_PER_MS
"""How old the progress of a part may be for a beat to be earned."""


class Heart:
    """The guard's periodic duties; each method is one, called by the process's timers."""

    def __init__(
        self, parts: Parts, pipeline: Pipeline, actuators: Actuators, watch: ManualWatch
    ) -> None:
        """Take the parts that must prove progress."""
        self._parts = parts
        self._lease_ns = parts.config.guard.lease_ms * NS_PER_MS
        self._accounts = parts.accounts
        self._pipeline = pipeline
        self._actuators = actuators
        self._watch = watch
        self._last_beat_ns = 0
        self._stepped_ns = 0
        self._turned = 0
        self._drained_ns = 0
        self._silence_max_ns = parts.config.guard.feed_silence_max_ms * NS_PER_MS
        self._silent: set[str] = set()
        self._beats = Rounds[GuardedAccount](self._beat_some, self._was_beaten)
        self._greetings = Rounds[GuardedAccount](self._greet_some, lambda: None)
        self._is_withheld = False
        self.rescues: Callable[[], int] = lambda: 0
        """Returns the edges that the pumps missed."""
        self.turns: Callable[[], int] = lambda: 0
        """Returns how often every pump was looked at."""
        self.on_earned: Callable[[], None] = lambda: None
        """Called with every earned beat: the watchdog's ping."""
        self.renew_page: Callable[[GuardedAccount], None] = lambda _account: None
        """Called when a page lost its name or its size."""
        self.beats = 0
        self.withheld = 0
        self.withheld_for_feeds = 0
        """Stamps that one account's page did without because a required feed was silent."""
        self.away = 0
        self.gap_max_ns = 0

    def pace(self, soon: Soon, later: Soon) -> None:
        """Let duties for many accounts take several turns of the loop.

        Args:
            soon: runs the next turn of beats, which are due now.
            later: runs the next turn of greetings, whose answers are work too.
        """
        self._beats.soon, self._greetings.soon = soon, later

    def step(self) -> None:
        """Run the engine's deadlines, and note whether the sockets were drained since."""
        self._pipeline.advance()
        self._stepped_ns = self._parts.now()[1]
        turned = self.turns()
        if turned != self._turned:
            # Not with the beat: echoes are judged between beats, which may be a second apart.
            self._turned, self._drained_ns = turned, self._stepped_ns

    def beat(self) -> None:
        """Beat on every page and on the wire, if it is earned."""
        _, boot_ns = self._parts.now()
        gap_ns = boot_ns - self._last_beat_ns if self._last_beat_ns else 0
        self.gap_max_ns = max(self.gap_max_ns, gap_ns)
        if gap_ns >= self._lease_ns:
            self._was_away(gap_ns)
        self._last_beat_ns = boot_ns
        self._watch.look_at_words()
        self._beats.begin(self._accounts.values())

    def _beat_some(self, accounts: list[GuardedAccount]) -> None:
        """Judge some accounts and beat for them, if it is earned at this moment."""
        _, boot_ns = self._parts.now()
        for account in accounts:
            self._judge_snapshot(account, boot_ns)
            self._judge_feeds(account)
        if not self.is_earned(boot_ns):
            self._is_withheld = True
            return
        for account in accounts:
            self._beat_for(account, boot_ns)

    def _beat_for(self, account: GuardedAccount, boot_ns: int) -> None:
        if not account.page.is_whole():
            self.renew_page(account)
        if account.id in self._silent:
            self.withheld_for_feeds += 1
        else:
            account.page.beat(boot_ns)
        self._actuators.beat(account)
        broker = self._parts.brokers[account.id]
        if broker.is_away(boot_ns):
            # Greeted ten times a second until it answers: a start waits for nothing else.
            broker.send("hello")

    def _was_beaten(self) -> None:
        """Every account had its turn: the beat counts if none was withheld."""
        is_withheld, self._is_withheld = self._is_withheld, False
        if is_withheld:
            self.withheld += 1
            return
        self.beats += 1
        self.on_earned()

    def is_earned(self, boot_ns: int) -> bool:
        """Return whether every part made progress lately and the heart looked within a lease.

        The twin of `core_rs/src/freshness.rs`.

        A guard that was stopped must see that it was before it tells a gate anything.
        """
        return (
            boot_ns - self._last_beat_ns < self._lease_ns
            and boot_ns - self._stepped_ns <= PROGRESS_NS
            and boot_ns - self._drained_ns <= PROGRESS_NS
            and boot_ns - self._parts.storage.progress_boot_ns() <= PROGRESS_NS
        )

    def may_open(self, account: GuardedAccount, boot_ns: int) -> bool:
        """Return whether a word that holds the account's gates open is earned.

        The feeds are asked anew: a guard that was held up since its last beat would else hold a
        remote gate open for as long again.
        """
        return self.is_earned(boot_ns) and self._silence(account) is None

    def second(self) -> None:
        """Greet the brokers, and repeat what is not proven."""
        self._greetings.begin(self._accounts.values())

    def _greet_some(self, accounts: list[GuardedAccount]) -> None:
        now = self._parts.now()
        for account in accounts:
            self._parts.brokers[account.id].send("hello")
            self._actuators.run(account, account.trading.tick(now))

    def _judge_snapshot(self, account: GuardedAccount, boot_ns: int) -> None:
        """Ask for what is not fresh, and pause an account that had it once."""
        is_fresh = account.snapshots.is_fresh(boot_ns)
        is_due = boot_ns - account.snapshots.asked_boot_ns >= ASK_NS
        if is_due and (not is_fresh or account.snapshots.needs_read):
            self._pipeline.ask_read(account)
        if is_fresh or SNAPSHOT_GOOD in account.trading.waiting():
            return
        pause = ("snapshot_age", "guard", "SNAPSHOT_AGE", False, self._parts.now()[0])
        self._actuators.run(account, account.trading.pause(ACCOUNT, pause))

    def _judge_feeds(self, account: GuardedAccount) -> None:
        """Pause an account of which a required feed is silent; release it when that speaks."""
        silent = self._silence(account)
        was_silent = account.id in self._silent
        if silent is None:
            if was_silent:
                self._silent.discard(account.id)
                self._actuators.run(account, account.trading.release(ACCOUNT, FEED_SILENT))
            return
        self._silent.add(account.id)
        pause = (FEED_SILENT, "guard", "FEED_SILENT", False, self._parts.now()[0])
        self._actuators.run(account, account.trading.pause(ACCOUNT, pause))
        if not was_silent:
            name, silence_ns = silent
            text = f"required feed {name} is silent for {silence_ns / NS_PER_S:.1f} s"
            self._actuators.alarm(account.id, "FEED_SILENT", text)

    def _silence(self, account: GuardedAccount) -> tuple[str, int] | None:
        """Return the required feed that is silent beyond the limit, and for how many ns."""
        now = self._parts.now()
        return self._parts.engine.silent_feed(account.id, self._silence_max_ns, *now)

    def _was_away(self, gap_ns: int) -> None:
        """This process was stopped or starved for a lease: nothing that it knows is fresh."""
        self.away += 1
        wall_ns, _ = self._parts.now()
        for account in self._accounts.values():
            account.snapshots.forget()
            pause = ("away", "guard", "AWAY", False, wall_ns)
            self._actuators.run(account, account.trading.pause(ACCOUNT, pause))
            text = f"the guard did not run for {gap_ns / NS_PER_S:.1f} s"
            self._actuators.alarm(account.id, "AWAY", text)
            self._pipeline.ask_read(account)
