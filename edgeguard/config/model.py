"""The configuration as typed, frozen Structs: every key, its default, its unit and its range.

The loader (`edgeguard.config.load`) fills these from TOML and reports every violation at once. A
decimal is kept as the exact text that the file holds, so that a decision line prints a threshold as
the config writes it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Decimal = str
"""Exact decimal text, e.g. ``"0.03"``; TOML strings and numbers are both accepted."""

DailyReference = Literal["max_balance_equity", "balance", "equity", "initial_balance"]
DailyBase = Literal["reference", "initial_balance"]
FirstReference = Literal["history", "snapshot", "operator"]
DrawdownMode = Literal["trailing_equity", "static", "trailing_eod_balance"]
Confirm = Literal["reported", "none"]
OnGuardLost = Literal["flatten", "hold"]
NettingUnknown = Literal["quarantine", "operator"]
TradeMode = Literal["demo", "contest", "real"]
CalcMode = Literal[
    "FOREX",
    "FOREX_NO_LEVERAGE",
    "CFD",
    "CFDINDEX",
    "CFDLEVERAGE",
    "FUTURES",
    "EXCH_STOCKS",
    "EXCH_FUTURES",
]
Codec = Literal["native", "dwx", "jsonapi"]
ChannelKind = Literal["discord", "telegram", "apprise"]
PeerRight = Literal["read", "feed", "halt", "resume", "guard"]
CONTRACT_SIZE_DEFAULT = "100000"
"""Units of one lot where neither file nor terminal says: the usual one of a currency pair."""
CALC_MODE_DEFAULT: CalcMode = "FOREX"
"""How profit is computed where neither the file nor the terminal says."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Common settings of every section: unknown keys are errors."""


class GuardConfig(_Section, frozen=True):
    """`[guard]`: where this guard keeps its state and where it listens."""

    state_dir: str = "var/edgeguard"
    run_dir: str = ""
    """Empty: ``STATE_DIR/run``, kept on shared memory where the host has it."""
    control: str = ""
    """Empty: ``ipc://RUN_DIR/control.ipc``; likewise the next three."""
    feeds_bind: str = ""
    halts_pub: str = ""
    gate_router: str = ""
    environment: str = "default"
    heartbeat_ms: int = 100
    """Interval of state heartbeats, 10..1000 ms."""
    lease_ms: int = 1000
    """How long a gate trusts the last heartbeat; at least 4 x heartbeat_ms."""
    snapshot_age_max_ms: int = 5000
    """Older account snapshots pause."""
    feed_silence_max_ms: int = 10_000
    """A required feed with heartbeats, silent for longer in session, takes the gate's beats."""
    persist_ms: int = 250
    """Deadline after which a halt is answered as not durable."""


class ResumeConfig(_Section, frozen=True):
    """`[resume]`: who may let risk back in."""

    two_person: bool = False
    """Two different operators must ask within ten minutes."""


class Limits(_Section, frozen=True):
    """`[account.limits]`: the five triggers of one account."""

    daily_loss: Decimal = "0.03"
    daily_reference: DailyReference = "max_balance_equity"
    daily_base: DailyBase = "reference"
    rollover_time: str = "17:00"
    rollover_zone: str = "America/New_York"
    first_reference: FirstReference = "history"
    total_drawdown: Decimal = "0.06"
    drawdown_mode: DrawdownMode = "trailing_equity"
    lock_at: Decimal | None = None
    connection_lost_s: Decimal = "60"
    errors_per_minute: int = 10
    confirm: Confirm = "reported"
    confirm_ms: int = 500
    spread_multiple: Decimal = "5"
    spread_clear_multiple: Decimal = "2.5"
    spread_clear_s: Decimal = "30"
    spread_window_s: Decimal = "3600"
    spread_sample_ms: int = 250
    spread_samples_min: int = 240
    spread_confirm_ticks: int = 1
    spread_freeze_max_s: Decimal = "900"
    jump_frac: Decimal = "0.02"
    jump_confirm_ms: int = 500
    releases_per_hour: int = 3
    price_age_max_s: Decimal = "600"
    diverge_frac: Decimal = "0.005"
    errors_not_counted: tuple[str, ...] = ()
    on_guard_lost: OnGuardLost = "flatten"


class ScopeLimits(_Section, frozen=True):
    """`[strategy.limits]` and `[symbol.limits]`: a loss limit of a scope's own."""

    daily_loss: Decimal


class AccountConfig(_Section, frozen=True):
    """`[[account]]`: one trading account and the terminal that reaches it."""

    id: str
    login: int
    server: str
    trade_mode: TradeMode
    currency: str
    initial_balance: Decimal
    terminal: str
    currency_digits: int = 2
    broker: str = ""
    """Where the broker's parent listens; empty: ``ipc://RUN_DIR/broker.<id>.ipc``."""
    broker_phone: str = ""
    """Printed where something stays open and only a phone call is left."""
    netting_unknown: NettingUnknown = "quarantine"
    """A netting close without a trace: never sent after 30 s, or an operator has to decide."""
    limits: Limits = msgspec.field(default_factory=Limits)


class SymbolConfig(_Section, frozen=True):
    """`[[symbol]]`: the facts of one symbol, supplied or overriding the terminal's."""

    name: str
    digits: int
    contract_size: Decimal | None = None
    """None: what the terminal or a tape's symbol line says, else `CONTRACT_SIZE_DEFAULT`."""
    calc_mode: CalcMode | None = None
    """None: what the terminal or a tape's symbol line says, else `CALC_MODE_DEFAULT`."""
    currency_base: str = ""
    """Empty: the first three letters of the name."""
    currency_profit: str = ""
    """Empty: letters four to six of the name."""
    tick_size: Decimal | None = None
    tick_value: Decimal | None = None
    spread_normal_points: int | None = None
    spread_floor_points: int = 1
    spread_profile: str | None = None
    """Path of a learned profile, relative to the config file."""
    session: str | tuple[str, ...] = "24x7"
    holidays: tuple[str, ...] = ()
    limits: ScopeLimits | None = None


class FeedConfig(_Section, frozen=True):
    """`[[feed]]`: one source of quotes. Without an endpoint it publishes to `feeds_bind`."""

    name: str
    endpoint: str = ""
    codec: Codec = "native"
    account: str = ""
    """Empty: the quotes are every account's."""
    symbols: tuple[str, ...] = ()
    """Empty: every configured symbol."""
    required: bool = True
    """A required feed must live for the gate to open; its silence is a lost connection."""
    heartbeat: bool = False
    key: str = ""
    """The ``[[peer]]`` whose public key its publisher shows; empty: plain, on this host alone."""


class KeysConfig(_Section, frozen=True):
    """`[keys]`: CURVE keys, without which no TCP endpoint leaves this host."""

    dir: str = ""
    """Where this host keeps its keys, ``NAME.key`` each; empty: none, TCP stays on this host."""


class PeerConfig(_Section, frozen=True):
    """`[[peer]]`: who may talk to this guard, known by a public key or by a local user id."""

    name: str
    public: str = ""
    """CURVE public key, 40 characters of Z85 (`edgeguard keys show NAME`)."""
    uid: int | None = None
    """A local user other than the guard's own, on ``ipc://`` sockets that it can reach."""
    rights: tuple[PeerRight, ...] = ()


class StrategyConfig(_Section, frozen=True):
    """`[[strategy]]`: the positions that carry one of these magic numbers."""

    name: str
    magic: tuple[int, ...]
    limits: ScopeLimits | None = None


class EnvironmentConfig(_Section, frozen=True):
    """`[[environment]]`: another guard's configuration that ``--all`` also means."""

    name: str
    config: str


class PaperSymbol(_Section, frozen=True):
    """One quote with which a paper terminal starts."""

    symbol: str
    bid: Decimal
    ask: Decimal


class PaperConfig(_Section, frozen=True):
    """`[paper]`: the simulated broker behind `terminal = "paper"`."""

    margin_mode: Literal["hedging", "netting", "exchange"] = "hedging"
    leverage: int = 100
    prices: tuple[str, ...] = ()
    """Endpoints of native feeds that move the paper market; empty: the guard's feeds."""
    latency_ms: int = 0
    quotes: tuple[PaperSymbol, ...] = ()


class ApiConfig(_Section, frozen=True):
    """`[api]`: the HTTP interface of ``edgeguard ops``."""

    host: str = "127.0.0.1"
    port: int = 8000
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1", "api.edgefactory.local")
    """Names by which it may be called (the Host header, without a port)."""
    halt_token_file: str = ""
    """Files that hold the tokens; empty: a systemd credential or the environment."""
    resume_token_file: str = ""
    read_token_file: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    behind_proxy: bool = False
    """A proxy in front speaks TLS: an address other than loopback is allowed without it."""
    wait_s: Decimal = "10"
    """How long a shutdown waits for a verified flat account before it answers 202."""
    requests_per_s: int = 10
    """Requests of one address in the long run; a halt is never counted."""


class ChannelConfig(_Section, frozen=True):
    """`[[notify.channel]]`: one place where messages go."""

    name: str
    kind: ChannelKind
    url: str = ""
    """What to call; a secret, so better in `url_file` or a systemd credential."""
    url_file: str = ""
    chat: str = ""
    """Telegram's chat id."""
    level: int = 1
    """Joins in when nobody has acknowledged up to this escalation level."""
    severities: tuple[str, ...] = ("P1", "P2", "P3", "P4")


class NotifyConfig(_Section, frozen=True):
    """`[notify]`: who is told, and how often until somebody acknowledges."""

    contacts: str = "emergency_contacts.yaml"
    repeat_s: int = 120
    """Interval at which an unacknowledged P1 is sent again; each repeat goes one level up."""
    repeat_p2_s: int = 600
    deadman_url: str = ""
    """Called while the whole kill channel is proven; its silence is somebody else's alarm."""
    deadman_url_file: str = ""
    deadman_s: int = 60
    channel: tuple[ChannelConfig, ...] = ()


class IncidentConfig(_Section, frozen=True):
    """`[incident]`: what every halt and pause leaves behind."""

    log: str = "../docs/runbooks/incident_log.md"
    """The table of incidents; other people's rows are never touched."""
    evidence_minutes: int = 5
    """How much of the market before an incident is kept as a tape."""
    evidence_mb: int = 64
    """Memory that the tape may take."""


class Config(_Section, frozen=True, kw_only=True):
    """The whole file."""

    guard: GuardConfig = msgspec.field(default_factory=GuardConfig)
    resume: ResumeConfig = msgspec.field(default_factory=ResumeConfig)
    account: tuple[AccountConfig, ...]
    symbol: tuple[SymbolConfig, ...]
    feed: tuple[FeedConfig, ...] = ()
    strategy: tuple[StrategyConfig, ...] = ()
    environment: tuple[EnvironmentConfig, ...] = ()
    keys: KeysConfig = msgspec.field(default_factory=KeysConfig)
    peer: tuple[PeerConfig, ...] = ()
    paper: PaperConfig = msgspec.field(default_factory=PaperConfig)
    api: ApiConfig = msgspec.field(default_factory=ApiConfig)
    notify: NotifyConfig = msgspec.field(default_factory=NotifyConfig)
    incident: IncidentConfig = msgspec.field(default_factory=IncidentConfig)
