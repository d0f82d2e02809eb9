"""``edgeguard check``: prove without trading that a halt would work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from edgeguard.broker.check import Check, Item
from edgeguard.broker.proving import PROOF_S
from edgeguard.cli.answers import Request, ask
from edgeguard.cli.locate import Place
from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.cli.proofs import proof_of
from edgeguard.clock import NS_PER_S
from edgeguard.errors import EdgeGuardError, RefusedError, UnreachableError
from edgeguard.plain import escaped_line

PRINTED: Final = (
    ("execution.emergency_shutdown", "Usage: python -m execution.emergency_shutdown"),
    ("execution.mt5.kill_switch", "Usage: python -m execution.mt5.kill_switch"),
)
"""The runbook's commands, and how EdgeGuard's own answer to `--help` begins."""
PRINTED_S: Final = 20.0


class Report(msgspec.Struct):
    """What was found; `accounts` by id, each None where no broker answered."""

    ok: bool
    commands: list[Item]
    guard: Item
    accounts: dict[str, Check | None]
    unreachable: dict[str, str]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--timeout", "timeout_s", default=PROOF_S, help="Seconds for each account's proof.")
@click.option(
    "--runbook-dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Where people type the runbook's commands [default: here].",
)
@where_options
@pass_where
def check(where: Where, *, as_json: bool, timeout_s: float, folder: Path) -> None:
    """Prove without trading that a halt would work.

    Runs the runbook's printed commands with --help, asks the guard, and lets each account's broker
    ask its terminal for everything that a flatten needs: link, identity, permissions of account,
    terminal, API and symbols, filling modes, quotes, one order_check per held symbol, the intent
    log. Lists positions without a stop loss at the broker. Nothing is traded.
    """
    config, _ = where.load()
    names = [account.id for account in config.account]
    report = look(where.place(), names, timeout_s, folder)
    if as_json:
        click.echo(msgspec.json.encode(report))
    show(report, Console(stderr=as_json, soft_wrap=True, markup=False, emoji=False))
    if not any(found is not None for found in report.accounts.values()):
        raise UnreachableError("\n".join(report.unreachable.values()))
    if not report.ok:
        raise RefusedError("the kill channel is not proven")


def look(place: Place, accounts: Iterable[str], timeout_s: float, folder: Path) -> Report:
    """Ask everybody; a broker that does not answer is one finding, not the end."""
    commands = [printed(module, head, folder) for module, head in PRINTED]
    guard = _guard(place)
    found: dict[str, Check | None] = {}
    unreachable: dict[str, str] = {}
    for name in accounts:
        try:
            found[name] = proof_of(place, name, timeout_s)
        except UnreachableError as e:
            found[name] = None
            unreachable[name] = str(e)
    proofs = [proof is not None and proof.ok for proof in found.values()]
    ok = all(item.ok for item in (*commands, guard)) and all(proofs)
    return Report(ok, commands, guard, found, unreachable)


def printed(module: str, head: str, folder: Path) -> Item:
    """Run one printed command of the runbook with `--help`, from where people would type it."""
    name = f"python -m {module}"
    try:
        ran = subprocess.run(  # noqa: S603 - the runbook's own command, asked for its help
            [sys.executable, "-m", module, "--help"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PRINTED_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return Item(name, ok=False, text=str(e))
    if ran.returncode == 0 and ran.stdout.startswith(head):
        return Item(name, ok=True, text="is EdgeGuard's own")
    last = (ran.stderr.strip() or ran.stdout.strip() or "said nothing").splitlines()[-1]
    return Item(
        name, ok=False, text=f"is not EdgeGuard's: {last}; `edgeguard install-runbook --into DIR`"
    )


def _guard(place: Place) -> Item:
    """Ask the guard for its state; without it a halt goes straight to the brokers."""
    try:
        document: dict[str, Any] = json.loads(ask(place, Request("status"))[-1].body)
    except EdgeGuardError as e:
        return Item("guard", ok=False, text=str(e))
    return Item("guard", ok=True, text=f"answers, {document['state']}")


def show(report: Report, console: Console) -> None:
    """Print the findings as tables for people."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for item in (*report.commands, report.guard):
        _row(table, "", item)
    for account, found in report.accounts.items():
        if found is None:
            broker = Item("broker", ok=False, text=report.unreachable[account])
            _row(table, account, broker)
            continue
        _row(table, account, Item("broker", ok=True, text=_proof_age(found)))
        for item in found.items:
            _row(table, account, item)
    console.print(table)
    for account, found in report.accounts.items():
        if found is not None:
            console.print(escaped_line(_bare(account, found)), highlight=False)
    console.print("the kill channel works" if report.ok else "the kill channel is NOT proven")


def _row(table: Table, account: str, item: Item) -> None:
    table.add_row(
        "ok" if item.ok else "NO", account, escaped_line(item.name), escaped_line(item.text)
    )


def _proof_age(found: Check) -> str:
    if found.before_ns is None:
        return "proven now, for the first time in its life"
    return f"proven now, and before that {(found.t_ns - found.before_ns) // NS_PER_S} s ago"


def _bare(account: str, found: Check) -> str:
    """Return the line on positions that nothing closes while EdgeGuard is dead."""
    rows, count = found.no_stop_loss, found.no_stop_loss_count
    if rows is None:
        return f"{account}: positions could not be read"
    if not count:
        return f"{account}: every position has a stop loss at the broker"
    listed = ", ".join(f"{row.ticket} {row.side} {row.lots:g} {row.symbol}" for row in rows)
    more = " and more" if count > len(rows) else ""
    return f"{account}: {count} positions WITHOUT a stop loss at the broker: {listed}{more}"
