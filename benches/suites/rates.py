"""How many ticks a second the guard takes without losing one, and how far it lags behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benches.harness import cpu, events, guarding, native, process, records, result, stats
from benches.harness.bench import Bench
from benches.harness.result import Figure
from benches.suites import wire
from edgeguard.codec.native import encode
from edgeguard.messages import Tick, TickBatch

GROUP = "rates"
SINGLES = (50_000, 100_000, 200_000, 300_000)
BATCHED = (1_000_000, 2_000_000, 4_000_000)
BATCH = 128
PROBE_NS = 10_000_000
SEQ_MARK = 0x0BADC0DE0BADC0DE
"""A sequence number that msgpack writes in eight bytes, to be found and replaced."""
TICKS = (("GBPUSD", 1.38690, 1.38703), ("AUDUSD", 1.38700, 1.38712), ("NZDUSD", 1.38695, 1.38706))


@dataclass
class Lag:
    """One rate: lags of the probes in us, from due to answered, and what was lost."""

    lags: list[float]
    floor: list[float]
    """Those of the native echo."""
    taken: list[float]
    """From due to taken by the guard; empty where its events do not match the probes."""
    lost: int
    lost_probes: int
    sent: int
    others: float
    cpu_us: float
    """Processor time of the guard per message."""


def singles(bench: Bench) -> Iterator[Figure]:
    """Measure messages of one tick at growing rates."""
    for rate in SINGLES if bench.is_full else (100_000, 300_000):
        found = flood(bench, rate, 1, bench.sized(4, 2))
        yield from _figures(f"{rate:,} single-tick messages/s", found)


def batches(bench: Bench) -> Iterator[Figure]:
    """Measure batches of 128 at growing rates."""
    for rate in BATCHED if bench.is_full else (BATCHED[-1],):
        found = flood(bench, rate, BATCH, bench.sized(4, 2))
        yield from _figures(f"{rate:,} ticks/s in batches of {BATCH}", found)


def flood(bench: Bench, rate: int, batch: int, seconds: int) -> Lag:
    """Send at a rate for so long; probes among the ticks pause and release, and tell the lag."""
    place = bench.fresh("r")
    count = records.write(place / "records", messages(rate // batch, batch, seconds))
    floor = _echo(bench, place / "records")
    with guarding.guard(place, guarding.Shape()) as guarded:
        before = guarded.frames()
        meter = cpu.CpuMeter()
        used = cpu.process_seconds(guarded.pid)
        with events.collected(guarded.ends[1]) as payloads:
            answers = _send(place / "records", guarded.ends)
        others = meter.others()
        taken = guarded.settled_frames() - before
        used = cpu.process_seconds(guarded.pid) - used
    lags, lost_probes = records.latencies_us(answers)
    (place / "records").unlink()
    if not lags:
        raise process.ChildError(f"probes among {count} messages must come back, none did")
    # The broker's own few messages are taken too: they could hide a loss of as many.
    lost = max(count - taken, 0)
    taken_at = events.taken_ns(payloads, "A")
    # Event for event only where none is missing on either side.
    is_whole = not lost_probes and len(taken_at) == len(answers)
    dues = [one.due for one in answers] if is_whole else []
    until_taken = [(at - due) / 1000 for at, due in zip(taken_at, dues, strict=is_whole)]
    return Lag(lags, floor, until_taken, lost, lost_probes, count, others, used * 1e6 / count)


def _echo(bench: Bench, messages: Path) -> list[float]:
    """Return the lags of the native echo under the same flood, us: it answers the probes only."""
    place = bench.fresh("e")
    ends = (f"ipc://{place}/f", f"ipc://{place}/h")
    command = [native.build("wire"), native.libzmq(), "echo", *ends, str(wire.EVENT_BYTES)]
    with process.running(command, core=process.SUBJECT, ready="ready"):
        return records.latencies_us(_send(messages, ends))[0]


def _send(messages: Path, ends: tuple[str, str]) -> list[records.Answer]:
    out = messages.with_name("answers")
    arguments = ["flood", *ends, messages, out, "500"]
    process.run([native.build("wire"), native.libzmq(), *arguments], core=process.PINGER)
    return records.read(out)


def messages(rate: int, batch: int, seconds: int) -> Iterator[records.Record]:
    """Return the flood, with a probe among it every 10 ms."""
    template, place = _template(batch)
    period = 1_000_000_000 / rate
    asked = wire.pause_records(seconds * 1_000_000_000 // PROBE_NS, PROBE_NS)
    # The native echo gets the same file, and says nothing.
    probes = (one._replace(says=b"") for one in asked)
    probe = next(probes, None)
    for number in range(rate * seconds):
        due = int(number * period)
        while probe is not None and probe.due_ns <= due:
            yield probe
            probe = next(probes, None)
        payload = template[:place] + (number + 1).to_bytes(8, "big") + template[place + 8 :]
        yield records.Record(due, b"tick", payload)


def _template(batch: int) -> tuple[bytes, int]:
    ticks = tuple(Tick(*TICKS[at % len(TICKS)]) for at in range(batch))
    payload = encode(TickBatch("A", "flood", 1, SEQ_MARK, wire.STAMP, ticks))
    return payload, payload.index(SEQ_MARK.to_bytes(8, "big"))


def _figures(name: str, found: Lag) -> Iterator[Figure]:
    note = f"{found.cpu_us:.2f} us of the guard's processor time per message; native echo "
    note += " / ".join(f"{stats.percentile(sorted(found.floor), of):,.0f}" for of in (50, 99))
    note += " us (p50 / p99)"
    if found.lost_probes:
        note += f"; {found.lost_probes} probes lost"
    dirty = int(found.others > cpu.DIRTY_ABOVE)
    lag = result.figure(
        GROUP, f"{name}: lag p50", "us", found.lags, note=note, dirty=dirty, is_upper=True
    )
    both = (("guard", found.lags), ("native echo", found.floor))
    curves = [result.Curve(label, stats.ecdf(samples)) for label, samples in both]
    yield msgspec.structs.replace(lag, curves=curves)
    name_taken, why = f"{name}: lag until taken, p50", "events do not match the probes one by one"
    if found.taken:
        note = "from when a tick was due to the guard's own stamp of taking it"
        yield result.figure(
            GROUP, name_taken, "us", found.taken, note=note, dirty=dirty, is_upper=True
        )
    else:
        yield result.unjudged(GROUP, name_taken, why)
    note = f"of {found.sent:,} sent, by the guard's own count of what it took"
    yield Figure(
        group=GROUP,
        name=f"{name}: lost",
        unit="messages",
        value=float(found.lost),
        dirty=dirty,
        is_upper=True,
        note=note,
    )


PARTS = (singles, batches)
