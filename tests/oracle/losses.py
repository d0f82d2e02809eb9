"""Daily loss and total drawdown of one account: references, peaks, transfers, rollovers."""

from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.book import COUNTED_KINDS, Book, Holding
from tests.oracle.coverage import reached
from tests.oracle.limits import Change, Loss, LossLimit
from tests.oracle.lines import CODES, Line
from tests.oracle.numerals import fixed, to_minor
from tests.oracle.settings import AccountSettings, Scoped

ZERO = Fraction(0)


@dataclass
class ScopeState:
    """A daily loss limit of a strategy or symbol: its result at the reference and its machine."""

    settings: Scoped
    limit: LossLimit
    start: Fraction = ZERO
    reported: Fraction = ZERO

    def covers(self, holding: Holding) -> bool:
        """Tell whether a position belongs to this scope."""
        return self.settings.covers(holding.magic, holding.symbol)


@dataclass
class Losses:
    """Everything the loss triggers remember; all sums in minor units but the transfers."""

    settings: AccountSettings
    book: Book
    scopes: list[ScopeState] = field(default_factory=list)
    is_armed: bool = False
    reference: int = 0
    daily_transfers: Fraction = ZERO
    peak: int = 0
    peak_transfers: Fraction = ZERO

    def __post_init__(self) -> None:
        limits = self.settings.limits
        self.has_day_start = limits.text["first_reference"] != "operator"
        self.daily = self._limit(limits.number("daily_loss"))
        self.drawdown = self._limit(limits.number("total_drawdown"))
        self.mode = limits.text["drawdown_mode"]

    def _limit(self, threshold: Fraction) -> LossLimit:
        limits = self.settings.limits
        return LossLimit(
            threshold, limits.ns("confirm_ms"), confirms=limits.text["confirm"] == "reported"
        )

    def add_scope(self, scoped: Scoped) -> None:
        """Watch a strategy's or symbol's own daily loss."""
        limit = self._limit(Fraction(scoped.threshold_text))
        self.scopes.append(ScopeState(scoped, limit))

    def minor(self, money: Fraction) -> int:
        """Return money in minor units."""
        return to_minor(money, self.settings.currency_digits)

    @property
    def initial(self) -> int:
        """Return the configured initial balance in minor units."""
        return self.minor(self.settings.initial_balance)

    # What changes the references.

    def arm(self) -> None:
        """Set the first references and the first peak from the first valid snapshot."""
        self.is_armed = True
        self._set_reference(self.minor(self.book.reported), is_trusted=True)
        self.peak = self.initial
        if self.mode == "trailing_equity":
            self.peak = max(self.initial, self.minor(self.book.reported))
            if self.peak > self.initial:
                reached("peak_first_equity")

    def _set_reference(self, equity: int, *, is_trusted: bool) -> None:
        """Take the day's reference from the present balance and an equity."""
        kind = self.settings.limits.text["daily_reference"]
        reached(f"reference_{kind}")
        balance = self.minor(self.book.balance)
        self.reference = {
            "max_balance_equity": max(balance, equity),
            "balance": balance,
            "equity": equity,
            "initial_balance": self.initial,
        }[kind]
        self.daily_transfers = ZERO
        self.book.realised.clear()
        for scope in self.scopes:
            scope.reported = self.book.carried(scope.covers)
            floating = self.book.floating(scope.covers) if is_trusted else None
            scope.start = scope.reported if floating is None else floating

    def rollover(self, *, is_trusted: bool) -> None:
        """Begin a day: the reference is the last state before it."""
        self.daily.bands.rearm()
        self.drawdown.bands.rearm()
        for scope in self.scopes:
            scope.limit.bands.rearm()
        if not self.is_armed:
            reached("rollover_before_snapshot")
            return
        if not self.has_day_start:
            reached("operator_rollover")
        if self.daily.state == "halted":
            reached("rollover_halted")
        reached("rollover_marked_reference" if is_trusted else "rollover_untrusted_reference")
        marked = self.book.marked() if is_trusted else None
        equity = self.book.reported if marked is None else marked
        self._set_reference(self.minor(equity), is_trusted=is_trusted)
        if self.mode == "trailing_eod_balance":
            is_raised = self._raise_peak(self.minor(self.book.balance))
            reached("peak_eod_raised" if is_raised else "peak_eod_kept")

    def snapshot(self) -> None:
        """Let a later snapshot raise the trailing peak and note what the scopes report."""
        if self.mode == "trailing_equity" and self._raise_peak(self.minor(self.book.reported)):
            reached("peak_raised")
        for scope in self.scopes:
            scope.reported = self._result(scope) or ZERO

    def _raise_peak(self, candidate: int) -> bool:
        if candidate <= self.peak + self.minor(self.peak_transfers):
            return False
        if self.peak_transfers:
            reached("peak_raised_over_transfers")
        self.peak, self.peak_transfers = candidate, ZERO
        return True

    def transfer(self, kind: str, amount: Fraction) -> None:
        """Count a transfer since the reference and since the peak."""
        if kind not in COUNTED_KINDS:
            reached("transfer_profit_or_loss")
            return
        reached("transfer_counted")
        self.daily_transfers += amount
        self.peak_transfers += amount

    # What the references say about an equity.

    def _base(self) -> int:
        is_reference = self.settings.limits.text["daily_base"] == "reference"
        reached("base_reference" if is_reference else "base_initial_balance")
        return self.reference if is_reference else self.initial

    def daily_figure(self, equity: int) -> Loss:
        """Return the daily loss at an equity."""
        base = self._base()
        loss = self.reference + self.minor(self.daily_transfers) - equity
        is_over = loss > self.daily.threshold * base
        return Loss(loss, base, self._is_void(base, equity) or is_over)

    def drawdown_figure(self, equity: int) -> Loss:
        """Return the drawdown at an equity; lock_at is a floor in account money."""
        transfers = self.minor(self.peak_transfers)
        floor = self.peak - self.drawdown.threshold * self.peak
        lock_at = self.settings.limits.lock_at
        if lock_at is not None:
            lock = lock_at * 10**self.settings.currency_digits
            reached("lock_at_floor" if lock < floor else "lock_at_not_reached")
            floor = min(floor, lock)
        if self.mode == "static":
            reached("peak_static")
        if self.mode == "trailing_equity" and equity > self.peak + transfers:
            reached("peak_not_raised_by_mark")
        is_breach = self._is_void(self.peak, equity) or equity < floor + transfers
        return Loss(self.peak + transfers - equity, self.peak, is_breach)

    @staticmethod
    def _is_void(base: int, equity: int) -> bool:
        if base <= 0:
            reached("base_not_positive")
        if equity <= 0:
            reached("equity_not_positive")
        return base <= 0 or equity <= 0

    def _result(self, scope: ScopeState) -> Fraction | None:
        """Return what a scope has earned since the reference, floating included."""
        floating = self.book.floating(scope.covers)
        if floating is None:
            return None
        covers = scope.settings.covers
        return floating + sum((a for m, s, a in self.book.realised if covers(m, s)), ZERO)

    def scope_figure(self, scope: ScopeState, result: Fraction) -> Loss:
        """Return a scope's loss since the reference against the account's base."""
        base = self._base()
        loss = self.minor(scope.start) - self.minor(result)
        return Loss(loss, base, base <= 0 or loss > scope.limit.threshold * base)

    # Judging.

    def judge(self, t_ns: int, marked: Fraction | None, *, is_fresh: bool) -> list[Line]:
        """Judge all loss limits; marked is None while it is untrusted."""
        if not self.is_armed:
            return []
        equity = None if marked is None else self.minor(marked)
        reported = self.minor(self.book.reported)
        lines: list[Line] = []
        if self.has_day_start:
            marked_loss = None if equity is None else self.daily_figure(equity)
            figure = self.daily_figure(reported)
            changes = self.daily.judge(t_ns, marked_loss, figure, is_fresh=is_fresh)
            lines += self._daily_lines(changes, "account", self._text("daily_loss"), 0)
            lines += self._judge_scopes(t_ns, is_trusted=equity is not None, is_fresh=is_fresh)
        marked_loss = None if equity is None else self.drawdown_figure(equity)
        figure = self.drawdown_figure(reported)
        changes = self.drawdown.judge(t_ns, marked_loss, figure, is_fresh=is_fresh)
        threshold = self._text("total_drawdown")
        return lines + [
            Line("total_drawdown", c.action, CODES["total_drawdown"] + c.suffix, c.value,
                 threshold, fixed(self.peak, self.settings.currency_digits))
            for c in changes
        ]  # fmt: skip

    def _judge_scopes(self, t_ns: int, *, is_trusted: bool, is_fresh: bool) -> list[Line]:
        lines: list[Line] = []
        for rank, scope in enumerate(self.scopes, start=1):
            result = self._result(scope) if is_trusted else None
            marked = None if result is None else self.scope_figure(scope, result)
            reported = self.scope_figure(scope, scope.reported)
            changes = scope.limit.judge(t_ns, marked, reported, is_fresh=is_fresh)
            name, text = scope.settings.scope, scope.settings.threshold_text
            if changes:
                reached("symbol_scope" if name.startswith("symbol") else "strategy_scope")
            lines += self._daily_lines(changes, name, text, rank)
        return lines

    def _text(self, key: str) -> str:
        return self.settings.limits.text[key]

    def _daily_lines(
        self, changes: list[Change], scope: str, threshold: str, rank: int
    ) -> list[Line]:
        reference = fixed(self.reference, self.settings.currency_digits)
        return [
            Line("daily_loss", c.action, CODES["daily_loss"] + c.suffix, c.value, threshold,
                 reference, scope=scope, scope_rank=rank)
            for c in changes
        ]  # fmt: skip

    def due_times(self) -> list[int]:
        """Return when pending confirmations run out."""
        limits = [self.daily, self.drawdown, *(scope.limit for scope in self.scopes)]
        return [limit.due_ns for limit in limits if limit.due_ns is not None]
