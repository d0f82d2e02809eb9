"""The cost of a tick in one process: criterion for the core, pytest-benchmark through Python."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benches.harness import process, stats
from benches.harness.bench import Bench
from benches.harness.native import MissingError
from benches.harness.result import Curve, Figure

GROUP: Final = "core"
BATCH: Final = 128
BUILD_S: Final = 1200.0
TARGET: Final = Path(os.environ.get("CARGO_TARGET_DIR", process.ROOT / "target"))


@dataclass
class Rust:
    """What criterion measured: nanoseconds per tick of each sample, by group and name."""

    target: Path

    def samples(self, group: str, name: str, ticks: int = BATCH) -> list[float]:
        """Return the samples of one benchmark."""
        path = self.target / "criterion" / group / name / "new" / "sample.json"
        found = json.loads(path.read_text())
        pairs = zip(found["iters"], found["times"], strict=True)
        return [elapsed / iterations / ticks for iterations, elapsed in pairs]

    def typical(self, group: str, name: str, ticks: int = BATCH) -> float:
        """Return what the code costs when nobody else is in the caches."""
        return fast(self.samples(group, name, ticks))


def fast(samples: list[float]) -> float:
    """Return the fastest sample, of which ratios are taken: each is of thousands of ticks."""
    return min(samples)


def rust_core(bench: Bench) -> Iterator[Figure]:
    """Measure the core in Rust."""
    rust = criterion(bench, "step")
    bare = rust.typical("bare", "ewma")
    frame = rust.typical("typical", "frame")
    wired = rust.typical("bare", "frames")
    yield _of(rust, "bare loop with EWMA, quotes decoded before", "bare", "ewma")
    yield _of(rust, "bare loop with EWMA, from the same frames", "bare", "frames")
    yield _of(rust, "decode of a tick, frames of 128", "typical", "decode")
    note = "64 positions, 8 symbols, decoding included"
    yield _of(rust, "core step, all triggers", "typical", "frame", note=note)
    note = f"fastest samples {frame:.1f} and {bare:.1f} ns; only the core decodes"
    yield _value("core step with decoding / bare loop without", "x", frame / bare, note)
    note = f"fastest samples {frame:.1f} and {wired:.1f} ns; both decode"
    yield _value("core step / bare loop, both from frames", "x", frame / wired, note)
    yield _of(rust, "one tick per frame", "typical", "single", ticks=1)
    yield _of(
        rust,
        "one tick per frame, cold",
        "typical",
        "cold",
        ticks=1,
        note="caches walked over before",
    )
    for name in ("loss only", "spread only", "input checks only"):
        yield _of(rust, f"frame of 128, {name}", "trigger", name)
        yield _of(rust, f"one tick per frame, cold, {name}", "cold", name, ticks=1)
    for group, sizes in (("positions", (1, 64, 1000, 10_000)), ("symbols", (1, 8, 100, 1000))):
        found = [rust.typical(group, str(size)) for size in sizes]
        for size, value in zip(sizes, found, strict=True):
            yield _value(f"frame of 128, {size:,} {group}", "ns/tick", value)
        yield Figure(
            group=GROUP,
            name=f"growth from {sizes[0]} to {sizes[-1]:,} {group}",
            unit="x",
            value=found[-1] / found[0],
            curves=[
                Curve(f"{size:,} {group}", stats.ecdf(rust.samples(group, str(size))))
                for size in sizes
            ],
            curves_unit="ns/tick",
        )


def rust_gate(bench: Bench) -> Iterator[Figure]:
    """Measure a gate's check from Rust."""
    rust = criterion(bench, "gate")
    names = {
        "gate check from Rust": "check",
        "gate check from Rust, two scopes": "check_scopes",
        "gate check from Rust, exact clock each time": "check_exact",
        "reading the exact clock": "clock_exact",
    }
    for name, benched in names.items():
        yield _samples(name, "ns", rust.samples("gate", benched, 1), "")


def criterion(bench: Bench, suite: str) -> Rust:
    """Run a suite of criterion's on the subject's core.

    Raises:
        MissingError: there is no Rust toolchain.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        raise MissingError("cargo is not installed")
    base = [cargo, "bench", "--locked", "--quiet", "-p", "edgeguard-core", "--bench", suite]
    process.run([*base, "--no-run"], timeout_s=BUILD_S)
    seconds = bench.sized(1, 0.3)
    run_time = ["--measurement-time", str(seconds), "--warm-up-time", str(seconds)]
    process.run([*base, "--", *run_time], core=process.SUBJECT, timeout_s=BUILD_S)
    return Rust(TARGET)


def through_python(bench: Bench) -> Iterator[Figure]:
    """Measure the boundary, the gate and the plain Python guard."""
    if bench.value(GROUP, "core step, all triggers") is None:
        raise MissingError("the core in Rust was not measured in this run")
    rust = Rust(TARGET)
    frame, single = rust.typical("typical", "frame"), rust.typical("typical", "single", 1)
    found = pytest_benchmark(bench)
    plain, batch = (fast(found[f"test_{name}"]) for name in ("plain_python", "batch_of_128"))
    yield _python(found, "test_batch_of_128", "through Python, frames of 128", "ns/tick")
    yield _value("through Python / core, frames of 128", "x", batch / frame)
    yield from per_frame(found, frame, single)
    yield _python(found, "test_batch_with_1000_symbols", "through Python, 1,000 symbols", "ns/tick")
    yield _python(found, "test_advance_with_nothing_due", "advance, nothing due", "ns")
    name, note = "error_rate alone: an error, through Python", "five within the window"
    yield _python(found, "test_error", name, "ns", note)
    name = "connection_lost alone: a heartbeat, through Python"
    yield _python(found, "test_heartbeat", name, "ns")
    yield _python(found, "test_msgspec_decode_of_one_tick", "msgspec decode of a tick", "ns")
    yield _python(found, "test_python_peek_of_one_tick", "peek at a head in Python", "ns")
    yield _python(found, "test_plain_python", "plain Python guard", "ns/tick")
    yield _value("plain Python guard / EdgeGuard in batches", "x", plain / batch)
    loop = stats.median(found["test_empty_loop"])
    note = f"an empty call in the same loop takes {loop:.0f} ns of it"
    yield _python(found, "test_check", "gate check from Python, no arguments", "ns", note)
    name = "gate check from Python, scope and permit"
    yield _python(found, "test_check_with_scope_and_permit", name, "ns", note)
    yield _python(found, "test_extension_alone", "gate check, the extension's reader alone", "ns")
    yield _python(found, "test_without_the_extension", "gate check without the extension", "ns")


def per_frame(found: dict[str, list[float]], frame: float, single: float) -> Iterator[Figure]:
    """Judge frames of one tick: a call for each, and chunks as the guard takes them."""
    alone, taken, empty, null, loop = (
        fast(found[f"test_{name}"])
        for name in (
            "one_tick_per_frame",
            "frames_as_the_guard_takes_them",
            "call_that_takes_nothing",
            "c_function_of_one_argument",
            "loop_around_a_call",
        )
    )
    yield _python(found, "test_one_tick_per_frame", "through Python, one tick per frame", "ns/tick")
    note = (
        f"in the same loop: our call without a frame {empty:.0f} ns, C's len() of the same bytes "
        f"{null:.0f} ns ({null / frame:.1f} x), no call at all {loop:.0f} ns"
    )
    name = "through Python, one tick per frame / core in batches"
    yield _value(name, "x", alone / frame, note)
    yield _value("... / core, one tick per frame too", "x", alone / single)
    test, note = "test_frames_as_the_guard_takes_them", "64 frames a call"
    name = "through Python, single-tick frames as the guard takes them"
    yield _python(found, test, name, "ns/tick", note)
    name = "single-tick frames as the guard takes them / core in batches"
    yield _value(name, "x", taken / frame, note)


def pytest_benchmark(bench: Bench) -> dict[str, list[float]]:
    """Run the suites of `benches/inprocess` and return nanoseconds per call by test."""
    out = bench.fresh("p") / "figures.json"
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "300"]
    suites = process.ROOT / "benches" / "inprocess"
    command = process.python(*arguments, f"--benchmark-json={out}", suites)
    process.run(command, core=process.SUBJECT)
    rows = json.loads(out.read_text())["benchmarks"]
    return {
        row["name"]: [one * 1e9 / row["extra_info"]["times"] for one in row["stats"]["data"]]
        for row in rows
    }


def _of(  # noqa: PLR0913  # a figure's parts, by name
    rust: Rust,
    name: str,
    group: str,
    bench_name: str,
    *,
    ticks: int = BATCH,
    note: str = "",
) -> Figure:
    samples = rust.samples(group, bench_name, ticks)
    return _samples(name, "ns/tick", samples, note)


def _python(
    found: dict[str, list[float]],
    test: str,
    name: str,
    unit: str,
    note: str = "",
) -> Figure:
    return _samples(name, unit, found[test], note)


def _samples(name: str, unit: str, samples: list[float], note: str) -> Figure:
    # Single rounds of a hot loop: their median is the figure, their spread is the machine's.
    return Figure(
        group=GROUP,
        name=name,
        unit=unit,
        value=stats.median(samples),
        curves=[Curve(name, stats.ecdf(samples))],
        samples=len(samples),
        note=note,
    )


def _value(name: str, unit: str, value: float, note: str = "") -> Figure:
    return Figure(group=GROUP, name=name, unit=unit, value=value, note=note)


PARTS = (rust_core, rust_gate, through_python)
