"""The demo's pretend execution engine: what a user's engine does, in a process of its own.

It asks `edgeguard.Gate` before each entry, reports through `edgeguard.Reporter`, hears the halts on
the PUB socket, and trades on the same terminal as the broker does. Orders on stdin: ``open``,
``errors N``, ``stop``.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Final

import msgspec
import zmq

from edgeguard.clock import NS_PER_MS, NS_PER_S, SystemClock
from edgeguard.codec.native import decode
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.demo.book import Book
from edgeguard.demo.messages import Orders, say
from edgeguard.demo.trader import Trader
from edgeguard.errors import EdgeGuardError
from edgeguard.gate import Gate, Refusal
from edgeguard.messages import HaltEvent
from edgeguard.reporter import Reporter
from edgeguard.transport import Socket, make_context, subscriber

LISTEN_MS: Final = 2
"""How long one turn listens for halts: the resolution of the gate's refusal, milliseconds."""
BEATS_S: Final = 0.5
ENTRY_NS: Final = 3 * NS_PER_S
"""The engine wants a new entry so often."""
ENTRIES_MAX: Final = 3
"""Entries after the book, so that it does not grow without end."""
LOG: Final = logging.getLogger("pretend-engine")


class Progress:
    """Whether the engine's loop has turned lately: what its heartbeat stands for."""

    def __init__(self, clock: SystemClock) -> None:
        """Take the machine's clock; this very moment counts as a turn."""
        self.clock = clock
        self._last_ns = clock.boot_ns()

    def mark(self) -> None:
        """Note a turn."""
        self._last_ns = self.clock.boot_ns()

    def is_fresh(self) -> bool:
        """Return whether the last turn is younger than a second."""
        return self.clock.boot_ns() - self._last_ns < 1000 * NS_PER_MS


class Engine:
    """One pretend engine."""

    def __init__(self, gate: Gate, halts: Socket, trader: Trader, progress: Progress) -> None:
        """Take everything that it talks to."""
        self._gate = gate
        self._halts = halts
        self._trader = trader
        self._progress = progress
        self._clock = progress.clock
        self._is_open = False
        self._last_code = ""
        self._entry_due_ns = 0
        self._entries = 0

    def run(self, orders: Orders, book: Book) -> None:
        """Trade until told to stop."""
        while True:
            order = orders.next(0)
            if order == "stop":
                return
            if order is not None:
                self._obey(order, book)
            self._listen()
            self._want_entry()
            self._progress.mark()

    def _obey(self, order: str, book: Book) -> None:
        verb, _, argument = order.partition(" ")
        if verb == "open":
            self._open(book)
        elif verb == "errors":
            say(stage="errors", t_ns=self._clock.wall_ns(), count=int(argument))
            for number in range(int(argument)):
                LOG.error("order %d rejected: 10006", number, extra={"error_class": "reject"})

    def _open(self, book: Book) -> None:
        """Open the book, asking the gate before each order as every entry must."""
        for entry in book.entries:
            self._await_permit(entry.symbol)
            self._trader.open(entry)
        for pending in book.pendings:
            self._await_permit(pending.symbol)
            self._trader.place(pending)
        positions, pendings = self._trader.counts()
        self._is_open = True
        self._entry_due_ns = self._clock.boot_ns() + ENTRY_NS
        say(
            stage="book",
            t_ns=self._clock.wall_ns(),
            positions=positions,
            orders=pendings,
            rows=self._trader.rows(),
        )

    def _await_permit(self, symbol: str) -> None:
        """Wait until the gate permits an entry; the demo's own deadline ends a wait in vain."""
        while not self._gate.check(symbol):
            self._listen()
            self._progress.mark()

    def _listen(self) -> None:
        """Take halt events, stamping each as it arrives."""
        if not self._halts.poll(LISTEN_MS):
            return
        frames = self._halts.recv_multipart(zmq.DONTWAIT)
        t_ns = self._clock.wall_ns()
        event = decode(frames[-1])
        if isinstance(event, HaltEvent):
            say(
                stage="event",
                t_ns=t_ns,
                action=event.action,
                trigger=event.trigger,
                code=event.code,
                sent_ns=event.t_ns,
                value=event.value,
                threshold=event.threshold,
                reference=event.reference,
                symbol=event.symbol,
            )

    def _want_entry(self) -> None:
        """Ask the gate; tell each change of its answer, and enter where it permits."""
        if not self._is_open:
            return
        answer = self._gate.check()
        t_ns = self._clock.wall_ns()
        code = answer.code if isinstance(answer, Refusal) else ""
        if code != self._last_code:
            self._last_code = code
            if isinstance(answer, Refusal):
                say(stage="gate_refused", t_ns=t_ns, code=code, why=answer.why)
            else:
                say(stage="gate_open", t_ns=t_ns)
            if code == "PAUSED":
                self._exit()
        is_due = self._clock.boot_ns() >= self._entry_due_ns and self._entries < ENTRIES_MAX
        if not code and is_due:
            self._entries += 1
            self._entry_due_ns = self._clock.boot_ns() + ENTRY_NS
            self._trader.enter_small()

    def _exit(self) -> None:
        """Close a little of our own while new entries are refused: a pause lets exits through."""
        done = self._trader.exit_small()
        positions, orders = self._trader.counts()
        say(
            stage="exit",
            t_ns=self._clock.wall_ns(),
            done=done,
            positions=positions,
            orders=orders,
        )


def main() -> int:
    """Run the engine; return its exit code."""
    parser = argparse.ArgumentParser(prog="edgeguard.demo.engine_process")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--book", type=Path, required=True)
    given = parser.parse_args()
    try:
        _run(given.config, given.state_dir, given.book)
    except EdgeGuardError as e:
        sys.stderr.write(f"{e}\n")
        return e.exit_code
    return 0


def _run(config_path: Path, state_dir: Path, book_file: Path) -> None:
    config, _ = load_config(config_path)
    paths = Paths(config, state_dir)
    account = config.account[0]
    clock = SystemClock()
    book = msgspec.json.decode(book_file.read_bytes(), type=Book)
    context = make_context()
    halts = subscriber(
        context, paths.halts_pub, bind=False, topics=(f"halt.{account.id}".encode(),)
    )
    with Gate(paths.run_dir, account.id) as gate, Reporter(paths.run_dir, account.id) as reporter:
        reporter.wait_ready(10.0)
        LOG.addHandler(reporter.handler())
        LOG.propagate = False
        progress = Progress(clock)
        reporter.start_beats(BEATS_S, progress.is_fresh)
        trader = Trader(str(paths.paper_socket(account.id)))
        say(stage="ready", t_ns=clock.wall_ns())
        Engine(gate, halts, trader, progress).run(Orders(), book)
    halts.close(linger=0)
    context.term()


if __name__ == "__main__":
    sys.exit(main())
