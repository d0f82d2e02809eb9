"""D9 with real panics of the extension: a guard process for each call, halted pages, exit code 1.

`test_guard_panics.py` makes calls fail from Python. Here each panics inside Rust, after its work
was done and before its answer is given: the object has changed, and nobody knows.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from edgeguard.config.paths import Paths
from edgeguard.gate import Gate, Permit
from tests.process.everything import Surroundings
from tests.process.forced_panics import EXTENSION, panicking_package, run_script, told
from tests.process.guard_rig import DEADLINE_S, ROOT, GuardProcess, World, make_config, until
from tests.process.test_guard_engine import tick
from tests.process.test_guard_panics import ENGINE, PAGE, TRADING

AT_ONCE = 8
"""Guards at a time: most of a run is waiting for its broker, its disk and its resume."""
RUNNING = [
    *(f"Engine.{name}" for name in sorted(ENGINE)),
    *(f"TradingState.{name}" for name in sorted(TRADING)),
    *(f"PageWriter.{name}" for name in sorted(PAGE)),
    "Decision.line",
]
STARTING = [
    "Engine.new",
    "Engine.load_references",
    "Engine.load_baseline",
    "PageWriter.new",
    "TradingState.new",
    "TradingState.restore_halt",
    "TradingState.restore_resumed",
    "TradingState.restore_scope",
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Outcome(NamedTuple):
    """What became of one guard, and of the one after it, which has the shipped extension."""

    code: int
    stderr: str
    gate: str
    """What a gate that watched it says when it has ended."""
    stranger: str
    """What a gate says that first looks then."""
    next_state: str


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an `edgeguard` that can be told to panic."""
    return panicking_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def outcomes(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What became of the guards, by the call that panicked; all are run here."""
    folders = {call: tmp_path_factory.mktemp(call) for call in RUNNING}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {call: pool.submit(run, call, folders[call], package) for call in RUNNING}
        return {call: future.result() for call, future in runs.items()}


def run(call: str, folder: Path, package: Path) -> Outcome:
    """Run a guard until it is open, have the call panic, and start the shipped one after it."""
    config = make_config(folder / "state")
    around = Surroundings(config, Paths(config).create())
    lit = folder / "lit"
    guard = GuardProcess(config, "real", root=package, env=told(call, lit))
    after = GuardProcess(config, "real")
    try:
        guard.start()
        until(lambda: isinstance(around.gate.check(), Permit), lambda: f"{call} never opened")
        lit.touch()
        if call == "Engine.baseline":
            # Saved once a minute, and at a clean end.
            code = guard.kill(signal.SIGTERM)
        else:
            threading.Thread(target=tell_of_the_end, args=(guard, around), daemon=True).start()
            while not around.is_over.is_set():
                around.go_every_way()
            code = guard.wait()
        gate = str(around.gate.check())
        with Gate(around.paths.run_dir, "A") as other:
            stranger = str(other.check())
        around.is_over.clear()
        # What a reboot takes; what the halt left on disk must be enough.
        Paths(config).page("A").unlink()
        after.start()
        status = msgspec.json.decode(around.tell("status")[-1].body)
        return Outcome(code, guard.stderr, gate, stranger, status["state"])
    finally:
        guard.close()
        after.close()
        around.close()


def tell_of_the_end(guard: GuardProcess, around: Surroundings) -> None:
    """Say when a guard has ended, or should have long ago."""
    with contextlib.suppress(AssertionError):
        until(guard.has_ended, deadline_s=4 * DEADLINE_S)
    around.is_over.set()


@pytest.mark.parametrize("call", RUNNING)
def test_real_panic_halts_ends_and_is_found_by_the_next_start(
    outcomes: dict[str, Outcome], call: str
) -> None:
    """D9, H4, P1: a call panics inside Rust: page HALTED, exit code 1, HALTED after the restart.

    The page is taken away before it, as by a reboot: the latch or the HALT file has the halt too.
    """
    outcome = outcomes[call]
    assert f"{call} was told to panic" in outcome.stderr
    assert outcome.code == 1, outcome.stderr
    assert outcome.gate.startswith("HALTED"), outcome.gate
    assert outcome.stranger.startswith("HALTED"), outcome.stranger
    assert outcome.next_state == "HALTED"


def test_real_panic_of_a_start_opens_nothing_and_forgets_no_halt(
    package: Path, tmp_path: Path
) -> None:
    """D8, D9: each call of a start panics in its turn; what stood stands, and nothing opened."""
    (tmp_path / "state").mkdir()
    world = World(make_config(tmp_path / "state"), "real")
    try:
        world.start()
        world.until_open()
        seqs = itertools.count(1)

        def has_learned() -> bool:
            """Whether a baseline will be stored; nothing is learned without ticks."""
            tick(world, next(seqs), 1.1, 1.1001)
            return bool(re.search(r'"samples": ?[1-9]', json.dumps(world.status())))

        until(has_learned)
        first = halt_all(world)
        world.lift(first)
        scoped = re.search(rb'"id":"(H[^"]+)"', world.command("halt", scope="strategy:X")[-1].body)
        assert scoped is not None
        world.lift(scoped[1].decode())
        second = halt_all(world)
        world.guard.kill(signal.SIGTERM)
        for call in STARTING:
            fail_to_start(world, call, package)
        world.start()
        until(world.is_halted)
        assert world.halt_id() == second
    finally:
        world.close()


def fail_to_start(world: World, call: str, package: Path) -> None:
    """Start a guard of which a call of its start panics; nothing may open."""
    guard = GuardProcess(world.config, "real", root=package, env=told(call))
    try:
        guard.start()
        until(guard.has_ended, lambda: f"{call} is not a call of a start")
        assert guard.wait() == 1, call
    finally:
        guard.close()
    assert f"{call} was told to panic" in guard.stderr
    assert not world.gate.check(), call
    with Gate(world.paths.run_dir, "A") as other:
        assert not other.check(), call


def halt_all(world: World) -> str:
    """Halt the account and return the halt's id when it is flat."""
    world.command("halt", timeout="0")
    until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
    return world.halt_id()


GATE = """
import sys
from pathlib import Path
from edgeguard import halt_page
from edgeguard.clock import SystemClock
from edgeguard.gate import Gate, GateClosedError
clock, path = SystemClock(), Path(sys.argv[1], "halt.A")
page = halt_page.writer(path, "A", 60_000_000_000, 1)
page.set_state((int(sys.argv[2]), 0, 0, 0, 0), "")
for _ in range(3):
    page.beat(clock.boot_ns())
gate = Gate(path.parent, "A")
for _ in range(3):
    answer = gate.check()
    print(bool(answer), answer)
try:
    gate.require()
    print("permit")
except GateClosedError as error:
    print("closed", error)
"""
ACTIVE, PAUSED = "2", "3"


@pytest.mark.parametrize(
    ("call", "state", "answers"),
    [
        ("PageGate.check:2", ACTIVE, ["Permit", "panicked", "a new gate must be made"]),
        ("PageGate.new", ACTIVE, ["panicked"] * 3),
        ("PageGate.detail", PAUSED, ["PAUSED"] * 3),
        ("PageGate.code", ACTIVE, ["panicked", "Permit", "Permit"]),
    ],
)
def test_gate_whose_check_panics_refuses(
    package: Path, tmp_path: Path, call: str, state: str, answers: list[str]
) -> None:
    """P4: the engine gets a falsy refusal and no exception, of the panic and ever after."""
    lines = run_script(GATE, package, call, str(tmp_path), state).splitlines()
    for line, answer in zip(lines, answers, strict=False):
        assert answer in line
        assert line.startswith("True" if answer == "Permit" else "False")
    assert lines[3] == ("permit" if answers[-1] == "Permit" else "closed " + lines[2][6:])


READERS = """
import sys
from edgeguard._core import Lease, PageReader
from edgeguard import halt_page
def again(call):
    for _ in range(2):
        try:
            print("answered", call())
        except RuntimeError as error:
            print(error)
again(PageReader(sys.argv[1] + "/halt.A", "A", halt_page.boot_id()).check)
again(lambda lease=Lease(10): lease.check(5))
"""


@pytest.mark.parametrize("call", ["PageReader.check", "Lease.check"])
def test_reader_or_lease_that_panicked_answers_nothing_any_more(
    package: Path, tmp_path: Path, call: str
) -> None:
    """P4: a latch that was changed half-way judges nothing; `Gate.check` makes a refusal of it."""
    lines = run_script(READERS, package, call, str(tmp_path)).splitlines()
    own, other = (lines[:2], lines[2:]) if call == "PageReader.check" else (lines[2:], lines[:2])
    assert "panicked" in own[0]
    assert "after a panic" in own[1]
    assert all(line.startswith("answered") for line in other)


def test_shipped_extension_cannot_be_told_to_panic(tmp_path: Path) -> None:
    """The variable means nothing to it: it has not even its name."""
    assert b"EDGEGUARD_PANIC" not in (ROOT / "edgeguard" / EXTENSION).read_bytes()
    lines = run_script(GATE, ROOT, "PageGate.check", str(tmp_path), ACTIVE).splitlines()
    assert all(line.startswith("True") for line in lines[:3])
