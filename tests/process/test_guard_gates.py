"""Gates in every manner of asking: remote, decorated, awaited, listening."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgeguard.clock import NS_PER_S
from edgeguard.gate import Gate, GateClosedError, Permit, Refusal
from edgeguard.gate.remote import RemoteSource
from tests.process.guard_rig import (
    CLOCK,
    DEADLINE_S,
    LEASE_LONG_MS,
    ROOT,
    make_config,
    running,
    take_no_echo,
    until,
)


def code(gate: Gate) -> str:
    """Return a gate's code, OPEN for a permit."""
    answer = gate.check()
    return answer.code if isinstance(answer, Refusal) else "OPEN"


def test_remote_gate_follows_halt_resume_death_and_return(tmp_path: Path) -> None:
    """P2: an echo lease opens on proof, latches a halt, goes stale with the guard, returns."""
    with running(make_config(tmp_path)) as world, Gate(world.paths.gate_router, "A") as gate:
        until(lambda: code(gate) == "OPEN")
        world.command("halt", timeout="5")
        until(lambda: code(gate) == "HALTED")
        halt_id = world.halt_id()
        assert halt_id in str(gate.check())
        world.guard.kill()
        assert code(gate) == "HALTED"
        world.start()
        until(world.is_halted)
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        world.lift(halt_id)
        until(lambda: code(gate) == "OPEN")
        world.guard.kill()
        until(lambda: code(gate) == "STALE")
        world.start()
        until(lambda: code(gate) == "OPEN")


def test_remote_gate_is_closed_without_a_guard_and_for_other_accounts(tmp_path: Path) -> None:
    """P4: no guard, or a guard that has no such account, is MISSING."""
    config = make_config(tmp_path)
    with Gate(f"ipc://{tmp_path}/none.ipc", "A") as gate:
        assert code(gate) == "MISSING"
    with running(config) as world, Gate(world.paths.gate_router, "B") as other:
        with Gate(world.paths.gate_router, "A") as gate:
            until(lambda: code(gate) == "OPEN")
        assert code(other) == "MISSING"


def test_remote_gate_is_closed_by_a_push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P2: pause, halt of a strategy, halt and clean stop close a gate that takes no echo any more.

    Its lease is far from over, so nothing but what the guard sends unasked can have closed it.
    """
    with (
        running(make_config(tmp_path, lease_ms=LEASE_LONG_MS)) as world,
        Gate(world.paths.gate_router, "A", lease_s=600.0) as gate,
    ):
        until(lambda: code(gate) == "OPEN")
        with monkeypatch.context() as deaf:
            deaf.setattr(RemoteSource, "_take_echo", take_no_echo)
            world.command("halt", scope="strategy:X")
            until(lambda: not gate.check(strategy="X"))
            assert code(gate) == "OPEN"
            world.command("pause")
            until(lambda: code(gate) == "PAUSED")
            world.command("resume", pause="1")
            world.until_open()
            assert code(gate) == "PAUSED", "no push opens"
        until(lambda: code(gate) == "OPEN")
        with monkeypatch.context() as deaf:
            deaf.setattr(RemoteSource, "_take_echo", take_no_echo)
            world.guard.kill(signal.SIGTERM)
            until(lambda: code(gate) == "STARTING")
            world.start()
            world.until_open()
        until(lambda: code(gate) == "OPEN")
        with monkeypatch.context() as deaf:
            deaf.setattr(RemoteSource, "_take_echo", take_no_echo)
            world.command("halt", timeout="5")
            until(lambda: code(gate) == "HALTED")
            assert world.halt_id() in str(gate.check())


SLEEPER = """
import os, signal, sys, time
from edgeguard.gate import Gate
gate = Gate(sys.argv[1], "A")
while not gate.check():
    pass
continued = []
signal.signal(signal.SIGCONT, lambda *_: continued.append(True))
print("open", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
# The stop may come a little after the call.
while not continued:
    time.sleep(0.001)
print(getattr(gate.check(), "code", "OPEN"), flush=True)
"""


def test_remote_gate_that_was_stopped_does_not_believe_its_queue(tmp_path: Path) -> None:
    """H2: a gate process stopped for longer than its lease, while the guard dies, stays closed."""
    with running(make_config(tmp_path)) as world:
        asker = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", SLEEPER, world.paths.gate_router],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            assert asker.stdout is not None
            assert asker.stdout.readline() == "open\n"
            os.waitid(os.P_PID, asker.pid, os.WSTOPPED)
            world.guard.kill()
            # The claim is about time: the gate sleeps for longer than its lease of 1 s.
            end_ns = CLOCK.boot_ns() + 2 * NS_PER_S
            until(lambda: CLOCK.boot_ns() > end_ns)
            asker.send_signal(signal.SIGCONT)
            assert asker.stdout.readline() == "STALE\n"
        finally:
            asker.kill()
            asker.communicate()


def test_order_functions_run_with_a_permit_alone(tmp_path: Path) -> None:
    """Decorator, context manager and `require` let through what is open and raise what is not."""
    with running(make_config(tmp_path, lease_ms=LEASE_LONG_MS)) as world:
        gate, sent = world.gate, list[str]()

        @gate.guards(symbol="EURUSD")
        def open_risk(name: str) -> str:
            sent.append(name)
            return name

        @gate.guards()
        async def open_later(name: str) -> str:
            sent.append(name)
            return name

        assert open_risk("one") == "one"
        assert asyncio.run(open_later("two")) == "two"
        with gate.permit() as permit:
            assert isinstance(permit, Permit)
        world.command("pause")
        world.until_code("PAUSED")
        with pytest.raises(GateClosedError, match="PAUSED"):
            open_risk("three")
        with pytest.raises(GateClosedError):
            asyncio.run(open_later("four"))
        with pytest.raises(GateClosedError), gate.permit():
            sent.append("five")
        assert sent == ["one", "two"]


def test_listener_of_a_strategy_hears_of_its_halt_alone(tmp_path: Path) -> None:
    """A halt of a strategy is told to whoever listens for it, and to nobody else."""
    with running(make_config(tmp_path, lease_ms=LEASE_LONG_MS)) as world:
        account: list[bool] = []
        strategy: list[str] = []
        world.gate.on_change(lambda answer: account.append(bool(answer)))
        world.gate.on_change(
            lambda answer: strategy.append("OPEN" if isinstance(answer, Permit) else answer.code),
            strategy="X",
        )
        until(lambda: bool(account) and strategy == ["OPEN"])
        world.command("halt", scope="strategy:X")
        until(lambda: strategy == ["OPEN", "SCOPE"])
        assert account == [True]


def test_waiting_and_listening(tmp_path: Path) -> None:
    """`wait_open` returns when the gate opens; a listener hears of every change of the code."""
    with running(make_config(tmp_path, lease_ms=LEASE_LONG_MS)) as world:
        world.command("pause")
        world.until_code("PAUSED")
        heard: list[str] = []
        opened = threading.Event()

        def listen(answer: Permit | Refusal) -> None:
            heard.append("OPEN" if isinstance(answer, Permit) else answer.code)
            if answer:
                opened.set()
            raise SystemExit("a listener that fails, or exits, changes nothing")

        world.gate.on_change(listen)

        async def wait() -> Permit:
            waiting = asyncio.create_task(world.gate.wait_open())  # noqa: TID251  # one, awaited
            await asyncio.to_thread(world.command, "resume", pause="1")
            return await asyncio.wait_for(waiting, DEADLINE_S)

        assert isinstance(asyncio.run(wait()), Permit)
        assert opened.wait(DEADLINE_S)
        until(lambda: heard == ["PAUSED", "OPEN"])
