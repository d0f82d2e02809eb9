"""Hold the shipped code to its promises P13 to P19, from the server's own truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from edgeguard.broker.frames import CallReply
from edgeguard.broker.intents import EndLine, SentLine, decode_line
from edgeguard.broker.paper import PaperServer
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.state import Deal, Order, Position
from edgeguard.broker.paper.units import to_units
from edgeguard.broker.planner.model import MAGIC_BASE, MAGIC_SPAN, Scope
from tests.sim.flatten.scenario import Scenario
from tests.sim.flatten.virtual import VirtualClock

NS = 1_000_000_000
ALARM_WITHIN_NS = 5 * NS
SETTLE_NS = NS
SOON_S = 0.1
"""A parent killed this long after an answer has it on disk, while a list may not show it yet."""
SAME_TARGET_MAX = 60
"""Requests for one target within 10 s: far above what any reaction of the planner needs."""


class ParentKilledError(BaseException):
    """The parent is killed right here."""


def is_own(magic: int) -> bool:
    return MAGIC_BASE <= magic < MAGIC_BASE + MAGIC_SPAN


class Watch:
    """Sees every call and every change of the server; collects violations."""

    def __init__(self, scenario: Scenario, server: PaperServer, clock: VirtualClock) -> None:
        self.scenario = scenario
        self.server = server
        self.clock = clock
        self.violations: list[str] = []
        self.sends = 0
        self.kills: dict[str, int] = {}
        self.kill_parent: Callable[[], None] = lambda: None
        self.cut_power: Callable[[], None] = lambda: None
        self.kill_at_send: list[tuple[int, str]] = []
        self._identity: dict[int, tuple[int, str, int]] = {}
        self._deals_seen = set(server.book.deals)
        self._foreign_ns: dict[str, int] = {}
        self._targets: dict[int, list[int]] = {}
        self._magic_of: dict[int, int] = {}
        self.alarms_ns: list[int] = []
        self.flats: list[int] = []
        self.last_order_ns = 0
        self.start_ns = clock.boot_ns()
        self._best = self.left()
        self.progress_ns = self.start_ns
        self.needs_alarm: list[tuple[int, str]] = []
        self._empty: dict[str, list[int]] = {}

    def fail(self, promise: str, text: str) -> None:
        at = (self.clock.boot_ns() - self.start_ns) / NS
        self.violations.append(f"{promise}: {text} (t={at:.3f} s)")

    # Calls.

    def before_call(self, life: int, method: str, args: tuple[Any, ...]) -> None:
        if method != "order_send":
            return
        self._maybe_kill("kill_parent_before_send")
        self.sends += 1
        request: dict[str, Any] = args[0]
        account = self.scenario.spec.account
        expected = (account.login, account.server, account.trade_mode)
        if self._identity.get(life) != expected:
            self.fail("P13", f"sent while the session last showed {self._identity.get(life)}")
        self._check_request(request)
        self._check_rate(request)

    def after_call(self, life: int, method: str, reply: CallReply) -> None:
        if method == "account_info":
            row = msgspec.msgpack.decode(reply.value)
            if row is not None:
                self._identity[life] = (row["login"], row["server"], row["trade_mode"])
        self._note_read(method, reply)
        if method == "order_send":
            row = msgspec.msgpack.decode(reply.value)
            if row is not None and row["retcode"] in (10008, 10009, 10010):
                # Chunk after chunk is no retry.
                self._targets.clear()
            self.last_order_ns = self.clock.boot_ns()
            if self.takes("kill_parent_soon_after"):
                asyncio.get_running_loop().call_later(SOON_S, self.kill_parent)
            if self.takes("cut_power_at_answer"):
                self.cut_power()
                raise ParentKilledError("cut_power_at_answer")
            self._maybe_kill("kill_parent_after_send")

    def _note_read(self, method: str, reply: CallReply) -> None:
        """Keep since when every read has shown nothing in scope, connected, without a send."""
        now = self.clock.boot_ns()
        if method == "terminal_info":
            row = msgspec.msgpack.decode(reply.value)
            if row is None or not row["connected"]:
                self._empty.clear()
        if method == "order_send":
            self._empty.clear()
        if method not in ("positions_get", "orders_get"):
            return
        rows = msgspec.msgpack.decode(reply.value)
        if rows is None or any(self._row_in_scope(row) for row in rows):
            self._empty.clear()
        else:
            self._empty.setdefault(method, []).append(now)

    def _row_in_scope(self, row: dict[str, Any]) -> bool:
        scope = self.scenario.scope
        if scope.kind == "symbol":
            return bool(row["symbol"] == scope.symbol)
        return scope.kind == "account" or row["magic"] in scope.magics

    def _check_evidence(self) -> None:
        """P17 by the letter: two good reads of both lists, far enough apart, nothing between."""
        for method in ("positions_get", "orders_get"):
            reads = self._empty.get(method, [])
            if len(reads) < 2 or reads[-1] - reads[0] < SETTLE_NS - NS // 100:
                self.fail("P17", f"told flat on {len(reads)} empty {method}")

    def takes(self, what: str) -> bool:
        """Whether a kill of this kind is due; it is used up."""
        now = self.clock.boot_ns() - self.start_ns
        for item in self.kill_at_send:
            if item[1] == what and item[0] <= now:
                self.kill_at_send.remove(item)
                self.kills[what] = self.kills.get(what, 0) + 1
                return True
        return False

    def _maybe_kill(self, what: str) -> None:
        if self.takes(what):
            raise ParentKilledError(what)

    def _check_request(self, request: dict[str, Any]) -> None:
        """P14: a close of a position, opposite and no larger, or a deletion; nothing else."""
        book = self.server.book
        action = request["action"]
        if action == c.TRADE_ACTION_REMOVE:
            order = book.orders.get(request["order"])
            if order is not None and not self._in_scope(order):
                self.fail("P14", f"deletes order {order.ticket}, which is out of scope")
        elif action == c.TRADE_ACTION_CLOSE_BY:
            if not request.get("position") or not request.get("position_by"):
                self.fail("P14", "CLOSE_BY without both positions")
        elif action == c.TRADE_ACTION_DEAL:
            self._check_close(request)
        else:
            self.fail("P14", f"action {action}")

    def _check_close(self, request: dict[str, Any]) -> None:
        ticket = request.get("position", 0)
        if not ticket:
            self.fail("P14", "a deal without its position")
            return
        held = self.server.book.positions.get(ticket)
        if held is None:
            return
        if not self._in_scope(held):
            self.fail("P14", f"closes position {ticket}, which is out of scope")
        if request["type"] == held.side and not self._disturbed(held.symbol):
            self.fail("P14", f"same side as position {ticket}")
        if to_units(request["volume"]) > held.units and not self._disturbed(held.symbol):
            own_late = self.scenario.mode == "hedging"
            if not own_late:
                self.fail("P15", f"closes {request['volume']} of {held.units / 1e8} {held.symbol}")

    def _check_rate(self, request: dict[str, Any]) -> None:
        target = request.get("position") or request.get("order") or 0
        now = self.clock.boot_ns()
        recent = [t for t in self._targets.get(target, []) if now - t < 10 * NS]
        recent.append(now)
        self._targets[target] = recent
        if len(recent) == SAME_TARGET_MAX:
            self.fail("P18", f"{len(recent)} requests for {target} in 10 s")

    def _in_scope(self, row: Position | Order) -> bool:
        scope: Scope = self.scenario.scope
        if scope.kind == "symbol":
            return row.symbol == scope.symbol
        if scope.kind == "strategy":
            return row.magic in scope.magics
        return True

    def _disturbed(self, symbol: str) -> bool:
        """Whether something else traded this symbol in the last minute: a race P15 excepts."""
        when = self._foreign_ns.get(symbol)
        return when is not None and self.clock.boot_ns() - when < 60 * NS

    # The server.

    def after_server(self) -> None:
        """Look at what is new in the server's truth."""
        book = self.server.book
        now = self.clock.boot_ns()
        fresh = [d for t, d in book.deals.items() if t not in self._deals_seen]
        for deal in fresh:
            self._deals_seen.add(deal.ticket)
            if is_own(deal.magic) and deal.reason == c.DEAL_REASON_EXPERT:
                self._check_own_deal(deal)
            elif deal.symbol:
                self._foreign_ns[deal.symbol] = now
        left = self.left()
        if left < self._best:
            self.progress_ns = now
        self._best = left

    def _check_own_deal(self, deal: Deal) -> None:
        if deal.entry in (c.DEAL_ENTRY_OUT, c.DEAL_ENTRY_OUT_BY):
            return
        if self._disturbed(deal.symbol) and self.scenario.mode == "netting":
            self.needs_alarm.append((self.clock.boot_ns(), f"own deal opened {deal.symbol}"))
            return
        self.fail("P15", f"own deal {deal.ticket} opened {deal.units / 1e8} {deal.symbol}")

    def left(self) -> tuple[int, int]:
        """What is left in scope: units and orders; smaller is better."""
        book = self.server.book
        units = sum(p.units for p in book.positions.values() if self._in_scope(p))
        orders = sum(1 for o in book.orders.values() if self._in_scope(o))
        return units + orders, orders

    # What is told.

    def told(self, kind: str, text: str) -> None:
        now = self.clock.boot_ns()
        if kind == "alarm":
            self.alarms_ns.append(now)
            self.needs_alarm = [
                item
                for item in self.needs_alarm
                if "appeared" not in text and "opened" not in text and "side" not in text
            ]
        if kind == "flat":
            self.flats.append(now)
            self._check_evidence()
            left = self.left()
            if left != (0, 0):
                self.fail("P17", f"told flat with {left} left")
            coming = (self._order_magic(later.order) for later in self.server.book.later)
            if self.scenario.mode == "netting" and any(is_own(magic) for magic in coming):
                self.fail("P17", "told flat with an own order still on its way")

    def _order_magic(self, ticket: int) -> int:
        order = self.server.book.orders.get(ticket)
        return 0 if order is None else order.magic

    def second(self, *, unproven: bool, believed_ns: int) -> None:
        """P18, looked at every second: progress or an alarm within 5 s.

        What the planner believes to be progress counts too, but not for ever.
        """
        now = self.clock.boot_ns()
        if not unproven:
            self.progress_ns = now
            return
        last_alarm = self.alarms_ns[-1] if self.alarms_ns else 0
        known = max(self.progress_ns, believed_ns)
        quiet = now - known > ALARM_WITHIN_NS + NS and last_alarm < believed_ns
        # Whatever it believes: without true progress somebody has to hear of it every minute.
        deaf = now - self.progress_ns > 20 * NS and now - last_alarm > 65 * NS
        if quiet or deaf:
            self.fail("P18", f"no progress and no alarm for {(now - known) / NS:.0f} s")
            self.progress_ns = now

    # The end.

    def check_log(self, data: bytes) -> None:
        """P16: every intent sent has exactly one end, and it is the truth."""
        sent: dict[int, SentLine] = {}
        ends: dict[int, list[EndLine]] = {}
        for text in data.splitlines(keepends=True):
            line = decode_line(text)
            if isinstance(line, SentLine):
                if line.intent.id in sent:
                    self.fail("P16", f"intent {line.intent.id} was used twice")
                sent[line.intent.id] = line
            elif isinstance(line, EndLine):
                ends.setdefault(line.id, []).append(line)
        done = self._executed()
        for number in done:
            if number not in sent:
                self.fail("P16", f"request {number} was executed without an intent on disk")
        for number, line in sent.items():
            self._check_end(line, ends.get(number, []), done.get(number, 0))

    def _executed(self) -> dict[int, int]:
        """Return the units that the server really executed, by intent."""
        done: dict[int, int] = {}
        for deal in self.server.book.deals.values():
            # A stranger's close of a position carries the position's own magic.
            own = is_own(deal.magic) and deal.reason == c.DEAL_REASON_EXPERT
            if own and deal.entry != c.DEAL_ENTRY_OUT_BY:
                number = deal.magic - MAGIC_BASE
                done[number] = done.get(number, 0) + deal.units
        return done

    def _check_end(self, line: SentLine, ends: list[EndLine], truth: int) -> None:
        intent = line.intent
        if len(ends) != 1:
            self.fail("P16", f"intent {intent.id} ({intent.kind}) has {len(ends)} ends")
            return
        end = ends[0]
        if intent.kind != "close":
            return
        claimed = end.units if end.end in ("FILLED", "PARTIAL") else 0
        if claimed != truth:
            self.fail(
                "P16",
                f"intent {intent.id} ended {end.end} with {claimed / 1e8} ({end.why}), executed "
                f"{truth / 1e8}",
            )
