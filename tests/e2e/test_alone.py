"""A halt with nobody left: every process killed, and the command has to do it all by itself."""

import contextlib
import json
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from edgeguard.gate import Gate
from tests.e2e.rig import Running, edgeguard, processes_with
from tests.e2e.runbook_rig import Environment, Phone, environment, patient

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
]
PHONE = "+00 000 000 003"
"""The broker's desk in `config/emergency_contacts.yaml`."""


def kill_everything(here: Environment, guard: Running) -> int:
    """SIGKILL supervisor, guard, broker and its child; return the paper terminal, still running."""
    os.kill(guard.process.pid, signal.SIGSTOP)
    terminal = str(here.paths.paper_socket("A")).encode()
    (paper,) = processes_with(b"edgeguard.broker.paper.process", terminal)
    for pid in processes_with(terminal) - {paper}:
        os.kill(pid, signal.SIGKILL)
    for role in ("guard", "broker"):
        os.kill(guard.pid_of(role), signal.SIGKILL)
    os.kill(guard.process.pid, signal.SIGKILL)
    guard.process.wait()
    return paper


@contextlib.contextmanager
def halted_alone(here: Environment, *options: str) -> Generator[tuple[int, list[dict[str, str]]]]:
    """Run the command; end the broker that it leaves behind."""
    arguments = ("--reason", "nobody left", "--json", "--config", str(here.config), *options)
    done = edgeguard("halt", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    stages = [json.loads(line) for line in done.stdout.splitlines()]
    try:
        yield done.returncode, stages
    finally:
        for stage in stages:
            if stage["stage"] == "broker_stays":
                pid = int(stage["text"].split()[1])
                os.kill(pid, signal.SIGTERM)
                patient(lambda pid=pid: not Path(f"/proc/{pid}/cwd").exists(), "the broker's end")


def names(stages: list[dict[str, str]]) -> list[str]:
    return [stage["stage"] for stage in stages]


@pytest.mark.parametrize("with_terminal", [False, True], ids=["terminal up", "terminal killed too"])
def test_it_starts_a_broker_and_drives_the_flatten(tmp_path: Path, with_terminal: bool) -> None:
    """Exit 0: HALT file, page, a broker of its own, flat; the guard that comes later is HALTED."""
    with (
        Phone() as phone,
        environment(tmp_path, phone) as (here, guard),
        Gate(here.paths.run_dir, "A") as gate,
    ):
        here.open_book()
        paper = kill_everything(here, guard)
        if with_terminal:
            here.hang_up()
            os.kill(paper, signal.SIGKILL)
        with halted_alone(here) as (code, stages):
            assert code == 0, stages
            assert {"durable", "stopped", "broker_started", "flat"} <= set(names(stages))
            assert not gate.check("EURUSD")
            assert here.look() == (0, 0)
        assert here.paths.halt_file.exists()
        if not with_terminal:
            os.kill(paper, signal.SIGTERM)
        here.start("up", "--no-ops", "--state-dir", str(here.paths.state_dir))
        status = guard.until(lambda seen: seen["state"] == "HALTED")
        assert status["halt"]["reason"].endswith("nobody left")


def test_a_terminal_that_hangs_is_said_and_tried_for_ever(tmp_path: Path) -> None:
    """Exit 11, whom to phone, what stays; and when the terminal is back it becomes flat."""
    with Phone() as phone, environment(tmp_path, phone) as (here, guard):
        trader = here.open_book()
        paper = kill_everything(here, guard)
        os.kill(paper, signal.SIGSTOP)
        try:
            with halted_alone(here, "--timeout", "5") as (code, stages):
                os.kill(paper, signal.SIGCONT)
                assert code == 11, stages
                assert {"no_terminal", "broker_stays"} <= set(names(stages))
                assert any(s["stage"] == "phone" and PHONE in s["text"] for s in stages)
                assert stages[-1]["text"].endswith("positions may be open")
                assert here.paths.halt_file.exists()
                patient(lambda: trader.counts() == (0, 0), "a flat account", every_s=0.5)
        finally:
            os.kill(paper, signal.SIGCONT)
            os.kill(paper, signal.SIGTERM)


def test_a_terminal_that_cannot_be_had_keeps_the_latch(tmp_path: Path) -> None:
    """Exit 11: what the broker said, whom to phone, and the latch on disk and page."""
    with Phone() as phone, environment(tmp_path, phone) as (here, guard):
        here.open_book()
        paper = kill_everything(here, guard)
        here.hang_up()
        os.kill(paper, signal.SIGKILL)
        books = list((here.paths.state_dir / "paper").glob("*.book"))
        assert books
        for book in books:
            book.write_bytes(b"not a book")
        with halted_alone(here, "--timeout", "20") as (code, stages):
            assert code == 11, stages
            assert "could not run" in " ".join(stage["text"] for stage in stages)
            assert any(s["stage"] == "phone" and PHONE in s["text"] for s in stages)
            assert here.paths.halt_file.exists()
