"""The guard as a process: what it lets through, what it stops, and what survives its death."""

from __future__ import annotations

import signal
from pathlib import Path

from edgeguard.errors import InUseError
from edgeguard.gate import Gate, Refusal
from edgeguard.reporter import Reporter
from tests.process.guard_rig import DEADLINE_S, GuardProcess, make_config, running, until


def test_loss_on_a_snapshot_halts_page_and_wire_and_flattens(tmp_path: Path) -> None:
    """A breaching snapshot closes the gate, publishes the halt, persists it and flattens."""
    with running(make_config(tmp_path)) as world:
        world.brokers[0].equity = "96000.00"
        refusal = world.until_code("HALTED")
        assert "halted" in refusal.why
        until(lambda: any(event.action == "halt" for event in world.observer.events))
        until(lambda: world.brokers[0].flattens)
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        until(lambda: world.status()["halt"]["durable"])
        halt = world.status()["halt"]
        assert halt["trigger"] == "daily_loss"
        assert world.brokers[0].flattens[0].halt_id == halt["id"]


def test_killed_guard_closes_the_gate_and_comes_back_halted(tmp_path: Path) -> None:
    """P1, P3, P5: kill -9 after a halt; the gate stays shut, and so does the next run's."""
    with running(make_config(tmp_path)) as world:
        stages = [reply.stage for reply in world.command("halt", timeout="5")]
        assert stages[:2] == ["accepted", "stopped"]
        assert {"durable", "flat"} <= set(stages)
        assert stages[-1] == "done"
        halt = world.status()["halt"]
        world.guard.kill()
        fresh = Gate(world.paths.run_dir, "A")
        answer = fresh.check()
        assert isinstance(answer, Refusal)
        world.start()
        until(world.is_halted)
        again = world.status()["halt"]
        assert again["id"] == halt["id"]
        assert again["t_ns"] == halt["t_ns"]
        assert isinstance(Gate(world.paths.run_dir, "A").check(), Refusal)


def test_killed_guard_that_was_clear_opens_again_by_itself(tmp_path: Path) -> None:
    """An unclean stop on the same boot with latch and page clear needs no operator."""
    with running(make_config(tmp_path)) as world:
        world.guard.kill()
        world.until_code("STALE")
        world.start()
        world.until_open()


def test_clean_stop_closes_the_gate_at_once_and_starts_by_itself(tmp_path: Path) -> None:
    """A guard that is told to stop leaves a closed page behind and exits with 0."""
    with running(make_config(tmp_path)) as world:
        assert world.guard.kill(signal.SIGTERM) == 0
        answer = world.gate.check()
        assert isinstance(answer, Refusal)
        world.start()
        world.until_open()


def test_resume_needs_the_halts_id_and_opens_gates_that_latched_it(tmp_path: Path) -> None:
    """P7: a wrong id is refused, the right one opens, also the gate that had latched it."""
    with running(make_config(tmp_path)) as world:
        world.command("halt", timeout="5")
        world.until_code("HALTED")
        halt_id = world.halt_id()
        assert world.command("resume", halt_id="other")[-1].stage == "refused"
        assert world.command("resume", reason="", halt_id=halt_id)[-1].stage == "refused"
        world.lift(halt_id)
        world.until_open()
        assert world.command("resume", halt_id=halt_id)[-1].stage == "refused"


def test_pause_on_errors_releases_by_itself_and_lets_nothing_be_closed(tmp_path: Path) -> None:
    """An engine's pause closes the gate with PAUSED, flattens nothing, and ends by release."""
    with running(make_config(tmp_path)) as world, Reporter(world.paths.run_dir, "A") as reporter:
        assert reporter.wait_ready(DEADLINE_S)
        reporter.error("reject", code=10006)
        world.until_code("PAUSED")
        assert not world.brokers[0].flattens
        reporter.error("clear")
        world.until_open()


def test_operators_pause_survives_a_kill_and_ends_by_his_word(tmp_path: Path) -> None:
    """A pause by hand is held: a restart keeps it, `resume --pause` ends it."""
    with running(make_config(tmp_path)) as world:
        assert world.command("pause")[-1].stage == "done"
        world.until_code("PAUSED")
        until(lambda: world.status()["guard"]["storage"]["latch_row"] >= 2)
        world.guard.kill()
        world.start()
        until(world.has_spoken)
        world.until_code("PAUSED")
        assert world.command("resume", pause="1")[-1].stage == "done"
        world.until_open()


def test_second_guard_on_one_state_directory_is_refused(tmp_path: Path) -> None:
    """P24: the second guard ends with exit code 4 and one sentence, the first goes on."""
    with running(make_config(tmp_path)) as world:
        second = GuardProcess(world.config)
        second.start()
        assert second.wait() == InUseError.exit_code
        assert "another runs on it already" in second.stderr
        assert "Traceback" not in second.stderr
        world.until_open()
