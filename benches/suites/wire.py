"""From a tick on the wire to the halt on the wire, beside a native echo on the same transport."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from benches.harness import cpu, guarding, native, pairs, process, records, stats
from benches.harness.bench import Bench
from benches.harness.result import Curve, Figure
from edgeguard.codec.native import encode
from edgeguard.messages import Tick, TickBatch
from edgeguard.transport.keys import new_pair

GROUP = "wire"
WARMUP_MS = 500
PERIOD_NS = 3_000_000
"""Mean distance of two ticks: far above a round trip, so that cores go idle as they would."""
FIRST_PERIOD_NS = 1_000_000
HALT_PERIOD_NS = 10_000_000
"""Mean distance of two halts, each of another account: no account is halted a second time, and what
follows a halt (both copies of the latch, which hold all accounts) is over before the next."""
EPOCH = 1
STAMP = 1 << 60
"""A wall clock that msgpack writes in eight bytes; the pinger puts the true one there."""
RATES = ((100, 400), (1_000, 2_000), (3_000, 4_000))
"""Decisions a second, and how many of them."""
CURVE = "tcp with CURVE"
EVENT_BYTES = 170
"""What a pause on the wire has; the echo answers with as many."""
ECHO_TOPIC = b"halt.A"
HALT, PAUSE, RELEASE = b"\xa4halt", b"\xa5pause", b"\xa7release"
"""What an event says that it is: without it an answer may be of another trigger than was meant."""


def ipc(bench: Bench) -> Iterator[Figure]:
    """Measure pauses (many samples) on unix sockets."""
    yield from compare(bench, "ipc", "pause", pause_records(bench.sized(2000, 400)))


def tcp(bench: Bench) -> Iterator[Figure]:
    """Measure the same on loopback."""
    yield from compare(bench, "tcp", "pause", pause_records(bench.sized(1400, 400)))


def curve(bench: Bench) -> Iterator[Figure]:
    """Measure the same with every frame encrypted, the echo's too."""
    yield from compare(bench, CURVE, "pause", pause_records(bench.sized(1000, 400)))


def halts(bench: Bench) -> Iterator[Figure]:
    """Measure halts, one for each account."""
    yield from compare(bench, "ipc", "halt", halt_records(bench.sized(64, 32)))


def halts_at_once(bench: Bench) -> Iterator[Figure]:
    """Measure one move of the market that halts every account: when is the last one told?"""
    accounts = bench.sized(64, 32)
    messages = halt_records(accounts)
    moved = messages[-1].due_ns + FIRST_PERIOD_NS
    messages = [one._replace(due_ns=moved) if one.match else one for one in messages]
    ours: list[list[float]] = []
    floors: list[list[float]] = []
    lost: list[int] = []
    dirt = 0.0
    for _ in range(bench.sized(3, 2)):
        floor, others = echo(bench, "ipc", messages, lost)
        floors.append(sorted(floor))
        dirt = max(dirt, others)
        place = bench.fresh("b")
        with guarding.guard(place, guarding.Shape(accounts=accounts)) as guarded:
            told, others = ping(place, guarded.ends, messages, lost)
        ours.append(sorted(told))
        dirt = max(dirt, others)
    last, first = [run[-1] for run in ours], [run[0] for run in ours]
    floor_us = stats.median(run[-1] for run in floors)
    yield Figure(
        group=GROUP,
        name=f"{accounts} accounts halt at once, ipc: the last event",
        unit="us",
        value=stats.median(last),
        samples=len(last),
        dirty=int(dirt > cpu.DIRTY_ABOVE),
        is_upper=True,
        note=f"median of {len(last)} guards, {min(last):.0f} to {max(last):.0f}; the first event "
        f"{stats.median(first):.0f} us; the echo's last {floor_us:.0f} us; {sum(lost)} lost",
    )


def at_rates(bench: Bench) -> Iterator[Figure]:
    """Measure pauses at growing rates of decisions."""
    for a_second, count in RATES:
        yield at_rate(bench, a_second, bench.sized(count, count // 4))


def at_rate(bench: Bench, a_second: int, count: int) -> Figure:
    """Measure one guard and one echo at a rate of ticks that all lead to an answer."""
    messages = pause_records(count, 1_000_000_000 // a_second)
    lost: list[int] = []
    floor, dirt_floor = echo(bench, "ipc", messages, lost)
    place = bench.fresh("q")
    with guarding.guard(place, guarding.Shape()) as guarded:
        ours, dirt = ping(place, guarded.ends, messages, lost)
    ours.sort()
    floor.sort()
    return Figure(
        group=GROUP,
        name=f"tick to pause, ipc, {a_second:,} decisions/s: guard p50",
        unit="us",
        value=stats.percentile(ours, 50),
        summary=stats.summary(ours),
        curves=[Curve("guard", stats.ecdf(ours)), Curve("native echo", stats.ecdf(floor))],
        samples=len(ours),
        dirty=int(max(dirt, dirt_floor) > cpu.DIRTY_ABOVE),
        note=f"echo {_us(floor, 50)} / {_us(floor, 99)} us; {sum(lost)} answers lost",
    )


def compare(
    bench: Bench, transport: str, what: str, messages: list[records.Record]
) -> Iterator[Figure]:
    """Measure a guard against the echo in pairs; yield the ratios of p50 and p99."""
    accounts = len({one.match for one in messages} - {b""})
    shape = guarding.Shape(
        accounts=accounts, is_tcp=transport != "ipc", has_keys=transport == CURVE
    )
    lost: list[int] = []

    def candidate() -> tuple[list[float], float]:
        place = bench.fresh("g")
        with guarding.guard(place, shape) as guarded:
            return ping(place, guarded.ends, messages, lost, guarded.env)

    def floor() -> tuple[list[float], float]:
        return echo(bench, transport, messages, lost)

    found = pairs.run_pairs(candidate, floor, bench.pairs)
    yield from _figures(found, transport, what, sum(lost))


def echo(
    bench: Bench, transport: str, messages: list[records.Record], lost: list[int]
) -> tuple[list[float], float]:
    """Measure the native echo once."""
    place = bench.fresh("e")
    ends = (f"ipc://{place}/f", f"ipc://{place}/h")
    if transport != "ipc":
        ends = (guarding.free_tcp(), guarding.free_tcp())
    arguments = [native.build("wire"), native.libzmq(), "echo", *ends, str(EVENT_BYTES)]
    # It answers whatever it hears, so it hears only what asks for an answer.
    plain = [one._replace(match=ECHO_TOPIC, says=b"") for one in messages if one.match]
    env, ours = echo_keys() if transport == CURVE else ({}, {})
    with process.running(arguments, core=process.SUBJECT, ready="ready", env=env):
        return ping(place, ends, plain, lost, ours)


def echo_keys() -> tuple[dict[str, str], dict[str, str]]:
    """Return the environments in which echo and pinger show their keys."""
    server, client = new_pair(), new_pair()
    return (
        {"WIRE_KEYS": f"{server.public} {server.secret}"},
        {"WIRE_KEYS": f"{client.public} {client.secret} {server.public}"},
    )


def ping(
    place: Path,
    ends: tuple[str, str],
    messages: list[records.Record],
    lost: list[int],
    env: dict[str, str] | None = None,
) -> tuple[list[float], float]:
    """Send the records from the pinger's core; return latencies in us and who else was busy."""
    out = place / "answers"
    records.write(place / "records", messages)
    meter = cpu.CpuMeter()
    arguments = ["ping", *ends, place / "records", out, str(WARMUP_MS)]
    process.run([native.build("wire"), native.libzmq(), *arguments], core=process.PINGER, env=env)
    others = meter.others()
    latencies, missing = records.latencies_us(records.read(out))
    lost.append(missing)
    if not latencies:
        raise process.ChildError("the pinger must get answers, got none")
    return latencies, others


def pause_records(count: int, period_ns: int = PERIOD_NS) -> list[records.Record]:
    """Return ticks that pause and release by turns: a wide spread, then a normal one."""
    arrivals = poisson(count, period_ns)
    return [
        tick(due, "A", bid, ask, b"halt.A")._replace(says=word)
        for due, (bid, ask, word) in zip(arrivals, _alternating(count), strict=True)
    ]


def halt_records(accounts: int) -> list[records.Record]:
    """Return one tick per account that loses 4 % of it, after one that loses 2 %.

    The first makes the account's stream of ticks known, as it is in any second but the first, and
    the second is no further away than a price may move without being suspect.
    """
    names = guarding.account_names(accounts)
    before = [
        tick(at * FIRST_PERIOD_NS, name, "1.36694", "1.36705", b"") for at, name in enumerate(names)
    ]
    begun = (accounts + 100) * FIRST_PERIOD_NS
    return before + [
        tick(begun + due, name, "1.34694", "1.34705", f"halt.{name}".encode())._replace(says=HALT)
        for due, name in zip(poisson(accounts, HALT_PERIOD_NS), names, strict=True)
    ]


def tick(due: int, account: str, bid: str, ask: str, match: bytes) -> records.Record:
    """Return a batch of one tick that the pinger stamps as it sends it."""
    batch = TickBatch(
        account, "market", EPOCH, None, STAMP, (Tick("EURUSD", float(bid), float(ask)),)
    )
    payload = encode(batch)
    place = payload.index(STAMP.to_bytes(8, "big"))
    return records.Record(due, b"probe", payload, match, place)


def poisson(count: int, period_ns: int = PERIOD_NS) -> list[int]:
    """Return seeded random arrivals with this mean distance."""
    dice = random.Random(count)
    due = 0.0
    arrivals: list[int] = []
    for _ in range(count):
        due += dice.expovariate(1.0) * period_ns
        arrivals.append(int(due))
    return arrivals


def _alternating(count: int) -> Iterator[tuple[str, str, bytes]]:
    for at in range(count):
        if at % 2 == 0:
            yield "1.38660", "1.38740", PAUSE
        else:
            yield "1.38694", "1.38705", RELEASE


def _figures(found: pairs.Pairs, transport: str, what: str, lost: int) -> Iterator[Figure]:
    ours, floor = sorted(found.pooled()), sorted(found.pooled_floor())
    summary = stats.summary(ours)
    curves = [Curve("guard", stats.ecdf(ours)), Curve("native echo", stats.ecdf(floor))]
    note = (
        f"guard {_us(ours, 50)} / {_us(ours, 99)} us, echo {_us(floor, 50)} / {_us(floor, 99)} us "
        f"(p50 / p99)"
    )
    if lost:
        note += f"; {lost} answers lost"
    for percent in (50.0, 99.0):
        low, high = found.spread(percent)
        yield Figure(
            group=GROUP,
            name=f"tick to {what}, {transport}: guard / native echo, p{percent:g}",
            unit="x",
            value=found.ratio(percent),
            summary=summary if percent == 50 else {},
            curves=curves if percent == 50 else [],
            curves_unit="us",
            samples=len(ours),
            null=found.null(percent),
            discarded=found.discarded,
            dirty=found.dirty,
            note=f"{note}; pairs {low:.2f} to {high:.2f}",
        )


def _us(ordered: list[float], percent: float) -> str:
    return f"{stats.percentile(ordered, percent):.0f}"


PARTS = (ipc, tcp, curve, halts, halts_at_once, at_rates)
