"""Learned spreads over a restart: saved one symbol at a time, so that nothing waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgeguard.clock import Clock
from edgeguard.config.model import Config
from edgeguard.errors import EdgeGuardError
from edgeguard.guard.engine_port import EnginePort
from edgeguard.guard.storage import Storage

ROUND_NS: Final = 60_000_000_000
"""No symbol is saved twice within it. With more symbols than seconds a round takes longer."""
AT_END_MAX: Final = 64
"""Symbols that are saved at a clean end: each takes about a millisecond."""


def pairs_of(config: Config) -> list[tuple[str, str]]:
    """Return account and symbol of each baseline; symbols that no file names learn anew."""
    return [(account.id, symbol.name) for account in config.account for symbol in config.symbol]


def load(engine: EnginePort, storage: Storage, clock: Clock, config: Config) -> None:
    """Give the engine its samples back; what it cannot take makes storage untrusted.

    Args:
        engine: the engine, before its first event.
        storage: before its start.
        clock: tells which samples are still young enough.
        config: names the accounts and symbols.
    """
    now = clock.wall_ns(), clock.boot_ns()
    for account, symbol in pairs_of(config):
        data = storage.read_baseline(account, symbol)
        if data is None:
            continue
        try:
            engine.load_baseline(account, symbol, data, *now)
        except (EdgeGuardError, ValueError) as error:
            storage.faults.append(f"a stored baseline must load, did not: {error}")


class Baselines:
    """Whose turn it is to be saved."""

    def __init__(
        self, engine: EnginePort, storage: Storage, clock: Clock, pairs: Sequence[tuple[str, str]]
    ) -> None:
        """Begin a round with the first pair of account and symbol."""
        self._engine = engine
        self._storage = storage
        self._clock = clock
        self._pairs = pairs
        self._saved: dict[tuple[str, str], int] = {}
        self._next = 0
        self._began_ns = clock.boot_ns()

    def save_next(self) -> None:
        """Save the next symbol, or none while its last turn is less than a round ago."""
        if self._next >= len(self._pairs):
            now = self._clock.boot_ns()
            if now - self._began_ns < ROUND_NS:
                return
            self._began_ns, self._next = now, 0
        if self._pairs:
            self._save(self._pairs[self._next])
            self._next += 1

    def save_at_end(self) -> None:
        """Save as many as a clean end has time for."""
        for pair in self._pairs[:AT_END_MAX]:
            self._save(pair)

    def _save(self, pair: tuple[str, str]) -> None:
        data = self._engine.baseline(*pair)
        if data is not None and self._saved.get(pair) != hash(data):
            self._saved[pair] = hash(data)
            self._storage.save_baseline(*pair, data)
