"""``edgeguard notify`` and ``incident`` as a person types them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeguard.cli.app import cli
from edgeguard.errors import EdgeGuardError, RefusedError, UnreachableError, UsageError
from edgeguard.incident.store import Incident, Incidents
from edgeguard.notify.database import OpsDatabase
from edgeguard.notify.outbox import Outbox
from tests.unit.notify.services import Reply, Service, service

PAPER = Path(__file__).parents[3] / "config" / "paper.toml"
ONE = Incident("INC-2026-001", "halt:H1", "P1", "manual", "Manual shutdown", "account", ("A",), 10)


@contextmanager
def serving() -> Generator[Service]:
    """Run a service in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    stop, ready = asyncio.Event(), threading.Event()
    found: list[Service] = []

    async def run() -> None:
        async with service() as here:
            found.append(here)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(20)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def command(folder: Path, *arguments: str, channels: str = "") -> Result:
    config = folder / "edgeguard.toml"
    text = PAPER.read_text().replace('run_dir = ""', f'run_dir = "{folder}/run"')
    config.write_text(text + channels)
    where = ("--config", str(config), "--state-dir", str(folder / "state"))
    return CliRunner().invoke(cli, [*where, *arguments])


def channel(name: str, url: str) -> str:
    return f'\n[[notify.channel]]\nname = "{name}"\nkind = "discord"\nurl = "{url}"\n'


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture(name="database")
def _database(folder: Path) -> Generator[OpsDatabase]:
    with OpsDatabase(folder / "state" / "ops.sqlite") as database:
        Incidents(database).put(ONE)
        yield database


def error_of(result: Result) -> BaseException | None:
    return result.exception


def test_notify_test_proves_each_channel(folder: Path) -> None:
    with serving() as good, serving() as bad:
        bad.usual = lambda _path, _body: Reply(404)
        channels = channel("good", good.url) + channel("bad", bad.url)
        result = command(folder, "notify", "test", channels=channels)
        assert result.output.splitlines() == ["good: proven", "bad: the service answered 404"]
        assert isinstance(error_of(result), UnreachableError)
        assert good.texts()[0].startswith("EdgeGuard test\nEnvironment paper")
        shown = command(folder, "notify", "channels", channels=channels).output.splitlines()
        assert shown[0].startswith("good (discord, level 1): last proven 20")
        assert shown[1] == "bad (discord, level 1): never proven"
        both = channel("good", good.url)
        assert command(folder, "notify", "test", channels=both).exception is None


def test_notify_test_without_channels_is_a_sentence(folder: Path) -> None:
    error = error_of(command(folder, "notify", "test"))
    assert isinstance(error, EdgeGuardError)
    assert error.exit_code == 3


def test_an_incident_is_shown_acknowledged_and_ticked(folder: Path, database: OpsDatabase) -> None:
    assert "P1 open: Manual shutdown" in command(folder, "incident", "list").output
    row = json.loads(command(folder, "incident", "list", "--json").output)
    assert (row["id"], row["acknowledged"]) == ("INC-2026-001", None)
    ack = ("incident", "ack", "INC-2026-001", "--operator")
    assert command(folder, *ack, "ann").output == "INC-2026-001 acknowledged\n"
    assert "by ann before" in command(folder, *ack, "bob").output
    assert Outbox(database).acknowledged("INC-2026-001") is not None
    tick = ("incident", "tick", "INC-2026-001", "root_cause", "--note", "the feed")
    assert command(folder, *tick).output == "INC-2026-001: Root cause identified\n"
    assert isinstance(error_of(command(folder, *tick)), RefusedError)
    shown = command(folder, "incident", "show", "INC-2026-001").output
    assert "[x] Root cause identified (" in shown
    assert "[ ] Resume decision made [resume_decision]" in shown


@pytest.mark.usefixtures("database")
def test_who_acknowledges_forges_no_line_for_others(folder: Path) -> None:
    """P22: names and notes are what the next person reads in lists, on the same terminal."""
    hostile = "ann\n[x] Resume decision made\x1b[2J\u202e"
    named = ("INC-2026-001", "--operator", hostile)
    assert command(folder, "incident", "ack", *named).exception is None
    tick = ("incident", "tick", "INC-2026-001", "root_cause", "--note", hostile)
    assert command(folder, *tick, "--operator", hostile).exception is None
    for shown in (("show", "INC-2026-001"), ("list",)):
        lines = command(folder, "incident", *shown).output.splitlines()
        assert all(line.isprintable() for line in lines)
        assert not [line for line in lines if line.startswith("[x] Resume decision")]
    nameless = command(folder, "incident", "ack", "INC-2026-001", "--operator", "\n\x1b")
    assert isinstance(error_of(nameless), UsageError)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "arguments",
    [("ack", "INC-2026-999"), ("show", "../../etc"), ("tick", "INC-2026-001", "no_such_item")],
)
def test_what_is_not_known_is_said(folder: Path, arguments: tuple[str, ...]) -> None:
    assert isinstance(error_of(command(folder, "incident", *arguments)), UsageError)


def test_where_ops_never_ran_that_is_said(folder: Path) -> None:
    error = error_of(command(folder, "incident", "list"))
    assert isinstance(error, UnreachableError)
    assert "has never run here" in str(error)
