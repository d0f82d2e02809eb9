"""The rule of two persons: what lets risk back in takes two different operators. Pure.

Who asked first is kept in memory alone: a guard that was restarted has forgotten, and nothing was
lifted meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from edgeguard.clock import NS_PER_S
from edgeguard.errors import RefusedError
from edgeguard.messages import Command

WITHIN_NS: Final = 600 * NS_PER_S
"""How long after the first operator the second one may come."""
ASKED_MAX: Final = 64
"""Requests kept; the oldest makes room."""
SECOND: Final = "second"
"""Argument of a command that may only be the second one: its sender has no right of its own."""


class Asked(msgspec.Struct, frozen=True):
    """Who asked first, and when by CLOCK_BOOTTIME."""

    operator: str
    boot_ns: int


class TwoPersons:
    """Remembers who asked for what."""

    def __init__(self, *, is_on: bool) -> None:
        """Require a second operator where `is_on`."""
        self._is_on = is_on
        self._asked: OrderedDict[str, Asked] = OrderedDict()

    def require(self, command: Command, boot_ns: int) -> None:
        """Return where the command may be carried out now.

        Raises:
            RefusedError: another operator has to ask for the same, in time.
        """
        is_second_only = bool(command.args.get(SECOND))
        if not self._is_on:
            if is_second_only:
                raise RefusedError("resume.two_person must be on for a second operator, is off")
            return
        key = _key(command)
        first = self._asked.get(key)
        if first is not None and boot_ns - first.boot_ns > WITHIN_NS:
            first = None
            del self._asked[key]
        if first is not None and _is_other(first.operator, command.operator):
            del self._asked[key]
            return
        if first is None:
            if is_second_only:
                raise RefusedError("another operator must ask for it first, nobody has")
            self._asked[key] = Asked(command.operator, boot_ns)
            if len(self._asked) > ASKED_MAX:
                self._asked.popitem(last=False)
        who = command.operator if first is None else first.operator
        raise RefusedError(
            f"two operators must ask for it (resume.two_person): {who} has; another one must "
            f"within {WITHIN_NS // NS_PER_S // 60} minutes, with the same arguments"
        )


def _key(command: Command) -> str:
    args = sorted((name, text) for name, text in command.args.items() if name != SECOND)
    return repr((command.verb, args))


def _is_other(first: str, second: str) -> bool:
    return " ".join(first.split()).casefold() != " ".join(second.split()).casefold()
