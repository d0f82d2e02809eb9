"""Send one command to the guard, show each stage of its answer, and return the exit code."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import click

from edgeguard.cli.locate import Place, is_absent
from edgeguard.config.check_keys import GUARD_PEER
from edgeguard.errors import RefusedError, UnreachableError, UsageError
from edgeguard.messages import Reply
from edgeguard.plain import escaped_line
from edgeguard.transport.client import Client

REASON_MAX: Final = 1000
"""Longest reason in characters: a sentence for the journal, not the report."""
ANSWER_S: Final = 5.0
"""How long a command waits for a guard to say anything."""


def check_reason(reason: str) -> str:
    """Return the reason without surrounding blanks.

    Raises:
        UsageError: it is empty, too long, or has control characters.
    """
    text = reason.strip()
    if not text:
        raise UsageError("--reason must be given, was empty")
    if not text.isprintable():
        raise UsageError("--reason must have printable characters alone, had others")
    if len(text) > REASON_MAX:
        raise UsageError(f"--reason must have at most {REASON_MAX} characters, had {len(text)}")
    return text


def this_operator() -> str:
    """Return the name of the person at the keyboard, as the system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@dataclass(frozen=True)
class Request:
    """One command to a guard."""

    verb: str
    operator: str = ""
    reason: str = ""
    args: Mapping[str, str] = field(default_factory=dict[str, str])


def ask(place: Place, request: Request, timeout_s: float = ANSWER_S) -> list[Reply]:
    """Send one command and return every stage of the answer, the last one final.

    Raises:
        ConfigError: the guard listens on TCP, and the key to show it cannot be read.
        UnreachableError: nobody answered, or the answer stayed unfinished.
        RefusedError: the guard refused.
        UsageError: the guard does not know what was asked.
    """
    replies: list[Reply] = []
    endpoint = place.paths.control
    if not is_absent(endpoint):
        with Client(endpoint, keys=place.keys(endpoint, GUARD_PEER)) as client:
            command_id = client.command(
                request.verb, operator=request.operator, reason=request.reason, **request.args
            )
            replies = list(client.replies(command_id, timeout_s))
    if not replies:
        msg = f"no guard answers at {endpoint}: start one with `edgeguard up`, or name the guard "
        raise UnreachableError(msg + "that you mean by --config or --state-dir")
    last = replies[-1]
    if not last.final:
        raise UnreachableError(f"the guard's answer ended at {last.stage}: {last.text}")
    if last.stage == "refused":
        raise RefusedError(f"refused: {last.text}")
    if last.stage == "failed":
        raise UsageError(last.text)
    return replies


def show(replies: list[Reply], *, as_json: bool) -> None:
    """Print the stages: people's text on stdout, or with `as_json` one JSON line each."""
    for reply in replies:
        if as_json:
            body: object = json.loads(reply.body or b"{}")
            click.echo(json.dumps({"stage": reply.stage, "text": reply.text, "body": body}))
        else:
            line = f"{reply.stage}: {reply.text}" if reply.text else reply.stage
            click.echo(escaped_line(line))
