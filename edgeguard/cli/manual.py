"""The way from the HTTP interface to the guard: the very functions behind the commands.

They are called as they are, with a listener in the terminal's place.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final

from edgeguard.api.port import HaltAnswer, HaltOrder, Stage
from edgeguard.cli.answers import ANSWER_S, Request, ask
from edgeguard.cli.halting import Order, Voice, halt
from edgeguard.cli.locate import Place, find_place
from edgeguard.cli.proofs import proof_of
from edgeguard.errors import EdgeGuardError, UnreachableError

OPS_PEER: Final = "ops"
"""The key that operations show the guard, and with it their rights."""

STATUS_S: Final = 1.0
"""How long a guard may take to tell its status; a slower one is no proven channel."""


class Listener(Voice):
    """Keeps the stages instead of printing them."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        super().__init__(as_json=True)
        self.stages: list[Stage] = []

    def tell(self, stage: str, text: str, body: bytes = b"") -> None:
        """Keep one stage."""
        self.stages.append(Stage(stage, text, json.loads(body or b"null")))


class ManualControl:
    """`edgeguard.api.port.Control` by the commands' own functions."""

    def __init__(self, config: Path | None, state_dir: Path | None) -> None:
        """Mean the guard that a command with these options would mean."""
        self._config = config
        self._state_dir = state_dir
        self._last: Place | None = None
        self._place()

    def halt(self, order: HaltOrder) -> HaltAnswer:
        """Halt exactly as `edgeguard halt` does, guard or no guard."""
        listener = Listener()
        wanted = Order(order.reason, order.scope, order.timeout_s, order.operator)
        code = halt(wanted, self._place(), listener)
        return HaltAnswer(code, tuple(listener.stages))

    def ask(self, verb: str, operator: str, reason: str, args: dict[str, str]) -> list[Stage]:
        """Ask the guard as the other commands do."""
        timeout_s = STATUS_S if verb == "status" else ANSWER_S
        request = Request(verb, operator, reason, args)
        replies = ask(self._place(), request, timeout_s)
        return [Stage(r.stage, r.text, json.loads(r.body or b"{}")) for r in replies]

    def prove(self, account: str) -> None:
        """Ask as `edgeguard check` does; an account of no broker stays unproven."""
        with contextlib.suppress(UnreachableError):
            proof_of(self._place(), account)

    def _place(self) -> Place:
        # Looked up anew each time, since halt pages come and go; but a file that was broken since
        # must not stand in a halt's way.
        try:
            found = find_place(self._config, self._state_dir)
            self._last = found._replace(key_names=(OPS_PEER,))
        except EdgeGuardError:
            if self._last is None:
                raise
        return self._last
