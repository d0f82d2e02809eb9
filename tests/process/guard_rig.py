"""A guard in a process of its own, and everybody who talks to it, on real sockets.

Nothing here sleeps to synchronise: every wait is for a socket, a process or a page, with a
deadline.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import zmq

from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.codec.native import decode, encode
from edgeguard.config.model import (
    AccountConfig,
    Config,
    FeedConfig,
    GuardConfig,
    Limits,
    StrategyConfig,
    SymbolConfig,
)
from edgeguard.config.paths import Paths
from edgeguard.gate import Gate, Permit, Refusal
from edgeguard.gate.remote import RemoteSource
from edgeguard.messages import (
    AccountSnapshot,
    BrokerCommand,
    BrokerEvent,
    Echo,
    HaltEvent,
    MarketMessage,
    Position,
    Reply,
    StateBeat,
)
from edgeguard.transport import Client, Socket, make_context, publisher, subscriber

CLOCK = SystemClock()
DEADLINE_S = 30.0
"""Far above anything that these tests wait for: reaching it is a failure, never a result."""
LEASE_LONG_MS = 60_000
LISTEN_S = 0.2
"""How long an answer is listened to before the guard's own life is looked at."""
RUNNER = """
import sys, msgspec
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.errors import EdgeGuardError
from edgeguard.guard.process import run_guard
make = None
if sys.argv[2] == "fake":
    from tests.process.fake_engine import FakeEngine as make
config = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Config)
paths = Paths(config).create()
try:
    sys.exit(run_guard(config, paths, "0" * 64, make_engine=make))
except EdgeGuardError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
ROOT = Path(__file__).resolve().parents[2]


def make_config(
    state_dir: Path,
    *names: str,
    feed: bool = False,
    snapshot_age_max_ms: int = 5000,
    connection_lost_s: str = "60",
    lease_ms: int = 1000,
) -> Config:
    """Return a configuration for the accounts `names`.

    With a lease of `LEASE_LONG_MS` no stall of the machine makes a gate stale or a guard AWAY: for
    claims about everything that a gate says in some time.
    """
    accounts = tuple(
        AccountConfig(
            id=name,
            login=1000 + index,
            server="Paper",
            trade_mode="demo",
            currency="USD",
            initial_balance="100000",
            terminal="paper",
            limits=Limits(first_reference="snapshot", connection_lost_s=connection_lost_s),
        )
        for index, name in enumerate(names or ("A",))
    )
    return Config(
        guard=GuardConfig(
            state_dir=str(state_dir), snapshot_age_max_ms=snapshot_age_max_ms, lease_ms=lease_ms
        ),
        account=accounts,
        symbol=(SymbolConfig(name="EURUSD", digits=5),),
        feed=(FeedConfig(name="main"),) if feed else (),
        strategy=(StrategyConfig(name="X", magic=(7,)),),
    )


class FakeBroker:
    """Stands in for a broker's parent: answers reads, flattens what it is told to, by a thread."""

    def __init__(self, paths: Paths, config: Config, index: int = 0) -> None:
        self.config = config.account[index]
        self.equity = "100000.00"
        self.login = self.config.login
        self.positions: tuple[Position, ...] = ()
        self.flattens: list[BrokerCommand] = []
        self.commands: list[BrokerCommand] = []
        self.can_flatten = True
        self.answers_reads = True
        self._paths = paths
        self._context = make_context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.bind(paths.broker(self.config.id))
        self._publisher = publisher(self._context, paths.feeds_bind, bind=False)
        self._epoch = CLOCK.wall_ns()
        self._seq = 0
        self._last = 0
        self._turns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def fall_silent(self) -> None:
        """Publish no snapshot any more; the last one has been sent when this returns."""
        self.answers_reads = False
        turns = self._turns
        until(lambda: self._turns > turns + 1)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._turns += 1
            if self._router.poll(20):
                identity, payload = self._router.recv_multipart()
                command = decode(payload)
                assert isinstance(command, BrokerCommand)
                self._obey(identity, command)
            if self.answers_reads and CLOCK.boot_ns() - self._last > NS_PER_S // 5:
                self._snapshot(0)

    def _obey(self, identity: bytes, command: BrokerCommand) -> None:
        if command.verb != "hello":
            self.commands.append(command)
        if command.verb == "hello":
            self._say(identity, command, "hello")
        elif command.verb == "read" and self.answers_reads:
            self._snapshot(command.request)
        elif command.verb == "flatten":
            self.flattens.append(command)
            if self.can_flatten:
                self.positions = ()
                self._say(identity, command, "pendings_gone")
                self._say(identity, command, "flat")
            else:
                self._say(identity, command, "not_flat")

    def _say(self, identity: bytes, command: BrokerCommand, kind: str) -> None:
        event = BrokerEvent(
            self.config.id, command.id, CLOCK.wall_ns(), kind, command.halt_id, kind
        )
        self._router.send_multipart((identity, encode(event)))

    def _snapshot(self, request: int) -> None:
        self._last = CLOCK.boot_ns()
        self._seq += 1
        config = self.config
        snapshot = AccountSnapshot(
            account=config.id,
            source="terminal",
            epoch=self._epoch,
            seq=self._seq,
            t_ns=CLOCK.wall_ns(),
            balance="100000.00",
            equity=self.equity,
            credit="0",
            margin="0",
            positions=self.positions,
            request=request,
            login=self.login,
            server=config.server,
            trade_mode=config.trade_mode,
            currency=config.currency,
        )
        self._publisher.send_multipart((f"{config.id}.account".encode(), encode(snapshot)))


class Observer:
    """Reads the guard's PUB socket from a thread."""

    def __init__(self, paths: Paths) -> None:
        self.events: list[HaltEvent] = []
        self.beats: list[StateBeat] = []
        self._context = make_context()
        self._socket = subscriber(self._context, paths.halts_pub, bind=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(20):
                message = decode(self._socket.recv_multipart()[-1])
                if isinstance(message, HaltEvent):
                    self.events.append(message)
                elif isinstance(message, StateBeat):
                    self.beats.append(message)


class GuardProcess:
    """One guard process, startable again on the same state directory."""

    def __init__(
        self,
        config: Config,
        engine: str = "fake",
        *,
        root: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start the `edgeguard` below `root`, this one if not given, with `env` besides ours."""
        self.engine = engine
        self.root = str(root or ROOT)
        self.env = env or {}
        self.paths = Paths(config).create()
        self.config_file = self.paths.state_dir / "config.json"
        self.rewrite(config)
        self.process: subprocess.Popen[str] | None = None
        self.stderr = ""

    def rewrite(self, config: Config) -> None:
        """Change the configuration of the next start."""
        self.config = config
        self.config_file.write_bytes(msgspec.json.encode(config))

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", RUNNER, str(self.config_file), self.engine, self.root],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": self.root, **self.env},
        )

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait()

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def wait(self) -> int:
        assert self.process is not None
        code = self.process.wait(DEADLINE_S)
        assert self.process.stderr is not None
        self.stderr = self.process.stderr.read()
        self.process.stderr.close()
        return code

    def close(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            self.wait()


def take_no_echo(_source: RemoteSource, _echo: Echo) -> bool:
    """Stand in for a remote gate's taking of echoes: from then on it has pushes alone."""
    return False


class World:
    """A guard, its brokers and an observer."""

    def __init__(
        self, config: Config, engine: str = "fake", guard: GuardProcess | None = None
    ) -> None:
        self.config = config
        self.guard = guard or GuardProcess(config, engine)
        self.paths = self.guard.paths
        self.brokers = [FakeBroker(self.paths, config, at) for at in range(len(config.account))]
        self.observer = Observer(self.paths)
        self._started_ns = 0
        self._context = make_context()
        self._feeds: Socket | None = None
        self.gate = Gate(self.paths.run_dir, config.account[0].id)

    def start(self) -> None:
        self._started_ns = CLOCK.wall_ns()
        self.guard.start()

    def has_spoken(self) -> bool:
        """Return whether the run that was started last has published a heartbeat."""
        beats = self.observer.beats
        return bool(beats) and beats[-1].epoch > self._started_ns

    def is_halted(self) -> bool:
        """Return whether the run that was started last says that it is halted."""
        return self.has_spoken() and self.observer.beats[-1].state == "HALTED"

    def close(self) -> None:
        self.guard.close()
        for broker in self.brokers:
            broker.close()
        self.observer.close()
        self.gate.close()
        self._context.destroy(linger=0)
        # Unlike the state directory it is not below pytest's: it is on shared memory.
        shutil.rmtree(self.paths.run_dir, ignore_errors=True)

    def publish(self, message: MarketMessage) -> None:
        """Publish a message as an engine would."""
        self.publish_raw(encode(message))

    def publish_raw(self, payload: bytes, *more: bytes) -> None:
        """Publish bytes as an engine would, in one frame behind a topic or in more."""
        if self._feeds is None:
            self._feeds = publisher(self._context, self.paths.feeds_bind, bind=False, watched=True)
            assert self._feeds.poll(int(DEADLINE_S * 1000))
        self._feeds.send_multipart((b"A.test", payload, *more))

    def command(
        self, verb: str, *, operator: str = "tester", reason: str = "test", **args: str
    ) -> list[Reply]:
        """Return all stages of a command's answer."""
        return list(self.replies(verb, operator=operator, reason=reason, **args))

    def replies(
        self, verb: str, *, operator: str = "tester", reason: str = "test", **args: str
    ) -> Generator[Reply]:
        """Yield the stages of a command's answer as they come, until the last or a dead guard's."""
        end_ns = CLOCK.boot_ns() + int(DEADLINE_S * NS_PER_S)
        with Client(self.paths.control) as client:
            sent = client.command(verb, operator=operator, reason=reason, **args)
            while CLOCK.boot_ns() < end_ns:
                # Before listening, so that what it said before its end is heard.
                has_ended = self.guard.has_ended()
                for reply in client.replies(sent, LISTEN_S):
                    yield reply
                    if reply.final:
                        return
                if has_ended:
                    return

    def stages_of_halt(self, *awaited: str) -> list[str]:
        """Halt, and return the stages of the answer until the awaited ones have been heard."""
        heard: list[str] = []
        for reply in self.replies("halt", timeout="3600"):
            heard.append(reply.stage)
            if set(awaited) <= set(heard):
                return heard
        raise AssertionError(f"a halt must come to {awaited}, came to {heard}")

    def last_word_on_halt(self) -> str:
        """Return what the guard says of the halt in force, to a second one that waits for nothing.

        The end of an answer that has a time to wait depends on what the machine did in that time.
        """
        return self.command("halt", timeout="0")[-1].text

    def resume(self, halt_id: str) -> str:
        """Return the last words of the answer to a resume."""
        return self.command("resume", halt_id=halt_id)[-1].text

    def lift(self, halt_id: str) -> None:
        """Resume, as soon as nothing speaks against it: after a stall no snapshot is fresh."""
        words: list[str] = []

        def is_resumed() -> bool:
            words.append(self.resume(halt_id))
            return words[-1] == "resumed"

        until(is_resumed, lambda: words[-1])

    def status(self) -> dict[str, Any]:
        """Return the status document."""
        return msgspec.json.decode(self.command("status")[-1].body)

    def halt_id(self) -> str:
        """Return the id of the halt in force, empty for none."""
        halt = self.status()["halt"]
        return halt["id"] if halt else ""

    def until_open(self) -> None:
        """Wait until the run that was started last has opened the gate."""
        until(
            lambda: self.has_spoken() and isinstance(self.gate.check(), Permit),
            lambda: str(self.gate.check()),
        )

    def until_code(self, code: str) -> Refusal:
        def is_reached() -> bool:
            answer = self.gate.check()
            return isinstance(answer, Refusal) and answer.code == code

        until(is_reached, lambda: f"wanted {code}, was {self.gate.check()!r}")
        answer = self.gate.check()
        assert isinstance(answer, Refusal)
        return answer


@contextmanager
def running(config: Config, engine: str = "fake") -> Generator[World]:
    """Run a world until its gate is open."""
    world = World(config, engine)
    try:
        world.start()
        world.until_open()
        yield world
    finally:
        world.close()


def until(
    claim: Callable[[], object], describe: Callable[[], str] = str, deadline_s: float = DEADLINE_S
) -> None:
    """Wait until a claim holds; look again every millisecond."""
    end = CLOCK.boot_ns() + int(deadline_s * NS_PER_S)
    pause = threading.Event()
    while not claim():
        if CLOCK.boot_ns() > end:
            raise AssertionError(f"not within {deadline_s} s: {describe()}")
        pause.wait(0.001)
