"""What the HTTP interface needs of the rest: to halt, and to ask the guard.

The implementation is the one behind the commands (`edgeguard.cli.manual`); it is handed in, because
imports go down only.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec


class Stage(msgspec.Struct, frozen=True):
    """One stage of an answer, as it was seen."""

    stage: str
    text: str
    body: Any = None


class HaltOrder(msgspec.Struct, frozen=True):
    """What somebody asked to halt, judged already."""

    reason: str
    scope: str
    operator: str
    timeout_s: float


class HaltAnswer(msgspec.Struct, frozen=True):
    """How a halt went: the exit code that `edgeguard halt` would end with, and every stage."""

    code: int
    stages: tuple[Stage, ...]


class Control(Protocol):
    """The way to guard and brokers. Every method blocks, and is called on threads."""

    def halt(self, order: HaltOrder) -> HaltAnswer:
        """Halt, through the guard or without it.

        Raises:
            RefusedError: the guard refused.
            UsageError: the scope names nothing that exists.
        """
        ...

    def ask(self, verb: str, operator: str, reason: str, args: dict[str, str]) -> list[Stage]:
        """Send a command to the guard and return the stages of its answer.

        Raises:
            RefusedError: the guard refused.
            UsageError: the guard does not know what is meant.
            UnreachableError: no guard answers.
        """
        ...

    def prove(self, account: str) -> None:
        """Ask the account's broker to prove that the kill channel works; the guard hears it.

        Where nobody answers nothing is raised: the guard's status says how old the last proof is.
        """
        ...
