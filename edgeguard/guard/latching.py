"""Numbering latch records and telling, as writes come home, what has become durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from edgeguard.guard.accounts import ACCOUNT, GuardedAccount
from edgeguard.guard.storage import Copies, Storage
from edgeguard.latch import REASON_MAX, LatchHalt, LatchPause, LatchRecord

RESUMES_MAX: Final = 64

OnDurable = Callable[[GuardedAccount, str], None]
OnResume = Callable[[str, str], None]


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
        self._resumes: dict[str, tuple[int, OnResume]] = {}
        self.copies = Copies()
        self.on_durable: OnDurable = lambda _account, _halt_id: None
        """Called once for each halt when one copy has it."""

    def persist(self, *, is_clean: bool = False) -> int:
        """Start writing the latch as it stands to both copies; return its number."""
        record = self.record(is_clean=is_clean)
        for halt in record.halts:
            self._halts.setdefault((halt.account, halt.id), record.number)
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
        for account in self._accounts.values():
            for row in account.rows():
                halt = row.halt
                if halt is not None and not account.trading.is_resuming(halt.id):
                    words = (halt.id, halt.t_ns, halt.trigger, halt.code, halt.reason[:REASON_MAX])
                    halts.append(LatchHalt(account.id, row.scope, *words))
                elif row.scope != ACCOUNT:
                    scopes.append((account.id, row.scope))
                pauses += [
                    LatchPause(account.id, row.scope, p.cause, p.trigger, p.code, p.since_ns)
                    for p in row.pauses
                    if p.held
                ]
            resumed += [(account.id, halt_id) for halt_id in self._resumed(account)]
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

    def _resumed(self, account: GuardedAccount) -> list[str]:
        """Return the resumed halts, those that this very record resumes among them."""
        resuming = [row.halt.id for row in account.rows() if row.halt is not None]
        return [
            *account.trading.resumed(),
            *(halt_id for halt_id in resuming if account.trading.is_resuming(halt_id)),
        ]


def describe(record: LatchRecord) -> dict[str, object]:
    """Return a record for people: `edgeguard journal` and status."""
    document = {name: getattr(record, name) for name in record.__struct_fields__}
    document["head_hash"] = record.head_hash.hex()
    return {key: msgspec.to_builtins(value) for key, value in document.items()}
