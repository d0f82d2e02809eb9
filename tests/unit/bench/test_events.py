"""What the guard says while it is measured is collected, and its stamps are put on one clock."""

from __future__ import annotations

from pathlib import Path

import zmq

from benches.harness import events, process
from edgeguard.codec.native import encode
from edgeguard.messages import HaltEvent, Tick, TickBatch


def test_events_are_collected_until_the_block_ends(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/h"
    with zmq.Context() as context, context.socket(zmq.XPUB) as halts:
        halts.setsockopt(zmq.LINGER, 0)
        halts.bind(endpoint)
        with events.collected(endpoint) as payloads:
            assert halts.poll(int(process.READY_S * 1000))
            for number in range(200):
                halts.send_multipart((b"halt.A", b"%d" % number))
            halts.send_multipart((b"state.A", b"other"))
            process.await_true("the last event", lambda: len(payloads) == 200)
    assert payloads == [b"%d" % number for number in range(200)]


def test_only_events_of_the_account_are_stamps() -> None:
    tick = TickBatch("A", "f", 1, None, 5, (Tick("EURUSD", 1.1, 1.2),))
    stamped = [_pause("A", 1_000), _pause("B", 1_500), _pause("A", 1_007)]
    first, second = events.taken_ns([encode(one) for one in (tick, *stamped)], "A")
    assert second - first == 7


def _pause(account: str, t_ns: int) -> HaltEvent:
    state = (account, 1, 1, t_ns, "pause", "account", "PAUSED", 1, 2)
    return HaltEvent(*state, halt=None, trigger="spread", code="SPREAD")
