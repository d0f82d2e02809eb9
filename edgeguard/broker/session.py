"""A terminal behind a child, as typed reads: `None` is a failure and never an empty list."""

from __future__ import annotations

import contextlib
from typing import Any, Final, TypeVar

import msgspec

from edgeguard.broker.link import CallFailedError, ChildLink
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.model import Evidence, Observation
from edgeguard.broker.retcodes import OVERRUN, Answer, Verdict, classify
from edgeguard.broker.rows import (
    AccountRow,
    DealRow,
    OrderRow,
    PositionRow,
    SendRow,
    SymbolRow,
    TerminalRow,
    TickRow,
)
from edgeguard.clock import NS_PER_S, Clock
from edgeguard.errors import TerminalError

BRACKET_TRIES: Final = 5
"""Reads between which the account moved are repeated this often; then its newer figures stand."""
HISTORY_MARGIN_S: Final = 2 * 86_400
"""Ranges of history reach this far past both ends: the broker's clock is not known."""
T = TypeVar("T")


class Timeouts(msgspec.Struct, frozen=True):
    """How long a call may take before its child is killed, seconds."""

    initialize_s: float = 70.0
    """The vendor's own start-up loop gives up after 60 s."""
    read_s: float = 5.0
    order_s: float = 10.0


class ReadError(Exception):
    """A read failed; the text names the call and the terminal's own error."""


class TerminalSession:
    """The typed calls; starts a child and connects it whenever there is none.

    Attributes:
        link: the child.
        session: counts connected children; observations carry it.
        calls: calls made, by the vendor's function.
        disagreements: brackets whose two account reads differed.
    """

    def __init__(self, link: ChildLink, clock: Clock, timeouts: Timeouts) -> None:
        """Take the child, which may still have to be started."""
        self.link = link
        self._clock = clock
        self._timeouts = timeouts
        self._is_connected = False
        self.session = 0
        self.calls: dict[str, int] = {}
        self.disagreements = 0

    @property
    def reads(self) -> int:
        """Calls made so far that were no orders."""
        return sum(count for method, count in self.calls.items() if method != "order_send")

    @property
    def is_ready(self) -> bool:
        """Whether a connected child is there."""
        return self.link.is_up and self._is_connected

    async def ensure(self) -> None:
        """Make sure that a connected child is there.

        Raises:
            ReadError: it cannot be started or connected now.
        """
        if self.is_ready:
            return
        self._is_connected = False
        try:
            if not self.link.is_up:
                await self.link.start()
            reply = await self._call("initialize", self._timeouts.initialize_s)
        except (CallFailedError, TerminalError) as e:
            # A terminal that was there once will be there again: this is tried for ever.
            raise ReadError(str(e)) from e
        if not msgspec.msgpack.decode(reply.value):
            raise ReadError(f"initialize failed: {reply.text} ({reply.code})")
        self.session += 1
        self._is_connected = True

    async def read(self, method: str, kind: type[T], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401
        """Return the typed value of one read.

        Raises:
            ReadError: it gave `None`, or nothing.
        """
        await self.ensure()
        try:
            reply = await self._call(method, self._timeouts.read_s, args, **kwargs)
        except CallFailedError as e:
            raise ReadError(str(e)) from e
        try:
            value = msgspec.msgpack.decode(reply.value, type=kind | None)
        except msgspec.MsgspecError as e:
            raise ReadError(f"{method} gave something else than expected: {e}") from e
        if value is None:
            self._drop_if_lost(reply.code)
            raise ReadError(f"{method} gave None: {reply.text} ({reply.code})")
        return value

    async def observe(
        self, *, history_since_ns: int | None = None, identifiers: tuple[int, ...] = ()
    ) -> Observation:
        """Return one bracketed read: terminal, account, positions, orders, account, terminal.

        The terminal's link is asked at both ends: lists read while it was down stand still, and a
        link that came back in between would make them look fresh.

        Args:
            history_since_ns: also read deals and orders since this wall time.
            identifiers: positions whose own deals are summed.

        Raises:
            ReadError: any of the reads failed, or the terminal was connected anew in between.
                History that cannot be read only leaves the observation without it.
        """
        await self.ensure()
        session = self.session
        for left in reversed(range(BRACKET_TRIES)):
            start_ns = self._clock.boot_ns()
            before = await self.read("terminal_info", TerminalRow)
            first = await self.read("account_info", AccountRow)
            positions = await self.read("positions_get", tuple[PositionRow, ...])
            orders = await self.read("orders_get", tuple[OrderRow, ...])
            account = await self.read("account_info", AccountRow)
            if _agree(first, account, exact=left > 0):
                break
            self.disagreements += 1
        else:
            raise ReadError("the account changed between two reads, every time")
        terminal = await self.read("terminal_info", TerminalRow)
        if not before.connected:
            terminal = before
        # A history that fails must not hold up what needs none.
        evidence = None
        if history_since_ns is not None:
            with contextlib.suppress(ReadError):
                evidence = await self._evidence(history_since_ns, identifiers)
        if self.session != session or not self.is_ready:
            raise ReadError("the terminal was connected anew during the read")
        return Observation(
            start_ns=start_ns,
            end_ns=self._clock.boot_ns(),
            session=session,
            account=account,
            terminal=terminal,
            positions=positions,
            orders=orders,
            evidence=evidence,
        )

    async def deals(self, since_s: int, until_s: int) -> tuple[DealRow, ...]:
        """Return the deals between two seconds of the broker's clock.

        Raises:
            ReadError: the read failed.
        """
        return await self.read("history_deals_get", tuple[DealRow, ...], since_s, until_s)

    async def symbol(
        self, symbol: str, *, with_spec: bool
    ) -> tuple[SymbolRow | None, TickRow | None]:
        """Return a symbol's rules (where asked) and last tick; None for what cannot be read.

        Raises:
            ReadError: there is no connected child.
        """
        await self.ensure()
        spec = await self._maybe("symbol_info", SymbolRow, symbol) if with_spec else None
        if spec is not None and not spec.select:
            await self._maybe("symbol_select", bool, symbol, True)  # noqa: FBT003
        return spec, await self._maybe("symbol_info_tick", TickRow, symbol)

    async def send(self, request: dict[str, int | float | str]) -> tuple[Answer, SendRow | None]:
        """Send one request and return what became of it; never raises for the server's sake."""
        is_delete = request["action"] == c.TRADE_ACTION_REMOVE
        if not self.is_ready:
            return Answer(Verdict.NOT_SENT, "NO_CHILD", "the terminal's process is gone"), None
        try:
            reply = await self._call("order_send", self._timeouts.order_s, (request,))
            row = msgspec.msgpack.decode(reply.value, type=SendRow | None)
        except CallFailedError as e:
            return OVERRUN._replace(text=str(e)), None
        except msgspec.MsgspecError as e:
            return Answer(Verdict.UNKNOWN, "GARBLED", f"the answer cannot be read: {e}"), None
        if row is None:
            self._drop_if_lost(reply.code)
            answer = classify(None, reply.code)
            return answer._replace(text=f"{answer.text}: {reply.text} ({reply.code})"), None
        answer = classify(row.retcode, is_delete=is_delete)
        if row.comment:
            answer = answer._replace(text=f"{answer.text} ({row.comment})")
        return answer, row

    def close(self) -> None:
        """End the child."""
        self._is_connected = False
        self.link.stop()

    async def _evidence(self, since_wall_ns: int, identifiers: tuple[int, ...]) -> Evidence:
        since = since_wall_ns // NS_PER_S - HISTORY_MARGIN_S
        until = self._clock.wall_ns() // NS_PER_S + HISTORY_MARGIN_S
        deals = await self.deals(since, until)
        orders = await self.read("history_orders_get", tuple[OrderRow, ...], since, until)
        volumes: dict[int, int] = {}
        for identifier in identifiers:
            rows = await self.read("history_deals_get", tuple[DealRow, ...], position=identifier)
            net = net_units(rows)
            if net is not None:
                volumes[identifier] = net
        return Evidence(deals, orders, volumes)

    async def _maybe(self, method: str, kind: type[T], *args: object) -> T | None:
        try:
            return await self.read(method, kind, *args)
        except ReadError:
            return None

    async def _call(
        self,
        method: str,
        timeout_s: float,
        args: tuple[Any, ...] = (),
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        self.calls[method] = self.calls.get(method, 0) + 1
        try:
            return await self.link.call(method, timeout_s, args, **kwargs)
        except CallFailedError:
            self._is_connected = self._is_connected and self.link.is_up
            raise

    def _drop_if_lost(self, code: int) -> None:
        """Connect again before the next call when the vendor's pipe is gone or out of step."""
        if code <= c.RES_E_INTERNAL_FAIL:
            self._is_connected = False


def net_units(deals: tuple[DealRow, ...]) -> int | None:
    """Return what a position's deals leave of it, buys positive; None without its opening deal."""
    trades = [deal for deal in deals if deal.type in (c.DEAL_TYPE_BUY, c.DEAL_TYPE_SELL)]
    if not any(deal.entry in (c.DEAL_ENTRY_IN, c.DEAL_ENTRY_INOUT) for deal in trades):
        return None
    signs = {c.DEAL_TYPE_BUY: 1, c.DEAL_TYPE_SELL: -1}
    return sum(signs[deal.type] * to_units(deal.volume) for deal in trades)


def _agree(first: AccountRow, second: AccountRow, *, exact: bool) -> bool:
    """Tell whether two account reads are of one moment; not exact: prices may have moved."""
    if exact:
        return first == second
    return (first.login, first.server, first.trade_mode, first.balance, first.credit) == (
        second.login,
        second.server,
        second.trade_mode,
        second.balance,
        second.credit,
    )
