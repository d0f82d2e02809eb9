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
from edgeguard.codec.native import decode
from edgeguard.codec.peek import peek
from edgeguard.engine import Engine

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


def test_batch_of_128(typical: Engine, measure: Measure) -> None:
    measure(_work(typical, frames(quotes(8), BATCH), FRAME_NS), BATCH * FRAMES)
    assert typical.take_decisions() == []


def test_one_tick_per_frame(typical: Engine, measure: Measure) -> None:
    measure(_work(typical, frames(quotes(8), 1), FRAME_NS // BATCH), BATCH * FRAMES)
    assert typical.take_decisions() == []


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
