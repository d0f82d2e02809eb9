"""D9: whatever fails inside the guard, the page closes and the process ends with exit code 1.

The guard runs here in this process, on its own loop and its own sockets, so that each method of the
extension's classes and each callback can be made to fail in its turn. What is raised is no
`Exception`: a panic of the extension is not one either. Everything else is as in production.
"""

# ruff: noqa: ANN401, SIM905  # what stands before anything is Any; words are read as words

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from edgeguard import halt_page
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.gate import Permit
from edgeguard.guard import assembly, baselines
from edgeguard.guard.actuators import Actuators
from edgeguard.guard.brokers import BrokerLink
from edgeguard.guard.control import Control
from edgeguard.guard.gates import Gates
from edgeguard.guard.guard import Guard
from edgeguard.guard.heart import Heart
from edgeguard.guard.latching import Latcher
from edgeguard.guard.lifting import Lifting
from edgeguard.guard.pipeline import Pipeline
from edgeguard.guard.process import run_guard
from edgeguard.guard.status import Status
from edgeguard.guard.storage import Storage
from edgeguard.guard.watch import ManualWatch
from edgeguard.journal.writer import Journal
from edgeguard.transport.doorman import Doorman
from edgeguard.transport.pump import PumpSet
from tests.process.everything import Surroundings
from tests.process.fake_engine import FakeEngine
from tests.process.guard_rig import DEADLINE_S, make_config, until

ENGINE = set(
    "on_ticks on_frame advance next_deadline_ns register_source take_decisions status heard"
    " silent_feed"
    " baseline resume would_fire rebaseline release_pause references set_maintenance".split()
)
TRADING = set(
    "met halt pause release persisted flattened exposed tick resume is_resuming resume_durable"
    " state word waiting resumed scopes react event shown changes".split()
)
PAGE = set("set_state set_scope push_resumed beat manual clear_manual is_whole".split())
CALLBACKS: list[tuple[type, str]] = [
    (Pipeline, "on_payloads"),
    (Pipeline, "advance"),
    (Control, "_on_frames"),
    (Control, "tick"),
    (Gates, "_on_ping"),
    (Gates, "on_told"),
    (Guard, "_on_broker"),
    (Guard, "_settle"),
    (Guard, "_on_durable"),
    (Guard, "look"),
    (BrokerLink, "_on_frames"),
    (Heart, "step"),
    (Heart, "beat"),
    (Heart, "second"),
    (ManualWatch, "look_at_file"),
    (ManualWatch, "look_at_words"),
    (Actuators, "run"),
    (Actuators, "_settle"),
    (Storage, "hand_over"),
    (Latcher, "settle"),
    (Latcher, "persist"),
    (Lifting, "_on_written"),
    (Status, "_document"),
    (Status, "_take"),
    (Doorman, "_on_request"),
    (PumpSet, "_tick"),
    (Journal, "_commit"),
]


class Panic(BaseException):  # as the extension's own is called
    """What PyO3 raises for a panic: no `Exception`."""


class Fuse:
    """Makes one named call fail from the moment it is lit."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_lit = threading.Event()
        self.has_blown = threading.Event()

    def pass_by(self, name: str) -> None:
        """Raise if this is the call that must fail now."""
        if name == self.name and self.is_lit.is_set():
            self.has_blown.set()
            raise Panic(f"{name} was told to fail")


class Fused:
    """Stands before an object; each of its methods passes the fuse first."""

    def __init__(self, inner: Any, kind: str, fuse: Fuse) -> None:
        self._inner = inner
        self._kind = kind
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(*args: Any, **named: Any) -> Any:
            self._fuse.pass_by(f"{self._kind}.{name}")
            return method(*args, **named)

        return call


class Scene(Surroundings):
    """Everybody around a guard in this process, and a driver that makes every call happen."""

    def __init__(self, folder: Path, fuse: Fuse) -> None:
        config = make_config(folder)
        super().__init__(config, Paths(config).create())
        self.fuse = fuse
        self.faults: list[BaseException] = []

    def run(self) -> int:
        """Run the guard in this thread and the driver in another; return the exit code."""
        driver = threading.Thread(target=self._drive, daemon=True)
        driver.start()
        try:
            return run_guard(self.config, self.paths, "0" * 64, make_engine=self._engine)
        finally:
            self.is_over.set()
            driver.join(DEADLINE_S)

    def _engine(self, config: Config, config_hash: str) -> Any:
        return Fused(FakeEngine(config, config_hash), "engine", self.fuse)

    def _drive(self) -> None:
        try:
            until(lambda: isinstance(self.gate.check(), Permit) or self.is_over.is_set())
            self.fuse.is_lit.set()
            while not self.is_over.is_set():
                self.go_every_way()
        except BaseException as error:  # noqa: BLE001  # judged by the test
            self.faults.append(error)


@pytest.fixture
def fused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Generator[Scene]:
    """Return a scene in which one call can be made to fail."""
    fuse = Fuse(request.param)
    state, writer = assembly.TradingState, halt_page.writer

    def fused_state(conditions: list[str]) -> Fused:
        return Fused(state(conditions), "trading", fuse)

    def fused_writer(path: Path, account: str, lease_ns: int, epoch: int) -> Fused:
        return Fused(writer(path, account, lease_ns, epoch), "page", fuse)

    monkeypatch.setattr(assembly, "TradingState", fused_state)
    monkeypatch.setattr(halt_page, "writer", fused_writer)
    # Else a minute passes before a baseline is wanted again.
    monkeypatch.setattr(baselines, "ROUND_NS", 0)
    for kind, name in CALLBACKS:
        monkeypatch.setattr(
            kind, name, passing(getattr(kind, name), f"{kind.__name__}.{name}", fuse)
        )
    thresholds = gc.get_threshold()
    scene = Scene(tmp_path, fuse)
    try:
        yield scene
    finally:
        scene.close()
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def passing(method: Any, name: str, fuse: Fuse) -> Any:
    """Return a method that passes the fuse first."""

    def call(*args: Any, **named: Any) -> Any:
        fuse.pass_by(name)
        return method(*args, **named)

    return call


def check(scene: Scene) -> None:
    """Run the scene to its end, and judge it."""
    code = scene.run()
    assert not scene.faults, scene.faults
    assert scene.fuse.has_blown.is_set()
    assert code == 1
    answer = scene.gate.check()
    assert not answer
    assert answer.code == "HALTED"


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "fused",
    [
        *(f"engine.{name}" for name in sorted(ENGINE)),
        *(f"trading.{name}" for name in sorted(TRADING)),
        *(f"page.{name}" for name in sorted(PAGE)),
    ],
    indirect=True,
)
def test_panic_of_a_binding_method_halts_and_ends(fused: Scene) -> None:
    """D9, H4: any method of the engine, the trading state or the page fails from now on."""
    check(fused)


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "fused", [f"{kind.__name__}.{name}" for kind, name in CALLBACKS], indirect=True
)
def test_panic_of_a_callback_halts_and_ends(fused: Scene) -> None:
    """D9, H4: any callback of the loop, a timer or a writer's thread fails from now on."""
    check(fused)


def test_table_has_every_method_that_the_guard_calls() -> None:
    """D9: what the guard's sources call on the three classes is in the tables or at a start."""
    sources = "\n".join(path.read_text() for path in Path(assembly.__file__).parent.glob("*.py"))
    # `engine.get` is a look into the status document, not a call of the engine.
    at_start = {
        "restore_halt",
        "restore_scope",
        "restore_resumed",
        "load_references",
        "load_baseline",
        "found",
        "get",
    }
    rare = {"resume_failed", "push_resumed_manual"}
    for names, owners in (
        (ENGINE, r"(?:_engine|\bengine|parts\.engine)"),
        (TRADING, r"\btrading"),
        (PAGE, r"\bpage"),
    ):
        called = set(re.findall(rf"{owners}\.(\w+)[(,]", sources))
        assert called - at_start - rare == names, called ^ names
