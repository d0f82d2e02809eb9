"""Connections and errors of one account: silence by source, errors by window."""

from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.calendar_ import ALWAYS, Session, due, open_time
from tests.oracle.coverage import reached
from tests.oracle.events import ErrorLine, Heartbeat, Terminal
from tests.oracle.facts import Facts
from tests.oracle.limits import Bands, Budget, Change
from tests.oracle.lines import CODES, Line
from tests.oracle.numerals import NS, rounded_up
from tests.oracle.settings import AccountSettings, Settings

WINDOW_NS = 60 * NS


class Connections:
    """When each source last gave proof of life, and which are lost."""

    def __init__(self, settings: Settings, account: AccountSettings, facts: Facts) -> None:
        self.feeds = settings.feeds
        self.limits = account.limits
        self.facts = facts
        self.proof_ns: dict[str, int] = {}
        self.lost: set[str] = set()

    def terminal(self, t_ns: int, line: Terminal) -> None:
        """Take a terminal line: the first arms, connected true proves."""
        if not line.connected:
            is_first = "terminal" not in self.proof_ns
            reached("terminal_armed_disconnected" if is_first else "terminal_no_proof")
            self.proof_ns.setdefault("terminal", t_ns)
            return
        reached("terminal_proof")
        self._proof("terminal", t_ns)

    def heartbeat(self, t_ns: int, line: Heartbeat) -> None:
        """Take a heartbeat of the engine or of a required feed."""
        source = line.source or ""
        if source == "engine":
            reached("engine_proof")
        elif source.startswith("feed:"):
            feed = self.feeds.get(source.removeprefix("feed:"))
            if feed is not None and not feed.get("required", True):
                reached("feed_not_required")
                return
            reached("feed_unknown" if feed is None else "feed_proof")
        else:
            reached("source_unknown")
            return
        self._proof(source, t_ns)

    def _proof(self, source: str, t_ns: int) -> None:
        if source in self.lost:
            reached("proof_after_lost")
        self.proof_ns[source] = t_ns

    def sessions(self, source: str) -> frozenset[Session]:
        """Return the sessions in which a source is due: any of them."""
        if source == "engine":
            return frozenset({ALWAYS})
        symbols = self.facts.names()
        if source != "terminal":
            feed = self.feeds.get(source.removeprefix("feed:"))
            symbols = [] if feed is None else list(feed.get("symbols", [])) or symbols
        return frozenset(self.facts.session(symbol) for symbol in symbols) or frozenset({ALWAYS})

    def due_times(self) -> list[int]:
        """Return when each armed source becomes lost."""
        times = (self._due(source) for source in self.proof_ns if source not in self.lost)
        return [time for time in times if time is not None]

    def _due(self, source: str) -> int | None:
        need = self.limits.ns("connection_lost_s") + 1
        return due(self.sessions(source), self.proof_ns[source], need)

    def judge(self, t_ns: int) -> list[Line]:
        """Halt on every source silent for more than connection_lost_s of its session."""
        lines: list[Line] = []
        for source, proof_ns in self.proof_ns.items():
            time = None if source in self.lost else self._due(source)
            if time is None or time > t_ns:
                continue
            self.lost.add(source)
            silence = open_time(self.sessions(source), proof_ns, t_ns)
            if silence < t_ns - proof_ns:
                reached("closed_time_left_out")
            reached(f"lost_{source.partition(':')[0]}")
            value = rounded_up(Fraction(silence, NS), 9)
            threshold = self.limits.text["connection_lost_s"]
            code = CODES["connection_lost"]
            lines.append(Line("connection_lost", "halt", code, value, threshold, source))
        return lines


@dataclass
class CountedError:
    """An error in the window; order None is never merged."""

    t_ns: int
    source: str
    order: object


@dataclass
class Errors:
    """The sliding window of counted errors."""

    account: AccountSettings
    window: list[CountedError] = field(default_factory=list)
    ever_counted: set[tuple[str, object]] = field(default_factory=set)
    is_paused: bool = False
    is_sticky: bool = False
    bands: Bands = field(default_factory=Bands)

    def __post_init__(self) -> None:
        limits = self.account.limits
        self.maximum = limits.number("errors_per_minute")
        self.budget = Budget(limits.integer("releases_per_hour"))

    def add(self, t_ns: int, kind: str, source: str = "", order: object = 0) -> None:
        """Count an error unless its class, source or order says not to."""
        if source == "edgeguard":
            reached("error_edgeguard")
            return
        if kind in self.account.limits.errors_not_counted:
            reached("error_class_not_counted")
            return
        if order == 0:
            reached("error_order_zero")
        elif any(e.source == source and e.order == order for e in self.window):
            reached("error_merged")
            return
        elif (source, order) in self.ever_counted:
            reached("error_order_counts_again")
        self.ever_counted.add((source, order))
        self.window.append(CountedError(t_ns, source, order))
        reached("error_counted")

    def line(self, t_ns: int, line: ErrorLine) -> None:
        """Count an error line."""
        self.add(t_ns, line.kind, line.source or "", line.order)

    def expire(self, t_ns: int) -> None:
        """Drop the errors that have left the window."""
        kept = [error for error in self.window if t_ns - error.t_ns < WINDOW_NS]
        if len(kept) < len(self.window):
            reached("error_left_window")
        self.window = kept

    def due_times(self) -> list[int]:
        """Return when each error leaves the window."""
        return [error.t_ns + WINDOW_NS for error in self.window]

    def judge(self, t_ns: int) -> list[Line]:
        """Pause above the maximum, release at half of it, warn in between."""
        count = len(self.window)
        is_breach = count > self.maximum
        changes: list[Change] = []
        if self.is_paused and not self.is_sticky and count <= self.maximum // 2:
            reached("error_released")
            self.is_paused = False
            self.budget.release(t_ns)
            changes.append(Change("release", "_CLEARED", str(count)))
        elif not self.is_paused and is_breach:
            reached("error_pause")
            self.is_paused = True
            self.is_sticky = self.budget.is_spent(t_ns)
            changes.append(Change("pause", "", str(count)))
        band = self.bands.look(Fraction(count), self.maximum, silent=is_breach)
        if band is not None:
            changes.append(Change("warn", f"_WARN_{band}", str(count)))
        threshold = self.account.limits.text["errors_per_minute"]
        return [
            Line("error_rate", c.action, CODES["error_rate"] + c.suffix, c.value, threshold)
            for c in changes
        ]
