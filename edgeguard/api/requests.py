"""What a request's body may hold: judged whole, each fault in one sentence."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec

from edgeguard.config.model import Config
from edgeguard.errors import EdgeGuardError
from edgeguard.plain import printable

REASON_MAX: Final = 1000
"""Longest reason in characters: a sentence for the journal, not the report."""
NAME_MAX: Final = 64


Reason = Annotated[
    str,
    msgspec.Meta(
        description="why: one line of printable text, kept in the journal",
        extra_json_schema={"minLength": 1, "maxLength": REASON_MAX},
    ),
]
ScopeText = Annotated[
    str,
    msgspec.Meta(
        description="all, account:ID, strategy:NAME or symbol:NAME of the configuration",
        extra_json_schema={"pattern": "^(all|(account|strategy|symbol):.+)$"},
    ),
]
Operator = Annotated[
    str,
    msgspec.Meta(description="who orders it", extra_json_schema={"maxLength": NAME_MAX}),
]


class InvalidError(EdgeGuardError):
    """A body that cannot be carried out; the sentence says what it must be (HTTP 422)."""

    exit_code = 2


class Shutdown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /emergency/shutdown`: stop trading, close everything, prove it."""

    reason: Reason
    scope: ScopeText = "all"
    operator: Operator = ""


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /emergency/pause`: refuse new entries, let exits through."""

    reason: Reason
    scope: ScopeText = "all"
    operator: Operator = ""


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /emergency/resume`: end the halt `halt_id`, or with `pause` a sticky pause."""

    operator: Operator
    reason: Reason
    halt_id: str = ""
    pause: bool = False
    scope: ScopeText = "all"


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /incidents/{incident}/ack`: take an incident on, so that its repeats stop."""

    operator: Operator = ""


B = TypeVar("B", Shutdown, Pause, Resume)


def read_body(data: bytes, kind: type[B], config: Config) -> B:
    """Return the body, whatever content type it came with.

    Raises:
        InvalidError: it is no JSON object of `kind`, or a field cannot be meant.
    """
    try:
        body = msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        msg = f'the body must be JSON such as {{"reason": "why", "scope": "all"}}: {e}'
        raise InvalidError(msg) from e
    if isinstance(body, Shutdown):
        # No text stops a halt: a script that passes a log on as its reason means it all the same.
        reason, operator = printable(body.reason[:REASON_MAX]), printable(body.operator[:NAME_MAX])
    else:
        reason = _line("reason", body.reason, REASON_MAX)
        operator = _line("operator", body.operator, NAME_MAX)
    if not reason:
        raise InvalidError("reason must be given, was empty")
    check_scope(body.scope, config)
    if isinstance(body, Resume):
        if not operator:
            raise InvalidError("operator must be given, was empty")
        if bool(_line("halt_id", body.halt_id, NAME_MAX)) == body.pause:
            raise InvalidError("either halt_id or pause must be given")
    return msgspec.structs.replace(body, reason=reason, operator=operator)


def read_operator(data: bytes) -> str:
    """Return who acknowledges, empty where an empty body or none says so.

    Raises:
        InvalidError: the body is something else.
    """
    try:
        body = msgspec.json.decode(data or b"{}", type=Acknowledge)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise InvalidError(f'the body must be JSON such as {{"operator": "ann"}}: {e}') from e
    return _line("operator", body.operator, NAME_MAX)


def check_scope(scope: str, config: Config) -> None:
    """Refuse a scope that names nothing of the configuration.

    Raises:
        InvalidError: it does.
    """
    kind, _, name = scope.partition(":")
    known = {
        "account": [account.id for account in config.account],
        "strategy": [strategy.name for strategy in config.strategy],
        "symbol": [symbol.name for symbol in config.symbol],
    }
    if scope == "all":
        return
    if kind not in known or not name:
        raise InvalidError("scope must be all, account:ID, strategy:NAME or symbol:NAME")
    if name not in known[kind]:
        names = ", ".join(known[kind]) or "none is configured"
        raise InvalidError(f"scope must name a known {kind} ({names}), did not")


def _line(name: str, text: str, longest: int) -> str:
    """Return one line of printable text without surrounding blanks."""
    line = text.strip()
    if len(line) > longest:
        raise InvalidError(f"{name} must have at most {longest} characters, had {len(line)}")
    if not line.isprintable():
        raise InvalidError(f"{name} must have printable characters alone, had others")
    return line
