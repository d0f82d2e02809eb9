"""``edgeguard ops``, ``notify`` and ``incident``: the process, its channels, its incidents."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Final

import click

from edgeguard.cli.answers import this_operator
from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.clock import SystemClock, utc
from edgeguard.config.secrets import keep_out_of_cores
from edgeguard.errors import ConfigError, RefusedError, UnreachableError, UsageError
from edgeguard.incident.evidence import folder_of
from edgeguard.incident.store import Incident, Incidents, checklist_of
from edgeguard.notify.database import OpsDatabase
from edgeguard.notify.outbox import Outbox
from edgeguard.ops.process import DATABASE, run_ops
from edgeguard.plain import printable

NOTE_MAX: Final = 1000
"""Longest note of a ticked item in characters; the rest is cut."""
NAME_MAX: Final = 64
"""Longest name of a person in characters; the rest is cut."""


@click.command()
@where_options
@pass_where
def ops(where: Where) -> int:
    """Run the HTTP interface, notifications and incidents until SIGTERM or Ctrl-C."""
    from edgeguard.cli.manual import ManualControl  # noqa: PLC0415 - only this command halts

    keep_out_of_cores()
    config, _ = where.load()
    paths = where.paths(config).create()
    control = ManualControl(where.config_path().resolve(), paths.state_dir)
    return run_ops(config, paths, control)


@click.group()
@where_options
def notify() -> None:
    """Prove the channels, or show when each was last proven."""


@notify.command("test")
@where_options
@pass_where
def notify_test(where: Where) -> None:
    """Send a test message to every channel; exit 0 when all have taken it."""
    from edgeguard.ops.testing import test_channels  # noqa: PLC0415 - heavy

    config, _ = where.load()
    paths = where.paths(config).create()
    if not config.notify.channel:
        raise ConfigError("notify must have at least one [[notify.channel]], had none")
    with OpsDatabase(paths.state_dir / DATABASE) as database:
        results = asyncio.run(test_channels(config, Outbox(database), SystemClock()))
    for name, error in results.items():
        click.echo(f"{name}: {error or 'proven'}")
    failed = [name for name, error in results.items() if error]
    if failed:
        raise UnreachableError(f"not proven: {', '.join(failed)}")


@notify.command("channels")
@where_options
@pass_where
def notify_channels(where: Where) -> None:
    """Show each channel: when it was last proven, and what waits for it."""
    config, _ = where.load()
    with _database(where) as database:
        outbox = Outbox(database)
        proven, waiting = outbox.proven(), outbox.waiting()
    for channel in config.notify.channel:
        at = proven.get(channel.name)
        count, error = waiting.get(channel.name, (0, ""))
        words = f"last proven {utc(at)}" if at is not None else "never proven"
        trouble = f", {count} waiting: {error or 'not tried yet'}" if count else ""
        click.echo(f"{channel.name} ({channel.kind}, level {channel.level}): {words}{trouble}")


@click.group()
@where_options
def incident() -> None:
    """Show, acknowledge and tick incidents."""


@incident.command("list")
@click.option("-n", "--count", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@where_options
@pass_where
def incident_list(where: Where, count: int, *, as_json: bool) -> None:
    """Show the last incidents, newest first."""
    with _database(where) as database:
        outbox = Outbox(database)
        for found in Incidents(database).last(count):
            acked = outbox.acknowledged(found.id)
            if as_json:
                row = {name: getattr(found, name) for name in found.__struct_fields__}
                click.echo(json.dumps({**row, "acknowledged": acked}))
                continue
            state = "open" if found.is_open else "resolved"
            who = f", acknowledged by {acked[0]}" if acked else ""
            moment = utc(found.opened_ns)
            click.echo(f"{found.id} {moment} {found.severity} {state}: {found.summary}{who}")


@incident.command("show")
@click.argument("name", metavar="INCIDENT")
@where_options
@pass_where
def incident_show(where: Where, name: str) -> None:
    """Show one incident: its checklist, and where its evidence is."""
    with _database(where) as database:
        incidents = Incidents(database)
        found = _named(incidents, name)
        ticked = incidents.ticked(name)
    click.echo(f"{found.id} {found.severity}: {found.summary}")
    click.echo(f"opened {utc(found.opened_ns)}, key {found.key}")
    if not found.is_open:
        click.echo(f"resolved {utc(found.resolved_ns)}: {found.resolution}")
    for item, words in checklist_of(found.severity).items():
        tick = ticked.get(item)
        note = f" ({tick.by}: {tick.note})" if tick is not None else f" [{item}]"
        click.echo(f"[{'x' if tick is not None else ' '}] {words}{note}")
    click.echo(f"evidence: {folder_of(where.place().paths, name)}")


@incident.command("ack")
@click.argument("name", metavar="INCIDENT")
@click.option("--operator", default=this_operator, help="Who takes it on [default: you].")
@where_options
@pass_where
def incident_ack(where: Where, name: str, operator: str) -> None:
    """Take an incident on: its repeats stop."""
    operator = _named_person(operator)
    with _database(where) as database:
        _named(Incidents(database), name)
        outbox = Outbox(database)
        now_ns = SystemClock().wall_ns()
        database.audit(now_ns, operator, f"acknowledge {name}", "by command")
        is_new = outbox.acknowledge(name, operator, "command", now_ns)
        found = outbox.acknowledged(name)
    who = found[0] if found is not None else operator
    click.echo(f"{name} acknowledged" if is_new else f"{name} was acknowledged by {who} before")


@incident.command("tick")
@click.argument("name", metavar="INCIDENT")
@click.argument("item")
@click.option("--note", default="", help="What was found.")
@click.option("--operator", default=this_operator, help="Who ticks [default: you].")
@where_options
@pass_where
def incident_tick(where: Where, name: str, item: str, note: str, operator: str) -> None:
    """Tick an item of an incident's checklist, by its word in brackets in `show`."""
    operator, note = _named_person(operator), printable(note[:NOTE_MAX])
    with _database(where) as database:
        incidents = Incidents(database)
        known = checklist_of(_named(incidents, name).severity)
        if item not in known:
            raise UsageError(f"ITEM must be one of {', '.join(known)}, was {item}")
        is_new = incidents.tick(name, item, operator, note, SystemClock().wall_ns())
    if not is_new:
        raise RefusedError(f"{item} was ticked before; a tick stands")
    click.echo(f"{name}: {known[item]}")


def _named_person(operator: str) -> str:
    """Return a name as others will read it in lists, logs and messages.

    Raises:
        UsageError: nothing of it can be printed.
    """
    name = printable(operator[:NAME_MAX])
    if not name:
        raise UsageError("--operator must have printable characters, had none")
    return name


def _database(where: Where) -> OpsDatabase:
    path = where.place().paths.state_dir / DATABASE
    if not os.path.exists(path):  # noqa: PTH110 - also false where it may not be looked at
        raise UnreachableError(f"{path} is not there: `edgeguard ops` has never run here")
    return OpsDatabase(path)


def _named(incidents: Incidents, name: str) -> Incident:
    found = incidents.get(name)
    if found is None:
        raise UsageError(f"INCIDENT must be a known one, was {name}: `edgeguard incident list`")
    return found
