"""Numbering latch records and telling, as writes come home, what has become durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from edgeguard.guard.accounts import ACCOUNT, GuardedAccount
from edgeguard.guard.storage import Copies, Storage
from edgeguard.latch import REASON_MAX, LatchHalt, LatchPause, LatchRecord

RESUMES_MAX: Final = 64

OnDurable = Callable[[GuardedAccount, str], None]
OnResume = Callable[[str, str], None]


class _Part(NamedTuple):
    """What the record says of one account, good while its trading state counts no more changes."""

    changes: int
    halts: tuple[LatchHalt, ...]
    pauses: tuple[LatchPause, ...]
    resumed: tuple[tuple[str, str], ...]
    scopes: tuple[tuple[str, str], ...]
    undurable: tuple[str, ...]
    """Ids of those halts of which no copy has told that it holds them."""
    is_resuming: bool
    """Whether a halt is left out because it is being resumed."""


class Latcher:
    """Builds the record from all accounts' trading states and follows its way to disk."""

    def __init__(  # noqa: PLR0913  # the words of every record, by name
        self,
        accounts: Mapping[str, GuardedAccount],
        storage: Storage,
        *,
        run: int,
        boot: str,
        number: int,
        carried: tuple[LatchHalt, ...] = (),
    ) -> None:
        """Go on counting from `number`, the highest that any copy had.

        Args:
            accounts: whose states are written.
            storage: where to.
            run: this guard's epoch.
            boot: the host's boot id in hex.
            number: the highest number of a record so far.
            carried: halts of accounts that are not configured now; they wait for their return.
        """
        self._accounts = accounts
        self._storage = storage
        self._run = run
        self._boot = boot
        self._number = number
        self._carried = carried
        self._halts: dict[tuple[str, str], int] = {}
        self._parts: dict[str, _Part] = {}
        """By account: of many accounts one has changed since the record before."""
        self._resumes: dict[str, tuple[int, OnResume]] = {}
        self.copies = Copies()
        self.on_durable: OnDurable = lambda _account, _halt_id: None
        """Called once for each halt when one copy has it."""

    def persist(self, *, is_clean: bool = False) -> int:
        """Start writing the latch as it stands to both copies; return its number."""
        record = self.record(is_clean=is_clean)
        # A halt that a record has left out is held by a later one at the earliest, whatever number
        # it had before.
        self._halts = {
            (name, halt_id): self._halts.get((name, halt_id), record.number)
            for name, part in self._parts.items()
            for halt_id in part.undurable
        }
        self._storage.write_latch(record)
        return record.number

    def await_resume(self, halt_id: str, number: int, on_resume: OnResume) -> None:
        """Call `on_resume` with the halt id and an error or "" when both copies reach `number`."""
        self._resumes[halt_id] = (number, on_resume)

    def settle(self, copy: str, number: int, error: str) -> None:
        """Take in how the write of one copy ended; called on the loop."""
        self.copies.settle(copy, number, error)
        for key, wanted in list(self._halts.items()):
            if self.copies.any >= wanted:
                del self._halts[key]
                account = self._accounts.get(key[0])
                if account is not None:
                    self.on_durable(account, key[1])
        for halt_id, (wanted, on_resume) in list(self._resumes.items()):
            if error and number >= wanted:
                del self._resumes[halt_id]
                on_resume(halt_id, error)
            elif self.copies.both >= wanted:
                del self._resumes[halt_id]
                on_resume(halt_id, "")

    def record(self, *, is_clean: bool) -> LatchRecord:
        """Return the next record; a halt that is being resumed is left out of it."""
        self._number += 1
        halts: list[LatchHalt] = list(self._carried)
        pauses: list[LatchPause] = []
        resumed: list[tuple[str, str]] = []
        scopes: list[tuple[str, str]] = []
        for name, account in self._accounts.items():
            part = self._part(name, account)
            halts += part.halts
            pauses += part.pauses
            resumed += part.resumed
            scopes += part.scopes
        head_seq, head_hash = self._storage.head
        return LatchRecord(
            self._number,
            self._run,
            self._boot,
            is_clean,
            tuple(halts),
            tuple(pauses),
            tuple(resumed),
            tuple(scopes),
            head_seq,
            head_hash,
        )

    def _part(self, name: str, account: GuardedAccount) -> _Part:
        """Return an account's part, made anew where its state has changed."""
        part = self._parts.get(name)
        try:
            if part is None or part.changes != account.trading.changes():
                part = self._parts[name] = _part(account)
        except BaseException:
            # A state that has panicked answers nothing, and whoever met it ends the guard and halts
            # by the HALT file: what the others have to say is not to be lost with it.
            if part is None or part.is_resuming:
                raise
        return part


def _part(account: GuardedAccount) -> _Part:
    """Return what the record is to say of an account."""
    trading, name = account.trading, account.id
    halts: list[LatchHalt] = []
    pauses: list[LatchPause] = []
    resumed = [(name, halt_id) for halt_id in trading.resumed()]
    scopes: list[tuple[str, str]] = []
    undurable: list[str] = []
    is_any_resuming = False
    for row in account.rows():
        halt = row.halt
        is_resuming = halt is not None and trading.is_resuming(halt.id)
        if halt is not None and not is_resuming:
            words = (halt.id, halt.t_ns, halt.trigger, halt.code, halt.reason[:REASON_MAX])
            halts.append(LatchHalt(name, row.scope, *words))
            if not halt.durable:
                undurable.append(halt.id)
        elif row.scope != ACCOUNT:
            scopes.append((name, row.scope))
        if halt is not None and is_resuming:
            # Resumed by this very record.
            resumed.append((name, halt.id))
            is_any_resuming = True
        pauses += [
            LatchPause(name, row.scope, p.cause, p.trigger, p.code, p.since_ns)
            for p in row.pauses
            if p.held
        ]
    changes = trading.changes()
    return _Part(
        changes,
        tuple(halts),
        tuple(pauses),
        tuple(resumed),
        tuple(scopes),
        tuple(undurable),
        is_any_resuming,
    )


def describe(record: LatchRecord) -> dict[str, object]:
    """Return a record for people: `edgeguard journal` and status."""
    document = {name: getattr(record, name) for name in record.__struct_fields__}
    document["head_hash"] = record.head_hash.hex()
    return {key: msgspec.to_builtins(value) for key, value in document.items()}
