"""The whole wire vocabulary as msgspec Structs: what may cross a socket, and nothing else.

Every Struct is frozen, array-like and tagged with a small integer, so that on the wire a message is
one msgpack array ``[tag, field, field, ...]`` in the order of the fields below. Fields are only
ever appended. ``docs/WIRE.md`` has the same tables; ``core_rs/src/wire.rs`` decodes the market side
(tags 1 to 8) without creating a Python object.

Units and manners, once for all messages:
    account: the configured account id; ``""`` on a tick batch means every account.
    source: the publisher's name: a feed's name, ``engine``, ``terminal`` or ``edgeguard``.
    epoch: the publisher's run, wall nanoseconds at its start; a higher one is a later run.
    seq: counts from 1 per (tag, account, source) within an epoch; ``None`` where there is none.
    t_ns: the sender's wall clock in nanoseconds since the Unix epoch.
    money, volume, price: exact decimals as text (``"97000.00"``), except where a type says float.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

WIRE_VERSION: Final = 1
MESSAGE_BYTES_MAX: Final = 65536
"""Largest payload a socket accepts (``ZMQ_MAXMSGSIZE``), feeds apart."""
FEED_BYTES_MAX: Final = 1_048_576
"""Largest payload on a guard's ``feeds_bind``: a snapshot of some 7,000 positions."""

Price = float | str
"""A price: a float is read as its shortest decimal text, a str as exact decimal text."""
Side = Literal["buy", "sell"]
Entry = Literal["in", "out", "inout", "out_by"]
TransferKind = str
"""``balance``, ``credit``, ``bonus``, ``correction`` move references; others are profit or loss."""
State = Literal["STARTING", "ACTIVE", "PAUSED", "HALTED"]
Flatten = Literal["NONE", "IN_PROGRESS", "FLAT_VERIFIED", "NOT_FLAT"]


class _Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Common settings of every message."""


class Tick(_Message, frozen=True, array_like=True):
    """One quote inside a batch: symbol, bid, ask and the source's own stamp in ns (or None)."""

    symbol: str
    bid: Price
    ask: Price
    source_ns: int | None = None


class TickBatch(_Message, tag=1, frozen=True, array_like=True):
    """Many quotes of one feed, in the order in which they arrived there."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int
    ticks: tuple[Tick, ...]


class Fill(_Message, tag=2, frozen=True, array_like=True):
    """One deal of the account: `volume` > 0 in lots, money in the account currency."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int
    deal: int
    position: int
    symbol: str
    side: Side
    entry: Entry
    volume: str
    price: str
    profit: str | None = None
    commission: str | None = None
    swap: str | None = None
    fee: str | None = None
    order: int | None = None
    magic: int | None = None


class Position(_Message, frozen=True, array_like=True):
    """One open position of an account snapshot, in the terminal's own terms."""

    ticket: int
    identifier: int
    symbol: str
    side: Side
    volume: str
    price_open: str
    price_current: str
    swap: str
    profit: str
    magic: int = 0
    sl: str = "0"
    tp: str = "0"
    time_msc: int = 0


class Order(_Message, frozen=True, array_like=True):
    """One pending order of an account snapshot; `kind` is the MT5 order type in words."""

    ticket: int
    symbol: str
    kind: str
    volume: str
    price_open: str
    magic: int = 0
    position_by: int = 0


class AccountSnapshot(_Message, tag=3, frozen=True, array_like=True):
    """The account as the broker tells it: one bracketed read of account, positions and orders.

    `balance` and `equity` are None where the terminal gave none: that is no snapshot, and counts
    as an error. `request` names the fresh read that asked for it (0 for the regular poll).
    """

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int
    balance: str | None
    equity: str | None
    credit: str | None
    margin: str | None
    positions: tuple[Position, ...] = ()
    orders: tuple[Order, ...] = ()
    last_deal: int | None = None
    request: int = 0
    login: int = 0
    server: str = ""
    trade_mode: str = ""
    currency: str = ""


class ErrorEvent(_Message, tag=4, frozen=True, array_like=True):
    """One error of the engine, the terminal or EdgeGuard itself."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int
    class_: str
    code: int | None = None
    order: int | None = None
    text: str = ""


class Heartbeat(_Message, tag=5, frozen=True, array_like=True):
    """A publisher lives: `source` is ``engine`` or ``feed:NAME``."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int


class Transfer(_Message, tag=6, frozen=True, array_like=True):
    """Money moved in or out: signed `amount` in the account currency."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int
    deal: int | None
    kind: TransferKind
    amount: str


class TerminalProof(_Message, tag=7, frozen=True, array_like=True):
    """The broker's call returned: `connected` is the terminal's own word on its server link."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int
    connected: bool
    trade_allowed: bool
    expert_allowed: bool = True
    api_allowed: bool = True
    text: str = ""


class SymbolFacts(_Message, tag=8, frozen=True, array_like=True):
    """What the terminal knows of a symbol; empty text where it does not say."""

    account: str
    source: str
    epoch: int
    seq: int | None
    t_ns: int
    symbol: str
    digits: int | None = None
    contract_size: str | None = None
    calc_mode: str | None = None
    currency_base: str | None = None
    currency_profit: str | None = None
    tick_size: str | None = None
    tick_value: str | None = None


MarketMessage = (
    TickBatch
    | Fill
    | AccountSnapshot
    | ErrorEvent
    | Heartbeat
    | Transfer
    | TerminalProof
    | SymbolFacts
)
"""Everything that feeds, engines and brokers publish to the guard."""


class HaltInfo(_Message, frozen=True, array_like=True):
    """The halt in force: who or what, when, why, and whether it is on disk."""

    id: str
    t_ns: int
    trigger: str
    reason: str
    durable: bool


class ScopeState(_Message, frozen=True, array_like=True):
    """A scope (``strategy:NAME`` or ``symbol:NAME``) whose state differs from its account's."""

    scope: str
    state: State
    halt_id: str = ""


class StateBeat(_Message, tag=16, frozen=True, array_like=True):
    """The guard's heartbeat on ``state.<account>``: the full trading state, every 100 ms.

    `state_seq` counts changes of the state; `boot_ns` is CLOCK_BOOTTIME on the guard's host.
    `pauses` are the codes of the pauses in force on the account, `resumed` the ids of the halts
    that were resumed lately: a gate that has one of them latched may let go of it.
    """

    account: str
    epoch: int
    seq: int
    t_ns: int
    boot_ns: int
    state: State
    state_seq: int
    severity: int
    flatten: Flatten
    halt: HaltInfo | None
    why: str
    scopes: tuple[ScopeState, ...] = ()
    config_hash: str = ""
    pauses: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()


class HaltEvent(_Message, tag=17, frozen=True, array_like=True):
    """Published at once on ``halt.<account>`` when a scope halts, pauses, resumes or releases."""

    account: str
    epoch: int
    seq: int
    t_ns: int
    action: Literal["halt", "pause", "release", "resume"]
    scope: str
    state: State
    state_seq: int
    severity: int
    halt: HaltInfo | None
    trigger: str
    code: str
    value: str | None = None
    threshold: str | None = None
    reference: str | None = None
    symbol: str | None = None


class Ping(_Message, tag=32, frozen=True, array_like=True):
    """A remote gate asks for the state; `nonce` is random, `gate_ns` the gate's own clock."""

    account: str
    nonce: bytes
    gate_ns: int


class Echo(_Message, tag=33, frozen=True, array_like=True):
    """The guard's answer to a ping: the gate's own words back, and the full state."""

    nonce: bytes
    gate_ns: int
    beat: StateBeat


class Command(_Message, tag=34, frozen=True, array_like=True):
    """An operator's order to the guard (or, with the guard dead, to the broker's parent).

    `verb`: status, halt, pause, resume, acknowledge, rebaseline, maintenance. `args` carries what
    the verb needs (``scope``, ``halt_id``, ``account``, ``peak``, ``day``, ``seconds``, ``pause``).
    """

    id: str
    nonce: bytes
    t_ns: int
    verb: str
    operator: str
    reason: str
    args: dict[str, str] = {}


class Reply(_Message, tag=35, frozen=True, array_like=True):
    """One stage of the answer to a command.

    `stage`: accepted, stopped, durable, not_durable, pendings_gone, flat, not_flat, done, refused,
    failed. `final` says that no further stage follows. `body` is a JSON document.
    """

    id: str
    stage: str
    final: bool
    text: str
    body: bytes = b"{}"


class BrokerCommand(_Message, tag=48, frozen=True, array_like=True):
    """The guard (or the emergency command) to one broker parent.

    `verb`: hello, read (a fresh bracketed read, answered by a snapshot with this `request`),
    flatten, stop_flatten, status, check, history (what deals prove of the account at `since_ns`).
    `scope`: account, strategy:NAME with `magics`, symbol:NAME.
    """

    account: str
    id: str
    t_ns: int
    verb: str
    request: int = 0
    scope: str = "account"
    magics: tuple[int, ...] = ()
    halt_id: str = ""
    reason: str = ""
    since_ns: int = 0


class BrokerEvent(_Message, tag=49, frozen=True, array_like=True):
    """A broker parent's word on a command or on its own state.

    `kind`: hello, reading, first_order, order, pendings_gone, flat, not_flat, waiting, alarm,
    status, check, history, guard_lost. `body` is a JSON document (the flatten record for flat and
    not_flat).
    """

    account: str
    id: str
    t_ns: int
    kind: str
    halt_id: str
    text: str
    body: bytes = b"{}"


AnyMessage = (
    MarketMessage
    | StateBeat
    | HaltEvent
    | Ping
    | Echo
    | Command
    | Reply
    | BrokerCommand
    | BrokerEvent
)
"""Every message; the codec decodes this union."""
