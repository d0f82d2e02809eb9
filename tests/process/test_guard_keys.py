"""Who is let in: keys over TCP, user ids on unix sockets, and a right for each command.

Each test names its attack by its id in docs/SECURITY.md; the guard is a process of its own and the
sockets are real.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from edgeguard.codec.native import decode, encode
from edgeguard.config.model import KeysConfig, PeerConfig, PeerRight
from edgeguard.gate import Gate, Permit
from edgeguard.gate.remote import RemoteSource
from edgeguard.messages import Command, HaltEvent, Heartbeat, Ping, Reply, StateBeat
from edgeguard.reporter import Reporter
from edgeguard.transport import Client, CurveKeys, dealer, make_context, publisher, subscriber
from edgeguard.transport.keys import key_path, new_pair, write_key
from tests.ports import free_ports
from tests.process.guard_rig import (
    CLOCK,
    DEADLINE_S,
    ROOT,
    World,
    make_config,
    take_no_echo,
    until,
)

RIGHTS: dict[str, tuple[PeerRight, ...]] = {
    "reader": ("read",),
    "halter": ("read", "halt"),
    "boss": ("read", "halt", "resume"),
    "engine": ("read", "feed"),
    "nobody": (),
}
SILENCE_S = 0.5
NOBODY_UID = 65_534


def free_endpoints(count: int) -> list[str]:
    """Return endpoints on loopback that nobody has."""
    return [f"tcp://127.0.0.1:{port}" for port in free_ports(count)]


class KeyedWorld(World):
    """A guard whose sockets are TCP with keys, its broker's excepted."""

    def __init__(self, folder: Path) -> None:
        self.keys = {name: new_pair() for name in ("guard", *RIGHTS)}
        write_key(key_path(folder / "keys", "guard"), "guard", self.keys["guard"])
        peers = [
            PeerConfig(name=n, public=self.keys[n].public, rights=r) for n, r in RIGHTS.items()
        ]
        peers.append(PeerConfig(name="guard", public=self.keys["guard"].public, rights=("guard",)))
        base = make_config(folder / "state")
        # Its broker and its feeds stay on unix sockets: this world is about the other doors.
        control, halts, gate = free_endpoints(3)
        config = msgspec.structs.replace(
            base,
            guard=msgspec.structs.replace(
                base.guard, control=control, halts_pub=halts, gate_router=gate
            ),
            keys=KeysConfig(dir=str(folder / "keys")),
            peer=tuple(peers),
        )
        super().__init__(config)

    def keys_of(self, name: str) -> CurveKeys:
        """Return the keys with which a peer of that name connects."""
        pair = self.keys[name]
        return CurveKeys(pair.public, pair.secret, self.keys["guard"].public)

    def tell(self, keys: CurveKeys | None, verb: str, **args: str) -> list[Reply]:
        """Return the stages of the answer to a command under those keys, none for silence."""
        with Client(self.paths.control, keys=keys) as client:
            sent = client.command(verb, operator="tester", reason="test", **args)
            return list(client.replies(sent, SILENCE_S if verb == "status" else DEADLINE_S))

    def document(self) -> dict[str, Any]:
        """Return the status document as the boss reads it."""
        with Client(self.paths.control, keys=self.keys_of("boss")) as client:
            sent = client.command("status", operator="tester", reason="test")
            return msgspec.json.decode(list(client.replies(sent, DEADLINE_S))[-1].body)

    def until_active(self) -> None:
        """Wait until the account is open; what opens by itself was neither halted nor paused."""
        until(lambda: self.document()["state"] == "ACTIVE", lambda: str(self.document()["gate"]))

    def lift(self, halt_id: str) -> None:
        """Resume as the boss, as soon as nothing speaks against it."""
        boss = self.keys_of("boss")
        until(lambda: self.tell(boss, "resume", halt_id=halt_id)[-1].text == "resumed")

    def refused(self, cause: str) -> int:
        """Return how often the guard refused for a cause."""
        return self.document()["guard"]["refused"].get(cause, 0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[KeyedWorld]:
    """Return one guard behind keys, open."""
    made = KeyedWorld(tmp_path_factory.mktemp("keys"))
    try:
        made.start()
        until(lambda: isinstance(made.gate.check(), Permit), lambda: str(made.gate.check()))
        yield made
    finally:
        made.close()


def hear(socket_: zmq.Socket[bytes], timeout_s: float) -> list[bytes] | None:
    """Return a message, None for silence."""
    return socket_.recv_multipart() if socket_.poll(int(timeout_s * 1000)) else None


def test_right_key_reads_halts_and_resumes(world: KeyedWorld) -> None:
    """P21: the control: with its key and rights a peer is served over TCP, to the end."""
    world.until_active()
    halted = world.tell(world.keys_of("boss"), "halt", timeout="20")
    assert halted[-1].text == "HALTED, DURABLE, FLAT"
    world.lift(world.document()["halt"]["id"])
    until(lambda: isinstance(world.gate.check(), Permit))


@pytest.mark.parametrize("verb", ["status", "halt", "resume"])
def test_client_without_keys_gets_nothing(world: KeyedWorld, verb: str) -> None:
    """P21, A-KEY-1: a NULL client is neither answered nor heard."""
    context = make_context()
    plain = context.socket(zmq.DEALER)
    plain.connect(world.paths.control)
    plain.send(encode(Command("i", b"n-" + verb.encode(), CLOCK.wall_ns(), verb, "o", "r")))
    assert hear(plain, SILENCE_S) is None
    world.until_active()
    context.destroy(linger=0)


@pytest.mark.parametrize("verb", ["status", "halt", "resume"])
def test_unknown_key_is_refused_and_counted(world: KeyedWorld, verb: str) -> None:
    """P21, A-KEY-2: a key that no [[peer]] has gets nothing, and is counted."""
    before = world.refused("unknown_key")
    stranger = new_pair()
    keys = CurveKeys(stranger.public, stranger.secret, world.keys["guard"].public)
    context = make_context()
    socket_ = dealer(context, world.paths.control, keys=keys)
    socket_.send(encode(Command("i", b"s-" + verb.encode(), CLOCK.wall_ns(), verb, "o", "r")))
    assert hear(socket_, SILENCE_S) is None
    until(lambda: world.refused("unknown_key") > before)
    world.until_active()
    context.destroy(linger=0)


def test_known_public_key_without_its_secret_gets_nothing(world: KeyedWorld) -> None:
    """P21, A-KEY-3: public keys are public: the boss's with another secret opens no door."""
    keys = CurveKeys(world.keys["boss"].public, new_pair().secret, world.keys["guard"].public)
    assert world.tell(keys, "status") == []


def test_false_guard_is_not_spoken_to(world: KeyedWorld) -> None:
    """P21, A-KEY-4: a client that expects another server key says nothing to this one."""
    pair = world.keys["boss"]
    keys = CurveKeys(pair.public, pair.secret, new_pair().public)
    assert world.tell(keys, "status") == []


def test_key_without_rights_is_not_let_in(world: KeyedWorld) -> None:
    """P21, A-KEY-5: a listed key with no right at all comes through no door."""
    before = world.refused("rights")
    assert world.tell(world.keys_of("nobody"), "status") == []
    until(lambda: world.refused("rights") > before)


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("reader", "halt"),
        ("reader", "pause"),
        ("reader", "resume"),
        ("reader", "acknowledge"),
        ("reader", "rebaseline"),
        ("reader", "maintenance"),
        ("halter", "resume"),
        ("halter", "acknowledge"),
        ("halter", "rebaseline"),
        ("halter", "maintenance"),
    ],
)
def test_command_without_its_right_is_refused(world: KeyedWorld, name: str, verb: str) -> None:
    """P7, P21, A-RIGHT-1: a right to read or to halt is none to let risk back in."""
    before = world.refused("rights")
    replies = world.tell(world.keys_of(name), verb, account="A", seconds="1", halt_id="H")
    assert [(reply.stage, reply.final) for reply in replies] == [("refused", True)]
    assert f"{verb} must be ordered by a peer with the right" in replies[0].text
    assert world.refused("rights") > before
    world.until_active()


def test_halter_halts_and_cannot_resume(world: KeyedWorld) -> None:
    """P7, A-RIGHT-2: who may halt may not lift that halt; the boss may."""
    assert world.tell(world.keys_of("halter"), "halt", timeout="5")[-1].stage == "done"
    halt_id = world.document()["halt"]["id"]
    refused = world.tell(world.keys_of("halter"), "resume", halt_id=halt_id)
    assert refused[-1].stage == "refused"
    assert world.document()["halt"]["id"] == halt_id
    world.lift(halt_id)
    until(lambda: isinstance(world.gate.check(), Permit))


def test_engine_key_opens_no_control(world: KeyedWorld) -> None:
    """P21, A-RIGHT-3: the engine may read and publish; it can neither halt nor resume."""
    assert world.tell(world.keys_of("engine"), "resume", halt_id="H")[-1].stage == "refused"
    assert world.tell(world.keys_of("engine"), "halt")[-1].stage == "refused"


def test_remote_gate_opens_with_its_key_alone(world: KeyedWorld) -> None:
    """P4, P21, A-GATE-1: with the key it opens; without, or with a stranger's, it stays closed."""
    where = world.paths.gate_router
    stranger = new_pair()
    others = CurveKeys(stranger.public, stranger.secret, world.keys["guard"].public)
    with (
        Gate(where, "A", keys=world.keys_of("engine")) as known,
        Gate(where, "A", keys=others) as unknown,
        Gate(where, "A") as keyless,
    ):
        until(lambda: isinstance(known.check(), Permit), lambda: str(known.check()))
        assert not unknown.check()
        assert not keyless.check()


def test_remote_gate_is_told_over_its_own_connection_alone(
    world: KeyedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2, P21, A-GATE-4: a push reaches a gate that has its key, and nobody else."""
    context = make_context()
    plain = context.socket(zmq.DEALER)
    plain.connect(world.paths.gate_router)
    plain.send(encode(Ping("A", b"n", 1)))
    with Gate(world.paths.gate_router, "A", keys=world.keys_of("engine"), lease_s=600.0) as gate:
        until(lambda: isinstance(gate.check(), Permit), lambda: str(gate.check()))
        with monkeypatch.context() as deaf:
            deaf.setattr(RemoteSource, "_take_echo", take_no_echo)
            world.tell(world.keys_of("boss"), "pause")
            until(lambda: "PAUSED" in str(gate.check()), lambda: str(gate.check()))
        assert world.tell(world.keys_of("boss"), "resume", pause="1")[-1].text == "pauses ended"
        until(lambda: isinstance(gate.check(), Permit), lambda: str(gate.check()))
    until(lambda: isinstance(world.gate.check(), Permit), lambda: str(world.gate.check()))
    assert hear(plain, SILENCE_S) is None
    context.destroy(linger=0)


def test_halts_are_told_to_readers_alone(world: KeyedWorld) -> None:
    """P21, A-READ-1: state beats reach a key with the right to read, and no stranger."""
    context = make_context()
    known = subscriber(context, world.paths.halts_pub, bind=False, keys=world.keys_of("reader"))
    plain = context.socket(zmq.SUB)
    plain.subscribe(b"")
    plain.connect(world.paths.halts_pub)
    frames = hear(known, DEADLINE_S)
    assert frames is not None
    # Beats, and events: a stall of the machine pauses.
    assert isinstance(decode(frames[-1]), StateBeat | HaltEvent)
    assert hear(plain, SILENCE_S) is None
    context.destroy(linger=0)


def test_stranger_at_the_gate_socket_is_not_echoed(world: KeyedWorld) -> None:
    """P21, A-READ-2: a ping without a key learns nothing of the account."""
    context = make_context()
    plain = context.socket(zmq.DEALER)
    plain.connect(world.paths.gate_router)
    plain.send(encode(Ping("A", b"nonce", 1)))
    assert hear(plain, SILENCE_S) is None
    context.destroy(linger=0)


def test_refusals_are_in_the_journal_without_secrets(world: KeyedWorld) -> None:
    """P21, P23, A-LOG-1: a refused command is a row; no secret key is anywhere in it."""
    world.tell(world.keys_of("reader"), "resume", halt_id="H")
    with_secrets = [pair.secret.encode() for pair in world.keys.values()]

    def rows() -> bytes:
        return b"".join(path.read_bytes() for path in world.paths.state_dir.glob("journal*"))

    until(lambda: b'"cause":"rights"' in rows())
    assert not [secret for secret in with_secrets if secret in rows()]
    state = [path for path in world.paths.state_dir.rglob("*") if path.is_file()]
    assert not [path for path in state if any(s in path.read_bytes() for s in with_secrets)]
    pid = world.guard.process.pid if world.guard.process is not None else 0
    shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    assert not [secret for secret in with_secrets if secret in shown]


def test_feeds_door_takes_only_keys_that_may_feed(tmp_path: Path) -> None:
    """P21, A-FEED-1: what a stranger or a reader publishes never reaches the engine."""
    made = FeedsWorld(tmp_path)
    try:
        made.start()
        until(made.has_beaten)
        context = make_context()
        plain = context.socket(zmq.PUB)
        plain.connect(made.paths.feeds_bind)
        reader = publisher(context, made.paths.feeds_bind, bind=False, keys=made.keys_of("reader"))
        forged = encode(Heartbeat("Z", "engine", 1, 1, 1))
        with Reporter(made.paths.feeds_bind, "Z", keys=made.keys_of("engine")) as engine:
            assert engine.wait_ready(DEADLINE_S)
            until(lambda: made.refused("rights") > 0)
            for _ in range(50):
                plain.send_multipart((b"A.5", forged))
                reader.send_multipart((b"A.5", forged))
            # The guard counts messages of accounts that it does not have: the engine's alone.
            assert engine.heartbeat()
            until(lambda: made.document()["guard"]["foreign_account"] == 1)
            assert engine.heartbeat()
            until(lambda: made.document()["guard"]["foreign_account"] == 2)
        context.destroy(linger=0)
    finally:
        made.close()


class FeedsWorld(KeyedWorld):
    """A keyed guard whose feeds door is TCP too; it never opens, as its broker knows no keys."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for broker in self.brokers:
            broker.answers_reads = False
        feeds = free_endpoints(1)[0]
        guard = msgspec.structs.replace(self.config.guard, feeds_bind=feeds)
        self.config = msgspec.structs.replace(self.config, guard=guard)
        self.guard.rewrite(self.config)
        self.paths.feeds_bind = feeds

    def has_beaten(self) -> bool:
        return self.tell(self.keys_of("reader"), "status") != []


LOCAL_ATTACK = """
import os, sys
sys.path.insert(0, sys.argv[3])
import msgspec, zmq
from edgeguard.clock import SystemClock
from edgeguard.codec.native import decode, encode
from edgeguard.messages import Command
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.connect(sys.argv[1])
for verb in sys.argv[5:]:
    words = Command(verb, os.urandom(8), SystemClock().wall_ns(), verb, "o", "r", {"timeout": "0"})
    stage = ""
    try:
        socket.send(encode(words), zmq.DONTWAIT)
    except zmq.Again:
        pass  # the connection was refused for good: nothing can be said any more
    while socket.poll(int(sys.argv[4])):
        reply = decode(socket.recv_multipart()[-1])
        if reply.final:
            stage = reply.stage
            break
    print(verb, stage or "silence", flush=True)
context.destroy(linger=0)
"""


def as_user(uid: int, endpoint: str, *verbs: str, wait_s: float = SILENCE_S) -> dict[str, str]:
    """Return the last stage of each command given by another user, ``silence`` for none in time."""
    wait_ms = str(int(wait_s * 1000))
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", LOCAL_ATTACK, endpoint, str(uid), str(ROOT), wait_ms, *verbs],
        capture_output=True,
        text=True,
        check=True,
        timeout=3 * DEADLINE_S,
    )
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize(
    ("rights", "stages"),
    [
        (None, {"status": "silence", "halt": "silence", "resume": "silence"}),
        (("read",), {"status": "done", "halt": "refused", "resume": "refused"}),
        (("halt",), {"status": "done", "resume": "refused", "halt": "done"}),
    ],
)
def test_other_local_user_has_the_rights_of_its_uid(
    tmp_path: Path, rights: tuple[PeerRight, ...] | None, stages: dict[str, str]
) -> None:
    """P21, A-USER-1: on a socket that it can reach, another user may do what its uid may."""
    base = make_config(tmp_path / "state")
    # Under /tmp by name: pytest's own folders keep other users out before the guard has to.
    place = Path("/tmp") / f"edgeguard-{os.getpid()}"  # noqa: S108
    place.mkdir(mode=0o755)
    control = f"ipc://{place}/control.ipc"
    peers = () if rights is None else (PeerConfig(name="u", uid=NOBODY_UID, rights=rights),)
    guard = msgspec.structs.replace(base.guard, control=control)
    world = World(msgspec.structs.replace(base, guard=guard, peer=peers))
    try:
        world.start()
        world.until_open()
        (place / "control.ipc").chmod(0o777)
        wait_s = SILENCE_S if rights is None else DEADLINE_S
        assert as_user(NOBODY_UID, control, *stages, wait_s=wait_s) == stages
        refused = world.status()["guard"]["refused"]
        assert refused["rights" if rights else "unknown_user"] > 0
        is_halted = stages["halt"] == "done"
        assert (world.status()["halt"] is not None) == is_halted
    finally:
        world.close()
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_other_local_user_reaches_none_of_the_default_sockets(tmp_path: Path) -> None:
    """P21, A-USER-2: the run directory is 0700: sockets and pages are out of reach."""
    world = World(make_config(tmp_path))
    try:
        world.start()
        world.until_open()
        assert world.paths.run_dir.stat().st_mode & 0o077 == 0
        assert world.paths.state_dir.stat().st_mode & 0o077 == 0
        assert as_user(NOBODY_UID, world.paths.control, "status", "halt") == {
            "status": "silence",
            "halt": "silence",
        }
        assert world.status()["halt"] is None
    finally:
        world.close()


def test_loopback_without_keys_halts_and_never_resumes(tmp_path: Path) -> None:
    """P7, P21, A-LOOP-1: TCP without keys is anybody on this host: it halts, it does not resume."""
    base = make_config(tmp_path)
    guard = msgspec.structs.replace(base.guard, control=free_endpoints(1)[0])
    world = World(msgspec.structs.replace(base, guard=guard))
    try:
        world.start()
        world.until_open()
        assert world.command("halt", timeout="20")[-1].text == "HALTED, DURABLE, FLAT"
        refused = world.command("resume", halt_id=world.halt_id())[-1]
        assert refused.stage == "refused"
        assert "the right resume, was by @loopback" in refused.text
        assert world.halt_id()
    finally:
        world.close()


def test_wildcard_without_keys_does_not_start(tmp_path: Path) -> None:
    """P21, P24, A-OPEN-1: an endpoint beyond loopback without keys ends the start, exit code 3."""
    base = make_config(tmp_path)
    guard = msgspec.structs.replace(base.guard, control="tcp://0.0.0.0:5999")
    world = World(msgspec.structs.replace(base, guard=guard))
    try:
        world.start()
        assert world.guard.wait() == 3
        assert "must have CURVE keys" in world.guard.stderr
        assert not world.gate.check()
    finally:
        world.close()


def test_lost_own_key_does_not_start(tmp_path: Path) -> None:
    """P24, A-OPEN-2: a guard told to use keys never goes on without its own."""
    world = KeyedWorld(tmp_path)
    try:
        key_path(tmp_path / "keys", "guard").unlink()
        world.start()
        assert world.guard.wait() == 3
        assert "guard.key must be readable" in world.guard.stderr
    finally:
        world.close()


@pytest.mark.parametrize("is_real", [True, False])
def test_feed_with_a_key_is_read_from_its_owner_alone(tmp_path: Path, *, is_real: bool) -> None:
    """P21, A-FEED-10: a publisher in a feed's place, without that feed's secret, opens nothing."""
    quotes = new_pair()
    serving = quotes if is_real else new_pair()
    write_key(key_path(tmp_path / "keys", "guard"), "guard", new_pair())
    base = make_config(tmp_path / "state", feed=True)
    (endpoint,) = free_endpoints(1)
    config = msgspec.structs.replace(
        base,
        feed=(msgspec.structs.replace(base.feed[0], endpoint=endpoint, key="quotes"),),
        keys=KeysConfig(dir=str(tmp_path / "keys")),
        peer=(PeerConfig(name="quotes", public=quotes.public),),
    )
    context = make_context()
    feed = context.socket(zmq.XPUB)
    feed.setsockopt(zmq.CURVE_PUBLICKEY, serving.public.encode())
    feed.setsockopt(zmq.CURVE_SECRETKEY, serving.secret.encode())
    feed.setsockopt(zmq.CURVE_SERVER, 1)
    feed.bind(endpoint)
    world = World(config)
    try:
        world.start()
        until(world.has_spoken)
        assert bool(feed.poll(int((DEADLINE_S if is_real else SILENCE_S) * 1000))) == is_real
        feed.send(encode(Heartbeat("", "feed:main", 1, 1, CLOCK.wall_ns())))
        if is_real:
            world.until_open()
        else:
            assert "feed:main" in world.status()["accounts"][0]["waiting"]
            assert not world.gate.check()
    finally:
        world.close()
        context.destroy(linger=0)
