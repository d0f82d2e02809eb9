"""The native pinger and echo speak the harness's file formats."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benches import instructions
from benches.harness import native, process, records
from benches.suites import wire
from edgeguard.codec.native import decode
from edgeguard.messages import TickBatch


def test_a_tick_is_stamped_where_its_clock_is() -> None:
    record = wire.tick(5, "A", "1.1", "1.2", b"halt.A")
    payload = bytearray(record.payload)
    payload[record.stamp_at : record.stamp_at + 8] = (77 << 40).to_bytes(8, "big")
    batch = decode(bytes(payload))
    assert isinstance(batch, TickBatch)
    assert batch.t_ns == 77 << 40


def test_lost_answers_are_counted_and_not_averaged() -> None:
    answers = [records.Answer(1_000, 1_500, 3_000), records.Answer(1_000, 1_500, 0)]
    assert records.latencies_us(answers) == ([2.0], 1)


def test_an_answer_before_its_question_is_refused() -> None:
    with pytest.raises(ValueError, match="must come after"):
        records.latencies_us([records.Answer(1_000, 1_500, 1_200)])


def test_arrivals_are_seeded_and_rise() -> None:
    arrivals = wire.poisson(50)
    assert arrivals == wire.poisson(50) == sorted(arrivals)


def test_callgrind_reports_are_read() -> None:
    assert instructions.collected("==1== Collected : 123\n") == 123
    with pytest.raises(ValueError, match="must report"):
        instructions.collected("nothing")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.skipif(shutil.which("taskset") is None, reason="no taskset")
def test_every_question_to_the_echo_is_answered(tmp_path: Path) -> None:
    ends = (f"ipc://{tmp_path}/f", f"ipc://{tmp_path}/h")
    messages = [
        wire.tick(at * 1_000_000, "A", "1.1", "1.2", b"halt.A" if at % 2 else b"")
        for at in range(40)
    ]
    # Ticks that nobody answers go under another topic, as in a flood.
    messages = [one if one.match else one._replace(topic=b"tick") for one in messages]
    messages[32:] = [one._replace(says=wire.HALT) for one in messages[32:]]
    echo = [native.build("wire"), native.libzmq(), "echo", *ends, "170"]
    lost: list[int] = []
    with process.running(echo, core=process.SUBJECT, ready="ready"):
        latencies, _ = wire.ping(tmp_path, ends, messages, lost)
    # The echo's answers say nothing: whoever waits for a word waits in vain.
    assert lost == [4]
    assert len(latencies) == 16
    assert min(latencies) > 0
