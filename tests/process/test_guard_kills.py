"""kill -9 of the guard at random points under load: no acknowledged halt is lost, none reopens.

`KILL9_GUARD` sets how many times (default 12; `make kill9-guard N=1000`).
"""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from edgeguard.gate import Gate
from edgeguard.journal import verify
from edgeguard.messages import ErrorEvent
from edgeguard.transport import Client
from tests.process.guard_rig import CLOCK, World, make_config, until

KILLS = int(os.environ.get("KILL9_GUARD", "12"))


class Trader:
    """An engine that asks its gate all the time and remembers when it was let through."""

    def __init__(self, world: World) -> None:
        self._gate = Gate(world.paths.run_dir, "A")
        self._stop = threading.Event()
        self.permits_after_halt = 0
        self.is_halted = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.0002):
            # Read before the check: a permit given before the halt was known is no fault.
            was_halted = self.is_halted
            if self._gate.check() and was_halted:
                self.permits_after_halt += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def halt_somehow(world: World, rng: random.Random) -> str:
    """Ask for a halt and kill the guard at a random moment; return what was heard last."""
    heard = "nothing"
    with Client(world.paths.control) as client:
        sent = client.command("halt", operator="t", reason="kill", timeout="5")
        victim = threading.Timer(rng.uniform(0.0, 0.02), world.guard.kill)
        victim.start()
        for reply in client.replies(sent, 0.2):
            heard = "durable" if heard == "durable" else reply.stage
        victim.join()
    return heard


@pytest.mark.timeout(60 + 5 * KILLS)
def test_no_acknowledged_halt_is_lost_and_none_reopens(tmp_path: Path) -> None:
    """P1, P3, P5 under kill -9: after each kill the restarted guard and old gates agree."""
    rng = random.Random(KILLS)
    world = World(make_config(tmp_path))
    acknowledged = lost = 0
    try:
        world.start()
        for number in range(KILLS):
            world.until_open()
            for seq in range(50):
                world.publish(ErrorEvent("A", "engine", number, seq + 1, CLOCK.wall_ns(), "load"))
            trader = Trader(world)
            heard = halt_somehow(world, rng)
            trader.is_halted = heard in {"stopped", "durable", "flat", "done"}
            world.start()
            until(world.has_spoken)
            until(lambda: world.status()["guard"]["storage"]["latch_row"] > 0)
            halt_id = world.halt_id()
            if heard == "durable":
                acknowledged += 1
                lost += not halt_id
            trader.close()
            assert trader.permits_after_halt == 0
            if halt_id:
                until(lambda: world.resume(world.halt_id()) == "resumed")
        world.until_open()
        assert lost == 0
        assert verify(world.paths.journal).is_sound
        print(f"{KILLS} kills, {acknowledged} acknowledged halts, {lost} lost")  # noqa: T201
    finally:
        world.close()
