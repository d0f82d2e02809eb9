"""One cycle of reading the terminal, published in the order that the guard needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edgeguard.broker.day_start import DayStart, Today, day_start
from edgeguard.broker.intents import IntentLog, TransferLine
from edgeguard.broker.paper import constants as c
from edgeguard.broker.planner.model import Observation
from edgeguard.broker.planner.waits import obstacle
from edgeguard.broker.publisher import Publisher
from edgeguard.broker.rows import AccountRow, DealRow, PositionRow, SymbolRow, TickRow
from edgeguard.broker.session import HISTORY_MARGIN_S, ReadError, TerminalSession
from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock

POLL_NS: Final = 250 * NS_PER_MS
"""Interval of snapshots and quotes: 4 a second, a twentieth of the guard's 5 s limit."""
FACTS_NS: Final = 60 * NS_PER_S
"""Interval of reading symbols' rules again."""
OFFSET_STEP_S: Final = 900
OFFSET_NOISE_S: Final = 60
"""Brokers' clocks are ahead of UTC by whole quarters of an hour, and off by less than a minute."""
DEALS_OVERLAP_S: Final = 2 * 3600
"""New deals are looked for from this long before the newest known one, on the broker's clock, which
may step back by an hour when summer time ends."""


class Poller:
    """Reads and publishes; what it reads is also what a flatten plans on.

    Attributes:
        is_heard: whether a guard listens; while none does, transfers are kept for the next one.
        last: the newest good observation.
        fault: why the last cycle failed; empty when it did not.
        fault_ns: when it began to fail, 0 while it does not.
        cycles: good cycles so far.
        offset_s: what the broker's clock is ahead of UTC, None before a quote has moved.
    """

    def __init__(
        self,
        session: TerminalSession,
        publisher: Publisher,
        clock: Clock,
        log: IntentLog,
        symbols: tuple[str, ...],
    ) -> None:
        """Take the terminal, where to publish, and the symbols whose quotes are always read."""
        self._session = session
        self._publisher = publisher
        self._clock = clock
        self._symbols = symbols
        self._facts_ns: dict[str, int] = {}
        self._ticks: dict[str, TickRow] = {}
        self._tick_msc: dict[str, int] = {}
        self._log = log
        self._deals = DealReader(session, clock, log)
        self._held: list[DealRow] = []
        self.is_heard: Callable[[], bool] = lambda: True
        self.last: Observation | None = None
        self.fault = ""
        self.fault_ns = 0
        self.cycles = 0
        self.offset_s: int | None = None

    async def cycle(
        self,
        *,
        request: int = 0,
        history_since_ns: int | None = None,
        identifiers: tuple[int, ...] = (),
    ) -> Observation:
        """Read once and publish: facts of new symbols, deals, then the snapshot and the proof.

        Args:
            request: the fresh read that asked for this, 0 for the regular poll.
            history_since_ns: as `TerminalSession.observe`.
            identifiers: as there.

        Raises:
            ReadError: a read failed; the missing proof is published.
        """
        try:
            obs = await self._session.observe(
                history_since_ns=history_since_ns, identifiers=identifiers
            )
            await self._facts(obs)
        except ReadError as e:
            self._note_fault(str(e))
            raise
        self.last = obs
        self.cycles += 1
        try:
            deals = await self._deals.fresh()
        except ReadError as e:
            # Without its deals a snapshot would show a withdrawal as a loss: the guard gets none,
            # while a flatten goes on with what it needs.
            self._note_fault(str(e))
            return obs
        self.fault = ""
        self.fault_ns = 0
        self._publish(obs, deals, request)
        return msgspec.structs.replace(obs, fresh_deals=tuple(deals))

    async def quotes(self) -> None:
        """Read the last tick of every symbol that matters and publish those that changed.

        Raises:
            ReadError: there is no connected terminal.
        """
        held = () if self.last is None else (row.symbol for row in self.last.positions)
        changed: list[tuple[str, TickRow]] = []
        for symbol in dict.fromkeys((*self._symbols, *held)):
            _, tick = await self._session.symbol(symbol, with_spec=False)
            if tick is not None and tick.bid > 0:
                self._note_clock(symbol, tick)
            if tick is not None and tick.bid > 0 and self._ticks.get(symbol) != tick:
                self._ticks[symbol] = tick
                changed.append((symbol, tick))
        self._publisher.ticks(changed)

    async def day_start(self, since_ns: int) -> DayStart:
        """Return what the deal history proves of the account at a moment, UTC nanoseconds.

        Everything that it counts has been published before: the guard can tell by the newest deal.

        Raises:
            ReadError: a read failed.
        """
        await self.cycle()
        if self.fault:
            return DayStart(since_ns, f"deals cannot be read: {self.fault}")
        if self.offset_s is None:
            return DayStart(since_ns, "the broker's clock is not known before a quote moves")
        before = await self._session.read("account_info", AccountRow)
        wall_s = self._clock.wall_ns() // NS_PER_S
        deals = await self._session.deals(0, wall_s + HISTORY_MARGIN_S)
        positions = await self._session.read("positions_get", tuple[PositionRow, ...])
        after = await self._session.read("account_info", AccountRow)
        if (before.balance, before.credit) != (after.balance, after.credit):
            return DayStart(since_ns, "the account moved while its deal history was read")
        today = Today(after.balance, after.credit, after.currency_digits, positions)
        return day_start(deals, today, since_ns=since_ns, offset_s=self.offset_s)

    def _note_clock(self, symbol: str, tick: TickRow) -> None:
        """Learn the broker's offset from UTC of a quote that came since the last look."""
        before = self._tick_msc.get(symbol)
        self._tick_msc[symbol] = tick.time_msc
        if before is None or tick.time_msc <= before:
            return
        ahead_s = tick.time_msc / 1000 - self._clock.wall_ns() / NS_PER_S
        offset_s = round(ahead_s / OFFSET_STEP_S) * OFFSET_STEP_S
        if abs(ahead_s - offset_s) <= OFFSET_NOISE_S:
            self.offset_s = offset_s

    def known(self, symbol: str) -> tuple[SymbolRow | None, int]:
        """Return a symbol's rules and when they were read, boot nanoseconds."""
        return self._publisher.spec(symbol), self._facts_ns.get(symbol, 0)

    def tell_again(self) -> None:
        """Publish every symbol's facts and quotes again: somebody new listens."""
        self._publisher.forget_facts()
        self._facts_ns.clear()
        self._ticks.clear()

    def _publish(self, obs: Observation, deals: list[DealRow], request: int) -> None:
        """Publish the deals of a cycle before its snapshot, and the proof last.

        A transfer that no guard hears would look like a loss, or hide one, for ever: it is kept,
        and no snapshot goes out before it.
        """
        account = obs.account
        self._held += [deal for deal in deals if not is_trade(deal)]
        if not self._held or self.is_heard():
            told = sorted((*self._held, *filter(is_trade, deals)), key=lambda row: row.ticket)
            self._held = []
            for deal in told:
                if not is_trade(deal):
                    self._log.append(TransferLine(deal.ticket), durable=True)
                self._publisher.deal(deal, account.currency_digits)
            self._publisher.snapshot(obs, last_deal=self._deals.last, request=request)
        trade_ok = account.trade_allowed and account.trade_expert
        self._publisher.proof(obs.terminal, trade_ok=trade_ok, text=obstacle(obs))

    def _note_fault(self, why: str) -> None:
        """Publish that the terminal gives no proof; the first of a row also as an error."""
        if not self.fault_ns:
            self.fault_ns = self._clock.boot_ns()
            self._publisher.error("terminal", why)
        self.fault = why
        self._publisher.proof(None, trade_ok=False, text=why)

    async def _facts(self, obs: Observation) -> None:
        """Publish facts of symbols that are new or due, so that rows get their digits."""
        held = (row.symbol for row in (*obs.positions, *obs.orders))
        now = self._clock.boot_ns()
        for symbol in dict.fromkeys((*self._symbols, *held)):
            read_ns = self._facts_ns.get(symbol)
            if read_ns is not None and now - read_ns < FACTS_NS:
                continue
            self._facts_ns[symbol] = now
            spec, _ = await self._session.symbol(symbol, with_spec=True)
            if spec is not None:
                self._publisher.facts(spec)


class DealReader:
    """Reads the deals that are new since the last time.

    Attributes:
        last: the highest deal ever seen, None before the first.
    """

    def __init__(self, session: TerminalSession, clock: Clock, log: IntentLog) -> None:
        """Take the terminal, and the log that knows what earlier lives told."""
        self._session = session
        self._clock = clock
        self._log = log
        self._seen: set[int] | None = None
        self._from_s = 0
        self.last: int | None = None

    async def fresh(self) -> list[DealRow]:
        """Return deals not seen before, oldest first.

        At the start all count as seen but transfers that came while nobody looked.

        Raises:
            ReadError: the read failed.
        """
        wall_s = self._clock.wall_ns() // NS_PER_S
        since = wall_s - HISTORY_MARGIN_S if self._seen is None else self._from_s
        rows = await self._session.deals(since, wall_s + HISTORY_MARGIN_S)
        seen, self._seen = self._seen, {row.ticket for row in rows}
        self._from_s = since
        if rows:
            self.last = max(self.last or 0, *self._seen)
            self._from_s = max(row.time_msc for row in rows) // 1000 - DEALS_OVERLAP_S
        found = [row for row in rows if row.ticket not in seen] if seen is not None else None
        if found is None:
            found = self._missed(rows)
        return sorted(found, key=lambda row: row.ticket)

    def _missed(self, rows: tuple[DealRow, ...]) -> list[DealRow]:
        """Return the transfers that came since an earlier life told its last one."""
        last = self._log.contents.last_transfer
        if last is None:
            # The first start ever: what the account's history holds is nobody's news.
            newest = max((row.ticket for row in rows), default=0)
            self._log.append(TransferLine(newest), durable=True)
            return []
        return [row for row in rows if row.ticket > last and not is_trade(row)]


def is_trade(row: DealRow) -> bool:
    """Tell a trade's deal from money that moved without one."""
    return row.type in (c.DEAL_TYPE_BUY, c.DEAL_TYPE_SELL)
