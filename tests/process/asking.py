"""Engines that ask their gate all the time, and when they were let in against a rule."""

from __future__ import annotations

import threading

from edgeguard.gate import Gate
from tests.process.guard_rig import CLOCK

PAUSE_S = 0.001


class Asker:
    """Asks one gate in a thread of its own; counts permits given when none may be."""

    def __init__(self, gate: Gate, name: str) -> None:
        self.name = name
        self.scene = ""
        """What is going on, for the account of a fault."""
        self._gate = gate
        self._forbidden: dict[str, int] = {}
        self._stop = threading.Event()
        self.faults: dict[str, int] = {}
        """Permits against a rule, by the gate's name, the rule and the scene."""
        self.checks = 0
        self.permits = 0
        self.last_permit_ns = 0
        """When the last check that was let through began, ns of CLOCK_BOOTTIME."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def forbid(self, rule: str, from_ns: int) -> None:
        """Make every permit a fault whose check begins at `from_ns` or later."""
        self._forbidden = {
            **self._forbidden,
            rule: min(from_ns, self._forbidden.get(rule, from_ns)),
        }

    def allow(self, rule: str) -> None:
        """End a rule: what opens the gate is about to be asked for."""
        self._forbidden = {name: ns for name, ns in self._forbidden.items() if name != rule}

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._gate.close()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            begun_ns = CLOCK.boot_ns()
            before = self._forbidden
            is_open = bool(self._gate.check())
            after = self._forbidden
            self.checks += 1
            if not is_open:
                continue
            self.permits += 1
            self.last_permit_ns = begun_ns
            for rule, from_ns in before.items():
                # A rule that ended during the check may be what let it through.
                if begun_ns >= from_ns and after.get(rule) == from_ns:
                    fault = f"{self.name}: {rule}: {self.scene}"
                    self.faults[fault] = self.faults.get(fault, 0) + 1
