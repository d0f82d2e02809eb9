"""Leave DAY_START_UNKNOWN by the broker's deal history: ask, wait until it fits, set the reference.

Nothing is guessed. The history is of one moment of the account; it is used only when the guard's
own last snapshot is of the same moment (the same newest deal) and no transfer was told meanwhile.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from edgeguard.clock import NS_PER_S
from edgeguard.errors import EdgeGuardError
from edgeguard.guard.accounts import GuardedAccount
from edgeguard.guard.engine_port import figures_of
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Pipeline
from edgeguard.messages import BrokerEvent

UNKNOWN: Final = "DAY_START_UNKNOWN"
ASK_NS: Final = NS_PER_S
ASK_NS_MAX: Final = 60 * NS_PER_S
"""A history that proves nothing is asked for again after 1 s, doubling to a minute, for ever."""


class History(msgspec.Struct, frozen=True):
    """The broker's answer; amounts are exact text, None where the history does not prove them."""

    since_ns: int
    why: str = ""
    balance: str | None = None
    equity: str | None = None
    transfers: str | None = None
    last_deal: int | None = None


class Asking(msgspec.Struct):
    """One account's question to its broker."""

    asked_ns: int
    pause_ns: int
    transfers_told: int
    answer: History | None = None


class FirstDay:
    """Watches for accounts whose day's start is unknown and may be told by history."""

    def __init__(self, parts: Parts, pipeline: Pipeline) -> None:
        """Take what is asked and told."""
        self._parts = parts
        self._pipeline = pipeline
        self._asking: dict[str, Asking] = {}

    def look(self) -> None:
        """Ask, or use what has been answered; called every few milliseconds."""
        for account in self._parts.accounts.values():
            if account.config.limits.first_reference != "history":
                continue
            if not any(pause.code == UNKNOWN for pause in account.row().pauses):
                self._asking.pop(account.id, None)
                account.day_why = ""
                continue
            self._drive(account)

    def on_event(self, account: GuardedAccount, event: BrokerEvent) -> None:
        """Take the broker's answer."""
        asking = self._asking.get(account.id)
        if asking is None:
            return
        try:
            asking.answer = msgspec.json.decode(event.body, type=History)
        except msgspec.MsgspecError:
            account.day_why = "the broker's answer on the deal history cannot be read"

    def _drive(self, account: GuardedAccount) -> None:
        asking = self._asking.get(account.id)
        boot_ns = self._parts.clock.boot_ns()
        if asking is not None and asking.answer is not None:
            answer, asking.answer = asking.answer, None
            account.day_why = self._use(account, asking, answer)
        if asking is None:
            account.day_why = "the deal history has been asked for"
            self._ask(account, boot_ns, ASK_NS)
        elif boot_ns - asking.asked_ns >= asking.pause_ns:
            self._ask(account, boot_ns, min(2 * asking.pause_ns, ASK_NS_MAX))

    def _ask(self, account: GuardedAccount, boot_ns: int, pause_ns: int) -> None:
        told = self._pipeline.transfers.get(account.id, 0)
        self._asking[account.id] = Asking(boot_ns, pause_ns, told)
        since_ns = self._day(account)["started_ns"]
        if not self._parts.brokers[account.id].send("history", since_ns=since_ns):
            account.day_why = "no broker is there to tell the deal history"

    def _use(self, account: GuardedAccount, asking: Asking, answer: History) -> str:
        """Set the reference; return why not, empty when it was set."""
        config = account.config
        kind = config.limits.daily_reference
        found, why = reference_of(kind, str(config.initial_balance), answer)
        if why:
            return why
        snapshot = account.snapshots.last
        if (
            snapshot is None
            or snapshot.last_deal != answer.last_deal
            or self._pipeline.transfers.get(account.id, 0) != asking.transfers_told
            or self._day(account)["started_ns"] != answer.since_ns
        ):
            return "the account moved while its deal history was read; it is read again"
        wall_ns, boot_ns = self._parts.now()
        try:
            flags = self._parts.engine.rebaseline(
                account.id,
                t_ns=wall_ns,
                boot_ns=boot_ns,
                peak=None,
                day=found,
                transfers=answer.transfers,
                provenance="history",
            )
        except (EdgeGuardError, ValueError) as error:
            return f"the deal history gives no reference: {error}"
        body = {"day": found, "history": msgspec.structs.asdict(answer)}
        self._parts.storage.append("first_reference", body, account=account.id)
        self._pipeline.obey(flags)
        self._parts.storage.save_references(self._parts.engine.references())
        return ""

    def _day(self, account: GuardedAccount) -> dict[str, Any]:
        day: dict[str, Any] = figures_of(self._parts.engine, account.id)["day"]
        return day


def reference_of(kind: str, initial_balance: str, history: History) -> tuple[str, str]:
    """Return the day's reference as exact text, or why the history does not prove one.

    Args:
        kind: `daily_reference` of the account's limits.
        initial_balance: the configured one, account money.
        history: what the broker found.

    Returns:
        The reference and an empty text, or an empty text and the reason.
    """
    balance, equity = history.balance, history.equity
    if balance is None or history.transfers is None:
        return "", history.why or "the broker told no balance"
    if kind == "initial_balance":
        return initial_balance, ""
    if kind == "balance":
        return balance, ""
    if equity is None:
        return "", history.why or "the broker told no equity"
    return (equity if kind == "equity" else str(max(Decimal(balance), Decimal(equity)))), ""
