"""The operator's commands to a running guard; `halt` itself is in `edgeguard.cli.emergency`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgeguard.cli.answers import Request, ask, check_reason, show, this_operator
from edgeguard.cli.durations import seconds
from edgeguard.cli.emergency import HALT_HELP, halt_command
from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def _spoken(command: F) -> F:
    """Add what every order of a person carries: reason, operator, and the form of the answer."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print stages as JSON lines."),
        click.option("--operator", default=this_operator, help="Who orders it [default: you]."),
        click.option("--reason", required=True, help="Why; goes into the journal."),
    ):
        command = option(command)
    return where_options(command)


def _order(
    where: Where, verb: str, person: tuple[str, str], args: dict[str, str], *, as_json: bool
) -> None:
    operator, reason = person
    request = Request(verb, operator, check_reason(reason), args)
    show(ask(where.place(), request), as_json=as_json)


@click.command(
    help=HALT_HELP, add_help_option=False, context_settings={"ignore_unknown_options": True}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@pass_where
def halt(where: Where, arguments: tuple[str, ...]) -> int:
    """Stop new trading, close everything and prove it."""
    # The process's own `main` calls `halt_command` before click is there; this serves the help text
    # and callers of the group.
    named = [("--config", where.config_file), ("--state-dir", where.state_dir)]
    given = [text for name, path in named if path is not None for text in (name, str(path))]
    return halt_command([*given, *arguments])


@click.command()
@click.option("--scope", default="all", help="all, account:ID, strategy:NAME or symbol:NAME.")
@_spoken
@pass_where
def pause(where: Where, *, scope: str, reason: str, operator: str, as_json: bool) -> None:
    """Refuse new entries; exits go through. Stays until `resume --pause`."""
    _order(where, "pause", (operator, reason), {"scope": scope}, as_json=as_json)


@click.command()
@click.option("--halt-id", help="The halt to end, as `edgeguard status` shows it.")
@click.option("--pause", "is_pause", is_flag=True, help="End a sticky pause instead.")
@click.option("--scope", default="all", help="all, account:ID, strategy:NAME or symbol:NAME.")
@_spoken
@pass_where
def resume(
    where: Where,
    *,
    halt_id: str | None,
    is_pause: bool,
    scope: str,
    reason: str,
    operator: str,
    as_json: bool,
) -> None:
    """End a halt (--halt-id) or a sticky pause (--pause)."""
    if is_pause == (halt_id is not None):
        raise UsageError("resume must be given either --halt-id H or --pause")
    args = {"scope": scope, "pause": "1"} if is_pause else {"halt_id": halt_id or ""}
    _order(where, "resume", (operator, reason), args, as_json=as_json)


@click.command()
@_spoken
@pass_where
def acknowledge(where: Where, *, reason: str, operator: str, as_json: bool) -> None:
    """Open a guard that stays paused after an unclean stop and a reboot."""
    _order(where, "acknowledge", (operator, reason), {}, as_json=as_json)


@click.command()
@click.option("--account", required=True, help="The account's id.")
@click.option("--peak", help="The new peak for total_drawdown, account money.")
@click.option("--day", help="The new reference of the day for daily_loss, account money.")
@_spoken
@pass_where
def rebaseline(
    where: Where,
    *,
    account: str,
    peak: str | None,
    day: str | None,
    reason: str,
    operator: str,
    as_json: bool,
) -> None:
    """Set a new reference, so that a halted account can be resumed; audited."""
    if (peak is None) == (day is None):
        raise UsageError("rebaseline must be given either --peak V or --day V")
    value = {"peak": peak} if peak is not None else {"day": day or ""}
    _order(where, "rebaseline", (operator, reason), {"account": account, **value}, as_json=as_json)


@click.command()
@click.option("--for", "duration", required=True, help="How long, e.g. 10m.")
@click.option("--account", default="", help="One account alone [default: all].")
@_spoken
@pass_where
def maintenance(
    where: Where, *, duration: str, account: str, reason: str, operator: str, as_json: bool
) -> None:
    """Suspend the deadline of the engine's heartbeat, never a loss limit."""
    try:
        args = {"seconds": str(seconds(duration)), "account": account}
    except ValueError as e:
        raise UsageError(f"--for: {e}") from e
    _order(where, "maintenance", (operator, reason), args, as_json=as_json)
