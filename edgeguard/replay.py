"""Replay recorded ticks and tapes through the engine, offline: the same bytes for the same input.

All inputs are merged in time order; at one instant in the order in which they were given, ticks
before tapes. The engine parses and merges tick files itself; the lines of tapes are put in between.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from edgeguard.config.load import load_config
from edgeguard.config.model import Config
from edgeguard.engine import Decision, Engine
from edgeguard.errors import ConfigError, EdgeGuardError
from edgeguard.messages import AccountSnapshot, Fill, MarketMessage, SymbolFacts
from edgeguard.tape import TapeEvent, read_tape
from edgeguard.ticks.spec import open_ticks, parse_spec

CHUNK_TICKS: Final = 16_384
"""Ticks per call into the engine: between two calls decisions are printed and progress is shown."""


@dataclass
class Summary:
    """What a replay saw and decided."""

    ticks: int = 0
    lines: int = 0
    decisions: dict[tuple[str, str, str], int] = field(
        default_factory=dict[tuple[str, str, str], int]
    )
    """Decisions by trigger, action and symbol (empty where the decision has none)."""

    def count(self, decision: Decision) -> None:
        """Add one decision."""
        key = (decision.trigger, decision.action, decision.symbol or "")
        self.decisions[key] = self.decisions.get(key, 0) + 1


class Replay:
    """One run over some inputs.

    Attributes:
        summary: grows while `lines` runs.
        ticks_total: rows of all tick files, known once `lines` has begun.
    """

    def __init__(self, config_path: Path, tick_specs: Iterable[str], tapes: Iterable[Path]) -> None:
        """Read the configuration.

        Raises:
            ConfigError: the configuration is wrong.
            UsageError: a tick SPEC is wrong.
        """
        self._config, config_hash = load_config(config_path)
        self._specs = [parse_spec(spec) for spec in tick_specs]
        self._tapes = list(tapes)
        self._facts = _Facts(self._config)
        self._engine = Engine(
            msgspec.json.encode(self._config),
            config_hash,
            live=False,
            profiles=read_profiles(self._config),
        )
        self.summary = Summary()
        self.ticks_total = 0

    def lines(self, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
        """Yield one decision line after the other, without newlines.

        Args:
            progress: told the number of ticks run so far, now and then.

        Raises:
            ConfigError: a symbol is met whose digits nothing tells.
            InputError: an input cannot be read; every decision before that point has been yielded.
        """
        self._add_tick_files()
        for event, order, source in self._merged():
            yield from self._run_ticks(event.t_ns, order, progress)
            if event.fault is not None:
                raise event.fault
            if (fault := self._facts.fault(event)) is not None:
                # The line still moves the clock: what fell due before it is decided first.
                self._engine.advance(event.t_ns, event.t_ns, source, event.line, counts=True)
                yield from self._decisions()
                raise fault
            self._put(event, source)
            self.summary.lines += 1
            yield from self._decisions()
        yield from self._run_ticks(None, 0, progress)

    def _add_tick_files(self) -> None:
        for spec in self._specs:
            file = open_ticks(spec)
            self.ticks_total += self._engine.add_tick_file(
                spec.kind, spec.symbol, file.name, file.data, file.date
            )

    def _merged(self) -> Iterator[tuple[TapeEvent, int, int]]:
        """Yield the tapes' events in time order, each with its input's order and its source."""
        accounts = frozenset(account.id for account in self._config.account)
        streams: list[Iterator[tuple[TapeEvent, int, int]]] = []
        for number, path in enumerate(self._tapes):
            order = len(self._specs) + number
            source = self._engine.register_source(path.name)
            streams.append(_tagged(read_tape(path, accounts), order, source))
        return heapq.merge(*streams, key=lambda item: (item[0].t_ns, item[1]))

    def _run_ticks(
        self, until_ns: int | None, order: int, progress: Callable[[int], None] | None
    ) -> Iterator[bytes]:
        """Run the tick files up to an event, or to their end."""
        if not self._specs:
            return
        while True:
            try:
                done = self._engine.run_tick_files(until_ns, order, CHUNK_TICKS)
            except EdgeGuardError:
                # What was decided before the faulty row stands, and is told first.
                yield from self._decisions()
                raise
            self.summary.ticks += done
            yield from self._decisions()
            if progress is not None:
                progress(self.summary.ticks)
            if done < CHUNK_TICKS:
                return

    def _put(self, event: TapeEvent, source: int) -> None:
        if event.message is None:
            self._engine.advance(event.t_ns, event.t_ns, source, event.line, counts=True)
        else:
            payload = msgspec.msgpack.encode(event.message)
            self._engine.on_frame(payload, event.t_ns, event.t_ns, source, event.line)

    def _decisions(self) -> Iterator[bytes]:
        for decision in self._engine.take_decisions():
            self.summary.count(decision)
            yield decision.line()


def replay_lines(config_path: Path, tick_specs: list[str], tapes: list[Path]) -> Iterator[bytes]:
    """Yield the decision lines of a replay, without newlines.

    Args:
        config_path: the configuration.
        tick_specs: ``KIND:SYMBOL:PATH`` each.
        tapes: files of JSON lines.

    Raises:
        ConfigError: the configuration is wrong, or a symbol's digits are nowhere.
        UsageError: a tick SPEC is wrong.
        InputError: an input cannot be read; names file, line and field.
    """
    return Replay(config_path, tick_specs, tapes).lines()


def read_profiles(config: Config) -> dict[str, bytes]:
    """Return the learned spread profile of each symbol that names one.

    Raises:
        ConfigError: a profile cannot be read.
    """
    profiles: dict[str, bytes] = {}
    for index, symbol in enumerate(config.symbol):
        if symbol.spread_profile is None:
            continue
        try:
            profiles[symbol.name] = Path(symbol.spread_profile).read_bytes()
        except OSError as e:
            where = f"symbol[{index}].spread_profile"
            msg = f"{where} must be a readable file, was {symbol.spread_profile}: {e.strerror}"
            raise ConfigError(msg) from e
    return profiles


def _tagged(
    events: Iterator[TapeEvent], order: int, source: int
) -> Iterator[tuple[TapeEvent, int, int]]:
    return ((event, order, source) for event in events)


class _Facts:
    """Knows which symbols have digits, from the configuration or from symbol lines."""

    def __init__(self, config: Config) -> None:
        self._configured = {symbol.name for symbol in config.symbol}
        self._told: dict[str, set[str]] = {account.id: set() for account in config.account}
        self._highest: dict[tuple[type[MarketMessage], str, str], int] = {}

    def fault(self, event: TapeEvent) -> ConfigError | None:
        """Take a line's facts; return what is wrong with one that needs digits nothing tells."""
        message = event.message
        if message is None or self._is_repeated(message):
            return None
        if isinstance(message, SymbolFacts) and message.digits is not None:
            self._told[message.account].add(message.symbol)
        for symbol in _needed(message):
            if symbol not in self._configured and symbol not in self._told[message.account]:
                msg = f"symbol {symbol} must have digits in [[symbol]] or a symbol line, had none"
                return ConfigError(msg)
        return None

    def _is_repeated(self, message: MarketMessage) -> bool:
        """Tell whether the engine will ignore a message for its sequence number."""
        if message.seq is None:
            return False
        key = (type(message), message.account, message.source)
        if message.seq <= self._highest.get(key, message.seq - 1):
            return True
        self._highest[key] = message.seq
        return False


def _needed(message: MarketMessage) -> tuple[str, ...]:
    """Return the symbols whose digits a message cannot do without."""
    if isinstance(message, Fill | SymbolFacts):
        return (message.symbol,)
    if isinstance(message, AccountSnapshot):
        return tuple(position.symbol for position in message.positions)
    return ()
