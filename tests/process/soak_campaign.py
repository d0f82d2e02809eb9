"""A soak: ticks without end, and each time that a gate closed without a reason is explained or not.

    make soak MINUTES=30

A guard with the shipped engine takes 20,000 ticks a second while one engine asks on the page and
one on the wire. Nothing goes wrong on purpose, so every refusal after the first permit is a false
close. `stall_watch`, which shares nothing with the guard but the machine, says when a process
waited for a core or for the disk; a close is explained if one of them waited for most of the lease
before it. The table says at how many of all moments a close would have been explained: where that
is much, the explanation is worth little.
"""

from __future__ import annotations

import argparse
import bisect
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import msgspec

from edgeguard.clock import NS_PER_MS, NS_PER_S
from tests.process.gate_log import Span
from tests.process.guard_rig import CLOCK, ROOT, World, make_config, until
from tests.process.stall_watch import Stall
from tests.process.stop_campaign import LEASE_NS, Engine

BEFORE_NS = LEASE_NS * 5 // 4
"""How far before a close a stall may be to explain it: a lease, and a little for who asks."""
ENOUGH_NS = LEASE_NS * 3 // 5
"""How much of that time one process must have waited."""
LISTEN_S = 2.0


class Close(msgspec.Struct):
    """A time in which an engine was not let in."""

    engine: str
    codes: list[str]
    from_ns: int
    to_ns: int
    why: str = ""


class Child:
    """A process that ends with its standard input and whose lines are kept."""

    def __init__(self, module: str, *args: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-m", f"tests.process.{module}", *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def end(self) -> list[str]:
        """Close its standard input, wait for its end and return its lines."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join()
        self._process.wait()
        return self.lines

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(line for line in self._process.stdout)
        self._process.stdout.close()


class Soak:
    """One world under load, and everybody who watches it."""

    def __init__(self, state_dir: Path, rate: int, size: int) -> None:
        self._rate, self._size = rate, size
        self.world = World(make_config(state_dir, feed=True), "real")
        self.engines: list[Engine] = []
        self.closes: list[Close] = []
        self.spans: dict[str, list[Span]] = {}
        self._begun_ns = 0
        self.answers_ns = 0
        self.sent: dict[str, int] = {}
        self.stalls: list[Stall] = []
        self.loop: dict[str, Any] = {}
        self.frames = 0

    def run(self, seconds: float) -> None:
        """Soak for so long."""
        world = self.world
        world.start()
        source = Child("tick_source", world.paths.feeds_bind, str(self._rate), str(self._size))
        watch: Child | None = None
        try:
            world.until_open()
            self.engines = [Engine(kind, world) for kind in ("page", "wire")]
            until(lambda: all(engine.is_open() for engine in self.engines))
            assert world.guard.process is not None
            pids = [world.guard.process.pid, *(engine.pid for engine in self.engines)]
            watch = Child("stall_watch", str(world.paths.state_dir), *map(str, pids))
            for engine in self.engines:
                engine.spans = []
            begun_ns = CLOCK.boot_ns()
            self._look_until(begun_ns + int(seconds * NS_PER_S))
            self.answers_ns = CLOCK.boot_ns() - begun_ns
            self._begun_ns = begun_ns
        finally:
            self.sent = msgspec.json.decode("".join(source.end()) or "{}")
            if watch is not None:
                stalls = [msgspec.json.decode(line, type=Stall) for line in watch.end()]
                self.stalls = sorted(stalls, key=lambda stall: stall.to_ns)
            for engine in self.engines:
                self._find_closes(engine)
                engine.close()
            world.close()
        for close in self.closes:
            close.why = self._explain(close.from_ns)

    def _look_until(self, end_ns: int) -> None:
        """Listen to the engines and ask the guard for its figures now and then."""
        pause = threading.Event()
        while CLOCK.boot_ns() < end_ns:
            pause.wait(LISTEN_S)
            for engine in self.engines:
                engine.listen()
                engine.spans = _joined(engine.spans)
            guard = self.world.status()["guard"]
            self.loop, self.frames = guard["loop"], guard["frames"]

    def _find_closes(self, engine: Engine) -> None:
        close: Close | None = None
        for span in engine.spans:
            if span.code == "OPEN":
                close = None
            elif close is None:
                close = Close(engine.kind, [span.code], span.first_ns, span.last_ns)
                self.closes.append(close)
            else:
                close.codes.append(span.code)
                close.to_ns = span.last_ns

    def _explain(self, at_ns: int) -> str:
        """Return which stall explains a close at a time, empty for none."""
        from_ns = at_ns - BEFORE_NS
        sums: dict[str, int] = {}
        first = bisect.bisect_left(self.stalls, from_ns, key=lambda stall: stall.to_ns)
        for stall in self.stalls[first:]:
            if stall.from_ns >= at_ns + LEASE_NS:
                break
            if stall.from_ns < at_ns:
                name = f"{stall.kind} {stall.who or ''}".strip()
                sums[name] = sums.get(name, 0) + stall.ns
        return ", ".join(
            f"{name} {ns // NS_PER_MS} ms" for name, ns in sorted(sums.items()) if ns >= ENOUGH_NS
        )

    @property
    def explicable(self) -> float:
        """The share of all moments at which a close would have been explained."""
        moments = range(self._begun_ns, self._begun_ns + self.answers_ns, NS_PER_S // 4)
        return sum(bool(self._explain(at_ns)) for at_ns in moments) / max(1, len(moments))

    @property
    def unexplained(self) -> list[Close]:
        """Closes that no stall explains."""
        return [close for close in self.closes if not close.why]

    def report(self) -> str:
        """Return the table."""
        seconds = self.answers_ns / NS_PER_S
        worst: dict[str, int] = {}
        for stall in self.stalls:
            worst[stall.kind] = max(worst.get(stall.kind, 0), stall.ns // NS_PER_MS)
        longest = max((close.to_ns - close.from_ns for close in self.closes), default=0)
        figures: dict[str, object] = {
            "time, s": f"{seconds:.0f}",
            "ticks a second wanted, sent": f"{self._rate}, {self.sent.get('per_s')}",
            "ticks, messages sent": f"{self.sent.get('ticks')}, {self.sent.get('messages')}",
            "source behind at worst, ms": self.sent.get("behind_ms"),
            "messages that the guard took": self.frames,
            "false closes": len(self.closes),
            "of them not explained by a stall": len(self.unexplained),
            "moments at which one would be, %": f"{100 * self.explicable:.2f}",
            "longest close, ms": longest // NS_PER_MS,
            "rescues": self.loop.get("rescues"),
            "longest gap of the guard's loop, ms": self.loop.get("gap_max_ms"),
            "heartbeats sent, withheld": f"{self.loop.get('beats')}, {self.loop['beats_withheld']}",
            "times the guard was away": self.loop.get("away"),
            "stalls seen by the watch": len(self.stalls),
            "longest stall, ms, by kind": worst,
        }
        lines = [f"{name:<42} {value}" for name, value in figures.items()]
        lines += [
            f"  {close.engine} {'>'.join(close.codes)} for"
            f" {(close.to_ns - close.from_ns) // NS_PER_MS} ms: {close.why or 'NOT EXPLAINED'}"
            for close in self.closes
        ]
        return "\n".join(lines)


def _joined(spans: list[Span]) -> list[Span]:
    """Return spans with equal neighbours made one: a soak has many."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].code == span.code:
            joined[-1].last_ns = span.last_ns
        else:
            joined.append(span)
    return joined


def main() -> int:
    parser = argparse.ArgumentParser(description="ticks without end, and no false close")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--ticks", type=int, default=20_000, help="ticks a second")
    parser.add_argument("--batch", type=int, default=10, help="ticks in a message")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeguard-soak-") as place:
        soak = Soak(Path(place), options.ticks, options.batch)
        soak.run(options.minutes * 60)
    sys.stdout.write(soak.report() + "\n")
    return 1 if soak.unexplained or soak.loop.get("rescues") else 0


if __name__ == "__main__":
    sys.exit(main())
