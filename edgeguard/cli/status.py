"""``edgeguard status``: what the guard sees, and in one sentence why the gate is as it is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeguard.cli.answers import Request, ask
from edgeguard.cli.locate import Place
from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.cli.trips import inputs
from edgeguard.plain import escaped_line

WATCH_S: Final = 0.5
"""Time between two looks of ``--watch``."""
TICKETS_MAX: Final = 20
Document = Mapping[str, Any]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.option("--watch", is_flag=True, help="Look again twice a second until Ctrl-C.")
@where_options
@pass_where
def status(where: Where, *, as_json: bool, watch: bool) -> None:
    """Show state, equity, the distance to each limit, feeds and the broker's worker."""
    place = where.place()
    if not watch:
        document = fetch(place)
        if as_json:
            click.echo(json.dumps(document))
        else:
            _print(document)
        return
    if as_json:
        while True:
            click.echo(json.dumps(fetch(place)))
            time.sleep(WATCH_S)
    _watch(place)


def fetch(place: Place) -> Document:
    """Return the guard's status document.

    Raises:
        UnreachableError: no guard answers; every gate on it is closed then.
    """
    return json.loads(ask(place, Request("status"))[-1].body)


def _print(document: Document) -> None:
    _console().print(_view(document))


def _console() -> Console:
    """Return a console that reads no markup: what it shows are names that others chose."""
    return Console(soft_wrap=True, markup=False, emoji=False)


def _watch(place: Place) -> None:
    with Live(_view(fetch(place)), console=_console(), auto_refresh=False) as live:
        while True:
            live.update(_view(fetch(place)), refresh=True)
            time.sleep(WATCH_S)


def _view(document: Document) -> RenderableType:
    document = _harmless(document)
    parts: list[RenderableType] = [Text("\n".join(_headline(document)) + "\n")]
    for account in document["accounts"]:
        parts += [
            _account(account),
            *_unprotected(account),
            *_scopes(account),
            _limits(account),
            _symbols(account),
            *inputs(account),
        ]
    return Group(*parts, _feeds(document))


def _harmless(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a document whose texts steer no terminal: a feed names symbols as it likes."""
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {escaped_line(key): _harmless(inner) for key, inner in pairs}
    if isinstance(value, list):
        return [_harmless(inner) for inner in cast("list[Any]", value)]
    return escaped_line(value) if isinstance(value, str) else value


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


def _account(account: Document) -> RenderableType:
    marked, reported = account.get("equity_marked"), account.get("equity_reported")
    counts = f"{_text(account.get('positions'))} positions, {_text(account.get('orders'))} orders"
    line = f"account {account['id']}: equity {_text(marked)} marked, {_text(reported)} reported"
    return Text(f"{line}; {counts}", style="bold")


def _unprotected(account: Document) -> Iterator[RenderableType]:
    """Name what nothing protects when this machine dies."""
    tickets: list[int] = account.get("no_stop_loss") or []
    if tickets:
        named = ", ".join(map(str, tickets[:TICKETS_MAX]))
        more = f" and {len(tickets) - TICKETS_MAX} more" if len(tickets) > TICKETS_MAX else ""
        text = f"no stop loss at the broker, unprotected if this machine dies: {named}{more}"
        yield Text(text, style="yellow")


def _scopes(account: Document) -> Iterator[RenderableType]:
    """Name the strategies and symbols that are closed while the account is open."""
    rows: list[Document] = account.get("scopes", [])
    for row in rows:
        halt: Document | None = row.get("halt")
        words = f": halt {halt['id']}, {halt['reason']}" if halt else ""
        if row["state"] != "ACTIVE":
            yield Text(f"{row['scope']} is {row['state']} (flatten {row['flatten']}){words}")


def _limits(account: Document) -> RenderableType:
    table = _table("limit", "value", "threshold", "distance")
    for name, limit in account["limits"].items():
        table.add_row(name, *(_text(limit.get(key)) for key in ("value", "threshold", "distance")))
    return table


def _symbols(account: Document) -> RenderableType:
    table = _table("symbol", "bid", "ask", "spread", "normal", "armed")
    for row in account.get("symbols", []):
        cells = (_text(row.get(key)) for key in ("bid", "ask", "spread", "normal"))
        table.add_row(_text(row.get("name")), *cells, "yes" if row.get("armed") else "no")
    return table


def _feeds(document: Document) -> RenderableType:
    table = _table("feed", "age ms", "required", "bad")
    for feed in document["feeds"]:
        required = "yes" if feed["required"] else "no"
        table.add_row(feed["name"], _text(feed["age_ms"]), required, _text(feed["bad"]))
    return table


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="dim")


def _text(value: object) -> str:
    return "-" if value is None else str(value)
