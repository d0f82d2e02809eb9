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


def _child(code: str = BURN) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code]
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


def test_what_a_child_uses_is_ours_while_it_lives_and_after() -> None:
    with _child() as child:
        meter = cpu.CpuMeter()
        before = cpu.process_seconds(child.pid)
        _await_burnt(child)
        alive = meter.own()
        assert alive >= BURNT_S - before
        child.communicate("")
    assert meter.own() >= alive
    assert cpu.process_seconds(child.pid) == 0.0


def test_what_a_child_of_a_child_uses_is_ours_while_both_live_and_after() -> None:
    meter = cpu.CpuMeter()
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
    with _child(code) as child:
        _await_burnt(child)
        alive = meter.own()
        assert alive >= BURNT_S
        child.communicate("")
    assert meter.own() >= alive - 0.02
