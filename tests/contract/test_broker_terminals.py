"""One contract for every terminal: a real broker parent proves and flattens through each of them.

paper is the parent's own; metatrader5 is the package of that name, here the paper terminal's, as
the child imports it; mt5linux is that package behind an rpyc server in a process of its own.
"""

import contextlib
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import edgeguard.broker.paper.module as module_folder
from edgeguard.broker.paper.client import PaperControl
from tests.contract.paper_terminal import Running, running, with_paths
from tests.contract.test_paper_mt5linux import SERVER, packages
from tests.process.broker_rig import Rig, hedged_book, make_config, rig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

__all__ = ["packages"]

Reached = tuple[Rig, PaperControl]


def stand_in() -> Path:
    """Return the folder whose package MetaTrader5 is the paper terminal's."""
    assert module_folder.__file__ is not None
    return Path(module_folder.__file__).parent


@pytest.fixture
def terminal(tmp_path: Path) -> Generator[Running]:
    """A paper terminal on its own, as a real one would be."""
    folder = tmp_path / "terminal"
    folder.mkdir(mode=0o700)
    with running(folder / "t.sock") as started:
        yield started


@contextlib.contextmanager
def rpyc_server(packages: Path, terminal: Running) -> Generator[int]:
    """Run an rpyc classic server beside the terminal; yields its port."""
    known = with_paths(stand_in(), packages)
    known["EDGEGUARD_PAPER_SOCKET"] = str(terminal.socket)
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, env=known, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(params=["paper", "metatrader5", "mt5linux"])
def reached(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Reached]:
    """A parent on one kind of terminal, ready, and the admin side of that terminal."""
    with contextlib.ExitStack() as stack:
        if request.param == "paper":
            made = stack.enter_context(rig(tmp_path, make_config()))
            yield made, stack.enter_context(made.control())
            return
        behind: Running = request.getfixturevalue("terminal")
        name = "metatrader5"
        paths = [stand_in()]
        if request.param == "mt5linux":
            installed: Path = request.getfixturevalue("packages")
            name = f"mt5linux://127.0.0.1:{stack.enter_context(rpyc_server(installed, behind))}"
            paths = [installed]
        monkeypatch.setenv("PYTHONPATH", with_paths(*paths)["PYTHONPATH"])
        monkeypatch.setenv("EDGEGUARD_PAPER_SOCKET", str(behind.socket))
        config = make_config(terminal=name, server="EdgeGuard-Paper")
        control = stack.enter_context(PaperControl(str(behind.socket)))
        yield stack.enter_context(rig(tmp_path, config)), control


def proof(made: Rig) -> dict[str, Any]:
    """Return what the broker says to `check`."""
    made.command("check")
    found: dict[str, Any] = msgspec.json.decode(made.until("check").body)
    return found


def test_every_terminal_proves_trades_refuses_and_ends_flat(reached: Reached) -> None:
    """Same items of proof, same requests, same record: what crosses keeps its type."""
    made, control = reached
    control.admin("open_book", **hedged_book())
    good = proof(made)
    assert good["ok"], good
    assert len([item for item in good["items"] if item["name"].startswith("close ")]) == 4
    control.admin("autotrading", on=False)
    cut = proof(made)
    assert [item["name"] for item in cut["items"] if not item["ok"]][:1] == ["autotrading"]
    control.admin("autotrading", on=True)
    rejected = {"name": "retcode", "retcode": 10006, "count": 1}
    control.admin("faults", plan={"rules": [rejected]})
    made.command("flatten", halt_id="h", reason="contract")
    record = msgspec.json.decode(made.until("flat", halt_id="h").body)
    assert (record["result"], record["requests_sent"]) == ("FLAT", 12)
    assert [line["retcode"] for line in record["requests"]].count(10006) == 1
    assert record["currency"] == "USD"
    assert record["proof"]["apart_ms"] >= 1_000
    state = control.admin("dump")
    assert state["positions"] == {}
    assert state["orders"] == {}


def test_another_account_is_refused_on_every_terminal(reached: Reached) -> None:
    """A login by hand in the terminal: nothing is sent, and the alarm names both accounts."""
    made, control = reached
    control.admin("open_book", **hedged_book(1, 0))
    control.admin("switches", values={"login": 7, "server": "Somewhere-Else"})
    made.command("flatten", halt_id="h", reason="contract")
    alarm = made.until("alarm")
    assert "account 7 on Somewhere-Else" in alarm.text
    assert control.admin("counters")["requests"] == 0
    control.admin("switches", values={"login": None, "server": None})
    made.until("flat", halt_id="h")
    assert control.admin("dump")["positions"] == {}
