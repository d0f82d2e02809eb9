"""One cycle of reading the terminal, published in the order that the guard needs it."""

from __future__ import annotations

from typing import Final

import msgspec

from edgeguard.broker.planner.model import Observation
from edgeguard.broker.planner.waits import obstacle
from edgeguard.broker.publisher import Publisher
from edgeguard.broker.rows import DealRow, SymbolRow, TickRow
from edgeguard.broker.session import HISTORY_MARGIN_S, ReadError, TerminalSession
from edgeguard.clock import NS_PER_MS, NS_PER_S, Clock

POLL_NS: Final = 250 * NS_PER_MS
"""Interval of snapshots and quotes: 4 a second, a twentieth of the guard's 5 s limit."""
FACTS_NS: Final = 60 * NS_PER_S
"""Interval of reading symbols' rules again."""
DEALS_OVERLAP_S: Final = 60
"""New deals are looked for from this long before the newest known one, on the broker's clock."""


class Poller:
    """Reads and publishes; what it reads is also what a flatten plans on.

    Attributes:
        last: the newest good observation.
        fault: why the last cycle failed; empty when it did not.
        fault_ns: when it began to fail, 0 while it does not.
        cycles: good cycles so far.
    """

    def __init__(
        self,
        session: TerminalSession,
        publisher: Publisher,
        clock: Clock,
        symbols: tuple[str, ...],
    ) -> None:
        """Take the terminal, where to publish, and the symbols whose quotes are always read."""
        self._session = session
        self._publisher = publisher
        self._clock = clock
        self._symbols = symbols
        self._facts_ns: dict[str, int] = {}
        self._ticks: dict[str, TickRow] = {}
        self._deals_seen: set[int] = set()
        self._deals_from_s: int | None = None
        self._last_deal: int | None = None
        self.last: Observation | None = None
        self.fault = ""
        self.fault_ns = 0
        self.cycles = 0

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
            deals = await self._new_deals()
            obs = msgspec.structs.replace(obs, fresh_deals=tuple(deals))
        except ReadError as e:
            self.fault = str(e)
            self.fault_ns = self.fault_ns or self._clock.boot_ns()
            self._publisher.proof(None, trade_ok=False, text=self.fault)
            raise
        self.fault = ""
        self.fault_ns = 0
        self.last = obs
        self.cycles += 1
        for deal in deals:
            self._publisher.deal(deal, obs.account.currency_digits)
        self._publisher.snapshot(obs, last_deal=self._last_deal, request=request)
        account = obs.account
        self._publisher.proof(
            obs.terminal,
            trade_ok=account.trade_allowed and account.trade_expert,
            text=obstacle(obs),
        )
        return obs

    async def quotes(self) -> None:
        """Read the last tick of every symbol that matters and publish those that changed.

        Raises:
            ReadError: there is no connected terminal.
        """
        changed: list[tuple[str, TickRow]] = []
        for symbol in self._wanted():
            _, tick = await self._session.symbol(symbol, with_spec=False)
            if tick is not None and tick.bid > 0 and self._ticks.get(symbol) != tick:
                self._ticks[symbol] = tick
                changed.append((symbol, tick))
        self._publisher.ticks(changed)

    def known(self, symbol: str) -> tuple[SymbolRow | None, int]:
        """Return a symbol's rules and when they were read, boot nanoseconds."""
        return self._publisher.spec(symbol), self._facts_ns.get(symbol, 0)

    def _wanted(self) -> tuple[str, ...]:
        held = () if self.last is None else (row.symbol for row in self.last.positions)
        return tuple(dict.fromkeys((*self._symbols, *held)))

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

    async def _new_deals(self) -> list[DealRow]:
        """Return deals not seen before, oldest first; at the start they are all taken as seen."""
        wall_s = self._clock.wall_ns() // NS_PER_S
        since = self._deals_from_s
        first = since is None
        rows = await self._session.deals(
            wall_s - HISTORY_MARGIN_S if since is None else since, wall_s + HISTORY_MARGIN_S
        )
        fresh = [row for row in rows if row.ticket not in self._deals_seen]
        self._deals_seen = {row.ticket for row in rows}
        if rows:
            self._last_deal = max(self._last_deal or 0, *(row.ticket for row in rows))
            self._deals_from_s = max(row.time_msc for row in rows) // 1000 - DEALS_OVERLAP_S
        elif first:
            self._deals_from_s = wall_s - HISTORY_MARGIN_S
        return [] if first else sorted(fresh, key=lambda row: row.ticket)
