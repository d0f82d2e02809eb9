"""A guard's life besides its latency: start, idle, memory, a halt by hand, system calls, load."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

from benches.harness import cpu, guarding, native, process, records, result, stats
from benches.harness.bench import Bench
from benches.harness.result import Figure
from benches.suites import rates, wire
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths

GROUP = "life"
SYMBOLS = 1000
MIB = 1024.0
HOUR_TICKS = 3600 * 8 * 160
FLUSHES = "fsync,fdatasync,sync_file_range,msync,syncfs,sync"
ENTRY = re.compile(r"^(\d+)\s+(\d+\.\d+) (\w+)\(")


def start_up(bench: Bench) -> Figure:
    """Measure from the start of the process to an open gate, the broker being there already."""
    samples: list[float] = []
    for _ in range(bench.sized(10, 3)):
        begun = time.perf_counter()
        with guarding.guard(bench.fresh("s"), guarding.Shape()) as guarded:
            assert guarded.pid
            samples.append((time.perf_counter() - begun) * 1000)
    note = "with the start of the stand-in broker"
    return result.figure(GROUP, "start of the guard to open gate", "ms", samples, note=note)


def idle(bench: Bench) -> Figure:
    """Measure the processor time of a guard to which nothing happens."""
    seconds = bench.sized(20, 5)
    with guarding.guard(bench.fresh("i"), guarding.Shape()) as guarded:
        time.sleep(1)
        before = cpu.process_seconds(guarded.pid)
        time.sleep(seconds)
        used = cpu.process_seconds(guarded.pid) - before
    return Figure(
        group=GROUP,
        name="guard idle, share of a core",
        unit="%",
        value=100 * used / seconds,
        note=(
            f"over {seconds} s, heartbeats of 100 ms, duties of 50 ms; "
            f"{used / seconds * 3600:.0f} s of processor time in an hour"
        ),
    )


def memory(bench: Bench) -> Iterator[Figure]:
    """Measure a guard with 1,000 symbols, and what full baselines add to it."""
    with guarding.guard(bench.fresh("m"), guarding.Shape(symbols=SYMBOLS)) as guarded:
        guard_kib = _resident_kib(guarded.pid)
    command = process.python("-m", "benches.harness.footprint", str(SYMBOLS))
    bare, empty, full = map(int, process.run(command, core=process.SUBJECT).split())
    engine = (full - bare) / MIB
    yield Figure(
        group=GROUP,
        name="engine, 1,000 symbols, full baselines",
        unit="MiB",
        value=engine,
        note=f"{(empty - bare) / MIB:.0f} MiB of it before the first tick",
    )
    yield Figure(
        group=GROUP,
        name="guard, 1,000 symbols, full baselines",
        unit="MiB",
        value=(guard_kib + full - empty) / MIB,
        note=f"guard {guard_kib / MIB:.0f} MiB plus the baselines' {(full - empty) / MIB:.0f} MiB",
    )


def hour(bench: Bench) -> Figure:
    """Measure what a guard has grown by after an hour's worth of ticks, sent in seconds."""
    place = bench.fresh("o")
    rate, seconds = 1_000_000 // rates.BATCH, bench.sized(10, 5)
    ticks = rate * rates.BATCH * seconds
    records.write(place / "records", rates.messages(rate, rates.BATCH, seconds))
    with guarding.guard(place, guarding.Shape()) as guarded:
        before = _resident_kib(guarded.pid)
        arguments = ["flood", *guarded.ends, place / "records", place / "answers", "500"]
        process.run([native.build("wire"), native.libzmq(), *arguments], core=process.PINGER)
        taken = guarded.settled_frames()
        after = _resident_kib(guarded.pid)
    (place / "records").unlink()
    return Figure(
        group=GROUP,
        name="guard after an hour's worth of ticks",
        unit="MiB",
        value=after / MIB,
        note=(
            f"{(after - before) / MIB:.1f} MiB more than before; {taken} messages of 128 ticks, "
            f"{ticks / 1e6:.1f} million: {ticks / HOUR_TICKS:.2g} hours "
            "of 8 symbols at 160 ticks a second"
        ),
    )


def first_byte(bench: Bench) -> Iterator[Figure]:
    """Measure from the start of `edgeguard halt` to the first byte at the guard's socket."""
    samples: list[float] = []
    place = bench.fresh("b")
    config = guarding.write_config(place, guarding.Shape())
    loaded, _ = load_config(config)
    paths = Paths(loaded).create()
    bare = [_bare_start() for _ in range(10)]
    with zmq.Context() as context, context.socket(zmq.ROUTER) as control:
        control.setsockopt(zmq.LINGER, 0)
        control.bind(paths.control)
        for _ in range(bench.sized(20, 4)):
            begun = time.perf_counter()
            command = process.python("-m", "edgeguard", "--config", config, "halt", "--reason", "x")
            with process.running([*command, "--timeout", "0.1"], core=process.SUBJECT):
                assert control.poll(10_000)
                samples.append((time.perf_counter() - begun) * 1000)
                control.recv_multipart()
    floor = stats.median(bare)
    net = [one - floor for one in samples]
    yield result.figure(
        GROUP,
        "edgeguard halt: imports to first byte",
        "ms",
        net,
        note=f"less {floor:.0f} ms of a bare interpreter; {stats.median(samples):.0f} ms in all",
    )


def first_word(bench: Bench) -> Iterator[Figure]:
    """Measure from the start of each halting command to the guard's first word on its terminal."""
    commands = {
        "edgeguard halt": ("edgeguard", "halt"),
        "emergency_shutdown": ("execution.emergency_shutdown", "--all"),
        "kill_switch": ("execution.mt5.kill_switch", "--activate"),
    }
    for name, words in commands.items():
        samples: list[float] = []
        bare: list[float] = []
        with guarding.guard(bench.fresh("w"), guarding.Shape()) as guarded:
            where = ("--config", guarded.config, "--reason", "x", "--timeout", "0.1")
            for _ in range(bench.sized(20, 4)):
                bare.append(_bare_start())
                begun = time.perf_counter()
                with subprocess.Popen(  # noqa: S603  # our own command
                    [str(word) for word in process.python("-m", *words, *where)],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                ) as running:
                    assert running.stdout is not None
                    assert b"accepted" in running.stdout.readline()
                    samples.append((time.perf_counter() - begun) * 1000)
                    running.communicate()
        note = f"{stats.median(bare):.0f} ms of it a bare interpreter, measured in turn"
        title = f"{name}: start to first confirmation"
        yield result.figure(GROUP, title, "ms", samples, note=note)


def by_hand(bench: Bench) -> Figure:
    """Measure from the start of `edgeguard halt` to a closed page."""
    samples: list[float] = []
    for _ in range(bench.sized(7, 2)):
        with guarding.guard(bench.fresh("h"), guarding.Shape()) as guarded:
            command = process.python("-m", "edgeguard", "--config", guarded.config)
            begun = time.perf_counter()
            with process.running([*command, "halt", "--reason", "x", "--timeout", "0.5"]):
                while guarding.is_open(guarded.paths, guarding.Shape()):
                    time.sleep(0.001)
                samples.append((time.perf_counter() - begun) * 1000)
    name = "edgeguard halt: command to closed gate"
    return result.figure(GROUP, name, "ms", samples, note="with the start of the interpreter")


def flushes(bench: Bench) -> Figure:
    """Count flushes to disk on the guard's loop between ticks and the halts they cause."""
    name = "fsyncs of the loop between tick and halt"
    strace = shutil.which("strace")
    if strace is None:
        return result.unjudged(GROUP, name, "strace is not installed (Debian: strace)")
    place = bench.fresh("f")
    messages = wire.halt_records(16)
    with guarding.guard(place, guarding.Shape(accounts=16)) as guarded:
        trace = [strace, "-f", "-ttt", "-e", f"trace={FLUSHES}", "-o", place / "trace"]
        with process.running([*trace, "-p", str(guarded.pid)]):
            time.sleep(1)
            offset = time.clock_gettime(time.CLOCK_REALTIME) - time.perf_counter()
            lost: list[int] = []
            wire.ping(place, guarded.ends, messages, lost)
            time.sleep(0.5)
    windows = [
        (one.sent / 1e9 + offset, one.received / 1e9 + offset)
        for one in records.read(place / "answers")
        if one.received
    ]
    calls = [found.groups() for line in _lines(place / "trace") if (found := ENTRY.match(line))]
    on_loop = [float(at) for pid, at, _ in calls if int(pid) == guarded.pid]
    inside = sum(begin <= at <= end for at in on_loop for begin, end in windows)
    return Figure(
        group=GROUP,
        name=name,
        unit="calls",
        value=float(inside),
        samples=len(windows),
        note=(
            f"{len(windows)} halts; the whole trace has {len(on_loop)} flushes on the loop and "
            f"{len(calls) - len(on_loop)} on the writers' threads"
        ),
    )


def demo(bench: Bench) -> Iterator[Figure]:
    """Take the demo's own stages: from the tick that breaks the limit to verified flat."""
    stages: dict[str, list[float]] = {}
    for seed in range(1, bench.sized(4, 2)):
        command = process.python("-m", "edgeguard", "demo", "--json", "--seed", str(seed))
        lines = [json.loads(line) for line in process.run(command).splitlines()]
        times = {line["stage"]: line["t_ns"] for line in lines if "stage" in line}
        first = next(line["t_ns"] for line in lines if line.get("action") == "halt")
        for name in ("first_order", "flat"):
            stages.setdefault(name, []).append((times[name] - first) / 1e6)
    for name, samples in stages.items():
        what = {"first_order": "first order", "flat": "verified flat"}[name]
        yield result.figure(GROUP, f"demo: decision to {what}", "ms", samples)


def _bare_start() -> float:
    begun = time.perf_counter()
    process.run(process.python("-c", "pass"), core=process.SUBJECT)
    return (time.perf_counter() - begun) * 1000


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


PARTS = (start_up, idle, memory, hour, first_byte, first_word, by_hand, flushes, demo)
