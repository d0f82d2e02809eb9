"""Endpoints, sockets, the pump and the reporter: what is refused, and that nothing is missed."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
import zmq

from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.codec.native import decode
from edgeguard.errors import ConfigError, InUseError
from edgeguard.messages import ErrorEvent, Fill, Heartbeat, TickBatch
from edgeguard.reporter import Reporter
from edgeguard.transport import (
    CurveKeys,
    Pump,
    PumpSet,
    Socket,
    check_endpoint,
    claim_ipc,
    make_context,
    publisher,
    router,
    subscriber,
)
from edgeguard.transport import pump as pump_module
from edgeguard.transport.pump import CHUNK, FeedPump, next_turn

DEADLINE_S = 30.0
Link = tuple[Socket, Socket]
"""A socket to read from and one that writes to it."""
KEYS = CurveKeys(public="p" * 40, secret="s" * 40)  # no secret of anybody's


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    """Return a subscriber and a publisher that have met."""
    context = make_context()
    endpoint = f"ipc://{tmp_path}/s.ipc"
    reading = subscriber(context, endpoint, bind=True)
    writing = publisher(context, endpoint, bind=False, watched=True)
    meet(reading, writing)
    yield reading, writing
    context.destroy(linger=0)


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("", "must be ipc://PATH or tcp://HOST:PORT"),
        ("http://x:1", "must be ipc://PATH or tcp://HOST:PORT"),
        ("ipc://", "must be ipc://PATH or tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:99999", "tcp://HOST:PORT"),
        ("tcp://0.0.0.0:5555", "CURVE keys"),
        ("tcp://*:5555", "CURVE keys"),
        ("tcp://10.0.0.1:5555", "CURVE keys"),
        ("tcp://guard.example:5555", "CURVE keys"),
        ("tcp://[::]:5555", "CURVE keys"),
        ("ipc://" + "/x" * 60, "at most 107 bytes"),
    ],
)
def test_endpoint_that_must_not_be_used_is_refused(endpoint: str, words: str) -> None:
    """Malformed, too long, or in the open without keys: one sentence that says what to do."""
    with pytest.raises(ConfigError, match=words.replace("*", r"\*")):
        check_endpoint(endpoint)


def test_loopback_needs_no_keys_and_others_do() -> None:
    """127.0.0.0/8, ::1 and localhost stay on this host; keys let TCP leave it."""
    for endpoint in (
        "tcp://127.0.0.1:1",
        "tcp://127.9.9.9:1",
        "tcp://[::1]:1",
        "tcp://localhost:1",
    ):
        check_endpoint(endpoint)
    check_endpoint("tcp://10.0.0.1:5555", KEYS)
    assert "s" * 40 not in repr(KEYS)


def test_live_ipc_path_is_not_stolen(tmp_path: Path) -> None:
    """libzmq would take the path over silently; a dead owner's path is reused."""
    endpoint = f"ipc://{tmp_path}/s.ipc"
    context = make_context()
    owner = router(context, endpoint)
    with pytest.raises(InUseError, match="in use by a running process"):
        router(context, endpoint)
    owner.close(linger=0)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    (tmp_path / "s.ipc").unlink(missing_ok=True)
    dead.bind(str(tmp_path / "s.ipc"))
    dead.close()
    router(context, endpoint).close(linger=0)
    (tmp_path / "s.ipc").unlink(missing_ok=True)
    (tmp_path / "s.ipc").write_text("not a socket")
    with pytest.raises(InUseError, match="is something else"):
        claim_ipc(endpoint)
    context.destroy(linger=0)


def test_taken_port_is_in_use(tmp_path: Path) -> None:
    """A port that somebody has is a clear error, not a traceback."""
    context = make_context()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InUseError, match="in use"):
            router(context, f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(ConfigError, match="cannot be bound"):
        router(context, f"ipc://{tmp_path}/none/s.ipc")
    context.destroy(linger=0)


def meet(reading: Socket, writing: Socket) -> None:
    """Wait until a publisher has its subscriber, which must be looked at to subscribe."""
    end_ns = SystemClock().boot_ns() + int(DEADLINE_S * NS_PER_S)
    while not writing.poll(1):
        assert SystemClock().boot_ns() < end_ns
        reading.poll(0)


def _run(pump: Callable[[asyncio.AbstractEventLoop, asyncio.Event], None]) -> None:
    async def main() -> None:
        done = asyncio.Event()
        pump(asyncio.get_running_loop(), done)
        await asyncio.wait_for(done.wait(), DEADLINE_S)

    asyncio.run(main())


def test_pump_misses_nothing_in_bursts(link: Link) -> None:
    """D4: 20,000 messages in one burst and then one by one, all taken, no rescue needed."""
    reading, writing = link
    total, taken = 20_000, list[int]()
    pumps: list[PumpSet] = []

    def start(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
        def on_frames(frames: list[bytes]) -> None:
            taken.append(int(frames[-1]))
            if len(taken) == total:
                done.set()
            elif len(taken) >= total // 2:
                writing.send(b"%d" % len(taken))

        pumps.append(PumpSet(loop, _raise))
        pumps[0].add(reading, on_frames)
        for number in range(total // 2):
            writing.send(b"%d" % number)

    _run(start)
    assert taken == list(range(total))
    assert pumps[0].rescues == 0


def test_failing_callback_is_told_and_the_rest_is_taken(link: Link) -> None:
    """What a callback raises reaches the owner, and the next message is drained all the same."""
    reading, writing = link
    errors: list[BaseException] = []

    def start(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
        def on_frames(frames: list[bytes]) -> None:
            if frames[-1] == b"bad":
                raise SystemExit("told to fail")
            done.set()

        Pump(loop, reading, on_frames, errors.append).start()
        writing.send(b"bad")
        writing.send(b"good")

    _run(start)
    assert [type(error) for error in errors] == [SystemExit]


def test_feed_hands_over_payloads_and_what_is_none(link: Link) -> None:
    """A topic is passed over, a payload may be alone; what is neither is handed over too."""
    reading, writing = link
    native, wide = b"\x97native", b"\xdc\x00\x20wide"
    messages = [(b"A.tick", native), (wide,), (b"A.tick", b"junk"), (b"", b""), (native,), (b"x",)]
    taken: list[bytes] = []

    def start(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
        def on_payloads(payloads: list[bytes]) -> None:
            taken.extend(payloads)
            if len(taken) == len(messages):
                done.set()

        FeedPump(loop, reading, on_payloads, _raise).start()
        for message in messages:
            writing.send_multipart(message)

    _run(start)
    assert taken == [native, wide, b"junk", b"", native, b"x"]


def test_feed_misses_nothing_in_bursts(link: Link) -> None:
    """As the pump: bursts beyond its budget, then one by one; in order, no rescue, small chunks."""
    reading, writing = link
    total, taken = 20_000, list[int]()
    sizes: set[int] = set()
    pumps: list[PumpSet] = []

    def send(number: int) -> None:
        writing.send_multipart((b"A.tick", b"\x90%d" % number))

    def start(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
        def on_payloads(payloads: list[bytes]) -> None:
            sizes.add(len(payloads))
            taken.extend(int(payload[1:]) for payload in payloads)
            if len(taken) == total:
                done.set()
            elif len(taken) >= total // 2:
                send(len(taken))

        pumps.append(PumpSet(loop, _raise))
        pumps[0].add_feed(reading, on_payloads)
        for number in range(total // 2):
            send(number)

    _run(start)
    assert taken == list(range(total))
    assert max(sizes) <= CHUNK
    assert 1 in sizes
    assert pumps[0].rescues == 0


@pytest.mark.parametrize("late_ms", [-1, 0, 1, 24])
def test_duties_turn_on_one_grid(late_ms: int) -> None:
    """A turn that is a little early or late leads to the next one, never to the same one."""
    for turn in range(1, 1000):
        due = next_turn((turn * 50 + late_ms) / 1000, 0.05)
        assert round(due * 1000) == (turn + 1) * 50


def _raise(error: BaseException) -> None:
    raise error


class Listener:
    """Stands in for the guard's feeds socket."""

    def __init__(self, folder: Path) -> None:
        self.context = make_context()
        self.socket = subscriber(self.context, f"ipc://{folder}/feeds.ipc", bind=True)

    def take(self) -> object:
        assert self.socket.poll(int(DEADLINE_S * 1000))
        return decode(self.socket.recv_multipart()[-1])


def ready(reading: Socket, reporter: Reporter) -> None:
    """Wait until a reporter has its guard."""
    end_ns = SystemClock().boot_ns() + int(DEADLINE_S * NS_PER_S)
    while not reporter.wait_ready(0.001):
        assert SystemClock().boot_ns() < end_ns
        reading.poll(0)


def test_reporter_sends_every_kind_numbered(tmp_path: Path) -> None:
    """Ticks, fills, errors, log records and heartbeats arrive as they were said, numbered."""
    listener = Listener(tmp_path)
    with Reporter(tmp_path, "A", feed="main") as reporter:
        ready(listener.socket, reporter)
        reporter.tick("EURUSD", 1.1, "1.10002", 5)
        reporter.ticks([("EURUSD", "1.1", "1.2", None)] * 1200)
        reporter.fill(
            deal=1,
            position=2,
            symbol="EURUSD",
            side="buy",
            entry="in",
            volume=0.1,
            price="1.1",
        )
        reporter.error("reject", code=10006, order=3, text="x" * 1000)
        log = logging.getLogger("edgeguard.test")
        log.addHandler(reporter.handler(logging.ERROR))
        log.error("order %s failed", 4, extra={"error_class": "timeout"})
        log.warning("not reported")
        reporter.heartbeat()
        reporter.feed_heartbeat()
        got = [listener.take() for _ in range(9)]
    # Quotes have a lane of their own: between the lanes there is no order.
    first, *rest = sorted(got, key=lambda item: not isinstance(item, TickBatch))
    assert isinstance(first, TickBatch)
    assert (first.source, first.seq, first.ticks[0].bid, first.ticks[0].ask) == (
        "main",
        1,
        1.1,
        "1.10002",
    )
    assert [len(item.ticks) for item in rest if isinstance(item, TickBatch)] == [500, 500, 200]
    fill = next(item for item in rest if isinstance(item, Fill))
    assert (fill.volume, fill.price, fill.profit) == ("0.1", "1.1", None)
    errors = [item for item in rest if isinstance(item, ErrorEvent)]
    assert [(item.class_, item.seq) for item in errors] == [("reject", 1), ("timeout", 2)]
    assert len(errors[0].text) == 512
    assert errors[1].text == "order 4 failed"
    beats = [item for item in rest if isinstance(item, Heartbeat)]
    assert [(item.source, item.seq) for item in beats] == [("engine", 1), ("feed:main", 1)]
    listener.context.destroy(linger=0)


def test_reporter_at_its_bound_drops_counts_and_leaves_a_hole(tmp_path: Path) -> None:
    """A guard that does not read: sends return at once, drops are counted, numbers are used up."""
    listener = Listener(tmp_path)
    listener.socket.close(linger=0)
    socket_ = listener.context.socket(zmq.SUB)
    socket_.setsockopt(zmq.RCVHWM, 1)
    socket_.setsockopt(zmq.SUBSCRIBE, b"")
    socket_.bind(f"ipc://{tmp_path}/feeds.ipc")
    clock = SystemClock()
    with Reporter(tmp_path, "A", queue_max=10) as reporter:
        ready(socket_, reporter)
        began_ns = clock.boot_ns()
        total = 20_000
        sent = sum(reporter.error("x", text="y" * 500) for _ in range(total))
        assert clock.boot_ns() - began_ns < DEADLINE_S * NS_PER_S
        assert reporter.dropped == total - sent > 0
        seqs: list[int] = []
        after = 0
        has_room = False
        while not seqs or seqs[-1] <= total:
            if not has_room:
                after += 1
                has_room = reporter.error("after")
            if socket_.poll(10):
                event = decode(socket_.recv_multipart()[-1])
                assert isinstance(event, ErrorEvent)
                assert event.seq is not None
                seqs.append(event.seq)
        # The first for which there was room again, by the number that it must have.
        assert seqs.pop() == total + after
        assert len(seqs) < total
    listener.context.destroy(linger=0)


def test_quotes_at_their_bound_are_conflated_and_hold_up_nothing(  # noqa: PLR0915  # one story
    tmp_path: Path,
) -> None:
    """P11, I5: of each symbol the newest quote waits; fills and errors have room meanwhile."""
    listener = Listener(tmp_path)
    listener.socket.close(linger=0)
    socket_ = listener.context.socket(zmq.SUB)
    socket_.setsockopt(zmq.RCVHWM, 1)
    socket_.setsockopt(zmq.SUBSCRIBE, b"")
    socket_.bind(f"ipc://{tmp_path}/feeds.ipc")
    names = [f"S{number}" for number in range(50)]
    with Reporter(tmp_path, "A", queue_max=100) as reporter:
        ready(socket_, reporter)
        # Far more than pipes and kernel buffers take, in messages of many ticks.
        last = 0
        while reporter.conflated < 10_000:
            last += 1
            reporter.ticks([(name, last, last + 1, None) for name in names])
        assert reporter.dropped == 0
        assert reporter.error("reject")
        assert reporter.heartbeat()
        seen: dict[str, object] = {}
        seqs: list[int] = []
        others: list[object] = []
        while len(others) < 3 or seen != dict.fromkeys(names, last):
            reporter.heartbeat() if len(others) < 3 else reporter.ticks([])
            assert socket_.poll(int(DEADLINE_S * 1000))
            message = decode(socket_.recv_multipart()[-1])
            if isinstance(message, TickBatch):
                seqs.append(message.seq or 0)
                assert len(message.ticks) <= 500
                seen.update({tick.symbol: tick.bid for tick in message.ticks})
            else:
                others.append(message)
        # Nothing that was numbered was lost, and the newest of every symbol arrived.
        assert seqs == list(range(1, len(seqs) + 1))
    listener.context.destroy(linger=0)


def test_background_beats_stop_when_the_engine_does(tmp_path: Path) -> None:
    """A beat is sent only while `alive` says that the engine made progress."""
    listener = Listener(tmp_path)
    asked: list[bool] = []

    def alive() -> bool:
        asked.append(len(asked) < 3)
        return asked[-1]

    with Reporter(tmp_path, "A") as reporter:
        ready(listener.socket, reporter)
        reporter.start_beats(0.01, alive)
        for _ in range(3):
            assert isinstance(listener.take(), Heartbeat)
        assert not listener.socket.poll(100)
    listener.context.destroy(linger=0)


class SilentSocket:
    """A socket on which a message waits although its descriptor tells of none."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.taken = 0

    def getsockopt(self, option: int) -> int:
        """Return the descriptor, or that a message waits until it is taken."""
        if option == zmq.FD:
            return self._descriptor
        return 0 if self.taken else int(zmq.POLLIN)

    def recv_multipart(self, _flags: int) -> list[bytes]:
        """Return the message once."""
        if self.taken:
            raise zmq.Again
        self.taken += 1
        return [b"message"]


@pytest.mark.parametrize(("lost_core", "rescues"), [(False, 1), (True, 0)])
def test_a_tick_takes_what_no_edge_told_of_and_counts_it_where_it_is_sure(
    monkeypatch: pytest.MonkeyPatch, lost_core: bool, rescues: int
) -> None:
    """Who lost its core between the two looks may have seen a message arrive."""
    reading, writing = os.pipe()
    counts = iter(range(100))
    if lost_core:
        monkeypatch.setattr("edgeguard.transport.pump.switches", lambda: next(counts))
    else:
        monkeypatch.setattr("edgeguard.transport.pump.switches", lambda: 0)
    silent, taken = SilentSocket(reading), list[list[bytes]]()
    loop = asyncio.new_event_loop()
    try:
        pump = Pump(loop, cast("Socket", silent), taken.append, _raise)
        silent.taken = 1
        pump.start()
        loop.call_soon(loop.stop)
        loop.run_forever()
        pump.tick()
        silent.taken = 0
        pump.tick()
        assert taken == [[b"message"]]
        assert pump.rescues == rescues
        pump.stop()
    finally:
        loop.close()
        os.close(reading)
        os.close(writing)


def test_switches_are_counted_where_the_host_tells() -> None:
    before = pump_module.switches()
    for _ in range(100):
        os.sched_yield()
        threading.Event().wait(0.0001)
    assert pump_module.switches() >= before + 100
