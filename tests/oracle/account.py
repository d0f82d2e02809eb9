"""One account: what each event and each deadline does to it, and the lines that follow."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.oracle.book import Book
from tests.oracle.calendar_ import Beginning, due, next_rollover
from tests.oracle.coverage import reached
from tests.oracle.errors import BadConfig
from tests.oracle.events import (
    AccountLine,
    Clock,
    ErrorLine,
    Event,
    Fill,
    Heartbeat,
    SymbolLine,
    Terminal,
    Tick,
    Transfer,
)  # fmt: skip
from tests.oracle.facts import Facts
from tests.oracle.lines import CODES, Line
from tests.oracle.losses import Losses
from tests.oracle.numerals import to_points
from tests.oracle.settings import AccountSettings, Settings
from tests.oracle.sources import Connections, Errors
from tests.oracle.spreads import Spread, SpreadChange

WEEKEND = (5, 6)


@dataclass
class Suspect:
    """A suspicious tick that waits; first_ns is when the first of the row came."""

    first_ns: int
    bid: int
    ask: int

    @property
    def doubled_mid(self) -> int:
        """Return twice the mid in points."""
        return self.bid + self.ask


class Account:
    """The state of one account."""

    def __init__(self, settings: Settings, account: AccountSettings) -> None:
        self.id = account.id
        self.limits = account.limits
        self.facts = Facts(settings)
        self.book = Book(self.facts, account.currency)
        self.losses = Losses(account, self.book)
        for scoped in settings.scoped:
            self.losses.add_scope(scoped)
        self.connections = Connections(settings, account, self.facts)
        self.errors = Errors(account)
        self.spreads: dict[str, Spread] = {}
        self.suspects: dict[str, Suspect] = {}
        self.last_stamp: dict[str, int] = {}
        self.input_pauses: set[tuple[str, str | None]] = set()
        self.rollover: Beginning | None = None
        self.lines: list[Line] = []

    # Time.

    def start(self, t_ns: int) -> None:
        """Begin at the first event's time."""
        self.rollover = self._next_rollover(t_ns)

    @property
    def rollover_ns(self) -> int:
        """Return when the next day begins."""
        assert self.rollover is not None
        return self.rollover.t_ns

    def _next_rollover(self, t_ns: int) -> Beginning:
        return next_rollover(t_ns, self.limits.rollover_minute, self.limits.text["rollover_zone"])

    def next_due(self) -> int:
        """Return the time of the next deadline; there is always a rollover."""
        times = [self.rollover_ns, *self.losses.due_times(), *self.errors.due_times()]
        times += self.connections.due_times()
        times += [self._jump_due(suspect) for suspect in self.suspects.values()]
        for symbol in self.spreads:
            time = self._hold_due(symbol)
            times += [] if time is None else [time]
        times += [t for t in map(self._stale_due, self._stale_candidates()) if t is not None]
        return min(times)

    def advance(self, t_ns: int) -> list[Line]:
        """Run everything that falls due at one instant and return its lines."""
        assert self.rollover is not None
        if self.rollover_ns <= t_ns:
            self._roll_over(self.rollover)
        for symbol in sorted(self.spreads):
            facts = self.facts.of(symbol).spread
            self._spread_lines(symbol, self.spreads[symbol].clear(t_ns, facts))
        for symbol, suspect in sorted(self.suspects.items()):
            if self._jump_due(suspect) <= t_ns:
                reached("suspect_deadline")
                self._accept(t_ns, symbol, suspect.bid, suspect.ask)
        return self._judged(t_ns, is_fresh=False)

    def _roll_over(self, beginning: Beginning) -> None:
        reached("rollover")
        if beginning.kind != "plain":
            reached(f"rollover_{beginning.kind}")
        if beginning.day.weekday() in WEEKEND:
            reached("rollover_weekend")
        self.errors.bands.rearm()
        self.losses.rollover(is_trusted=self._trusted_marked() is not None)
        self.rollover = self._next_rollover(beginning.t_ns)

    def _jump_due(self, suspect: Suspect) -> int:
        return suspect.first_ns + self.limits.ns("jump_confirm_ms")

    def _hold_due(self, symbol: str) -> int | None:
        spread = self.spreads[symbol]
        return None if spread.hold_ns is None else spread.due_ns(self.facts.of(symbol).session)

    # Trust and staleness.

    def _stale_candidates(self) -> list[str]:
        """Return the symbols equity rests on whose price is not yet known to be stale."""
        symbols = self.book.depends_on()
        return sorted(s for s in symbols if ("PRICE_STALE", s) not in self.input_pauses)

    def _stale_due(self, symbol: str) -> int | None:
        sessions = frozenset({self.facts.of(symbol).session})
        return due(sessions, self.book.priced_ns[symbol], self.limits.ns("price_age_max_s") + 1)

    def _judge_stale(self, t_ns: int) -> None:
        for symbol in self._stale_candidates():
            time = self._stale_due(symbol)
            if time is not None and time <= t_ns:
                is_held = self.book.depends_on()[symbol]
                reached("stale_position" if is_held else "stale_converter")
                age_max = self.limits.ns("price_age_max_s")
                if time - self.book.priced_ns[symbol] > age_max + 1:
                    reached("stale_over_closed_session")
                self._pause_input("PRICE_STALE", symbol)

    def _trusted_marked(self) -> Fraction | None:
        """Return the marked equity, None while it is untrusted."""
        if ("EQUITY_UNTRUSTED", None) in self.input_pauses:
            reached("untrusted_bad_account")
            return None
        if any(("PRICE_STALE", symbol) in self.input_pauses for symbol in self.book.depends_on()):
            reached("untrusted_stale")
            return None
        marked = self.book.marked()
        if marked is None:
            reached("untrusted_no_route")
        return marked

    # Lines.

    def _judged(self, t_ns: int, *, is_fresh: bool) -> list[Line]:
        """Evaluate every trigger and return the lines of this instant in their order."""
        self.errors.expire(t_ns)
        self._judge_stale(t_ns)
        marked = self._trusted_marked() if self.book.has_snapshot else None
        self.lines += self.losses.judge(t_ns, marked, is_fresh=is_fresh)
        self.lines += self.connections.judge(t_ns)
        self.lines += self.errors.judge(t_ns)
        lines = sorted(self.lines, key=Line.order)
        self.lines = []
        if len(lines) > 1:
            reached("several_lines_one_instant")
        return lines

    def _pause_input(self, code: str, symbol: str | None = None) -> None:
        if (code, symbol) not in self.input_pauses:
            self.input_pauses.add((code, symbol))
            self.lines.append(Line("input", "pause", code, symbol=symbol))

    def _release_input(self, code: str, symbol: str | None = None) -> bool:
        if (code, symbol) not in self.input_pauses:
            return False
        self.input_pauses.discard((code, symbol))
        self.lines.append(Line("input", "release", f"{code}_CLEARED", symbol=symbol))
        return True

    def _spread_lines(self, symbol: str, changes: list[SpreadChange]) -> None:
        threshold = self.limits.text["spread_multiple"]
        for made in changes:
            change, code = made.change, CODES["price_anomaly"] + made.change.suffix
            self.lines.append(
                Line("price_anomaly", change.action, code, change.value, threshold,
                     made.reference, symbol)
            )  # fmt: skip

    # Events.

    def handle(self, t_ns: int, event: Event, *, is_spec: bool) -> list[Line]:
        """Let one event happen and return its lines."""
        handlers: dict[type[Event], Callable[[int, Any], None]] = {
            AccountLine: self._account, Fill: self._fill, Transfer: self._transfer,
            ErrorLine: self.errors.line, Heartbeat: self.connections.heartbeat,
            Terminal: self.connections.terminal, SymbolLine: self._symbol, Clock: self._clock,
        }  # fmt: skip
        if isinstance(event, Tick):
            self._tick(t_ns, event, is_spec=is_spec)
        else:
            handlers[type(event)](t_ns, event)
        return self._judged(t_ns, is_fresh=isinstance(event, AccountLine) and event.is_valid)

    def _clock(self, _t_ns: int, _line: Clock) -> None:
        """Do nothing: time has moved already."""

    def _symbol(self, _t_ns: int, line: SymbolLine) -> None:
        self.facts.learn(line.symbol, line.facts)

    def _account(self, t_ns: int, line: AccountLine) -> None:
        for symbol in line.symbols:
            self._need_digits(symbol)
        if not line.is_valid:
            reached("bad_account_position" if line.bad_position else "bad_account")
            self.errors.add(t_ns, "bad_account")
            self._pause_input("EQUITY_UNTRUSTED")
            return
        reached("snapshot")
        self.book.snapshot(t_ns, line)
        self._release_input("EQUITY_UNTRUSTED")
        if self.losses.is_armed:
            self.losses.snapshot()
            return
        self.losses.arm()
        if not self.losses.has_day_start:
            reached("operator_closed")
            self._pause_input("DAY_START_UNKNOWN")

    def _fill(self, t_ns: int, line: Fill) -> None:
        self._need_digits(line.symbol)
        if not line.is_finite:
            reached("fill_non_finite")
            return
        self.book.fill(t_ns, line)

    def _need_digits(self, symbol: str) -> None:
        """End with exit 3 where nothing tells them, whatever else is wrong with the line."""
        if not self.facts.knows(symbol):
            raise BadConfig(f"symbol {symbol} must have digits")

    def _transfer(self, _t_ns: int, line: Transfer) -> None:
        if line.amount is None:
            reached("transfer_non_finite")
        elif not self.book.has_snapshot:
            reached("transfer_before_snapshot")
        else:
            self.book.transfer(line)
            self.losses.transfer(line.kind, line.amount)

    # Ticks.

    def _tick(self, t_ns: int, tick: Tick, *, is_spec: bool) -> None:
        if is_spec and not self.facts.knows(tick.symbol):
            raise BadConfig(f"symbol {tick.symbol} must have digits")
        stamp = t_ns if tick.source_ns is None else tick.source_ns
        prices = self._valid_prices(tick, stamp)
        if prices is None:
            self.errors.add(t_ns, "bad_tick")
            return
        self.last_stamp[tick.symbol] = stamp
        bid, ask = prices
        last = self.book.quotes.get(tick.symbol)
        if last is None or self._is_resolved(t_ns, tick.symbol, bid, ask, last):
            self._accept(t_ns, tick.symbol, bid, ask)

    def _valid_prices(self, tick: Tick, stamp: int) -> tuple[int, int] | None:
        """Return bid and ask in points, None for a bad tick."""
        if not self.facts.knows(tick.symbol):
            reached("bad_tick_unknown_symbol")
            return None
        digits = self.facts.of(tick.symbol).digits
        if tick.bid is None or tick.ask is None or tick.source_ns_invalid:
            reached("bad_tick_non_finite")
            return None
        bid, ask = to_points(tick.bid, digits), to_points(tick.ask, digits)
        if bid != tick.bid * 10**digits:
            reached("price_rounded_half_even")
        if bid <= 0 or ask <= 0:
            reached("bad_tick_not_positive")
        elif bid > ask:
            reached("bad_tick_crossed")
        elif stamp < self.last_stamp.get(tick.symbol, stamp):
            reached("bad_tick_running_back")
        else:
            if bid == ask:
                reached("locked_tick_valid")
            return bid, ask
        return None

    def _is_resolved(
        self, t_ns: int, symbol: str, bid: int, ask: int, last: tuple[int, int]
    ) -> bool:
        """Tell whether a valid tick is accepted; a suspicious one is kept as the suspect."""
        suspect = self.suspects.get(symbol)
        is_near_last = self._is_within(bid + ask, sum(last))
        if suspect is None:
            if is_near_last:
                return True
            reached("suspect_first")
            self.suspects[symbol] = Suspect(t_ns, bid, ask)
            self._pause_input("PRICE_JUMP", symbol)
            return False
        if self._is_within(bid + ask, suspect.doubled_mid):
            reached("suspect_confirm_wins" if is_near_last else "suspect_confirmed")
            return True
        if is_near_last:
            reached("suspect_discarded")
            return True
        reached("suspect_replaced")
        self.suspects[symbol] = Suspect(suspect.first_ns, bid, ask)
        return False

    def _is_within(self, doubled_mid: int, base: int) -> bool:
        return abs(doubled_mid - base) <= self.limits.number("jump_frac") * base

    def _accept(self, t_ns: int, symbol: str, bid: int, ask: int) -> None:
        """Mark, release and test the spread with an accepted tick."""
        self.suspects.pop(symbol, None)
        self.book.quote(t_ns, symbol, bid, ask)
        self._release_input("PRICE_JUMP", symbol)
        if self._release_input("PRICE_STALE", symbol):
            reached("stale_released")
        spread = self.spreads.setdefault(symbol, Spread(self.limits))
        facts = self.facts.of(symbol).spread
        self._spread_lines(symbol, spread.tick(t_ns, ask - bid, facts))
