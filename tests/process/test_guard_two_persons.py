"""`resume.two_person`: a real guard opens for the second of two, and for nobody alone."""

from pathlib import Path

import msgspec

from edgeguard.config.model import Config, ResumeConfig
from edgeguard.messages import Reply
from tests.process.guard_rig import World, make_config, running, until


def two_person_config(folder: Path) -> Config:
    return msgspec.structs.replace(make_config(folder), resume=ResumeConfig(two_person=True))


def resume(world: World, operator: str, halt_id: str, **args: str) -> Reply:
    return world.command("resume", operator=operator, halt_id=halt_id, **args)[-1]


def test_a_halt_ends_by_the_second_operator(tmp_path: Path) -> None:
    """P1: the first is told who must come, twice is not two, and status says that it takes two."""
    with running(two_person_config(tmp_path), "real") as world:
        world.until_open()
        assert world.command("halt")[-1].stage == "done"
        status = world.status()
        halt_id = status["halt"]["id"]
        assert "two operators run `edgeguard resume" in status["gate"]["opens_when"]
        until(lambda: "two operators must ask" in resume(world, "ann", halt_id).text)
        assert "ann has" in resume(world, "Ann ", halt_id).text
        assert world.halt_id() == halt_id
        done: list[Reply] = []

        def is_resumed() -> bool:
            # After a stall of the machine no snapshot is fresh for a moment.
            done[:] = world.command("resume", operator="bob", halt_id=halt_id)
            return done[-1].text == "resumed"

        until(is_resumed)
        assert "the day's reference 100000.00 and the peak 100000.00" in done[0].text
        world.until_open()


def test_a_restart_forgets_who_asked_and_keeps_the_halt(tmp_path: Path) -> None:
    with running(two_person_config(tmp_path), "real") as world:
        world.until_open()
        assert world.command("halt")[-1].stage == "done"
        halt_id = world.halt_id()
        until(lambda: "ann has" in resume(world, "ann", halt_id).text)
        world.guard.kill()
        world.start()
        until(world.is_halted)
        until(lambda: "bob has" in resume(world, "bob", halt_id).text)
        assert world.halt_id() == halt_id


def test_the_end_of_a_pause_and_a_rebaseline_take_two_as_well(tmp_path: Path) -> None:
    with running(two_person_config(tmp_path), "real") as world:
        world.until_open()
        for verb, args in (
            ("resume", {"pause": "1"}),
            ("rebaseline", {"account": "A", "peak": "100000.00"}),
            ("acknowledge", {}),
        ):
            assert "ann has" in world.command(verb, operator="ann", **args)[-1].text
            assert world.command(verb, operator="bob", **args)[-1].stage == "done"
