"""The status document of INTERFACES: what an operator, the console and `status --json` see.

It is put together account by account, one in each turn of the loop: a tick waits for one account's
part at most. Whoever asks meanwhile is answered by the next document, which is begun after they
asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, cast

import msgspec

from edgeguard.clock import NS_PER_MS
from edgeguard.errors import RefusedError
from edgeguard.guard.accounts import ACCOUNT, GuardedAccount, HaltRow, Json, ScopeRow
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.engine_port import figures_of
from edgeguard.guard.heart import Heart
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Pipeline
from edgeguard.guard.rounds import Rounds, Soon
from edgeguard.guard.why import gate_opens_when, gate_why

STATUS_VERSION: Final = 1
ASKED_MAX: Final = 256
"""Questions that wait for the next document; one more is refused."""
_WORST_FIRST: Final = ("HALTED", "STARTING", "PAUSED", "ACTIVE")
_FLATTEN_WORST_FIRST: Final = ("NOT_FLAT", "IN_PROGRESS", "FLAT_VERIFIED", "NONE")

Document = dict[str, object]
_FIGURES: Final[Document] = {
    "equity_marked": None,
    "equity_reported": None,
    "equity_used": None,
    "limits": {},
    "no_stop_loss": [],
}
"""Keys of an account that the status promises, whatever the engine knows of it."""
Tell = Callable[[bytes], None]
"""Takes the document as JSON."""


class _Seen(NamedTuple):
    """One account's part, encoded in its own turn: the last turn only puts the parts together."""

    row: Document
    severity: int
    json: msgspec.Raw


class Status:
    """Builds the document."""

    def __init__(
        self, parts: Parts, pipeline: Pipeline, actuators: Actuators, heart: Heart
    ) -> None:
        """Take every part that has something to tell."""
        self._parts = parts
        self._accounts = parts.accounts
        self._pipeline = pipeline
        self._actuators = actuators
        self._heart = heart
        self.refused: Callable[[], dict[str, int]] = dict[str, int]
        """Returns how many connections and commands were refused, by cause."""
        self._asked: list[Tell] = []
        self._served: list[Tell] = []
        self._seen: list[_Seen] = []
        self._rounds = Rounds[GuardedAccount](self._take, self._tell, per_turn=1)

    def pace(self, soon: Soon) -> None:
        """Let a document for many accounts take several turns of the loop."""
        self._rounds.soon = soon

    def ask(self, tell: Tell) -> None:
        """Have `tell` called once with a document that is begun from now on.

        Raises:
            RefusedError: too many wait for one.
        """
        if len(self._asked) >= ASKED_MAX:
            raise RefusedError(
                f"status must be asked by at most {ASKED_MAX} at a time, was by more; ask again"
            )
        self._asked.append(tell)
        if not self._served:
            self._begin()

    def _begin(self) -> None:
        self._served, self._asked = self._asked, []
        self._seen.clear()
        self._rounds.begin(self._accounts.values())

    def _take(self, accounts: list[GuardedAccount]) -> None:
        for account in accounts:
            row = self._account(account)
            severity = account.trading.word()[1]
            self._seen.append(_Seen(row, severity, msgspec.Raw(Json.encode(row))))

    def _tell(self) -> None:
        """Tell the document to those who were there when it was begun, and begin the next one."""
        document, served = self._document(), self._served
        self._served = []
        for tell in served:
            tell(document)
        if self._asked and not self._served:
            self._begin()

    def _document(self) -> bytes:
        """Return the status as JSON; what is true of all accounts follows from their parts."""
        engine: Document = msgspec.json.decode(self._parts.engine.status(""))
        rows = [seen.row for seen in self._seen]
        worst = min(rows, key=lambda row: _WORST_FIRST.index(str(row["state"])))
        flattens = [str(row["flatten"]) for row in rows]
        severities = [seen.severity for seen in self._seen]
        document: Document = {
            "v": STATUS_VERSION,
            "state": worst["state"],
            "severity": min((level for level in severities if level), default=0),
            "flatten": min(flattens, key=_FLATTEN_WORST_FIRST.index),
            "halt": worst["halt"],
            "gate": worst["gate"],
            "accounts": [seen.json for seen in self._seen],
            "feeds": self._feeds(engine),
            "worker": {name: self._worker(name) for name in self._accounts},
            "channel_proven_ns": self._proven_ns(),
            "guard": self._guard(),
            "alarms": self._actuators.alarms[-10:],
        }
        return Json.encode(document)

    def _account(self, account: GuardedAccount) -> Document:
        """Return one account: the engine's figures, and under the guard's keys its state."""
        _, boot_ns = self._parts.now()
        row = account.row()
        snapshot = account.snapshots.last
        return {
            **_FIGURES,
            **figures_of(self._parts.engine, account.id),
            "id": account.id,
            "state": account.state,
            "flatten": row.flatten,
            "halt": _halt(row.halt),
            "gate": self._gate(account),
            "pauses": [pause._asdict() for pause in row.pauses],
            "waiting": list(account.trading.waiting()),
            "scopes": [_scope(item) for item in account.rows() if item.scope != ACCOUNT],
            "positions": None if snapshot is None else len(snapshot.positions),
            "orders": None if snapshot is None else len(snapshot.orders),
            "snapshot_age_ms": account.snapshots.age_ms(boot_ns),
            "day_start_unknown": account.day_why or None,
        }

    def _gate(self, account: GuardedAccount) -> Document:
        two_person = self._parts.config.resume.two_person
        return {
            "open": account.state == "ACTIVE",
            "why": gate_why(account),
            "opens_when": gate_opens_when(account, two_person=two_person),
        }

    def _feeds(self, engine: Document) -> list[Document]:
        _, boot_ns = self._parts.now()
        bad = cast("dict[str, object]", engine.get("bad_by_source") or {})
        feeds: list[Document] = []
        heard = self._pipeline.heard()
        for feed in self._parts.config.feed:
            seen = heard.get(feed.name)
            feeds.append(
                {
                    "name": feed.name,
                    "age_ms": None if seen is None else (boot_ns - seen) // NS_PER_MS,
                    "required": feed.required,
                    "bad": bad.get(f"feed:{feed.name}", 0),
                }
            )
        return feeds

    def _proven_ns(self) -> int | None:
        """Return since when every broker's last proof of the kill channel holds, None where not."""
        times: list[int] = []
        for broker in self._parts.brokers.values():
            if broker.proof.checked_ns is None or not broker.proof.channel_ok:
                return None
            times.append(broker.proof.checked_ns)
        return min(times, default=None)

    def _worker(self, name: str) -> Document:
        """Return one broker: whether it answers, and what its terminal says."""
        _, boot_ns = self._parts.now()
        broker = self._parts.brokers[name]
        heard = broker.heard_boot_ns
        proof = self._pipeline.proofs.get(name)
        return {
            "alive": not broker.is_away(boot_ns),
            "age_ms": None if heard is None else (boot_ns - heard) // NS_PER_MS,
            "connected": proof.connected if proof is not None else None,
            "trade_allowed": proof.trade_allowed if proof is not None else None,
            "text": proof.text if proof is not None else "",
            "channel_ok": broker.proof.channel_ok,
            "checked_ns": broker.proof.checked_ns,
        }

    def _guard(self) -> Document:
        counters = self._pipeline.counters
        heart = self._heart
        return {
            "epoch": self._parts.epoch,
            "config_hash": self._parts.config_hash,
            "storage": {
                "trusted": self._parts.storage.is_trusted,
                "fault": self._parts.storage.fault,
                "journal_seq": self._parts.storage.head[0],
                "journal_hash": self._parts.storage.head[1].hex(),
                "latch_file": self._parts.latcher.copies.file,
                "latch_row": self._parts.latcher.copies.row,
            },
            "loop": {
                "beats": heart.beats,
                "beats_withheld": heart.withheld,
                "beats_withheld_for_feeds": heart.withheld_for_feeds,
                "gap_max_ms": heart.gap_max_ns // NS_PER_MS,
                "away": heart.away,
                "rescues": heart.rescues(),
            },
            "refused": self.refused(),
            "frames": counters.frames,
            "malformed": counters.malformed,
            "foreign_account": counters.foreign_account,
            "wrong_identity": counters.wrong_identity,
            "stale_snapshots": counters.stale_snapshots,
        }


def _halt(halt: HaltRow | None) -> Document | None:
    if halt is None:
        return None
    return {
        "id": halt.id,
        "t_ns": halt.t_ns,
        "trigger": halt.trigger,
        "code": halt.code,
        "reason": halt.reason,
        "durable": halt.durable,
    }


def _scope(row: ScopeRow) -> Document:
    return {
        "scope": row.scope,
        "state": row.state,
        "flatten": row.flatten,
        "halt": _halt(row.halt),
        "pauses": [pause._asdict() for pause in row.pauses],
    }
