"""An engine behind the guard's port with two rules, for tests of the guard alone."""

# ruff: noqa: ARG002  # the port has arguments that two rules do not need

from __future__ import annotations

import json

import msgspec

from edgeguard.codec.native import decode
from edgeguard.config.model import Config
from edgeguard.errors import MalformedError
from edgeguard.guard.engine_port import FLAG_DECISIONS, FLAG_HOLE, FLAG_MALFORMED
from edgeguard.messages import AccountSnapshot, ErrorEvent, Fill


class FakeDecision(msgspec.Struct, frozen=True):
    """A decision with the fields that the guard reads."""

    t_ns: int
    account: str
    trigger: str
    action: str
    code: str
    scope: str = "account"
    value: str | None = "0.0301"
    threshold: str | None = "0.03"
    reference: str | None = None
    symbol: str | None = None

    def line(self) -> bytes:
        return msgspec.json.encode(self)


class FakeEngine:
    """Halts below an equity of 97000; pauses on a `reject`, releases on a `clear`; sees holes."""

    def __init__(self, config: Config, config_hash: str) -> None:
        self._accounts = [account.id for account in config.account]
        self._hash = config_hash
        self._decisions: list[FakeDecision] = []
        self._seqs: dict[tuple[str, str, str, int], int] = {}
        self._equity: dict[str, float] = {}
        self._halted: set[str] = set()
        self._references = b"{}"
        self._seen = {name: {"fill": 0, "error": 0, "account": 0} for name in self._accounts}

    def on_frame(self, payload: bytes, t_ns: int, boot_ns: int, source: int, line: int) -> int:
        try:
            message = decode(payload)
        except MalformedError:
            return FLAG_MALFORMED
        flags = 0
        self._count(message)
        if isinstance(message, AccountSnapshot):
            self._equity[message.account] = float(message.equity or 0)
            flags |= self._judge(message.account, t_ns)
        if isinstance(message, ErrorEvent) and message.class_ == "panic":
            raise RuntimeError("the engine was told to fail")
        if isinstance(message, ErrorEvent) and message.class_ in {"reject", "clear"}:
            action = "pause" if message.class_ == "reject" else "release"
            code = "ERROR_RATE_EXCEEDS_MAX"
            decision = FakeDecision(t_ns, message.account, "error_rate", action, code)
            self._decisions.append(decision)
            flags |= FLAG_DECISIONS
        if isinstance(message, Fill | ErrorEvent) and message.seq is not None:
            key = (type(message).__name__, message.account, message.source, message.epoch)
            if message.seq > self._seqs.get(key, message.seq - 1) + 1:
                flags |= FLAG_HOLE
            self._seqs[key] = message.seq
        return flags

    def on_ticks(self, payloads: list[bytes], begin: int, t_ns: int, boot_ns: int) -> int:
        return begin << 8

    def heard(self) -> list[tuple[int, int]]:
        return []

    def next_deadline_ns(self) -> int | None:
        return None

    def advance(self, t_ns: int, boot_ns: int, source: int, line: int) -> int:
        return 0

    def register_source(self, name: str) -> int:
        return 1

    def take_decisions(self) -> list[FakeDecision]:
        taken, self._decisions = self._decisions, []
        return taken

    def status(self, account: str | None = None) -> bytes:
        rows = [
            {
                "id": name,
                "equity_reported": str(self._equity.get(name)),
                "seen": self._seen[name],
            }
            for name in self._accounts
            if account in {None, name}
        ]
        return json.dumps({"accounts": rows}).encode()

    def resume(self, account: str, t_ns: int, boot_ns: int) -> int:
        self._halted.discard(account)
        return 0

    def would_fire(self, account: str) -> list[FakeDecision]:
        if self._equity.get(account, 1e9) < 97_000:
            return [FakeDecision(0, account, "daily_loss", "halt", "DAILY_LOSS_EXCEEDS_MAX")]
        return []

    def rebaseline(  # noqa: PLR0913  # a reference, by name
        self,
        account: str,
        *,
        t_ns: int,
        boot_ns: int,
        peak: str | None,
        day: str | None,
        transfers: str | None = None,
        provenance: str = "operator",
    ) -> int:
        if (peak or day or "").startswith("-"):
            raise ValueError("reference must be > 0")
        return 0

    def release_pause(self, account: str, trigger: str | None, t_ns: int, boot_ns: int) -> int:
        return 0

    def references(self) -> bytes:
        return self._references

    def load_references(self, data: bytes) -> None:
        json.loads(data)
        self._references = data

    def baseline(self, account: str, symbol: str) -> bytes | None:
        return None

    def load_baseline(
        self, account: str, symbol: str, data: bytes, t_ns: int, boot_ns: int
    ) -> None:
        return

    def set_maintenance(self, account: str, until_boot_ns: int | None) -> None:
        return

    def silent_feed(
        self, account: str, limit_ns: int, t_ns: int, boot_ns: int
    ) -> tuple[str, int] | None:
        return None

    def _count(self, message: object) -> None:
        for kind, of in (("fill", Fill), ("error", ErrorEvent), ("account", AccountSnapshot)):
            if isinstance(message, of):
                self._seen[message.account][kind] += 1

    def _judge(self, account: str, t_ns: int) -> int:
        if self._equity[account] >= 97_000 or account in self._halted:
            return 0
        self._halted.add(account)
        code = "DAILY_LOSS_EXCEEDS_MAX"
        self._decisions.append(FakeDecision(t_ns, account, "daily_loss", "halt", code))
        return FLAG_DECISIONS
