"""``edgeguard status``: what the guard sees, and in one sentence why the gate is as it is."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import click

from edgeguard.cli.answers import Request, ask
from edgeguard.cli.options import Where, pass_where, where_options

WATCH_S: Final = 0.5
"""Time between two looks of ``--watch``."""
Document = Mapping[str, Any]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.option("--watch", is_flag=True, help="Look again twice a second until Ctrl-C.")
@where_options
@pass_where
def status(where: Where, *, as_json: bool, watch: bool) -> None:
    """Show state, equity, the distance to each limit, feeds and the broker's worker."""
    endpoint = where.place().paths.control
    if not watch:
        document = fetch(endpoint)
        if as_json:
            click.echo(json.dumps(document))
        else:
            _print(document)
        return
    if as_json:
        while True:
            click.echo(json.dumps(fetch(endpoint)))
            time.sleep(WATCH_S)
    _watch(endpoint)


def fetch(endpoint: str) -> Document:
    """Return the guard's status document.

    Raises:
        UnreachableError: no guard answers; every gate on it is closed then.
    """
    return json.loads(ask(endpoint, Request("status"))[-1].body)


def _print(document: Document) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where a person looks

    Console(soft_wrap=True).print(_view(document))


def _watch(endpoint: str) -> None:
    from rich.live import Live  # noqa: PLC0415 - only where a person looks

    with Live(_view(fetch(endpoint)), auto_refresh=False) as live:
        while True:
            live.update(_view(fetch(endpoint)), refresh=True)
            time.sleep(WATCH_S)


def _view(document: Document) -> Any:  # noqa: ANN401 - a rich renderable
    from rich.console import Group  # noqa: PLC0415 - only where a person looks
    from rich.text import Text  # noqa: PLC0415

    return Group(Text("\n".join(_headline(document))), _limits(document), _feeds(document))


def _headline(document: Document) -> list[str]:
    """Return state, halt and gate, each in one line."""
    gate = document["gate"]
    lines = [f"{document['state']} (flatten {document['flatten']})"]
    halt = document.get("halt")
    if halt:
        durable = "durable" if halt["durable"] else "NOT DURABLE"
        lines.append(f"halt {halt['id']}: {halt['trigger']}, {halt['reason']} ({durable})")
    if gate["open"]:
        lines.append("the gate is open")
    else:
        lines.append(f"the gate is closed: {gate['why']}; opens when: {gate['opens_when']}")
    return lines


def _limits(document: Document) -> Any:  # noqa: ANN401 - a rich renderable
    from rich.table import Table  # noqa: PLC0415 - only where a person looks

    table = Table("account", "equity", "limit", "value", "threshold", "distance")
    for account in document["accounts"]:
        equity = f"{account['equity_used']}"
        for name, limit in account["limits"].items():
            cells = [limit.get(key) for key in ("value", "threshold", "distance")]
            table.add_row(
                account["id"], equity, name, *("" if c is None else str(c) for c in cells)
            )
    return table


def _feeds(document: Document) -> Any:  # noqa: ANN401 - a rich renderable
    from rich.table import Table  # noqa: PLC0415 - only where a person looks

    table = Table("feed", "age ms", "required", "bad")
    for feed in document["feeds"]:
        required = "yes" if feed["required"] else "no"
        table.add_row(feed["name"], str(feed["age_ms"]), required, str(feed["bad"]))
    return table
