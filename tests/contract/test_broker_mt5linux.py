"""A real broker parent flattens a terminal that it reaches through an mt5linux server."""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

import edgeguard.broker.paper.module as module_folder
from edgeguard.broker.paper.client import PaperControl
from tests.contract.paper_terminal import Running, environment, running
from tests.contract.test_paper_mt5linux import SERVER, packages, with_packages
from tests.process.broker_rig import hedged_book, make_config, rig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

__all__ = ["packages"]


@pytest.fixture
def terminal(tmp_path: Path) -> Generator[Running]:
    """A paper terminal on its own, as a real one would be."""
    folder = tmp_path / "terminal"
    folder.mkdir(mode=0o700)
    with running(folder / "t.sock") as started:
        yield started


@pytest.fixture
def server(packages: Path, terminal: Running) -> Generator[int]:
    """An rpyc classic server beside the terminal; yields its port."""
    assert module_folder.__file__ is not None
    known = with_packages(packages, Path(module_folder.__file__).parent)
    known["EDGEGUARD_PAPER_SOCKET"] = str(terminal.socket)
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, env=known, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def test_a_book_is_flattened_through_mt5linux(
    tmp_path: Path, packages: Path, terminal: Running, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that crosses it keeps its type: requests are accepted, rows are read, flat."""
    assert environment()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), environment()["PYTHONPATH"]]))
    config = make_config(terminal=f"mt5linux://127.0.0.1:{server}", server="EdgeGuard-Paper")
    with rig(tmp_path, config) as made, PaperControl(str(terminal.socket)) as control:
        control.admin("open_book", **hedged_book())
        made.command("flatten", halt_id="h", reason="remote")
        record = msgspec.json.decode(made.until("flat", halt_id="h").body)
        assert record["requests_sent"] == 11
        state = control.admin("dump")
        assert state["positions"] == {}
        assert state["orders"] == {}
