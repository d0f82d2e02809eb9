"""The same latency while everything else that a guard does is going on."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benches.harness import guarding, native, pairs, process, records, stats
from benches.harness.bench import Bench
from benches.harness.result import Curve, Figure
from benches.suites import wire
from edgeguard.broker.paper.client import PaperControl
from edgeguard.config.load import load_config

GROUP: Final = "load"
FLATTENED: Final = "A001"
"""The account whose book a real broker process works off on a paper terminal."""
BURST: Final = ("A002", "A003")
"""Accounts that pause and are released by turns: each time rows of the journal and an event."""
STORM: Final = tuple(f"A{number:03}" for number in range(4, 20))
"""Accounts that halt one after the other and are never flat; nobody acknowledges them."""
ACCOUNTS: Final = 2 + len(BURST) + len(STORM)
BURST_PERIOD_NS: Final = 3_000_000
BOOK: Final = 240
ORDER_MS: Final = 40
"""What an order takes: the book lasts longer than the measurement."""
STORM_PERIOD_NS: Final = 60_000_000
STORM_S: Final = 8.0
"""How long the storm may take to reach the first messenger."""
MARGIN_NS: Final = 15_000_000_000
"""By how much the load outlasts the measured ticks: it begins before them."""
SINKS: Final = 6
LEAST: Final[Mapping[str, float]] = {
    "orders closed by a flatten": 10.0,
    "flattens commanded anew": 1.0,
    "journal rows": 500.0,
    "status answers": 5.0,
    "notifications": 20.0,
}
"""A second, below which a run was not under the load that the bound speaks of."""
FILES: Final = {
    "flattens commanded anew": "flattens",
    "status answers": "answers_of_status",
    "notifications": "notified",
}
Counts = dict[str, float]


def under_load(bench: Bench) -> Iterator[Figure]:
    """Measure ticks to pauses beside flatten, journal burst, status client, notification storm."""
    messages = wire.pause_records(bench.sized(1600, 600))
    lasting_ns = messages[-1].due_ns + MARGIN_NS
    lost: list[int] = []
    done: list[tuple[list[float], Counts]] = []
    since_due: dict[str, list[float]] = {"loaded": [], "idle": []}

    def ping(where: str, place: Path, ends: tuple[str, str]) -> tuple[list[float], float]:
        late, others = wire.ping(place, ends, messages, lost)
        since_due[where] += late
        kept, _ = records.latencies_us(records.read(place / "answers"), since_sent=True)
        return kept, others

    def loaded() -> tuple[list[float], float]:
        with _under_load(bench, lasting_ns) as load:
            before = load.counts()
            measured = ping("loaded", load.place, load.guarded.ends)
            done.append((measured[0], _a_second(before, load.counts())))
        return measured

    def idle() -> tuple[list[float], float]:
        place = bench.fresh("l")
        with guarding.guard(place, guarding.Shape(accounts=ACCOUNTS)) as guarded:
            return ping("idle", place, guarded.ends)

    found = pairs.run_pairs(loaded, idle, bench.pairs)
    busy, free = sorted(found.pooled()), sorted(found.pooled_floor())
    low, high = found.spread(99.0)
    # A discarded run was short of processor time: what it did is not what was measured.
    kept = [one for run, one in done if any(run is other for other in found.candidates)]
    least = {what: min(one[what] for one in kept) for what in LEAST}
    yield Figure(
        group=GROUP,
        name="tick to pause under load / idle, p99",
        unit="x",
        value=found.ratio(99.0),
        summary=stats.summary(busy),
        curves=[Curve("under load", stats.ecdf(busy)), Curve("idle", stats.ecdf(free))],
        curves_unit="us",
        samples=len(busy),
        null=found.null(99.0),
        discarded=found.discarded,
        dirty=found.dirty,
        doubt=doubt(least),
        note=(
            f"p99 {stats.percentile(busy, 99):.0f} us loaded, {stats.percentile(free, 99):.0f} us "
            f"idle, since the pinger sent; pairs {low:.2f} to {high:.2f}; one messenger never "
            f"answers; {sum(lost)} answers lost"
        ),
    )
    yield _since_due(since_due["loaded"], since_due["idle"])
    for what, a_second in least.items():
        name = f"load: {what}"
        note = (
            f"least of {len(kept)} loaded runs; at least {LEAST[what]:g} or the row above is open"
        )
        yield Figure(group=GROUP, name=name, unit="/s", value=a_second, note=note)


def _since_due(loaded: list[float], idle: list[float]) -> Figure:
    """Return the same ratio counted from when each tick was due, the pinger's lateness included."""
    busy, free = (stats.percentile(sorted(some), 99) for some in (loaded, idle))
    return Figure(
        group=GROUP,
        name="the same, since it was due",
        unit="x",
        value=busy / free,
        note=(
            f"p99 {busy:.0f} us loaded, {free:.0f} us idle, all runs together: the load shares the "
            "pinger's core and makes the pinger itself late"
        ),
    )


def doubt(least: Mapping[str, float]) -> str:
    """Return why runs with so little a second say nothing of a loaded guard; empty if they do."""
    weak = [
        f"{what} must be >= {wanted:g}/s, were {least[what]:.3g}"
        for what, wanted in LEAST.items()
        if least[what] < wanted
    ]
    return "; ".join(weak)


@dataclass
class _Load:
    """A guard under load."""

    place: Path
    guarded: guarding.Guarded

    def counts(self) -> Counts:
        """Return what each part of the load has done so far, and when that was."""
        with PaperControl(str(self.guarded.paths.paper_socket(FLATTENED))) as control:
            closed = len(control.admin("audit"))
        rows = self.guarded.command("status")["guard"]["storage"]["journal_seq"]
        sizes = {what: float((self.place / name).stat().st_size) for what, name in FILES.items()}
        return {
            "orders closed by a flatten": closed,
            "journal rows": rows,
            **sizes,
            "": time.perf_counter(),
        }


@contextlib.contextmanager
def _under_load(bench: Bench, lasting_ns: int) -> Generator[_Load]:
    """Run a guard, its neighbours and the load for the length of the block."""
    place, port = bench.fresh("l"), guarding.free_port()
    shape = guarding.Shape(accounts=ACCOUNTS, sink_port=port, sinks=SINKS, paper=FLATTENED)
    records.write(place / "load", load_records(lasting_ns))
    (place / "notified").touch()
    with contextlib.ExitStack() as stack:
        guarded = stack.enter_context(guarding.guard(place, shape))
        ops = process.python("-m", "edgeguard", "--config", guarded.config, "ops")
        sink = process.python("-m", "benches.harness.sink", str(port), place / "notified")
        client = process.python("-m", "benches.harness.client", guarded.config)
        ends = (*guarded.ends, place / "load", place / "ignored", "100")
        publisher = [native.build("wire"), native.libzmq(), "ping", *ends]

        def start(command: process.Arguments, ready: str = "") -> None:
            command = process.yielding(command)
            log = None if ready else place / "load.log"
            running = process.running(command, core=process.PINGER, ready=ready, log=log)
            stack.enter_context(running)

        start(sink, "ready")
        start(ops)
        start(client, "ready")
        # Loaded only once everybody is there: ops tells what happens from its start on.
        api = load_config(guarded.config)[0].api.port
        process.await_true("ops", lambda: guarding.is_listening(api))
        start(publisher)
        told = place / "notified"
        # A storm that does not come is not waited for: the row says so.
        with contextlib.suppress(process.ChildError):
            process.await_true("a notification", lambda: told.stat().st_size > 0, STORM_S)
        _flatten(guarded)
        yield _Load(place, guarded)


def _flatten(guarded: guarding.Guarded) -> None:
    """Open a book that takes a while to close, and halt its account."""
    rule = {"name": "latency", "on": ["order_send"], "ms": ORDER_MS, "execute": True}
    names = guarding.symbol_names(guarding.Shape().symbols)
    book = [{"symbol": names[at % len(names)], "side": "buy", "lots": 0.01} for at in range(BOOK)]
    with PaperControl(str(guarded.paths.paper_socket(FLATTENED))) as control:
        control.admin("faults", plan={"rules": [rule]})
        control.admin("open_book", positions=book, orders=[])
        # Its last word would come when all is flat, and the measurement would begin then.
        guarded.command("halt", account=FLATTENED, timeout="0.1")
        process.await_true("the flatten's first order", lambda: bool(control.admin("audit")))


def load_records(lasting_ns: int) -> list[records.Record]:
    """Return the ticks that pause, release and halt the accounts beside the measured one."""
    made: list[records.Record] = []
    prices = (("1.38660", "1.38740"), ("1.38694", "1.38705"))
    for number, account in enumerate(BURST):
        dice, due = random.Random(number), 0.0
        for at in range(lasting_ns // BURST_PERIOD_NS):
            due += dice.expovariate(1.0) * BURST_PERIOD_NS
            made.append(wire.tick(int(due), account, *prices[at % 2], b""))
    for at, account in enumerate(STORM):
        made.append(wire.tick(at * STORM_PERIOD_NS, account, "1.34694", "1.34705", b""))
    return sorted(made, key=lambda one: one.due_ns)


def _a_second(before: Counts, after: Counts) -> Counts:
    seconds = after[""] - before[""]
    return {what: (after[what] - before[what]) / seconds for what in LEAST}


PARTS = (under_load,)
