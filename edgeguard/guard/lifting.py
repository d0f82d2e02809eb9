"""Whatever lets risk back in: resume, acknowledge, end of a pause, rebaseline, maintenance.

Each asks for an operator and a reason, is refused with every reason against it, and is written down
before it takes effect. A resume is on disk in both copies of the latch before it is announced.
"""

from __future__ import annotations

from typing import Final

import msgspec

from edgeguard.clock import NS_PER_S
from edgeguard.errors import ConfigError, EdgeGuardError, RefusedError, StorageError, UsageError
from edgeguard.guard.accounts import ACCOUNT, GuardedAccount
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.answer import Answer
from edgeguard.guard.engine_port import figures_of
from edgeguard.guard.parts import Parts
from edgeguard.guard.pipeline import Pipeline
from edgeguard.guard.two_persons import TwoPersons
from edgeguard.guard.watch import ManualWatch
from edgeguard.messages import Command

MAINTENANCE_S_MAX: Final = 4 * 3600
UNACKNOWLEDGED: Final = "unacknowledged"
"""Cause of the pause of a start that an operator must acknowledge."""


class PendingResume(msgspec.Struct):
    """A resume on its way to disk: who is told, whose it is, and which manual halts it lifts."""

    answer: Answer
    command: Command
    accounts: list[GuardedAccount]
    manual: dict[str, int]
    halt_file: tuple[int, int, int] | None


class Lifting:
    """The one place from which a latch is lowered."""

    def __init__(
        self, parts: Parts, pipeline: Pipeline, actuators: Actuators, watch: ManualWatch
    ) -> None:
        """Take every part that a resume asks or tells."""
        self._parts = parts
        self._accounts = parts.accounts
        self._engine = parts.engine
        self._latcher = parts.latcher
        self._storage = parts.storage
        self._pipeline = pipeline
        self._actuators = actuators
        self._watch = watch
        self._pending: dict[str, PendingResume] = {}
        self._two = TwoPersons(is_on=parts.config.resume.two_person)

    def resume(self, command: Command, answer: Answer) -> None:
        """Lift the halt ``halt_id``, or with ``pause`` end pauses that wait for an operator."""
        if command.args.get("pause"):
            self._end_pauses(command, answer)
            return
        halt_id = command.args.get("halt_id", "")
        if halt_id in self._pending:
            raise RefusedError(f"halt {halt_id} must not be under resume already, is")
        # A word that was not taken up yet is a halt before it is lifted.
        self._watch.look_at_words()
        concerned = [
            account
            for account in self._accounts.values()
            if any(row.halt is not None and row.halt.id == halt_id for row in account.rows())
        ]
        if not concerned:
            raise RefusedError(self._unknown_halt(halt_id))
        refusals: list[str] = []
        for account in concerned:
            found, _ = self._judge(account, command, halt_id, dry=True)
            refusals += [f"{account.id}: {refusal}" for refusal in found]
        if refusals:
            raise RefusedError("; ".join(refusals))
        self._two.require(command, self._parts.now()[1])
        for account in concerned:
            self._judge(account, command, halt_id, dry=False)
        self._pending[halt_id] = PendingResume(
            answer,
            command,
            concerned,
            {account.id: account.page.manual() for account in concerned},
            self._watch.halt_file_identity(),
        )
        references = self._references(concerned)
        words = "; ".join(f"{name}: {text}" for name, text in references.items())
        text = f"writing the resume to disk; every limit is armed again, from {words}"
        answer.stage("accepted", text, {"halt_id": halt_id, "references": references})
        # One write for all accounts: the record leaves out what is being resumed.
        number = self._latcher.persist()
        self._latcher.await_resume(halt_id, number, self._on_written)

    def abandon(self) -> None:
        """The guard ends: a resume that nobody was told of is none, and its halt stands."""
        for halt_id, pending in self._pending.items():
            for account in pending.accounts:
                self._actuators.run(account, account.trading.resume_failed(halt_id))
        self._pending.clear()

    def acknowledge(self, command: Command, answer: Answer) -> None:
        """End the pause of a start after a crash of the host."""
        _require_words(command)
        self._two.require(command, self._parts.now()[1])
        for account in self._chosen(command):
            released = account.trading.release(ACCOUNT, UNACKNOWLEDGED)
            self._actuators.run(account, released)
        answer.end("done", "acknowledged")

    def rebaseline(self, command: Command, answer: Answer) -> None:
        """Set the ``peak`` or the ``day`` reference of ``account``."""
        _require_words(command)
        account = self._one(command)
        peak, day = command.args.get("peak") or None, command.args.get("day") or None
        if (peak is None) == (day is None):
            raise UsageError("one of peak and day must be given, was both or neither")
        wall_ns, boot_ns = self._parts.now()
        self._two.require(command, boot_ns)
        try:
            flags = self._engine.rebaseline(
                account.id, t_ns=wall_ns, boot_ns=boot_ns, peak=peak, day=day
            )
        except (EdgeGuardError, ConfigError, ValueError) as error:
            raise RefusedError(str(error)) from error
        self._pipeline.obey(flags)
        self._storage.save_references(self._engine.references())
        answer.end("done", "rebaselined", {"account": account.id, "peak": peak, "day": day})

    def maintenance(self, command: Command, answer: Answer) -> None:
        """Suspend the engine-connection deadlines for ``seconds``; 0 ends it."""
        if not command.reason:
            raise UsageError("reason must be given, was empty")
        try:
            seconds = float(command.args.get("seconds", ""))
        except ValueError as error:
            raise UsageError("seconds must be a number") from error
        if not 0 <= seconds <= MAINTENANCE_S_MAX:
            raise UsageError(f"seconds must be 0..{MAINTENANCE_S_MAX}, was {seconds}")
        _, boot_ns = self._parts.now()
        until_ns = boot_ns + int(seconds * NS_PER_S) if seconds else None
        for account in self._chosen(command):
            self._engine.set_maintenance(account.id, until_ns)
        answer.end("done", f"maintenance for {seconds:.0f} s", {"seconds": seconds})

    def _judge(
        self, account: GuardedAccount, command: Command, halt_id: str, *, dry: bool
    ) -> tuple[list[str], list[tuple[str, str, str, str, str]]]:
        _, boot_ns = self._parts.now()
        fires = [
            f"{fire.trigger} would fire at once ({fire.value} > {fire.threshold}); rebaseline "
            "first, or for the daily loss wait for the next day"
            for fire in self._engine.would_fire(account.id)
        ]
        row = account.row()
        good = (
            account.snapshots.is_fresh(boot_ns),
            self._storage.is_trusted,
            all(pause.cause != "identity" for pause in row.pauses),
        )
        return account.trading.resume(halt_id, command.operator, command.reason, good, fires, dry)

    def _references(self, accounts: list[GuardedAccount]) -> dict[str, str]:
        """Return from which figures each account's loss limits are counted."""
        found: dict[str, str] = {}
        for account in accounts:
            figures = figures_of(self._engine, account.id)
            day: dict[str, str | None] = figures.get("day") or {}
            peak: dict[str, str | None] = figures.get("peak") or {}
            reference, value = day.get("reference") or "unknown", peak.get("value") or "unknown"
            found[account.id] = f"the day's reference {reference} and the peak {value}"
        return found

    def _on_written(self, halt_id: str, error: str) -> None:
        """Both copies have the resume, or one failed: announce it, or let the halt stand."""
        pending = self._pending.pop(halt_id)
        if not all(account.trading.is_resuming(halt_id) for account in pending.accounts):
            error = "another reason to halt came meanwhile"
        error = error or self._clear_manual(pending)
        if error:
            for account in pending.accounts:
                # What is on disk now says less than what stands: it is written anew.
                self._actuators.run(account, account.trading.resume_failed(halt_id))
            pending.answer.end("refused", f"the halt stands: {error}", {"halt_id": halt_id})
            return
        for account in pending.accounts:
            self._lower(account, halt_id)
        states = {account.id: account.state for account in pending.accounts}
        pending.answer.end("done", "resumed", {"halt_id": halt_id, "states": states})

    def _lower(self, account: GuardedAccount, halt_id: str) -> None:
        """Lower the latch of one account, and re-arm the engine before anything opens."""
        wall_ns, boot_ns = self._parts.now()
        flags = self._engine.resume(account.id, wall_ns, boot_ns)
        for word in self._watch.take_words(account):
            account.page.push_resumed_manual(word)
        actions = account.trading.resume_durable(halt_id)
        # The engine releases its pauses first: what it still holds against opening stays in force.
        self._pipeline.obey(flags)
        self._parts.brokers[account.id].send("stop_flatten", halt_id=halt_id)
        self._actuators.run(account, actions or [])

    def _clear_manual(self, pending: PendingResume) -> str:
        """Lift the manual words and the HALT file that this resume saw, and no later ones."""
        for account in pending.accounts:
            seen = pending.manual.get(account.id, 0)
            if not account.page.clear_manual(seen) or account.page.manual():
                return f"the manual word of {account.id}'s page was set meanwhile"
        try:
            if not self._watch.remove_halt_file(pending.halt_file):
                return "another HALT file was created meanwhile"
        except StorageError as error:
            return str(error)
        return ""

    def _end_pauses(self, command: Command, answer: Answer) -> None:
        """End pauses that wait for an operator; those of storage and of a start stay."""
        _require_words(command)
        wall_ns, boot_ns = self._parts.now()
        self._two.require(command, boot_ns)
        ended: list[str] = []
        for account in self._chosen(command):
            for row in account.rows():
                for pause in row.pauses:
                    if pause.held and pause.trigger != "storage" and pause.cause != UNACKNOWLEDGED:
                        ended.append(f"{account.id}/{row.scope}: {pause.code}")
                        released = account.trading.release(row.scope, pause.cause)
                        self._actuators.run(account, released)
            flags = self._engine.release_pause(account.id, None, wall_ns, boot_ns)
            self._pipeline.obey(flags)
        answer.end("done", "pauses ended", {"ended": ended})

    def _chosen(self, command: Command) -> list[GuardedAccount]:
        name = command.args.get("account", "")
        return [self._one(command)] if name else list(self._accounts.values())

    def _one(self, command: Command) -> GuardedAccount:
        name = command.args.get("account", "")
        account = self._accounts.get(name)
        if account is None:
            known = ", ".join(sorted(self._accounts))
            raise UsageError(f"account must be one of {known}, was {name!r}")
        return account

    def _unknown_halt(self, halt_id: str) -> str:
        standing = sorted(
            {row.halt.id for item in self._accounts.values() for row in item.rows() if row.halt}
        )
        known = ", ".join(standing) or "none"
        return f"halt id must be that of a halt in force ({known}), was {halt_id!r}"


def _require_words(command: Command) -> None:
    if not command.operator or not command.reason:
        raise RefusedError("operator and reason must be given, one was empty")
