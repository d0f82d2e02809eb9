"""``edgeguard replay``: recorded ticks and tapes through the engine, one line per decision."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import click

from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.replay import Replay


@click.command()
@click.option(
    "--ticks",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="oanda|dukascopy|mt5csv|bookticker:SYMBOL:PATH; may be repeated.",
)
@click.argument("tapes", nargs=-1, type=click.Path(path_type=Path))
@where_options
@pass_where
def replay(where: Where, specs: tuple[str, ...], tapes: tuple[Path, ...]) -> None:
    """Replay ticks and TAPES in time order; decisions go to stdout, a summary to stderr."""
    if not specs and not tapes:
        raise click.UsageError("give at least one --ticks SPEC or TAPE")
    run = Replay(where.config_path(), specs, tapes)
    try:
        with _progress(run) as progress:
            # On a terminal the lines go through the bar, which keeps them above itself.
            write = _shown if sys.stdout.isatty() else _raw
            for line in run.lines(progress):
                write(line)
    finally:
        # Decisions before an unreadable line stay printed.
        sys.stdout.flush()
        _summarise(run)


def _raw(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")


def _shown(line: bytes) -> None:
    click.echo(line.decode())


@contextmanager
def _progress(run: Replay) -> Generator[Callable[[int], None] | None]:
    """Show a bar on a terminal whose stdout goes elsewhere or is a terminal too."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only where a person looks
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), "ticks", TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay")
        yield lambda done: bar.update(task, completed=done, total=run.ticks_total)


def _summarise(run: Replay) -> None:
    summary = run.summary
    decisions = sum(summary.decisions.values())
    click.echo(
        f"{summary.ticks} ticks, {summary.lines} tape lines, {decisions} decisions", err=True
    )
    for (trigger, action, symbol), count in sorted(summary.decisions.items()):
        click.echo(f"  {count:>7}  {trigger:<15} {action:<8} {symbol}".rstrip(), err=True)
