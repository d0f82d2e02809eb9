"""A clean end: what the loop was asked for before neither opens a gate nor beats for one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edgeguard.clock import SystemClock
from edgeguard.config.paths import Paths
from edgeguard.gate import Gate, Refusal
from edgeguard.guard.assembly import Base, assemble
from edgeguard.guard.rounds import ACCOUNTS_PER_TURN
from tests.process.fake_engine import FakeEngine
from tests.process.guard_rig import make_config

NAMES = tuple(f"A{number}" for number in range(2 * ACCOUNTS_PER_TURN + 1))


def turn(loop: asyncio.AbstractEventLoop, count: int) -> None:
    """Let the loop make some turns."""
    for _ in range(count):
        loop.call_soon(loop.stop)
        loop.run_forever()


def test_a_round_that_a_stop_overtakes_ends_there(tmp_path: Path) -> None:
    config = make_config(tmp_path, *NAMES)
    paths = Paths(config)
    paths.create()
    loop = asyncio.new_event_loop()
    faults: list[BaseException] = []
    engine = FakeEngine(config, "0" * 64)
    guard = assemble(Base(config, paths, "0" * 64), engine, SystemClock(), loop, faults.append)
    try:
        guard.begin()
        guard.heart.beat()
        guard.close_gates()
        begun = guard.heart.withheld, guard.heart.beats
        turn(loop, 3)
        assert (guard.heart.withheld, guard.heart.beats) == begun == (0, 0)
        for name in NAMES:
            answer = Gate(paths.page(name), account=name).check()
            assert isinstance(answer, Refusal)
    finally:
        assert guard.shut(is_clean=True)
        loop.close()
    assert not faults


def test_a_round_that_nothing_overtakes_is_finished(tmp_path: Path) -> None:
    """What the other test shows must be the stop's doing."""
    config = make_config(tmp_path, *NAMES)
    paths = Paths(config)
    paths.create()
    loop = asyncio.new_event_loop()
    engine = FakeEngine(config, "0" * 64)
    guard = assemble(
        Base(config, paths, "0" * 64), engine, SystemClock(), loop, lambda _error: None
    )
    try:
        guard.begin()
        guard.heart.beat()
        turn(loop, 3)
        assert guard.heart.withheld + guard.heart.beats == 1
    finally:
        guard.shut(is_clean=True)
        loop.close()
