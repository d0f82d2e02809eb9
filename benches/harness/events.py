"""What the guard says while a native pinger sends: its events, collected beside the pinger."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Generator
from typing import Final

import zmq

from benches.harness import process
from edgeguard.codec.native import decode
from edgeguard.messages import HaltEvent

POLL_MS: Final = 50


@contextlib.contextmanager
def collected(endpoint: str) -> Generator[list[bytes]]:
    """Collect the payloads of halt events for the length of the block, on the pinger's core."""
    payloads: list[bytes] = []
    is_ready, is_over = threading.Event(), threading.Event()

    def collect() -> None:
        # First of all: the threads of libzmq inherit it.
        os.sched_setaffinity(0, {process.PINGER})
        with zmq.Context() as context, context.socket(zmq.SUB) as halts:
            halts.setsockopt(zmq.LINGER, 0)
            halts.subscribe(b"halt.")
            halts.connect(endpoint)
            is_ready.set()
            while halts.poll(POLL_MS) or not is_over.is_set():
                with contextlib.suppress(zmq.Again):
                    payloads.append(halts.recv_multipart(zmq.DONTWAIT)[-1])

    thread = threading.Thread(target=collect)
    thread.start()
    is_ready.wait(process.READY_S)
    try:
        yield payloads
    finally:
        is_over.set()
        thread.join()


def taken_ns(payloads: list[bytes], account: str) -> list[int]:
    """Return when the guard took the ticks that its events about an account are of.

    On CLOCK_MONOTONIC, in ns: the guard stamps them by its wall clock.
    """
    offset = time.time_ns() - time.perf_counter_ns()  # noqa: TID251  # another process's clock
    events = [decode(payload) for payload in payloads]
    return [
        one.t_ns - offset for one in events if isinstance(one, HaltEvent) and one.account == account
    ]
