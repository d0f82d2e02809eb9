"""``edgeguard journal``: verify, show or export what the guard has written down."""

from __future__ import annotations

import json
import sys

import click

from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.errors import StorageError, UsageError
from edgeguard.journal.reading import export as export_rows
from edgeguard.journal.reading import tail as tail_rows
from edgeguard.journal.reading import verify as verify_rows


@click.group()
@where_options
def journal() -> None:
    """Verify, show or export the guard's journal."""


@journal.command()
@click.option("--anchor", metavar="SEQ:HASH", help="A row known from elsewhere, to prove the tail.")
@where_options
@pass_where
def verify(where: Where, anchor: str | None) -> None:
    """Recompute the hash chain; exit 0 when no row was changed, removed or inserted."""
    path = where.place().paths.journal
    verdict = verify_rows(path, _anchor(anchor))
    if not verdict.is_sound:
        raise StorageError(f"{path} must be a whole chain, was not: {verdict.fault}")
    head = f"{verdict.head_seq}:{verdict.head_hash.hex()}"
    click.echo(f"{path}: {verdict.rows} rows, sound; head {head}")


def _anchor(text: str | None) -> tuple[int, bytes] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    try:
        return int(number), bytes.fromhex(digest)
    except ValueError as e:
        raise UsageError(f"--anchor must be SEQ:HASH as verify prints it, was {text}") from e


@journal.command()
@click.option("-n", "--rows", default=20, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--after", default=0, type=click.IntRange(0), help="Only rows above this number.")
@where_options
@pass_where
def tail(where: Where, rows: int, after: int) -> None:
    """Print the last rows as JSON lines, oldest first."""
    for row in tail_rows(where.place().paths.journal, rows, after):
        click.echo(json.dumps(row))


@journal.command()
@where_options
@pass_where
def export(where: Where) -> None:
    """Print every row as a JSON line, oldest first."""
    for line in export_rows(where.place().paths.journal):
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.flush()
