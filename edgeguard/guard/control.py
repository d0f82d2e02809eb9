"""The control socket: operators' commands in, staged replies out.

Halting is cheap and works in every state; what lets risk back in is judged by `lifting`. A command
that was seen before, or is old, changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
import zmq

from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError, RefusedError, UsageError
from edgeguard.guard.accounts import ACCOUNT, new_halt_id
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.answer import Answer
from edgeguard.guard.lifting import Lifting
from edgeguard.guard.parts import Parts
from edgeguard.guard.refusals import RIGHT_OF, Refusals
from edgeguard.guard.scopes import Scope, scopes_of
from edgeguard.messages import BrokerEvent, Command, Reply
from edgeguard.plain import printable
from edgeguard.transport import PumpSet, Socket, receive_named

NONCES_MAX: Final = 4_096
"""Commands of one right that are remembered: who may give others cannot push them out."""
COMMAND_AGE_NS_MAX: Final = 30 * NS_PER_S
"""A command older or younger than this by its own stamp is refused, a halt excepted."""
NONCE_BYTES_MAX: Final = 64
"""Bytes by which a command is known; the rest of a longer nonce is cut."""
WAITERS_MAX: Final = 256
TIMEOUT_S_DEFAULT: Final = 60.0
TIMEOUT_S_MAX: Final = 3600.0
TEXT_MAX: Final = 500
"""Characters of an operator's name or reason; the rest is cut."""


class HaltWaiter(msgspec.Struct):
    """Somebody who waits for a halt to become durable and flat; times in ns of CLOCK_BOOTTIME."""

    answer: Answer
    scopes: list[Scope]
    persist_until_ns: int
    until_ns: int
    is_durable: bool = False
    is_flat: bool = False
    said_not_durable: bool = False
    stages: set[str] = msgspec.field(default_factory=set[str])


class Control:
    """Answers the control socket."""

    def __init__(  # noqa: PLR0913  # everything that a command reaches
        self,
        socket: Socket,
        parts: Parts,
        actuators: Actuators,
        lifting: Lifting,
        status: Callable[[Callable[[bytes], None]], None],
        *,
        refusals: Refusals,
    ) -> None:
        """Take the bound ROUTER and everything that commands reach."""
        self._socket = socket
        self._parts = parts
        self._accounts = parts.accounts
        self._actuators = actuators
        self._lifting = lifting
        self._status = status
        self._refusals = refusals
        self._persist_ns = parts.config.guard.persist_ms * NS_PER_MS
        self._nonces = {right: OrderedDict[bytes, None]() for right in RIGHT_OF.values()}
        self._waiters: list[HaltWaiter] = []
        self._kick: Callable[[], None] = _nothing
        self.malformed = 0

    def start(self, pumps: PumpSet) -> None:
        """Begin to take commands."""
        self._kick = pumps.add(self._socket, self._on_frames, receive=receive_named).kick

    def tick(self) -> None:
        """Tell those who wait what has become of their halts."""
        _, boot_ns = self._parts.now()
        self._waiters = [waiter for waiter in self._waiters if not self._settle(waiter, boot_ns)]

    def on_broker(self, account: str, event: BrokerEvent) -> None:
        """Pass a broker's milestone on to those who wait for its halt."""
        if event.kind != "pendings_gone":
            return
        for waiter in self._waiters:
            if any(item.id == account for item, _ in waiter.scopes):
                self._stage(waiter, "pendings_gone", event.text)

    def halt(self, scopes: list[Scope], words: tuple[str, str, str]) -> None:
        """Halt scopes by hand: page, publish and persist start in this very turn.

        Args:
            scopes: what to halt; one id is given to all of them.
            words: trigger, code and reason.
        """
        wall_ns, _ = now = self._parts.now()
        halt_id = new_halt_id(self._parts.clock)
        for account, scope in scopes:
            halt = (halt_id, wall_ns, *words, False)
            self._actuators.run(account, account.trading.halt(now, scope, halt))

    def _on_frames(self, frames: list[bytes]) -> None:
        peer, identity, payload = frames[0].decode(), frames[1], frames[-1]
        try:
            command = decode(payload)
        except MalformedError:
            self.malformed += 1
            return
        if not isinstance(command, Command):
            self.malformed += 1
            return

        def send(reply: Reply) -> None:
            try:
                self._socket.send_multipart((identity, encode(reply)), zmq.DONTWAIT)
            except zmq.ZMQError:
                # Whoever asked is gone or does not read: nobody else may wait for that.
                return
            finally:
                self._kick()

        self._answer(peer, clean(command), Answer(command.id, send))

    def _answer(self, peer: str, command: Command, answer: Answer) -> None:
        """Carry out one command; what it may not do is an answer, not a failure."""
        try:
            self._refusals.check(peer, command)
            # What changes nothing needs no right, and so may neither fill a disk nor a memory.
            if command.verb in RIGHT_OF:
                self._check_nonce(peer, command)
                self._parts.storage.append("command", command, t_ns=self._parts.now()[0])
            self._dispatch(command, answer)
        except RefusedError as error:
            answer.end("refused", str(error))
        except UsageError as error:
            answer.end("failed", str(error))

    def _dispatch(self, command: Command, answer: Answer) -> None:
        lifting = self._lifting
        verbs: dict[str, Callable[[Command, Answer], None]] = {
            "status": lambda _, to: self._status(partial(to.end, "done", "")),
            "halt": self._halt,
            "pause": self._pause,
            "resume": lifting.resume,
            "acknowledge": lifting.acknowledge,
            "rebaseline": lifting.rebaseline,
            "maintenance": lifting.maintenance,
        }
        verb = verbs.get(command.verb)
        if verb is None:
            known = ", ".join(sorted(verbs))
            raise UsageError(f"verb must be one of {known}, was {command.verb!r}")
        verb(command, answer)

    def _check_nonce(self, peer: str, command: Command) -> None:
        """Refuse what was seen before, and what is too old to know whether it was."""
        wall_ns, boot_ns = self._parts.now()
        nonce = command.nonce[:NONCE_BYTES_MAX]
        seen = self._nonces[RIGHT_OF[command.verb]]
        if nonce in seen:
            self._refusals.note("replayed", peer, command)
            raise RefusedError("command must be new, was seen before")
        # A run that has just begun cannot know what the one before it has seen.
        age_max_ns = min(COMMAND_AGE_NS_MAX, boot_ns - self._parts.begun_boot_ns)
        age_ns = wall_ns - command.t_ns
        is_current = -COMMAND_AGE_NS_MAX <= age_ns <= age_max_ns
        if not is_current and command.verb != "halt":
            self._refusals.note("stale", peer, command)
            raise RefusedError(
                f"command must be younger than {COMMAND_AGE_NS_MAX // NS_PER_S} s and than this "
                f"run of the guard, was stamped {age_ns / NS_PER_S:.1f} s ago; do the clocks agree?"
            )
        seen[nonce] = None
        while len(seen) > NONCES_MAX:
            seen.popitem(last=False)

    def _halt(self, command: Command, answer: Answer) -> None:
        if not command.reason:
            raise UsageError("reason must be given, was empty")
        timeout_s = _timeout(command.args.get("timeout", ""))
        scopes = scopes_of(self._accounts, command.args)
        self.halt(scopes, ("manual", "MANUAL_HALT", f"{command.operator}: {command.reason}"))
        # One scope too many halts its whole account: that is what is waited for then.
        scopes = [
            (account, scope if account.row(scope).halt is not None else ACCOUNT)
            for account, scope in scopes
        ]
        answer.stage("accepted", "halting", self._halt_body(scopes))
        answer.stage("stopped", "the gate is closed", self._halt_body(scopes))
        _, boot_ns = self._parts.now()
        until_ns = boot_ns + int(timeout_s * NS_PER_S)
        waiter = HaltWaiter(answer, scopes, boot_ns + self._persist_ns, until_ns)
        if len(self._waiters) >= WAITERS_MAX:
            answer.end("failed", "halted; too many wait for halts already, ask status")
        elif not self._settle(waiter, boot_ns):
            self._waiters.append(waiter)

    def _pause(self, command: Command, answer: Answer) -> None:
        if not command.reason:
            raise UsageError("reason must be given, was empty")
        wall_ns, _ = self._parts.now()
        scopes = scopes_of(self._accounts, command.args)
        for account, scope in scopes:
            pause = ("operator", "operator", "OPERATOR_PAUSE", True, wall_ns)
            self._actuators.run(account, account.trading.pause(scope, pause))
        names = [{"account": account.id, "scope": scope} for account, scope in scopes]
        answer.end("done", "paused until an operator ends it", {"paused": names})

    def _settle(self, waiter: HaltWaiter, boot_ns: int) -> bool:
        """Send the stages that a halt has reached; return whether that was the last."""
        rows = [account.row(scope) for account, scope in waiter.scopes]
        if any(row.halt is None for row in rows):
            waiter.answer.end("failed", "the halt was resumed meanwhile")
            return True
        waiter.is_durable = all(row.halt is not None and row.halt.durable for row in rows)
        waiter.is_flat = all(row.flatten == "FLAT_VERIFIED" for row in rows)
        if waiter.is_durable:
            self._stage(waiter, "durable", "HALTED, DURABLE")
        elif boot_ns >= waiter.persist_until_ns:
            self._stage(waiter, "not_durable", "HALTED, NOT DURABLE")
        if waiter.is_flat:
            self._stage(waiter, "flat", "verified flat")
        elif any(row.flatten == "NOT_FLAT" for row in rows):
            self._stage(waiter, "not_flat", "something is left that cannot be closed yet")
        if (waiter.is_durable and waiter.is_flat) or boot_ns >= waiter.until_ns:
            text = "HALTED" + (", DURABLE" if waiter.is_durable else ", NOT DURABLE")
            text += ", FLAT" if waiter.is_flat else ", NOT FLAT"
            waiter.answer.end("done", text, self._halt_body(waiter.scopes))
            return True
        return False

    def _stage(self, waiter: HaltWaiter, stage: str, text: str) -> None:
        if stage not in waiter.stages:
            waiter.stages.add(stage)
            waiter.answer.stage(stage, text, self._halt_body(waiter.scopes))

    def _halt_body(self, scopes: list[Scope]) -> dict[str, object]:
        """Return the halt document: every scope's halt, and what is true of all of them."""
        halts: list[dict[str, object]] = []
        for account, scope in scopes:
            row = account.row(scope)
            if row.halt is None:
                continue
            halts.append(
                {
                    "account": account.id,
                    "scope": scope,
                    **row.halt._asdict(),
                    "flatten": row.flatten,
                }
            )
        return {
            "durable": bool(halts) and all(halt["durable"] for halt in halts),
            "flat": bool(halts) and all(halt["flatten"] == "FLAT_VERIFIED" for halt in halts),
            "halts": halts,
        }


def clean(command: Command) -> Command:
    """Return a command whose texts are bounded and hold no control characters."""
    return msgspec.structs.replace(
        command,
        id=clean_text(command.id),
        verb=clean_text(command.verb),
        operator=clean_text(command.operator),
        reason=clean_text(command.reason),
        args={clean_text(key): clean_text(value) for key, value in command.args.items()},
    )


def clean_text(text: str) -> str:
    """Return text of at most `TEXT_MAX` printable characters, others replaced by a space."""
    return printable(text[:TEXT_MAX])


def _timeout(text: str) -> float:
    try:
        value = float(text) if text else TIMEOUT_S_DEFAULT
    except ValueError as error:
        raise UsageError(f"timeout must be seconds, was {text!r}") from error
    if not 0 <= value <= TIMEOUT_S_MAX:
        raise UsageError(f"timeout must be 0..{TIMEOUT_S_MAX:.0f} seconds, was {text}")
    return value


def _nothing() -> None:
    """Stand in for the pump's kick until there is one."""
