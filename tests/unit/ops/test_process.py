"""The ops process: it refuses to start on what is unsafe; a failing office stops no halt (P20)."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edgeguard.clock import SystemClock
from edgeguard.config.model import ApiConfig, ChannelConfig, Config, IncidentConfig, NotifyConfig
from edgeguard.config.paths import PathNames, Paths
from edgeguard.errors import ConfigError, InUseError
from edgeguard.ops import process
from edgeguard.ops.process import Ops, run_ops
from tests.unit.api.rig import HALT, FakeControl, make_config


def config_of(folder: Path, port: int = 0) -> Config:
    return msgspec.structs.replace(
        make_config(),
        api=ApiConfig(port=port),
        incident=IncidentConfig(log=str(folder / "log.md")),
        notify=NotifyConfig(contacts=""),
    )


@pytest.fixture(name="paths")
def _paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("EMERGENCY_TOKEN", HALT)
    names = PathNames(state_dir=str(tmp_path / "state"), run_dir=str(tmp_path / "run"))
    return Paths(names).create()


@contextmanager
def running(config: Config, paths: Paths, control: FakeControl) -> Generator[int]:
    """Run the process's parts in a thread, without its signals."""
    ready = threading.Event()
    found: list[Ops] = []
    stop: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        ops = Ops(config, paths, control, SystemClock())
        ops.signals = ()
        found.append(ops)
        stop.append(asyncio.get_running_loop())
        ready.set()
        await ops.run()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(20)
    try:
        yield found[0].address[1]
    finally:
        stop[0].call_soon_threadsafe(found[0].stop)
        thread.join(20)
        assert not thread.is_alive()


def shut_down(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        body = json.dumps({"reason": "test"})
        headers = {"Authorization": f"Bearer {HALT}"}
        connection.request("POST", "/emergency/shutdown", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_an_office_that_fails_stops_no_halt(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    class BrokenOffice:
        def __init__(self, _parts: object) -> None:
            failed.set()
            raise RuntimeError("broken")

    monkeypatch.setattr(process, "Office", BrokenOffice)
    with running(config_of(tmp_path), paths, FakeControl()) as port:
        assert failed.wait(20)
        assert shut_down(port) == 200


def test_an_office_that_spins_stops_no_halt(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, spinning = threading.Event(), threading.Event()

    class SpinningOffice:
        def __init__(self, _parts: object) -> None:
            pass

        async def run(self) -> None:
            spinning.set()
            release.wait(20)

    monkeypatch.setattr(process, "Office", SpinningOffice)
    with running(config_of(tmp_path), paths, FakeControl()) as port:
        assert spinning.wait(20)
        assert shut_down(port) == 200
        release.set()


def test_a_database_that_cannot_open_stops_no_halt(paths: Paths, tmp_path: Path) -> None:
    (paths.state_dir / process.DATABASE).write_bytes(b"no database" * 1000)
    with running(config_of(tmp_path), paths, FakeControl()) as port:
        assert shut_down(port) == 200


def test_a_taken_port_is_refused(paths: Paths, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        config = config_of(tmp_path, port=other.getsockname()[1])
        with pytest.raises(InUseError, match="in use"):
            run_ops(config, paths, FakeControl())


def test_what_is_unsafe_is_refused_at_the_start(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path)
    contacts = tmp_path / "contacts.yaml"
    contacts.write_text("contacts: [")
    bad = NotifyConfig(contacts=str(contacts))
    with pytest.raises(ConfigError, match="contacts"):
        run_ops(msgspec.structs.replace(config, notify=bad), paths, FakeControl())
    bad = NotifyConfig(contacts="", channel=(ChannelConfig(name="c", kind="discord"),))
    with pytest.raises(ConfigError, match="url"):
        run_ops(msgspec.structs.replace(config, notify=bad), paths, FakeControl())
    monkeypatch.setenv("EMERGENCY_TOKEN", "short")
    with pytest.raises(ConfigError, match="20 characters"):
        run_ops(config, paths, FakeControl())
