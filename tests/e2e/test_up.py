"""A guard as a user runs it: one command up, halted by hand, and halted again after a crash."""

import json
import os
import signal
from pathlib import Path

import pytest

from edgeguard.gate import Gate
from tests.e2e.rig import edgeguard, running

pytestmark = pytest.mark.timeout(120)


def test_a_halt_by_hand_survives_kill_9_of_the_guard_and_ends_by_resume(tmp_path: Path) -> None:
    """Halt: exit 0, gate closed. kill -9: the next guard is HALTED. Resume with its id opens."""
    with running(tmp_path) as guard, Gate(guard.paths.run_dir, "A") as gate:
        assert gate.check("EURUSD")
        halted = guard.command("halt", "--reason", "a test", "--json")
        assert halted.returncode == 0, halted.stderr
        stages = [json.loads(line)["stage"] for line in halted.stdout.splitlines()]
        assert {"accepted", "stopped", "durable", "flat"} <= set(stages)
        assert not gate.check("EURUSD")
        before = guard.status()
        os.kill(guard.pid_of("guard"), signal.SIGKILL)
        after = guard.until(lambda s: s["guard"]["epoch"] != before["guard"]["epoch"])
        assert after["state"] == "HALTED"
        assert after["halt"]["id"] == before["halt"]["id"]
        assert not gate.check("EURUSD")
        wrong = guard.command("resume", "--halt-id", "H0", "--operator", "t", "--reason", "x")
        assert wrong.returncode == 5
        guard.until(
            lambda s: s["flatten"] == "FLAT_VERIFIED" and s["accounts"][0]["snapshot_age_ms"]
        )
        halt_id = after["halt"]["id"]
        right = guard.command("resume", "--halt-id", halt_id, "--operator", "t", "--reason", "x")
        assert right.returncode == 0, right.stderr
        guard.until(lambda s: s["state"] == "ACTIVE")
        assert guard.command("journal", "verify").returncode == 0


def test_a_second_guard_or_broker_is_refused(tmp_path: Path) -> None:
    """Exit 4 and a sentence on what to do; the first one is not disturbed."""
    with running(tmp_path) as guard:
        for role in ("guard", "broker"):
            second = guard.command(role)
            assert second.returncode == 4
            assert "another" in second.stderr
            assert "Traceback" not in second.stderr
        assert guard.status()["state"] == "ACTIVE"


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_without_a_guard_the_command_drives_the_broker_itself(
    tmp_path: Path, blow: signal.Signals
) -> None:
    """P6: the guard dead or hung: HALT file, page, flat by the broker; it returns halted."""
    with running(tmp_path) as guard:
        # A supervisor that hangs cannot restart the guard meanwhile.
        os.kill(guard.process.pid, signal.SIGSTOP)
        pid = guard.pid_of("guard")
        os.kill(pid, blow)
        try:
            halted = guard.command("halt", "--reason", "no guard", "--json")
        finally:
            if blow is signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)
            os.kill(guard.process.pid, signal.SIGCONT)
        stages = [json.loads(line)["stage"] for line in halted.stdout.splitlines()]
        assert "flat" in stages, halted.stdout
        assert halted.returncode == 0
        assert guard.paths.halt_file.exists()
        status = guard.until(lambda s: s["state"] == "HALTED")
        assert not status["gate"]["open"]


def test_a_guard_without_a_state_directory_is_a_sentence(tmp_path: Path) -> None:
    """A place that cannot be written ends before anything starts."""
    blocked = tmp_path / "file"
    blocked.write_text("not a directory", encoding="utf-8")
    config = Path(__file__).parents[2] / "config" / "paper.toml"
    result = edgeguard("guard", "--config", str(config), "--state-dir", str(blocked / "state"))
    assert result.returncode == 3
    assert "must be a directory that can be written" in result.stderr
