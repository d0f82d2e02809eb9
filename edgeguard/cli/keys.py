"""``edgeguard keys``: make CURVE keys, and show their public halves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click

from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.errors import UsageError
from edgeguard.transport.keys import SUFFIX, key_path, new_pair, read_key, write_key

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""As a `[[peer]]` may be called."""


@click.group()
@where_options
def keys() -> None:
    """Make CURVE keys for TCP, and show their public halves."""


@keys.command()
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), help="Folder [default: [keys] dir].")
@where_options
@pass_where
def new(where: Where, name: str, into: Path | None) -> None:
    """Make the key NAME (0600, never overwritten) and print its public half for a [[peer]]."""
    _check(name)
    folder = into or _folder(where)
    pair = new_pair()
    path = key_path(folder, name)
    write_key(path, name, pair)
    click.echo(f"made {path}; its secret stays there", err=True)
    _print_peer(name, pair.public)


@keys.command()
@click.argument("name", required=False)
@click.option("--secret", is_flag=True, help="Print the secret of NAME instead, and nothing else.")
@click.option("--into", type=click.Path(path_type=Path), help="Folder [default: [keys] dir].")
@where_options
@pass_where
def show(where: Where, *, name: str | None, secret: bool, into: Path | None) -> None:
    """Print the public half of NAME, or of every key of this host."""
    folder = into or _folder(where)
    if name is None:
        if secret:
            raise UsageError("--secret must go with the NAME of one key, was without")
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            _print_peer(path.name.removesuffix(SUFFIX), read_key(path).public)
        return
    _check(name)
    pair = read_key(key_path(folder, name))
    if secret:
        click.echo(pair.secret)
    else:
        _print_peer(name, pair.public)


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(
            "the key's NAME must have 1 to 63 letters, digits, '.', '_' or '-', beginning with a "
            "letter or digit, was another"
        )


def _folder(where: Where) -> Path:
    config, _ = where.load()
    if not config.keys.dir:
        raise UsageError("a folder must be given by --into or [keys] dir, was by neither")
    return Path(config.keys.dir)


def _print_peer(name: str, public: str) -> None:
    click.echo(f'[[peer]]\nname = "{name}"\npublic = "{public}"\nrights = []')
