"""``edgeguard config``: judge a configuration, or print the schema of one."""

from __future__ import annotations

import json

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
    for remark in remarks(loaded):
        click.echo(f"note: {remark}", err=True)
    accounts = ", ".join(account.id for account in loaded.account)
    symbols = ", ".join(symbol.name for symbol in loaded.symbol)
    click.echo(f"{where.config_path()} is sound: accounts {accounts}; symbols {symbols}")
    click.echo(f"sha256 {config_hash}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    click.echo(json.dumps(config_schema(), indent=2))
