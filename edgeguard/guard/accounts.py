"""One guarded account: its trading state, its halt page, its snapshots and its heartbeat."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

from edgeguard.clock import NS_PER_MS, Clock
from edgeguard.config.model import AccountConfig, Config
from edgeguard.guard.freshness import Freshness, Seen
from edgeguard.guard.trading import TradingState
from edgeguard.messages import AccountSnapshot, Flatten, HaltInfo, ScopeState, State, StateBeat

if TYPE_CHECKING:
    from edgeguard._core import PageWriter

ACCOUNT: Final = "account"
"""Scope of what concerns an account as a whole."""
SNAPSHOT_GOOD: Final = "snapshot"
"""Start condition: a fresh snapshot of the right account."""
STORAGE_GOOD: Final = "storage"
"""Start condition: the mark of this run is on disk."""
BEAT_HALT_REASON_MAX: Final = 200

Action = tuple[str, str, str, str, str]
Now = tuple[int, int]
Word = tuple[int, int, int, int, int]
Shown = tuple[Word, str, list[tuple[str, Word]], list[str]]
"""What a page is to show: state word, halt id, the words of the scopes, resumed halts."""


class HaltRow(NamedTuple):
    """A halt in force, as the trading state tells it."""

    id: str
    t_ns: int
    trigger: str
    code: str
    reason: str
    durable: bool


class PauseRow(NamedTuple):
    """One cause of a pause, as the trading state tells it."""

    cause: str
    trigger: str
    code: str
    held: bool
    since_ns: int


class ScopeRow(NamedTuple):
    """What is in force on a scope."""

    scope: str
    state: State
    flatten: Flatten
    halt: HaltRow | None
    pauses: tuple[PauseRow, ...]

    def halt_info(self) -> HaltInfo | None:
        """Return the halt in force as messages carry it."""
        halt = self.halt
        if halt is None:
            return None
        reason = halt.reason[:BEAT_HALT_REASON_MAX]
        return HaltInfo(halt.id, halt.t_ns, halt.trigger, reason, halt.durable)


NOTHING: Final = ScopeRow(ACCOUNT, "ACTIVE", "NONE", None, ())
"""An account on which nothing was ever in force."""


def new_halt_id(clock: Clock) -> str:
    """Return an id that no other halt has: the time for people, a random tail for the rest."""
    return TradingState.halt_id(clock.wall_ns(), new_tail())


def new_tail() -> str:
    """Return the part of a halt's id that no other halt has."""
    return secrets.token_hex(4)


class SnapshotWatch:
    """Judges whether the account's snapshots are fresh, of the right account, and moving."""

    def __init__(self, config: AccountConfig, age_max_ms: int) -> None:
        """Watch for `config`'s identity; `age_max_ms` is how old the last good one may be."""
        self._config = config
        # Random, so that an answer to a run of before is none to this one.
        self._fresh = Freshness(age_max_ms * NS_PER_MS, secrets.randbits(40))
        self.last: AccountSnapshot | None = None
        self.asked_boot_ns = 0
        """When a fresh read was last asked for, ns of CLOCK_BOOTTIME."""
        self.hole_request = 0
        """The read that covers a lost message, 0 while none is lost."""

    def new_request(self, boot_ns: int) -> int:
        """Return the number of a fresh read that is asked for now."""
        self.asked_boot_ns = boot_ns
        return self._fresh.ask(boot_ns)

    def identity_fault(self, snapshot: AccountSnapshot) -> str:
        """Return why a snapshot is of another account, empty if it is of this one."""
        config = self._config
        pairs = (
            ("login", config.login, snapshot.login),
            ("server", config.server, snapshot.server),
            ("trade_mode", config.trade_mode, snapshot.trade_mode),
            ("currency", config.currency, snapshot.currency),
        )
        faults = [
            f"{name} must be {want!r}, was {was!r}" for name, want, was in pairs if want != was
        ]
        return "; ".join(faults)

    def take(self, snapshot: AccountSnapshot, now: Now) -> bool:
        """Take in a snapshot of the right account; return whether it is fresh."""
        has_money = snapshot.balance is not None and snapshot.equity is not None
        seen = Seen(snapshot.epoch, snapshot.t_ns, snapshot.request, has_money)
        is_fresh = self._fresh.take(seen, now)
        if is_fresh:
            self.last = snapshot
        return is_fresh

    def covers_hole(self, snapshot: AccountSnapshot) -> bool:
        """Return whether no message is lost that this snapshot does not cover.

        A read that was under way when the loss was noticed may be of before it.
        """
        if snapshot.request < self.hole_request:
            return False
        self.hole_request = 0
        return True

    def forget(self) -> None:
        """Distrust everything that was seen: the guard was away, a fresh answer is needed."""
        self._fresh.forget()

    @property
    def needs_read(self) -> bool:
        """Whether only the answer to a read that is asked for now leads on."""
        return self._fresh.needs_answer or self.hole_request > 0

    def is_fresh(self, boot_ns: int) -> bool:
        """Return whether the last good snapshot is young enough."""
        return self._fresh.is_fresh(boot_ns)

    def age_ms(self, boot_ns: int) -> int | None:
        """Return the age of the last good snapshot in ms, None where there is none."""
        good = self._fresh.good_boot_ns
        return None if good is None else (boot_ns - good) // NS_PER_MS


class GuardedAccount:
    """Everything that the guard holds on one account."""

    def __init__(
        self,
        config: AccountConfig,
        whole: Config,
        trading: TradingState,
        page: PageWriter,
        epoch: int,
    ) -> None:
        """Put the parts together; nothing is written yet."""
        self.config = config
        self.id = config.id
        self.trading = trading
        self.page = page
        self.epoch = epoch
        self.snapshots = SnapshotWatch(config, whole.guard.snapshot_age_max_ms)
        self.magics = {strategy.name: strategy.magic for strategy in whole.strategy}
        self.day_why = ""
        """Why the deal history has not told the day's start yet, empty where nothing is asked."""
        self.flat_t_ns = 0
        """The broker's stamp of its last word that the account is flat."""
        self.halt_topic = f"halt.{config.id}".encode()
        self.state_topic = f"state.{config.id}".encode()
        self._beat_seq = 0
        self.event_seq = 0
        """Number of the last halt event of this run."""
        self.tail = new_tail()
        """What the id of the next halt ends in, made beforehand: it asks the system."""
        self._pushed: set[str] = set()

    @property
    def state(self) -> State:
        """The account's trading state."""
        return cast("State", self.trading.state())

    def rows(self) -> list[ScopeRow]:
        """Return every scope with what is in force on it, the account's own among them."""
        rows: list[ScopeRow] = []
        for scope, state, flatten, halt, pauses in self.trading.scopes():
            rows.append(
                ScopeRow(
                    scope,
                    cast("State", state),
                    cast("Flatten", flatten),
                    HaltRow(*halt) if halt is not None else None,
                    tuple(PauseRow(*pause) for pause in pauses),
                )
            )
        return rows

    def row(self, scope: str = ACCOUNT) -> ScopeRow:
        """Return one scope's row, an empty one where nothing was ever in force."""
        for row in self.rows():
            if row.scope == scope:
                return row
        return ScopeRow(scope, "ACTIVE", "NONE", None, ())

    def event(self, t_ns: int, scope: str, words: tuple[str, str, str]) -> bytes:
        """Return the next halt event: a scope's change, its trigger and its code."""
        self.event_seq += 1
        change, trigger, code = words
        run = (self.epoch, self.event_seq)
        return self.trading.event(self.id, t_ns, run, (change, scope, trigger, code))

    def write_page(self) -> None:
        """Store scopes, resumed halts and then the state word on the page."""
        self.show(self.trading.shown())

    def show(self, shown: Shown) -> None:
        """Store what the trading state said that the page is to show."""
        word, halt_id, scopes, resumed = shown
        for scope, scope_word in scopes:
            self.page.set_scope(scope, scope_word)
        for resumed_id in resumed:
            if resumed_id not in self._pushed:
                self._pushed.add(resumed_id)
                self.page.push_resumed(resumed_id)
        self.page.set_state(word, halt_id)

    def renew(self, page: PageWriter) -> None:
        """Take another page in place of one that was lost."""
        self.page = page
        self._pushed.clear()
        self.write_page()

    def beat(self, now: Now, config_hash: str, why: str) -> StateBeat:
        """Return the next heartbeat with the full state."""
        self._beat_seq += 1
        _, severity, _, _, state_seq = self.trading.word()
        rows = self.rows()
        row = next((one for one in rows if one.scope == ACCOUNT), NOTHING)
        return StateBeat(
            account=self.id,
            epoch=self.epoch,
            seq=self._beat_seq,
            t_ns=now[0],
            boot_ns=now[1],
            state=self.state,
            state_seq=state_seq,
            severity=severity,
            flatten=row.flatten,
            halt=row.halt_info(),
            why=why,
            scopes=tuple(_scope_states(rows)),
            config_hash=config_hash,
            pauses=tuple(sorted({pause.code for pause in row.pauses})),
            resumed=tuple(self.trading.resumed()),
        )

    def magics_of(self, scope: str) -> tuple[int, ...]:
        """Return the magic numbers of a strategy's scope, none for other scopes."""
        return self.magics.get(scope.removeprefix("strategy:"), ())

    def exposed_scopes(self, snapshot: AccountSnapshot) -> Iterable[str]:
        """Return the halted scopes on which a snapshot shows positions or orders."""
        things = [(item.magic, item.symbol) for item in (*snapshot.positions, *snapshot.orders)]
        for row in self.rows():
            if row.halt is None:
                continue
            kind, _, name = row.scope.partition(":")
            magics = self.magics_of(row.scope)
            if (
                (kind == ACCOUNT and things)
                or (kind == "strategy" and any(magic in magics for magic, _ in things))
                or (kind == "symbol" and any(symbol == name for _, symbol in things))
            ):
                yield row.scope


def _scope_states(rows: list[ScopeRow]) -> Iterable[ScopeState]:
    for row in rows:
        if row.scope != ACCOUNT:
            yield ScopeState(row.scope, row.state, row.halt.id if row.halt else "")


class Json:
    """One JSON encoder for bodies of replies and journal rows."""

    _ENCODER: Final = msgspec.json.Encoder(decimal_format="string")

    @classmethod
    def encode(cls, value: object) -> bytes:
        """Return a value as JSON."""
        return cls._ENCODER.encode(value)
