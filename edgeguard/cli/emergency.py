"""``edgeguard halt``: the command that must work when little else does.

It imports as little as it can, judges no configuration, and needs nobody alive: with a running
guard it asks the guard and tells each stage; without one it creates the HALT file, sets the manual
word of every halt page and drives the broker's parent itself. It only ever says what it has seen.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from edgeguard.cli.halting import Order, halt
from edgeguard.cli.locate import find_place
from edgeguard.errors import EdgeGuardError, UsageError
from edgeguard.plain import escaped, printable

HALT_HELP: Final = """Stop new trading, close everything and prove it.

\b
  --reason TEXT    why; goes into the journal (required)
  --scope SCOPE    all (default), account:ID, strategy:NAME or symbol:NAME
  --timeout S      seconds to wait for a verified flat account (default 60)
  --operator NAME  who orders it (default: you)
  --json           print stages as JSON lines
  --config FILE    the guard's configuration (also EDGEGUARD_CONFIG)
  --state-dir DIR  where the guard keeps its state (also EDGEGUARD_STATE_DIR)

\b
Exit codes: 0 durable and verified flat, 10 flat but not durable, 11 durable but not flat,
12 halted, neither, 13 only the HALT file could be written, 14 nothing could be done.
"""
REASON_MAX: Final = 1000
"""Longest reason in characters; of a longer one the beginning is kept: no text stops a halt."""
_WITH_VALUE: Final = ("--reason", "--scope", "--timeout", "--operator", "--config", "--state-dir")


def halt_command(arguments: list[str]) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: everything behind ``edgeguard``, options before or after ``halt``.
    """
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write("Usage: edgeguard halt --reason TEXT [OPTIONS]\n\n")
        sys.stdout.write(HALT_HELP.replace("\b\n", ""))
        return 0
    try:
        order = parse(arguments)
        place = find_place(order.config, order.state_dir)
        return halt(order, place)
    except EdgeGuardError as e:
        for sentence in escaped(str(e)).split("\n"):
            sys.stderr.write(f"edgeguard: {sentence}\n")
        return e.exit_code


def parse(arguments: list[str]) -> Order:
    """Read the arguments without any library.

    Raises:
        UsageError: an argument is unknown, lacks its value, or is out of range.
    """
    order = Order()
    rest = iter(arguments)
    for argument in rest:
        if argument == "halt":
            continue
        if argument == "--json":
            order.as_json = True
            continue
        name, equals, value = argument.partition("=")
        if name not in _WITH_VALUE:
            raise UsageError(f"halt does not know {argument}: `edgeguard halt --help`")
        given = value if equals else next(rest, None)
        if given is None:
            raise UsageError(f"{name} must be given a value, had none")
        _set(order, name, given)
    _check(order)
    return order


def _set(order: Order, name: str, value: str) -> None:
    match name:
        case "--reason":
            order.reason = printable(value[:REASON_MAX])
        case "--scope":
            order.scope = value
        case "--operator":
            order.operator = printable(value[:REASON_MAX])
        case "--config":
            order.config = Path(value)
        case "--state-dir":
            order.state_dir = Path(value)
        case _:
            try:
                order.timeout_s = float(value)
            except ValueError as e:
                raise UsageError(f"--timeout must be seconds, was {value}") from e


def _check(order: Order) -> None:
    if not order.reason:
        raise UsageError('--reason must be given, was absent: edgeguard halt --reason "why"')
    kind, _, name = order.scope.partition(":")
    if order.scope != "all" and (kind not in {"account", "strategy", "symbol"} or not name):
        wanted = "all, account:ID, strategy:NAME or symbol:NAME"
        raise UsageError(f"--scope must be {wanted}, was {order.scope}")
    if not 0 < order.timeout_s <= 3600:  # noqa: PLR2004 - an hour
        raise UsageError(f"--timeout must be in (0, 3600] seconds, was {order.timeout_s:g}")
    order.operator = order.operator or _person()


def _person() -> str:
    """Return who is at the keyboard: the user's name, or number, as the system has it."""
    name = printable(os.environ.get("USER", "") or os.environ.get("USERNAME", ""))
    return name or (f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown")
