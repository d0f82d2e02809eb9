"""``edgeguard learn-spreads``: a week's normal spreads from the user's own recorded ticks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final

import click

import edgeguard
from edgeguard.cli.locate import find_config
from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.config.load import load_config
from edgeguard.config.model import Config, Limits
from edgeguard.errors import InputError, UsageError
from edgeguard.ticks.learn import (
    PROFILE_VERSION,
    SAMPLES_MIN_DEFAULT,
    LearnedSymbol,
    Learner,
    Profile,
    Rules,
    encode,
    rows_in,
)
from edgeguard.ticks.plot import panels_of, save_plot
from edgeguard.ticks.sift import Jump
from edgeguard.ticks.spec import TickSpec, open_ticks, parse_spec
from edgeguard.ticks.week import BUCKETS, WeekClock

DIGITS_MAX: Final = 10
Progress = Callable[[int], None]


@click.command(name="learn-spreads")
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The profile.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="PNG", help="Draw it as well.")
@click.option(
    "--digits",
    multiple=True,
    metavar="[SYMBOL=]N",
    help="Digits after the point of a price, where the configuration has no such symbol.",
)
@click.option(
    "--min-samples",
    type=click.IntRange(min=1),
    default=SAMPLES_MIN_DEFAULT,
    show_default=True,
    help="A quarter hour with fewer ticks stays empty.",
)
@click.option(
    "--zone",
    default="UTC",
    show_default=True,
    help="The clock of the files' stamps: an IANA zone, or like America/New_York+7 for the server "
    "time of many brokers, which MetaTrader's exports carry.",
)
@where_options
@pass_where
def learn_spreads(  # noqa: PLR0917 - click hands every option over by its name
    where: Where,
    specs: tuple[str, ...],
    output: Path,
    plot: Path | None,
    digits: tuple[str, ...],
    min_samples: int,
    zone: str,
) -> None:
    """Learn the normal spread of each quarter hour of the week from tick files.

    SPEC is oanda|dukascopy|mt5csv|bookticker:SYMBOL:PATH; several files of one symbol are one
    history. Name the profile in [[symbol]] as spread_profile.
    """
    parsed = [parse_spec(spec) for spec in specs]
    config = _config(where)
    limits = config.account[0].limits if config else Limits()
    told = _digits(config, digits)
    week = WeekClock(zone)
    learners = {
        spec.symbol: Learner(Rules(_need(told, spec), Jump.of(limits), week, min_samples))
        for spec in parsed
    }
    _learn(learners, parsed)
    learned = {name: learners[name].learned() for name in sorted(learners)}
    _refuse_nothing(learned)
    profile = Profile(
        version=PROFILE_VERSION,
        symbols=learned,
        learned_by=f"edgeguard {edgeguard.__version__}",
        samples_min=min_samples,
        zone=zone,
    )
    _write(output, encode(profile))
    _summarise(profile, output)
    if plot is not None:
        spreads = {name: learner.spreads for name, learner in learners.items()}
        save_plot(plot, panels_of(profile.symbols, spreads, Fraction(limits.spread_multiple)))
        click.echo(f"wrote {plot}", err=True)


def _config(where: Where) -> Config | None:
    """Return the configuration where one is named or in a usual place."""
    path = find_config(where.config_file)
    return None if path is None else load_config(path)[0]


def _digits(config: Config | None, given: Iterable[str]) -> dict[str, int]:
    """Return digits by symbol; those without a symbol stand under the empty name."""
    told = {symbol.name: symbol.digits for symbol in config.symbol} if config else {}
    for text in given:
        symbol, _, number = text.rpartition("=")
        if not number.isdecimal() or int(number) > DIGITS_MAX:
            msg = f"--digits must be N or SYMBOL=N with N in [0, {DIGITS_MAX}], was {text}"
            raise UsageError(msg)
        told[symbol] = int(number)
    return told


def _need(told: dict[str, int], spec: TickSpec) -> int:
    found = told.get(spec.symbol, told.get(""))
    if found is None:
        msg = f"{spec.symbol} must have digits in [[symbol]] or by --digits {spec.symbol}=N"
        raise UsageError(f"{msg}, had none")
    return found


def _learn(learners: dict[str, Learner], specs: Iterable[TickSpec]) -> None:
    with _progress() as start:
        for spec in specs:
            file = open_ticks(spec)
            learners[spec.symbol].add_file(spec, file, start(file.name, rows_in(spec, file)))


def _refuse_nothing(learned: Mapping[str, LearnedSymbol]) -> None:
    """Refuse to write what would look like a profile and was learned from no tick at all."""
    for name, one in learned.items():
        if one.ticks == 0:
            bad = sum(one.bad.values())
            raise InputError(f"{name}'s files must hold good ticks, held none ({bad} bad)")


@contextmanager
def _progress() -> Generator[Callable[[str, int], Progress | None]]:
    """Show a bar for each file where a person looks."""
    if not sys.stderr.isatty():
        yield lambda _name, _rows: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where a person looks
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), "ticks")
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def start(name: str, rows: int) -> Callable[[int], None]:
            task = bar.add_task(name, total=rows)
            return lambda more: bar.advance(task, more)

        yield start


def _write(path: Path, data: bytes) -> None:
    """Write the whole profile or nothing: a guard may read it at any time."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as e:
        beside.unlink(missing_ok=True)
        raise UsageError(f"--output must be a writable file, was {path}: {e.strerror}") from e


def _summarise(profile: Profile, output: Path) -> None:
    for name, learned in profile.symbols.items():
        known = [points for points in learned.buckets if points is not None]
        bad = sum(learned.bad.values())
        line = f"{name}: {learned.ticks} ticks, {bad} bad, {len(known)} of {BUCKETS} quarter hours"
        if known:
            line += f", normal {min(known)} to {max(known)} points"
        else:
            line += f": none has {profile.samples_min} ticks, so it tells no normal"
        click.echo(line, err=True)
    click.echo(f"wrote {output}", err=True)
