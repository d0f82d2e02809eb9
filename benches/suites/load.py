"""The same latency while everything else that a guard does is going on."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benches.harness import guarding, native, pairs, process, records, stats
from benches.harness.bench import Bench
from benches.harness.result import Curve, Figure
from benches.suites import wire
from edgeguard.config.load import load_config

GROUP = "load"
COUNTED = {
    "flatten commands": "flattens",
    "status answers": "answers_of_status",
    "notifications": "notified",
}


def under_load(bench: Bench) -> Iterator[Figure]:
    """Measure ticks to pauses beside flatten, journal burst, status client, notification storm."""
    count = bench.sized(2000, 600)
    messages = wire.pause_records(count)
    # A001 halts at once and is never flat; each tick of A002 is a journal row and a message.
    load = [wire.tick(0, "A001", "1.34694", "1.34705", b"")]
    load += _for_account("A002", wire.pause_records(count * 2))
    lost: list[int] = []
    done: list[Counter[str]] = []

    def measure(*, is_loaded: bool) -> tuple[list[float], float]:
        place = bench.fresh("l")
        port = guarding.free_port() if is_loaded else 0
        shape = guarding.Shape(accounts=3, sink_port=port)
        with contextlib.ExitStack() as stack:
            guarded = stack.enter_context(guarding.guard(place, shape))
            if is_loaded:
                pids = _put_under_load(stack, place, guarded, load, port)
                before = _rows(guarded)
                measured = wire.ping(place, guarded.ends, messages, [guarded.pid, *pids], lost)
                done.append(_done(place, _rows(guarded) - before))
                return measured
            return wire.ping(place, guarded.ends, messages, [guarded.pid], lost)

    found = pairs.run_pairs(
        lambda: measure(is_loaded=True), lambda: measure(is_loaded=False), bench.pairs
    )
    loaded, free = sorted(found.pooled()), sorted(found.pooled_floor())
    low, high = found.spread(99.0)
    yield Figure(
        group=GROUP,
        name="tick to pause under load / idle, p99",
        unit="x",
        value=found.ratio(99.0),
        summary=stats.summary(loaded),
        curves=[Curve("under load", stats.ecdf(loaded)), Curve("idle", stats.ecdf(free))],
        samples=len(loaded),
        null=found.null(99.0),
        discarded=found.discarded,
        dirty=found.dirty,
        note=(
            f"p99 {loaded[len(loaded) * 99 // 100]:.0f} us loaded; pairs {low:.2f} to {high:.2f}; "
            f"least of a run: {_least(done)}; {sum(lost)} answers lost"
        ),
    )


def _rows(guarded: guarding.Guarded) -> int:
    return guarded.command("status")["guard"]["storage"]["journal_seq"]


def _done(place: Path, rows: int) -> Counter[str]:
    sizes = {what: (place / name).stat().st_size for what, name in COUNTED.items()}
    return Counter({"journal rows": rows, **sizes})


def _least(done: list[Counter[str]]) -> str:
    return ", ".join(f"{min(one[what] for one in done)} {what}" for what in done[0])


def _put_under_load(
    stack: contextlib.ExitStack,
    place: Path,
    guarded: guarding.Guarded,
    load: list[records.Record],
    sink_port: int,
) -> list[int]:
    """Start a status client, a second publisher and ops; return their process ids."""
    (place / "notified").touch()
    sink = process.python("-m", "benches.harness.sink", str(sink_port), place / "notified")
    ops = process.python("-m", "edgeguard", "--config", guarded.config, "ops")
    records.write(place / "load", load)
    client = process.python("-m", "benches.harness.client", guarded.config)
    arguments = ["ping", *guarded.ends, place / "load", place / "ignored", "100"]
    command = [native.build("wire"), native.libzmq(), *arguments]
    children = [
        stack.enter_context(process.running(sink, core=process.PINGER, ready="ready")),
        stack.enter_context(process.running(ops, core=process.PINGER, log=place / "ops.log")),
    ]
    # Loaded only once everybody is there: ops tells what happens from its start on.
    port = load_config(guarded.config)[0].api.port
    process.await_true("ops", lambda: guarding.is_listening(port))
    children += [
        stack.enter_context(process.running(client, core=process.PINGER, ready="ready")),
        stack.enter_context(process.running(command, core=process.PINGER)),
    ]
    return [child.pid for child in children]


def _for_account(account: str, messages: list[records.Record]) -> list[records.Record]:
    """Return the same ticks for another account."""
    made: list[records.Record] = []
    for at, one in enumerate(messages):
        bid, ask = ("1.34660", "1.34740") if at % 2 == 0 else ("1.34694", "1.34705")
        made.append(wire.tick(one.due_ns, account, bid, ask, b""))
    return made


PARTS = (under_load,)
