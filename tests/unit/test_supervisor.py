"""The supervisor: restarts with bounded back-off, gives up on the hopeless, ends in order."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from edgeguard.clock import NS_PER_S, ManualClock
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.supervisor import BACKOFF_S_MAX, HEALTHY_S, Process, Role, Supervisor, roles_of
from tests.unit.config.toml import write


@dataclass
class FakeProcess:
    """A process that ends when the test says so."""

    name: str
    log: list[str]
    pid: int = 1
    code: int | None = None
    is_stubborn: bool = False
    signals: list[int] = field(default_factory=list[int])

    def poll(self) -> int | None:
        return self.code

    def send_signal(self, number: int, /) -> None:
        self.signals.append(number)
        self.log.append(f"{self.name} {number}")
        if number == 9 or not self.is_stubborn:
            self.code = -number

    def wait(self, timeout: float) -> int:
        if self.code is None:
            raise subprocess.TimeoutExpired(self.name, timeout)
        return self.code


class Rig:
    """A supervisor over fake processes and a clock that stands still."""

    def __init__(self, *names: str, is_vital: bool = True) -> None:
        self.clock = ManualClock(boot_ns=NS_PER_S)
        self.started: list[FakeProcess] = []
        self.log: list[str] = []
        self.told: list[str] = []
        roles = [Role(name, (), is_vital) for name in names]
        self.supervisor = Supervisor(roles, self._spawn, self.clock, self.told.append)

    def _spawn(self, role: Role) -> Process:
        self.started.append(FakeProcess(role.name, self.log, len(self.started) + 1))
        return self.started[-1]

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(int(seconds * NS_PER_S))
        self.supervisor.tick()


def test_a_death_is_followed_by_a_restart_after_a_pause() -> None:
    """The pause doubles with every death in a row and is bounded."""
    rig = Rig("guard")
    rig.supervisor.tick()
    waits: list[float] = []
    for _ in range(10):
        rig.started[-1].code = 1
        rig.supervisor.tick()
        count, waited = len(rig.started), 0.0
        while len(rig.started) == count:
            rig.pass_time(0.1)
            waited += 0.1
        waits.append(round(waited, 1))
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert max(waits) == BACKOFF_S_MAX
    assert rig.supervisor.hopeless is None


def test_a_long_run_forgives_earlier_deaths() -> None:
    """After half a minute of health the next pause is the shortest again."""
    rig = Rig("guard")
    rig.supervisor.tick()
    for _ in range(5):
        rig.started[-1].code = 1
        rig.supervisor.tick()
        rig.pass_time(BACKOFF_S_MAX)
    rig.pass_time(HEALTHY_S)
    rig.started[-1].code = 1
    rig.supervisor.tick()
    assert rig.told[-1] == "guard ended with 1, restarts in 0.2 s"


def test_what_cannot_start_at_all_is_reported() -> None:
    """A wrong configuration or a directory in use is not mended by trying again."""
    rig = Rig("guard")
    rig.supervisor.tick()
    rig.started[-1].code = 4
    rig.supervisor.tick()
    assert rig.supervisor.hopeless == 4


def test_who_is_not_vital_takes_nobody_down() -> None:
    """The ops process without a token or a port leaves the guard alone, and is tried again."""
    rig = Rig("ops", is_vital=False)
    rig.supervisor.tick()
    rig.started[-1].code = 3
    rig.supervisor.tick()
    assert rig.supervisor.hopeless is None
    rig.pass_time(BACKOFF_S_MAX)
    assert len(rig.started) == 2


def test_the_same_code_after_health_is_no_reason_to_give_up() -> None:
    """A configuration broken later must not take the rest down."""
    rig = Rig("guard")
    rig.supervisor.tick()
    rig.pass_time(HEALTHY_S)
    rig.started[-1].code = 3
    rig.supervisor.tick()
    assert rig.supervisor.hopeless is None


def test_the_end_comes_in_the_order_given_and_kills_the_stubborn() -> None:
    """The guard ends before the broker that obeys it; whoever does not end is killed."""
    rig = Rig("guard", "broker")
    rig.supervisor.tick()
    rig.started[0].is_stubborn = True
    rig.supervisor.stop()
    assert rig.log == ["guard 15", "guard 9", "broker 15"]
    assert rig.supervisor.pids() == {}


def test_the_roles_of_a_guard(tmp_path: Path) -> None:
    """One guard and one broker per account, all on the same file and directory."""
    path = write(tmp_path)
    config, _ = load_config(path)
    roles = roles_of(config, path, Paths(config, tmp_path / "state"))
    assert [role.name for role in roles] == ["guard", "broker A"]
    assert all(str(tmp_path / "state") in role.arguments for role in roles)
