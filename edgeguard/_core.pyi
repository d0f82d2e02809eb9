"""The compiled half of EdgeGuard. This stub is its manual.

Times are nanoseconds: `t_ns` is the wall clock (Unix epoch), `boot_ns` CLOCK_BOOTTIME; in a replay
both are the event's `t_ns`. Every call keeps the GIL: a call takes microseconds.
"""

from typing import final

__version__: str

@final
class Decision:
    """One change of one trigger, frozen."""

    @property
    def index(self) -> int:
        """Number of the event that moved the clock, from 1."""
    @property
    def t_ns(self) -> int:
        """Wall time of the event, or of the deadline that fell due."""
    @property
    def account(self) -> str:
        """The account's id."""
    @property
    def scope(self) -> str:
        """``account``, ``strategy:NAME`` or ``symbol:NAME``."""
    @property
    def trigger(self) -> str:
        """``daily_loss total_drawdown connection_lost error_rate price_anomaly`` or ``input``."""
    @property
    def action(self) -> str:
        """``release warn pause halt``."""
    @property
    def code(self) -> str:
        """The stable code, with ``_WARN_50``, ``_WARN_80`` or ``_CLEARED`` where it applies."""
    @property
    def value(self) -> str | None:
        """The measured value as printed; None for ``input`` and where there is nothing to divide by."""
    @property
    def threshold(self) -> str | None:
        """The threshold as the configuration writes it; None for ``input``."""
    @property
    def reference(self) -> str | None:
        """What it was compared with: money, points of a normal spread, or a source's name."""
    @property
    def symbol(self) -> str | None:
        """The symbol, or None."""
    @property
    def source_file(self) -> str:
        """Name of the source of the event."""
    @property
    def source_line(self) -> int:
        """Line of the event in its source, or its sequence number."""
    def line(self) -> bytes:
        """Return the decision line: compact JSON in the pinned key order, without a newline."""

@final
class Engine:
    """The triggers of every account over one clock.

    After a panic inside any call the engine is unusable: every later call raises RuntimeError, because
    a half-updated engine must not decide anything.
    """

    def __init__(
        self,
        config: bytes,
        config_hash: str,
        *,
        live: bool,
        profiles: dict[str, bytes] | None = None,
    ) -> None:
        """Build the engine.

        Args:
            config: `msgspec.json.encode` of `edgeguard.config.model.Config`.
            config_hash: what every line carries: the sha256 of the file's bytes.
            live: beside real terminals; False is a replay, where holes and required feeds do not count.
            profiles: learned spreads by symbol, as the bytes of their JSON files.

        Raises:
            ConfigError: with every fault found.
        """
    def on_frame(self, payload: bytes, t_ns: int, boot_ns: int, source: int, line: int) -> int:
        """Take one market message (msgpack) and return the bits of `edgeguard.engine.Flag`.

        Deadlines that are due run first. Each quote of a batch is an event of its own. Bytes that are
        no message cost a counter and return MALFORMED; they never raise.

        Raises:
            ConfigError: in a replay, symbol facts that do not fit together.
        """
    def advance(
        self, t_ns: int, boot_ns: int, source: int, line: int, *, counts: bool = False
    ) -> int:
        """Run every deadline that is due. With `counts` this is an event: it takes an index."""
    def register_source(self, name: str) -> int:
        """Return the id under which `name` is given to `on_frame` and `advance`."""
    def take_decisions(self) -> list[Decision]:
        """Return the decisions since the last call, in the order of their lines."""
    def next_deadline_ns(self) -> int | None:
        """Return the boot time at which to call `advance` next; it may turn out to be too early."""
    def add_tick_file(
        self, kind: str, symbol: str, name: str, data: bytes, date: str | None
    ) -> int:
        """Parse a recorded tick file for `run_tick_files` and return its rows.

        Files have the input orders 0, 1, 2... in which they are added. A line that cannot be read is
        raised by `run_tick_files` when the replay gets there.

        Args:
            kind: ``oanda bookticker mt5csv dukascopy``.
            symbol: the symbol that it quotes.
            name: what decisions call it.
            data: the unpacked bytes.
            date: ``YYYYMMDD`` for oanda; ``YYYYMMDDHH`` for Dukascopy's binary hours, None for its CSV.

        Raises:
            ValueError: the kind is unknown or the date is missing.
        """
    def run_tick_files(self, until_t_ns: int | None, until_order: int, max_ticks: int) -> int:
        """Run merged ticks up to an event of another input, exclusive; return how many ran.

        Args:
            until_t_ns: time of that event; None runs to the end.
            until_order: order of that event's input: at the same instant lower orders run first.
            max_ticks: at most so many.

        Raises:
            InputError: the replay reached a line that cannot be read.
            ConfigError: the replay reached a tick of a symbol whose digits nothing tells.
        """
