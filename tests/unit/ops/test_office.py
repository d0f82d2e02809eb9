"""The office on a journal and beats of a test: what it takes up at its start, and what it tells."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.codec.native import encode
from edgeguard.config.model import ChannelConfig, IncidentConfig, NotifyConfig
from edgeguard.config.paths import PathNames, Paths
from edgeguard.incident.reading import halts_in
from edgeguard.messages import StateBeat
from edgeguard.notify.contacts import Contacts
from edgeguard.notify.database import OpsDatabase
from edgeguard.ops import office as module
from edgeguard.ops.office import HALT_MARK, Office, OfficeParts
from edgeguard.transport import make_context, publisher
from tests.unit.api.rig import good_status, make_config

CLOCK = SystemClock()


class Place:
    """An office with a phone that only the database holds, in front of a guard of the test's."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        names = PathNames(state_dir=str(folder / "state"), run_dir=str(folder / "run"))
        self.paths = Paths(names).create()
        self.database = OpsDatabase(self.paths.state_dir / "ops.sqlite")
        self.failing = ""
        self.journal: list[dict[str, Any]] = []
        channel = ChannelConfig(name="phone", kind="discord", url="http://127.0.0.1:9/x")
        self.config = msgspec.structs.replace(
            make_config(),
            notify=NotifyConfig(contacts="", channel=(channel,)),
            incident=IncidentConfig(log=str(folder / "log.md")),
        )
        monkeypatch.setattr(module, "halts", self._halts)

    def _halts(self, _path: Path) -> list[dict[str, Any]]:
        return self.journal

    def happened(self, halt_id: str, t_ns: int) -> None:
        halt = {"id": halt_id, "t_ns": t_ns, "trigger": "manual", "reason": "ann: why"}
        row = {"account": "A", "scope": "account", "action": "halt", "halt": halt}
        self.journal.insert(0, row)

    def texts(self) -> list[str]:
        return [str(row[0]) for row in self.database.rows("SELECT text FROM message ORDER BY id")]

    async def run(self, until: Any) -> None:  # noqa: ANN401 - a callable
        """Run the office under a guard that beats, until something is true."""
        async with httpx.AsyncClient() as client:
            office = Office(
                OfficeParts(
                    config=self.config,
                    paths=self.paths,
                    contacts=Contacts(),
                    database=self.database,
                    senders={},
                    client=client,
                    status=good_status,
                    confirm=None,
                    health=lambda _status: self.failing,
                    clock=CLOCK,
                    tell=lambda _text: None,
                )
            )
            task = asyncio.get_running_loop().create_task(office.run())
            context = make_context()
            beats = publisher(context, self.paths.halts_pub, bind=True)
            number = 0
            try:
                async with asyncio.timeout(20):
                    while not until():
                        number += 1
                        times = (CLOCK.wall_ns(), CLOCK.boot_ns())
                        beat = StateBeat("A", 1, number, *times, "ACTIVE", 1, 0, "NONE", None, "")
                        beats.send_multipart((b"state.A", encode(beat)))
                        done, _ = await asyncio.wait({task}, timeout=0.02)
                        assert not done, task.exception()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                context.destroy(linger=0)


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    found = Place(tmp_path, monkeypatch)
    yield found
    found.database.close()


def test_halts_of_before_the_first_start_are_history_and_later_ones_are_not(place: Place) -> None:
    """One came and went while ops did not run: it has its incident, its row and its messages."""
    place.happened("H1", CLOCK.wall_ns() - NS_PER_S)
    asyncio.run(place.run(lambda: place.database.mark(HALT_MARK)))
    assert place.texts() == []
    place.happened("H2", CLOCK.wall_ns())
    asyncio.run(place.run(place.texts))
    (row,) = place.database.rows("SELECT key, resolution FROM incident")
    assert row == ("halt:H2", "resumed while ops did not run")
    assert "RESOLVED" in place.texts()[-1]


def test_an_unproven_channel_is_told_once_and_its_end_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHANNEL_S", 0.02)
    monkeypatch.setattr(module, "CHANNEL_NS", 100_000_000)
    place.failing = "broker A: the broker's parent is silent"

    def is_over() -> bool:
        if place.texts():
            place.failing = ""
        return len(place.texts()) > 1

    asyncio.run(place.run(is_over))
    assert "THE KILL CHANNEL IS NOT PROVEN: broker A" in place.texts()[0]
    assert "the kill channel is proven again" in place.texts()[1]


def test_the_halts_of_a_journal_are_those_that_began() -> None:
    rows = [
        {"account": "A", "scope": "account", "action": "resume", "halt": None},
        {
            "account": "A",
            "scope": "strategy:trend",
            "action": "halt",
            "halt": {"id": "H1", "t_ns": 5, "trigger": "manual", "reason": "why"},
        },
    ]
    (found,) = halts_in(rows)
    assert (found.scope, found.halt_id, found.t_ns) == ("strategy:trend", "H1", 5)
