"""Disks that fail, fill up or hang under a running guard: the halt acts, and the answer is true."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from edgeguard.config.model import Config
from edgeguard.errors import ConfigError, InUseError
from tests.process.disk_rig import BOTH, JOURNAL, LATCH, NEEDS_STRACE, Halted, failing, files_of
from tests.process.forked_guard import ForkedGuard
from tests.process.guard_rig import ROOT, GuardProcess, World, make_config, running, until

DEATHS_MAX = 5
"""A halt writes less often to the latch, and little more often to the journal."""


def pid_of(world: World) -> int:
    assert world.guard.process is not None
    return world.guard.process.pid


def is_trusted(world: World) -> bool:
    return bool(world.status()["guard"]["storage"]["trusted"])


def restart(world: World) -> None:
    """Kill the guard and start another: the disk is well again, and is read anew."""
    world.guard.kill()
    world.start()
    until(world.is_halted)


@NEEDS_STRACE
@pytest.mark.parametrize(
    ("fault", "when"), [("EIO", "1"), ("EIO", "1+"), ("ENOSPC", "1+"), ("EROFS", "1+")]
)
@pytest.mark.parametrize("target", [BOTH, LATCH, JOURNAL])
def test_halt_on_a_failing_disk(tmp_path: Path, target: str, fault: str, when: str) -> None:
    """P5, P6, H6: stopped before the disk is asked; durable where one copy took it, else not."""
    with running(make_config(tmp_path)) as world:
        with failing(pid_of(world), f"error={fault}:when={when}", files_of(world, target)):
            told = {BOTH: {"1+": ["not_durable"]}}.get(
                target, {"1": ["durable"], "1+": ["durable"]}
            )
            halted = Halted(world, 3600, "flat", *told.get(when, []))
            assert not world.gate.check()
            # The copy that did not fail has the halt; with none left nobody says durable.
            if target != BOTH:
                assert halted.text == "HALTED, DURABLE, FLAT"
            elif when == "1+":
                assert "durable" not in halted.stages
                assert halted.text == "HALTED, NOT DURABLE, FLAT"
            assert list(halted.stages)[:2] == ["accepted", "stopped"]
            until(lambda: not is_trusted(world))
        halt_id = world.halt_id()
        # Well again, and still not believed: what a failed fsync dropped, nobody knows.
        assert "storage" in world.resume(halt_id)
        assert not is_trusted(world)
        restart(world)
        assert world.halt_id()
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        until(lambda: world.status()["guard"]["storage"]["latch_row"] > 0)
        assert is_trusted(world)
        world.lift(world.halt_id())
        world.until_open()


@NEEDS_STRACE
def test_halt_on_a_hanging_disk(tmp_path: Path) -> None:
    """P5: the disk takes 3 s; stopped and NOT DURABLE come first, DURABLE when it is true."""
    with running(make_config(tmp_path)) as world:
        calls, files = "fdatasync,fsync", files_of(world, BOTH)
        with failing(pid_of(world), "delay_enter=3000000:when=1", files, calls=calls):
            halted = Halted(world, 3600, "durable", "flat")
        order = list(halted.stages)
        assert order[:2] == ["accepted", "stopped"]
        assert order.index("not_durable") < order.index("durable")
        # The claim is an order of events, told by the clock that the delay runs on.
        assert halted.stages["stopped"] < 3000 <= halted.stages["durable"]
        assert halted.text == "HALTED, DURABLE, FLAT"
        assert is_trusted(world)


@NEEDS_STRACE
def test_failing_disk_of_an_open_account_pauses_it(tmp_path: Path) -> None:
    """H6: the first I/O error makes storage untrusted, and nothing new is risked on it."""
    with running(make_config(tmp_path)) as world:
        with failing(pid_of(world), "error=EIO:when=1", files_of(world, JOURNAL)):
            world.command("maintenance", seconds="1")
            until(lambda: not is_trusted(world))
        world.until_code("PAUSED")
        assert "STORAGE_UNTRUSTED" in world.status()["gate"]["why"]
        assert world.command("resume", pause="1")[-1].stage == "done"
        world.until_code("PAUSED")
        world.guard.kill()
        world.start()
        world.until_open()
        assert is_trusted(world)


@NEEDS_STRACE
@pytest.mark.parametrize("fault", ["EIO", "ENOSPC"])
def test_command_says_not_durable_with_its_own_exit_code(tmp_path: Path, fault: str) -> None:
    """P5: `edgeguard halt` ends with 10 and the words NOT DURABLE where no copy took it."""
    with running(make_config(tmp_path)) as world:
        with failing(pid_of(world), f"error={fault}:when=1+", files_of(world, BOTH)):
            place = ["--state-dir", str(world.paths.state_dir)]
            words = ["halt", "--reason", "disk", "--timeout", "2"]
            done = subprocess.run(  # noqa: S603  # our own interpreter
                [sys.executable, "-m", "edgeguard", *place, *words],
                capture_output=True,
                text=True,
                check=False,
                cwd=ROOT,
            )
        assert done.returncode == 10, done.stdout + done.stderr
        assert "NOT DURABLE" in (done.stdout + done.stderr).upper()


@NEEDS_STRACE
@pytest.mark.parametrize("calls", ["pwrite64", "fdatasync,fsync"])
@pytest.mark.parametrize("target", [LATCH, JOURNAL])
@pytest.mark.timeout(120)
def test_death_at_every_write_of_a_halt(tmp_path: Path, target: str, calls: str) -> None:
    """P1, H1: killed at the Nth system call on a copy, N from 1: what was told is there."""
    config = make_config(tmp_path)
    guard = ForkedGuard(config)
    world = World(config, guard=guard)
    deaths = 0
    try:
        world.start()
        while deaths < DEATHS_MAX:
            world.until_open()
            inject = f"signal=SIGKILL:when={deaths + 1}"
            with failing(guard.pid, inject, files_of(world, target), calls=calls):
                halted = Halted(world, 0.3)
                if not deaths:
                    # The first write always comes, though on a slow machine after the answer.
                    until(guard.has_ended)
                has_died = guard.has_ended()
            if not has_died:
                break
            deaths += 1
            world.start()
            until(world.has_spoken)
            # The row of the command itself comes before the halt: nobody was told of one then.
            assert world.is_halted() or not halted.stages
            if world.is_halted():
                until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
                world.lift(world.halt_id())
    finally:
        world.close()
    assert deaths


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; skipped where this user may mount none."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607


def test_full_disk_takes_a_halt_all_the_same(small_disk: Path) -> None:
    """P5, P6, H6: not a block is free, and the latch file that was allocated once has the halt."""
    with running(make_config(small_disk)) as world:
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        # Rows until the journal has no room left: its log was given a few pages before.
        until(lambda: world.command("maintenance", seconds="1") and not is_trusted(world))
        halted = Halted(world, 3600, "durable", "flat")
        assert halted.text == "HALTED, DURABLE, FLAT"
        assert "storage" in world.resume(world.halt_id())
        filler.unlink()
        restart(world)
        assert is_trusted(world)


def test_read_only_disk_refuses_the_start_and_says_so(small_disk: Path) -> None:
    """P24: a guard that cannot write stays closed, says what is wrong and leaves no traceback."""
    with running(make_config(small_disk)) as world:
        world.guard.kill()
        options = ["mount", "-o", "remount,ro", str(small_disk)]
        subprocess.run(options, check=True)  # noqa: S603
        try:
            world.guard.start()
            assert world.guard.wait() == ConfigError.exit_code, world.guard.stderr
            assert "Traceback" not in world.guard.stderr
            assert str(small_disk) in world.guard.stderr
            world.until_code("STALE")
        finally:
            options[2] = "remount,rw"
            subprocess.run(options, check=True)  # noqa: S603
        world.start()
        world.until_open()


def test_of_guards_that_start_together_one_runs(tmp_path: Path) -> None:
    """P24, H9: five at once on one directory: four end with exit code 4, one opens."""
    config = make_config(tmp_path)
    world = World(config, guard=ForkedGuard(config))
    others = [ForkedGuard(config) for _ in range(4)]
    try:
        # The world first: it listens to beats of runs that began after its start, whichever wins.
        world.start()
        for guard in others:
            guard.start()
        world.until_open()
        guards = [world.guard, *others]
        until(lambda: sum(guard.has_ended() for guard in guards) == len(guards) - 1)
        codes = [guard.wait() for guard in guards if guard.has_ended()]
        assert codes == [InUseError.exit_code] * (len(guards) - 1)
        world.until_open()
    finally:
        for guard in others:
            guard.close()
        world.close()


def test_guards_of_two_directories_do_not_share_a_run_directory(tmp_path: Path) -> None:
    """P24, H9: pages and sockets have one owner, whatever the state directory is."""
    run_dir = str(tmp_path / "run")
    configs: list[Config] = []
    for name in ("one", "two"):
        config = make_config(tmp_path / name)
        place = msgspec.structs.replace(config.guard, run_dir=run_dir)
        configs.append(msgspec.structs.replace(config, guard=place))
    with running(configs[0]) as world:
        second = GuardProcess(configs[1])
        second.start()
        assert second.wait() == InUseError.exit_code
        assert "another runs on it already" in second.stderr
        world.until_open()
