"""The compiled half of EdgeGuard. This stub is its manual.

Times are nanoseconds: `t_ns` is the wall clock (Unix epoch), `boot_ns` CLOCK_BOOTTIME; in a replay
both are the event's `t_ns`. Every call keeps the GIL: a call takes microseconds.

A panic inside a call raises RuntimeError, and so does every later call of that object: what was
changed half-way is not used again. Of a `PageGate` it is a refusal, since a gate never raises.
"""

from collections.abc import Callable
from os import PathLike
from typing import Generic, Self, TypeAlias, TypeVar, final

__version__: str
__all__ = [
    "PAGE_BYTES",
    "PAGE_CODES",
    "Decision",
    "Engine",
    "Lease",
    "PageGate",
    "PageReader",
    "PageWriter",
    "TradingState",
    "__version__",
]

@final
class Decision:
    """One change of one trigger, frozen."""

    @property
    def index(self) -> int:
        """Number of the event that moved the clock, from 1."""
    @property
    def t_ns(self) -> int:
        """Wall time of the event, or of the deadline that fell due."""
    @property
    def account(self) -> str:
        """The account's id."""
    @property
    def scope(self) -> str:
        """``account``, ``strategy:NAME`` or ``symbol:NAME``."""
    @property
    def trigger(self) -> str:
        """``daily_loss total_drawdown connection_lost error_rate price_anomaly`` or ``input``."""
    @property
    def action(self) -> str:
        """``release warn pause halt``."""
    @property
    def code(self) -> str:
        """The stable code, with ``_WARN_50``, ``_WARN_80`` or ``_CLEARED`` where it applies."""
    @property
    def value(self) -> str | None:
        """The measured value as printed; None for ``input`` and where nothing can be divided by."""
    @property
    def threshold(self) -> str | None:
        """The threshold as the configuration writes it; None for ``input``."""
    @property
    def reference(self) -> str | None:
        """What it was compared with: money, points of a normal spread, or a source's name."""
    @property
    def symbol(self) -> str | None:
        """The symbol, or None."""
    @property
    def source_file(self) -> str:
        """Name of the source of the event."""
    @property
    def source_line(self) -> int:
        """Line of the event in its source, or its sequence number."""
    def line(self) -> bytes:
        """Return the decision line: compact JSON in the pinned key order, without a newline."""

@final
class Engine:
    """The triggers of every account over one clock.

    A half-updated engine must not decide anything; see the head of this file on panics.
    """

    def __new__(
        cls,
        config: bytes,
        config_hash: str,
        *,
        live: bool,
        profiles: dict[str, bytes] | None = None,
    ) -> Self:
        """Build the engine.

        Args:
            config: `msgspec.json.encode` of `edgeguard.config.model.Config`.
            config_hash: what every line carries: the sha256 of the file's bytes.
            live: beside real terminals; False is a replay, where holes and required feeds do not
                count.
            profiles: learned spreads by symbol, as the bytes of their JSON files.

        Raises:
            ConfigError: with every fault found.
        """
    def on_frame(self, payload: bytes, t_ns: int, boot_ns: int, source: int, line: int) -> int:
        """Take one market message (msgpack) and return the bits of `edgeguard.engine.Flag`.

        Deadlines that are due run first. Each quote of a batch is an event of its own. Bytes that
        are no message cost a counter and return MALFORMED; they never raise.

        Raises:
            ConfigError: in a replay, symbol facts that do not fit together.
        """
    def on_ticks(self, payloads: list[bytes], begin: int, t_ns: int, boot_ns: int) -> int:
        """Take tick batches from place `begin` on, up to and with the first that returns flags.

        A payload whose account and publisher no earlier `on_frame` has taken ticks of, or that is
        malformed, ends it too: nothing is done with it, it is for `on_frame`. The source of each
        batch is the one that `on_frame` was given, its line the batch's sequence number or 0.

        Returns:
            The place behind the last batch taken, times 256, plus the flags of that batch.
        """
    def heard(self) -> list[tuple[int, int]]:
        """Return source and boot time of the last batch, for each stream of ticks known lately."""
    def advance(
        self, t_ns: int, boot_ns: int, source: int, line: int, *, counts: bool = False
    ) -> int:
        """Run every deadline that is due. With `counts` this is an event: it takes an index."""
    def register_source(self, name: str) -> int:
        """Return the id under which `name` is given to `on_frame` and `advance`."""
    def take_decisions(self) -> list[Decision]:
        """Return the decisions since the last call, in the order of their lines."""
    def next_deadline_ns(self) -> int | None:
        """Return the boot time at which to call `advance` next; it may turn out to be too early."""
    def add_tick_file(
        self, kind: str, symbol: str, name: str, data: bytes, date: str | None
    ) -> int:
        """Parse a recorded tick file for `run_tick_files` and return its rows.

        Files have the input orders 0, 1, 2... in which they are added. A line that cannot be read
        is raised by `run_tick_files` when the replay gets there.

        Args:
            kind: ``oanda bookticker mt5csv dukascopy``.
            symbol: the symbol that it quotes.
            name: what decisions call it.
            data: the unpacked bytes.
            date: ``YYYYMMDD`` for oanda; ``YYYYMMDDHH`` for Dukascopy's binary hours, None for its
                CSV.

        Raises:
            ValueError: the kind is unknown or the date is missing.
        """
    def run_tick_files(self, until_t_ns: int | None, until_order: int, max_ticks: int) -> int:
        """Run merged ticks up to an event of another input, exclusive; return how many ran.

        Args:
            until_t_ns: time of that event; None runs to the end.
            until_order: order of that event's input: at the same instant lower orders run first.
            max_ticks: at most so many.

        Raises:
            InputError: the replay reached a line that cannot be read.
            ConfigError: the replay reached a tick of a symbol whose digits nothing tells.
        """
    def status(self, account: str | None = None) -> bytes:
        """Return the status as JSON.

        Args:
            account: the id of the one account that ``accounts`` is to hold; an id that no account
                has leaves it empty. All accounts if not given.

        Keys: ``accounts`` (``id equity_marked equity_reported equity_used balance trusted diverges
            day peak no_stop_loss positions limits states sources symbols unknown_symbol_ticks``),
            ``counters``, ``bad_by_source``, ``index`` and ``wall_doubted``. ``limits`` holds value,
            threshold and distance (threshold minus value); ``states`` what is in force, with
            ``sticky``; a symbol with positions has ``what_would_trip``: the price of its ``side``
            at which each loss limit breaks that looks at positions of it, by the limit's name in
            ``limits``, its spread and all else unchanged; null where no price does.
        """
    def resume(self, account: str, t_ns: int, boot_ns: int, source: int = 0, line: int = 0) -> int:
        """Clear the halts of an account and its sticky pauses, re-arm the bands, and judge it anew.

        What still breaches fires again at once: ask `would_fire` first. Raises ValueError for an
        account that is not configured.
        """
    def would_fire(self, account: str) -> list[Decision]:
        """Return the losses and connections that would halt the account now; change nothing."""
    def rebaseline(
        self,
        account: str,
        *,
        t_ns: int,
        boot_ns: int,
        peak: str | None = None,
        day: str | None = None,
        transfers: str | None = None,
        provenance: str = "operator",
    ) -> int:
        """Set the peak or the day's reference as exact amounts.

        `transfers` are those since the day's reference, signed; without it they count from now.
        `day` also answers DAY_START_UNKNOWN; its `provenance` is ``operator`` or ``history``.

        Raises:
            ValueError: the account is not configured, an amount is none, or nothing was given.
        """
    def release_pause(self, account: str, trigger: str | None, t_ns: int, boot_ns: int) -> int:
        """End the pauses of ``error_rate``, ``price_anomaly`` or (None) both, sticky or not."""
    def references(self) -> bytes:
        """Return what must survive a restart: references, peaks, transfers and scopes' results."""
    def load_references(self, data: bytes) -> None:
        """Take `references` back; they are applied at the first event.

        A day's reference is never derived from the present: one whose day has ended since is
        unknown until `rebaseline` tells it.

        Raises:
            ValueError: the bytes are no such document.
        """
    def baseline(self, account: str, symbol: str) -> bytes | None:
        """Return a symbol's spread samples, None without any; a full hour takes about 1 ms."""
    def load_baseline(
        self, account: str, symbol: str, data: bytes, t_ns: int, boot_ns: int
    ) -> None:
        """Take `baseline` back, as far as its samples are still in the window.

        Raises:
            ValueError: the bytes are no such document.
        """
    def set_maintenance(self, account: str, until_boot_ns: int | None) -> None:
        """Suspend the engine's heartbeat deadline until a boot time; None ends that."""
    def silent_feed(
        self, account: str, limit_ns: int, t_ns: int, boot_ns: int
    ) -> tuple[str, int] | None:
        """Return the required feed that has been silent for longest beyond `limit_ns`.

        Closed hours are left out; a feed without heartbeats is silent only when it would be lost,
        and one that never spoke is not.

        Returns:
            Its name and its silence in ns; None while every required feed made progress.
        """

# The halt page and the trading state.

_Word: TypeAlias = tuple[int, int, int, int, int]
"""A state word: state, severity, flatten, flags, state_seq; numbers as in ``docs/WIRE.md``."""
_Action: TypeAlias = tuple[str, str, str, str, str]
"""Kind, scope and three words: ``page``; ``persist``; ``publish`` with change, trigger and code;
``flatten`` with the halt id; ``alarm`` with code and text. Words that a kind has no use for are
empty."""
_Shown: TypeAlias = tuple[_Word, str, list[tuple[str, _Word]], list[str]]
"""What a page shows: state word, halt id, scopes with their words, resumed halts."""
_Halt: TypeAlias = tuple[str, int, str, str, str, bool]
"""Id, t_ns, trigger, code, reason, durable."""
_Pause: TypeAlias = tuple[str, str, str, bool, int]
"""Cause, trigger, code, held, since_ns. A held pause ends by an operator's word alone."""

PAGE_BYTES: int
PAGE_CODES: list[str]
"""Names of the numbers that `PageReader.check` returns; the first is the permit."""

@final
class PageWriter:
    """The guard's side of one account's halt page."""

    def __new__(
        cls, path: str | PathLike[str], account: str, boot_id: bytes, lease_ns: int, epoch: int
    ) -> Self:
        """Claim the page: take over one that is whole, of this boot and account, or make another.

        The page is closed afterwards: HALTED where it was, STARTING otherwise.

        Args:
            path: `RUN_DIR/halt.<account>`.
            account: its id.
            boot_id: 16 bytes.
            lease_ns: how long a beat is trusted.
            epoch: the guard's run.

        Raises:
            OSError: the directory refuses the page.
            ValueError: the boot id has not 16 bytes.
        """
    def found(self) -> tuple[_Word, str, int, int] | None:
        """Return what a page that was taken over said: state, halt id, manual word, epoch."""
    def set_state(self, word: _Word, halt_id: str) -> None:
        """Store the account's state, the halt id before it; an empty id leaves the last one."""
    def set_scope(self, scope: str, word: _Word) -> None:
        """Store a scope's state; one scope more than the table holds closes the account."""
    def push_resumed(self, halt_id: str) -> None:
        """Remember a resumed halt, for gates that have it latched."""
    def push_resumed_manual(self, manual: int) -> None:
        """Remember a manual word that a resume lifted."""
    def beat(self, boot_ns: int) -> None:
        """Stamp an earned heartbeat."""
    def manual(self) -> int:
        """Return the manual word; not 0 is a halt by hand."""
    def clear_manual(self, seen: int) -> bool:
        """Clear the manual word if it still is `seen`; return whether it was."""
    def is_whole(self) -> bool:
        """Return whether the file still has its name and size."""

_Permit = TypeVar("_Permit")
_Refusal = TypeVar("_Refusal")

@final
class PageGate(Generic[_Permit, _Refusal]):
    """One account's gate on its halt page: `edgeguard.Gate` without its comforts."""

    def __new__(
        cls,
        path: str | PathLike[str],
        account: str,
        boot_id: bytes,
        *,
        permit: _Permit,
        refuse: Callable[[str, str], _Refusal],
        error: Callable[[_Refusal], BaseException],
    ) -> Self:
        """Make a gate; the page need not exist yet.

        Args:
            path: `RUN_DIR/halt.<account>`.
            account: its id.
            boot_id: 16 bytes.
            permit: what `check` returns where the account may open risk.
            refuse: makes the refusal of a code's name and a detail, which may be empty.
            error: makes what `require` raises of a refusal.

        Raises:
            ValueError: the boot id has not 16 bytes.
        """
    def check(self, symbol: str | None = None, strategy: str | None = None) -> _Permit | _Refusal:
        """Return the permit or a refusal, judged now; a panic is one ever after."""
    def require(self, symbol: str | None = None, strategy: str | None = None) -> _Permit:
        """Return the permit or raise what `error` makes of the refusal."""

@final
class PageReader:
    """A gate's side of one account's halt page; it finds a page that was replaced again."""

    def __new__(cls, path: str | PathLike[str], account: str, boot_id: bytes) -> Self:
        """Make a reader; the page need not exist yet.

        Raises:
            ValueError: the boot id has not 16 bytes.
        """
    def check(self) -> int:
        """Return the account's code at this instant: 0 open, else an index of `PAGE_CODES`."""
    def check_scopes(self, scopes: list[int]) -> int:
        """Return the code with these scopes' words judged as well."""
    def facts(self) -> tuple[_Word, int, int, int, int, int, str] | None:
        """Return state, beat_ns, lease_ns, epoch, manual word, streak and halt id."""
    def latched(self) -> tuple[int, int]:
        """Return the latched halt's word and manual word, 0 for none."""
    def why(self) -> str:
        """Return why no page is attached."""

@final
class TradingState:
    """One account's trading state: told what happened, it answers with what to do.

    `now` is a pair of wall and boot nanoseconds. Actions are to be done in their order, all in one
    turn, none waiting for another.
    """

    def __new__(cls, conditions: list[str]) -> Self:
        """Make an account that is STARTING until each condition has been met."""
    def met(self, condition: str) -> list[_Action]:
        """A start condition is good; it never goes back."""
    def halt(self, now: tuple[int, int], scope: str, halt: _Halt) -> list[_Action]:
        """Halt a scope; one that is halted already keeps its first id and time."""
    def pause(self, scope: str, pause: _Pause) -> list[_Action]:
        """Add a cause to a scope's pauses."""
    def release(self, scope: str, cause: str) -> list[_Action]:
        """Remove a cause; the pause ends with the last one."""
    def release_held(self, scope: str, trigger: str | None = None) -> list[_Action]:
        """End a scope's held pauses, those of one trigger if it is given."""
    def persisted(self, halt_id: str) -> list[_Action]:
        """One copy of the latch has this halt."""
    def flattened(self, scope: str, halt_id: str, status: str) -> list[_Action]:
        """Take the broker's word on a scope's positions.

        Raises:
            ValueError: there is no such flatten status.
        """
    def exposed(self, now: tuple[int, int], scope: str) -> list[_Action]:
        """A snapshot showed exposure; a halted scope that was flat is flattened again."""
    def tick(self, now: tuple[int, int]) -> list[_Action]:
        """Time passes: what is not proven flat is asked for again, every 5 s."""
    def resume(
        self,
        halt_id: str,
        operator: str,
        reason: str,
        good: tuple[bool, bool, bool],
        firing: list[str],
        dry: bool,
    ) -> tuple[list[str], list[_Action]]:
        """Judge a resume; return every reason against it, and if there is none what to do.

        Args:
            halt_id: the halt to lift.
            operator: who asks.
            reason: why.
            good: snapshot fresh, storage trusted, identity good.
            firing: triggers that would fire at once, as sentences.
            dry: judge alone.
        """
    def react(
        self, decision: object, now: tuple[int, int], tail: str, run: tuple[int, int]
    ) -> tuple[_Shown | None, bytes | None, list[_Action]]:
        """Take a decision of the engine.

        Args:
            decision: a `Decision`, or anything with its attributes.
            now: wall and boot nanoseconds.
            tail: makes the id of a halt one that no other has.
            run: the guard's epoch, and the number of the halt event if there is one.

        Returns:
            What the page is to show now if that changed, the bytes of the halt event if something
            is to be told, and what else is to be done, in this order.
        """
    def event(
        self, account: str, t_ns: int, run: tuple[int, int], words: tuple[str, str, str, str]
    ) -> bytes:
        """Return a halt event's bytes; `words` are change, scope, trigger and code."""
    def shown(self) -> _Shown:
        """Return what the page is to show."""
    @staticmethod
    def halt_id(wall_ns: int, tail: str) -> str:
        """Return the id of a halt: its time in UTC for people, and the tail."""
    def is_resuming(self, halt_id: str) -> bool:
        """Return whether this halt is on its way to being lifted."""
    def resume_durable(self, halt_id: str) -> list[_Action] | None:
        """Both copies have the resume: lift the halt. None if a halt came meanwhile."""
    def resume_failed(self, halt_id: str) -> list[_Action]:
        """The resume could not be written: the halt stands, and is written anew."""
    def restore_halt(self, now: tuple[int, int], scope: str, halt: _Halt) -> list[_Action]:
        """Take back a halt that was remembered; it is flattened again."""
    def restore_scope(self, scope: str) -> None:
        """Take back a scope that was resumed."""
    def restore_resumed(self, halt_id: str) -> None:
        """Take back a halt that was resumed lately, oldest first."""
    def changes(self) -> int:
        """Return how many calls may have changed it: while it stays, nothing else here does."""

    def state(self) -> str:
        """Return ``STARTING``, ``ACTIVE``, ``PAUSED`` or ``HALTED``."""
    def word(self) -> _Word:
        """Return the page's state word."""
    def waiting(self) -> list[str]:
        """Return the start conditions that have not been met."""
    def resumed(self) -> list[str]:
        """Return the halts resumed lately, oldest first."""
    def scopes(self) -> list[tuple[str, str, str, _Halt | None, list[_Pause]]]:
        """Return each scope's name, state, flatten status, halt and pauses."""

@final
class Lease:
    """A remote gate's lease; times in ns of the gate's own clock."""

    def __new__(cls, lease_ns: int) -> Self:
        """Make a closed lease."""
    def on_echo(
        self, sent_ns: int, now_ns: int, beat: tuple[int, int, str, bool, str, list[str]]
    ) -> bool:
        """Take an echo of a ping sent at `sent_ns`; return whether it was news.

        Args:
            sent_ns: when the gate sent the ping.
            now_ns: when the echo arrived.
            beat: epoch, state_seq, state, hole, halt id, resumed halt ids.

        Raises:
            ValueError: there is no such trading state.
        """
    def on_push(self, now_ns: int, beat: tuple[int, int, str, bool, str, list[str]]) -> bool:
        """Take a state sent unasked, which closes alone; return whether it was news.

        Args:
            now_ns: when it arrived.
            beat: as in `on_echo`.

        Raises:
            ValueError: there is no such trading state.
        """
    def is_told(self) -> bool:
        """Return whether a push stands: no echo that was asked for after it has arrived."""
    def check(self, now_ns: int) -> str:
        """Return the code, ``OPEN`` for a permit."""
    def latched(self) -> list[str]:
        """Return the halts that were seen and not resumed."""
