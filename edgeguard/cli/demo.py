"""``edgeguard demo``: break a limit on a paper account and watch it become flat."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.demo.plans import PLANS, Plan
from edgeguard.demo.run import Demo, DemoError, Options, Outcome, Show
from edgeguard.demo.timeline import lines
from edgeguard.demo.view import live_view, state_line

SPEED: Final = 20.0
"""Default pace: twenty market seconds in one."""
LOG_NS: Final = 2 * NS_PER_S
"""Interval of state lines where nobody looks at a terminal."""


@click.command()
@click.option("--trigger", type=click.Choice(list(PLANS)), default="daily_loss", show_default=True)
@click.option("--ticks", "specs", multiple=True, metavar="SPEC", help="Stream recorded ticks.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the market.")
@click.option(
    "--speed",
    default=SPEED,
    show_default=True,
    type=click.FloatRange(0.1, 1000.0),
    help="Market seconds per second.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the stages as JSON lines.")
@where_options
@pass_where
def demo(
    where: Where,
    *,
    trigger: str,
    specs: tuple[str, ...],
    seed: int,
    speed: float,
    as_json: bool,
) -> int:
    """Run guard, broker, publisher and a pretend engine as processes, and break a limit."""
    plan = PLANS[trigger]
    if specs and plan.trigger not in {"daily_loss", "total_drawdown"}:
        raise click.UsageError(f"--ticks shows a loss limit; {trigger} has a market of its own")
    signal.signal(signal.SIGTERM, _interrupted)
    console = Console(stderr=as_json, highlight=False)
    with _directory(where.state_dir) as directory:
        run = Demo(Options(plan, directory, specs, seed, speed))
        _announce(console, plan, run)
        with _shown(console) as show:
            run.show = show
            outcome = run.run()
        _tell(console, plan, outcome)
        if as_json:
            _print_json(plan, outcome)
        if outcome.faults:
            where_to_look = f"the processes' own words are in {run.paths.log_dir}"
            raise DemoError("; ".join((*outcome.faults, where_to_look)))
    return 0


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _directory(given: Path | None) -> Generator[Path]:
    """Yield a state directory; a temporary one is removed after a demo that went well."""
    if given is not None:
        given.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield given
        return
    directory = Path(tempfile.mkdtemp(prefix="edgeguard-demo-"))
    try:
        yield directory
    except DemoError:
        # Its sentence points to the logs in there.
        raise
    except BaseException:
        _remove(directory)
        raise
    _remove(directory)


def _remove(directory: Path) -> None:
    run_dir = directory / "run"
    if run_dir.is_symlink():
        shutil.rmtree(run_dir.resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def _announce(console: Console, plan: Plan, run: Demo) -> None:
    console.print(f"[bold]EdgeGuard demo: {plan.trigger}[/bold]")
    console.print(
        f"Guard, broker, paper terminal, tick publisher and a pretend engine are processes "
        f"of their own on real sockets in {run.paths.state_dir}."
    )
    console.print(f"What will happen: {run.stage.story}.")
    if plan.note:
        console.print(f"Changed for the demo: {plan.note}.")


@contextmanager
def _shown(console: Console) -> Generator[Show]:
    """Yield what shows the state: a live table on a terminal, a line now and then elsewhere."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield (
                lambda document, headline: (
                    live.update(live_view(document, headline), refresh=True) if document else None
                )
            )
        return
    clock, due = SystemClock(), [0]

    def show(document: Mapping[str, Any] | None, headline: str) -> None:
        if document is not None and clock.boot_ns() >= due[0]:
            due[0] = clock.boot_ns() + LOG_NS
            console.print(f"{headline}: {state_line(document)}", soft_wrap=True)

    yield show


def _tell(console: Console, plan: Plan, outcome: Outcome) -> None:
    console.print("\n[bold]Timeline[/bold]")
    for line in lines(outcome.timeline):
        console.print(line, markup=False, soft_wrap=True)
    if outcome.closes:
        console.print(
            "\n[bold]What each close cost[/bold] (account money; slippage against the quote "
            "at its decision)"
        )
        console.print(_closes(outcome))
        deleted = outcome.timeline.record.get("requests", [])
        count = sum(request["kind"] == "delete" for request in deleted)
        console.print(f"{count} pending orders were deleted before that, free of charge")
    left = f"{outcome.positions_left} positions and {outcome.orders_left} pending orders are left"
    if outcome.faults:
        return
    verdict = "flat, proven by two reads" if plan.halts else "paused, and released by itself"
    console.print(
        f"\n[bold green]{verdict}[/bold green]: {left}; the engine's gate refused entries."
    )


def _closes(outcome: Outcome) -> Table:
    columns = ("what", "symbol", "side", "lots", "quote", "price")
    table = Table(*columns, box=None, pad_edge=False, show_footer=True)
    slippage = commission = profit = 0.0
    rows: list[tuple[str, ...]] = []
    for close in outcome.closes:
        slippage += float(close.slippage or 0)
        commission += close.deal.commission
        profit += close.deal.profit
        money = (close.slippage, f"{close.deal.commission:.2f}", f"{close.deal.profit:.2f}")
        rows.append(
            (close.kind, close.symbol, close.side, close.lots, close.quote, close.price, *money)
        )
    for name, total in (("slippage", slippage), ("commission", commission), ("result", profit)):
        table.add_column(name, f"{total:.2f}", justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _print_json(plan: Plan, outcome: Outcome) -> None:
    for stage in outcome.timeline.stages:
        sys.stdout.write(json.dumps(stage) + "\n")
    result = {
        "ok": not outcome.faults,
        "trigger": plan.trigger,
        "positions_left": outcome.positions_left,
        "orders_left": outcome.orders_left,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
