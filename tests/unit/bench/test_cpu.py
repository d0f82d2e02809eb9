"""Whose processor time is whose: ours is never taken for that of others."""

from __future__ import annotations

import subprocess
import sys
import time

from benches.harness import cpu

BURNT_S = 0.06
BURN = f"""
import sys, time
while time.process_time() < {BURNT_S}: pass
print("burnt", flush=True)
sys.stdin.read()
"""


def _child() -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", BURN]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603


def _await_burnt(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == "burnt\n"


def test_what_this_process_uses_is_ours() -> None:
    meter = cpu.CpuMeter()
    until = time.process_time() + BURNT_S
    while time.process_time() < until:
        pass
    assert meter.own() >= BURNT_S


def test_what_a_named_child_uses_is_ours_while_it_lives_and_after() -> None:
    with _child() as child:
        meter = cpu.CpuMeter([child.pid])
        before = cpu.process_seconds(child.pid)
        _await_burnt(child)
        alive = meter.own()
        assert alive >= BURNT_S - before
        child.communicate("")
    assert meter.own() >= alive
    assert cpu.process_seconds(child.pid) == 0.0


def test_a_child_that_is_not_named_is_ours_once_it_has_ended() -> None:
    meter = cpu.CpuMeter()
    with _child() as child:
        _await_burnt(child)
        child.communicate("")
    assert meter.own() >= BURNT_S
