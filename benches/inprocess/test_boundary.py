"""The engine through Python: what a tick costs per batch and per frame, and its decoding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benches.inprocess.conftest import (
    BATCH,
    FRAME_NS,
    FRAMES,
    START_NS,
    engine,
    frames,
    quotes,
)
from edgeguard.codec.native import decode, encode
from edgeguard.codec.peek import peek
from edgeguard.engine import Engine
from edgeguard.messages import ErrorEvent, Heartbeat
from edgeguard.transport.pump import CHUNK

MESSAGES = 1024
ERRORS = 16
"""A round's: all rounds are hours of the engine's time, in which no feed must be missed."""
ERROR_NS = 12_000_000_000
Measure = Callable[[Callable[[], None], int], None]


def _work(subject: Engine, payloads: list[bytes], step_ns: int) -> Callable[[], None]:
    """Return what sends every payload once; time goes on by `step_ns` with each."""
    now = START_NS
    on_frame = subject.on_frame

    def work() -> None:
        nonlocal now
        for payload in payloads:
            now += step_ns
            on_frame(payload, now, now, 0, 0)

    return work


def _parts() -> list[list[bytes]]:
    """Return frames of one tick, as many together as have one moment.

    They come at the moments of the batches of 128, so that the engine has the same to do, and the
    loop around a call has nothing to reckon: counting a clock on costs as much as a call.
    """
    payloads = frames(quotes(8), 1)
    return [payloads[at : at + BATCH] for at in range(0, len(payloads), BATCH)]


def test_batch_of_128(typical: Engine, measure: Measure) -> None:
    measure(_work(typical, frames(quotes(8), BATCH), FRAME_NS), BATCH * FRAMES)
    assert typical.take_decisions() == []


def test_one_tick_per_frame(typical: Engine, measure: Measure) -> None:
    parts, now, on_frame = _parts(), START_NS, typical.on_frame

    def work() -> None:
        nonlocal now
        for part in parts:
            now += FRAME_NS
            for payload in part:
                on_frame(payload, now, now, 0, 0)

    measure(work, BATCH * FRAMES)
    assert typical.take_decisions() == []


def test_frames_as_the_guard_takes_them(typical: Engine, measure: Measure) -> None:
    payloads = frames(quotes(8), 1)
    chunks = [payloads[at : at + CHUNK] for at in range(0, len(payloads), CHUNK)]
    now = START_NS
    typical.on_frame(payloads[0], now, now, 0, 0)

    def work() -> None:
        nonlocal now
        for chunk in chunks:
            now += FRAME_NS * CHUNK // BATCH
            typical.on_ticks(chunk, 0, now, now)

    assert typical.on_ticks(chunks[0], 0, now, now) == CHUNK << 8
    measure(work, len(payloads))
    assert typical.take_decisions() == []


def test_error(typical: Engine, measure: Measure) -> None:
    """Five within the window of a minute: half of the limit, below its warning."""
    payload = encode(ErrorEvent("A", "bench", 1, None, START_NS, "order"))
    measure(_work(typical, [payload] * ERRORS, ERROR_NS), ERRORS)
    assert typical.take_decisions() == []


def test_heartbeat(typical: Engine, measure: Measure) -> None:
    payload = encode(Heartbeat("A", "engine", 1, None, START_NS))
    measure(_work(typical, [payload] * MESSAGES, FRAME_NS), MESSAGES)
    assert typical.take_decisions() == []


def test_call_that_takes_nothing(typical: Engine, measure: Measure) -> None:
    parts, now, on_ticks = _parts(), START_NS, typical.on_ticks
    none: list[bytes] = []

    def work() -> None:
        nonlocal now
        for part in parts:
            now += FRAME_NS
            for _ in part:
                on_ticks(none, 0, now, now)

    measure(work, BATCH * FRAMES)


def test_c_function_of_one_argument(measure: Measure) -> None:
    """The null of a call for each frame: C code that is handed the same bytes and does nothing."""
    parts, null = _parts(), len

    def work() -> None:
        for part in parts:
            for payload in part:
                null(payload)

    measure(work, BATCH * FRAMES)


def test_loop_around_a_call(measure: Measure) -> None:
    parts = _parts()

    def work() -> None:
        for part in parts:
            for _ in part:
                pass

    measure(work, BATCH * FRAMES)


def test_batch_with_1000_symbols(tmp_path: Path, measure: Measure) -> None:
    subject = engine(tmp_path, symbols=1000, positions=1000)
    measure(_work(subject, frames(quotes(1000), BATCH), FRAME_NS * 8 // 1000), BATCH * FRAMES)


def test_advance_with_nothing_due(typical: Engine, measure: Measure) -> None:
    def work() -> None:
        for now in range(START_NS, START_NS + 1000):
            typical.advance(now, now, 0, 0)

    measure(work, 1000)


def test_msgspec_decode_of_one_tick(measure: Measure) -> None:
    payloads = frames(quotes(8), 1)[:1000]

    def work() -> None:
        for payload in payloads:
            decode(payload)

    measure(work, len(payloads))


def test_python_peek_of_one_tick(measure: Measure) -> None:
    payloads = frames(quotes(8), 1)[:1000]

    def work() -> None:
        for payload in payloads:
            peek(payload)

    measure(work, len(payloads))
