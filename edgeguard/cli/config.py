"""``edgeguard config``: judge a configuration, or print the schema of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.config.check import remarks
from edgeguard.config.schema import config_schema


@click.group()
@where_options
def config() -> None:
    """Judge a configuration, or print its schema."""


@config.command()
@where_options
@pass_where
def check(where: Where) -> None:
    """Judge the configuration; exit 0 when it is sound, 3 with every violation when not."""
    loaded, config_hash = where.load()
    contacts = Path(loaded.notify.contacts) if loaded.notify.contacts else None
    for remark in [*remarks(loaded), *_of_contacts(contacts)]:
        click.echo(f"note: {remark}", err=True)
    accounts = ", ".join(account.id for account in loaded.account)
    symbols = ", ".join(symbol.name for symbol in loaded.symbol)
    click.echo(f"{where.config_path()} is sound: accounts {accounts}; symbols {symbols}")
    click.echo(f"sha256 {config_hash}")


def _of_contacts(path: Path | None) -> Iterator[str]:
    """Yield what a person should know of the emergency contacts.

    Raises:
        ConfigError: the file is there and cannot be used; ops would refuse to start.
    """
    if path is None:
        yield "notify.contacts is empty: messages name nobody to call"
        return
    try:
        from edgeguard.notify.contacts import read_contacts  # noqa: PLC0415 - needs PyYAML
    except ImportError:
        yield "the contacts were not read: that needs edgeguard[ops]"
        return
    if not path.exists():
        yield f"{path} is not there: messages name nobody to call"
        return
    contacts = read_contacts(path)
    if not contacts.at_level(1):
        yield f"{path} has nobody with escalation_level 1: alerts name nobody to call first"
    if contacts.broker() is None:
        yield f"{path} has no broker_support: the last resort has no number there"


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    click.echo(json.dumps(config_schema(), indent=2))
