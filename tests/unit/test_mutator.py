"""Mutated frames of every message against the engine: one counter each, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec
import pytest

from edgeguard import messages
from edgeguard.config.load import parse_config
from edgeguard.engine import Engine, Flag
from edgeguard.errors import ConfigError

FRAMES = 30_000
SEED = 20_261_123
START_NS = 1_772_020_800_000_000_000
ALL_FLAGS = Flag.DECISIONS | Flag.FRESH_READ | Flag.MALFORMED | Flag.HOLE | Flag.IGNORED
CONFIG = """
[[account]]
id = "A"
login = 7
server = "S"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000.00"
terminal = "paper"
[account.limits]
first_reference = "snapshot"
[[account]]
id = "bystander"
login = 8
server = "S"
trade_mode = "demo"
currency = "EUR"
initial_balance = "100000.00"
terminal = "paper"
[account.limits]
first_reference = "snapshot"
confirm = "none"
[[symbol]]
name = "EURUSD"
digits = 5
spread_normal_points = 10
[[symbol]]
name = "USDJPY"
digits = 3
"""

Json = dict[str, Any]


def head(source: str, seq: int | None = None) -> tuple[str, str, int, int | None, int]:
    return ("A", source, 1, seq, START_NS)


def originals() -> list[bytes]:
    """Return one or more well-formed frames of every message, those of other sockets included."""
    position = messages.Position(
        7, 7, "EURUSD", "buy", "1.00", "1.10000", "1.10000", "0.00", "-6.00"
    )
    order = messages.Order(9, "EURUSD", "buy_limit", "0.10", "1.05000")
    beat = messages.StateBeat("A", 1, 1, START_NS, 5, "HALTED", 3, 1, "NOT_FLAT", None, "halted")
    all_messages: list[msgspec.Struct] = [
        messages.TickBatch(
            *head("market"),
            (
                messages.Tick("EURUSD", 1.10000, 1.10010),
                messages.Tick("USDJPY", "110.000", "110.012", START_NS),
            ),
        ),
        messages.TickBatch("", "market", 1, 4, START_NS, (messages.Tick("EURUSD", "1.1", "1.2"),)),
        messages.Fill(*head("terminal"), 11, 7, "EURUSD", "sell", "out", "0.50", "1.1", "-5.00"),
        messages.Fill(
            *head("terminal", 3),
            12,
            8,
            "USDJPY",
            "buy",
            "inout",
            "2",
            "110",
            "1",
            "0",
            "0",
            "0",
            5,
            101,
        ),
        messages.AccountSnapshot(
            *head("terminal"), "100000.00", "99994.00", "0.00", "110.00", (position,), (order,), 12
        ),
        messages.AccountSnapshot(*head("terminal", 9), None, "NaN", None, None, request=4),
        messages.ErrorEvent(*head("engine"), "reject", 10006, 12, "no money"),
        messages.Heartbeat(*head("engine", 2)),
        messages.Transfer(*head("terminal"), 13, "balance", "500.00"),
        messages.TerminalProof(*head("terminal"), True, True),  # noqa: FBT003 - fields by position
        messages.SymbolFacts(*head("terminal"), "EURUSD", 5, "100000", "FOREX", "EUR", "USD"),
        beat,
        messages.HaltEvent(
            "A", 1, 1, START_NS, "halt", "account", "HALTED", 3, 1, None, "daily_loss", "X"
        ),
        messages.Ping("A", b"\x00" * 16, 5),
        messages.Echo(b"\x00" * 16, 5, beat),
        messages.Command("c", b"\x01" * 16, START_NS, "halt", "me", "why", {"scope": "all"}),
        messages.Reply("c", "flat", True, "done"),  # noqa: FBT003 - fields by position
        messages.BrokerCommand("A", "c", START_NS, "flatten"),
        messages.BrokerEvent("A", "c", START_NS, "flat", "h", "done"),
    ]
    return [msgspec.msgpack.encode(message) for message in all_messages]


MARKERS = (
    b"\xc0", b"\xc1", b"\xc2", b"\x00", b"\x7f", b"\xff", b"\x90", b"\x9f", b"\x80",
    b"\xca\x7f\xc0\x00\x00", b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xcb\x7f\xf0" + b"\x00" * 6,
    b"\xcf" + b"\xff" * 8, b"\xd3\x80" + b"\x00" * 7, b"\xd3\x7f" + b"\xff" * 7,
    b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff", b"\xa3NaN", b"\xa9-Infinity", b"\xab1e400000000",
    b"\xd9\xff" + b"9" * 255,
)  # fmt: skip
"""What decoders stumble over: every kind's edge, lengths that lie, numbers that are none."""

Mutation = Callable[[Random, bytes, bytes], bytes]


def flip(rng: Random, frame: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + bytes([frame[at] ^ (1 << rng.randrange(8))]) + frame[at + 1 :]


def replace(rng: Random, frame: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + rng.randbytes(1) + frame[at + 1 :]


def cut(rng: Random, frame: bytes, _: bytes) -> bytes:
    return frame[: rng.randrange(len(frame))]


def remove(rng: Random, frame: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + frame[at + rng.randint(1, 9) :]


def mark(rng: Random, frame: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + rng.choice(MARKERS) + frame[at + rng.choice((0, 1, 9)) :]


def repeat(rng: Random, frame: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(frame))
    return frame[:start] + frame[start : start + 20] * rng.randint(2, 40) + frame[start:]


def splice(rng: Random, frame: bytes, other: bytes) -> bytes:
    return frame[: rng.randrange(len(frame))] + other[rng.randrange(len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (flip, flip, replace, cut, remove, mark, mark, repeat, splice)


def mutated(rng: Random, frames: list[bytes]) -> bytes:
    frame = rng.choice(frames)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        frame = rng.choice(MUTATIONS)(rng, frame, rng.choice(frames)) or b"\x90"
    return frame


def engine(*, live: bool) -> Engine:
    config = parse_config(CONFIG.encode(), Path("c.toml"))
    return Engine(msgspec.json.encode(config), "hash", live=live)


def take(one: Engine, frame: bytes, t_ns: int, *, live: bool) -> Flag:
    """Give one frame to the engine; only a replay may refuse facts that do not fit by name."""
    try:
        return Flag(one.on_frame(frame, t_ns, t_ns, 0, 1))
    except ConfigError:
        if live:
            raise
        return Flag(0)


@pytest.mark.parametrize("live", [True, False])
def test_mutated_frames_cost_a_counter_and_nothing_else(*, live: bool) -> None:
    """P22: no exception or panic, known flags alone, every MALFORMED counted, state bounded."""
    hammer(engine(live=live), live=live)


def hammer(one: Engine, *, live: bool) -> None:
    """Give an engine mutated frames and judge what comes of them."""
    rng, frames = Random(SEED), originals()
    t_ns, malformed, taken = START_NS, 0, 0
    for _ in range(FRAMES):
        t_ns += rng.choice((0, 1, 1_000_000, 2_000_000_000))
        flags = take(one, mutated(rng, frames), t_ns, live=live)
        assert flags in ALL_FLAGS
        malformed += Flag.MALFORMED in flags
        taken += Flag.MALFORMED not in flags
        one.take_decisions()
    status = json.loads(one.status())
    assert status["counters"]["malformed"] == malformed
    assert min(malformed, taken) > FRAMES // 10
    for account in status["accounts"]:
        assert len(account["symbols"]) < FRAMES // 10
        assert account["positions"] <= 50
        assert len(account["sources"]) <= 1_024
    assert len(one.references()) < 4_000_000


@pytest.mark.parametrize("live", [True, False])
def test_after_the_flood_a_breach_still_halts(*, live: bool) -> None:
    """P9: an account that the flood never named loses 4 % and is halted at that message."""
    rng, frames, one = Random(SEED + 1), originals(), engine(live=live)
    t_ns = START_NS
    for _ in range(FRAMES // 5):
        t_ns += 1_000_000
        take(one, mutated(rng, frames), t_ns, live=live)
    for equity in ("100000.00", "96000.00"):
        t_ns += 1_000_000
        take(one, msgspec.msgpack.encode(bystander(equity, t_ns)), t_ns, live=live)
    halts = [
        (decision.trigger, decision.code)
        for decision in one.take_decisions()
        if (decision.account, decision.action) == ("bystander", "halt") and decision.value
    ]
    assert ("daily_loss", "DAILY_LOSS_EXCEEDS_MAX") in halts


def bystander(equity: str, t_ns: int) -> messages.AccountSnapshot:
    return messages.AccountSnapshot(
        "bystander", "terminal", 1, None, t_ns, "100000.00", equity, "0.00", "0.00"
    )


def test_a_malformed_frame_changes_no_account() -> None:
    """What every cut-off snapshot leaves behind is its count and its event number."""
    one = engine(live=True)
    whole = msgspec.msgpack.encode(bystander("99000.00", START_NS))
    assert one.on_frame(whole, START_NS, START_NS, 0, 1) & Flag.MALFORMED == 0
    before = json.loads(one.status())
    for length in range(len(whole)):
        flags = Flag(one.on_frame(whole[:length], START_NS, START_NS, 0, 1))
        assert Flag.MALFORMED in flags
    after = json.loads(one.status())
    assert after["counters"]["malformed"] == before["counters"]["malformed"] + len(whole)
    assert after["accounts"] == before["accounts"]


def panics(_: Engine, frame: bytes, __: int) -> int:
    if b"\xdd\xff\xff\xff\xff" in frame:
        raise RuntimeError("engine panicked: it decides nothing any more")
    return 0


def hides(_: Engine, frame: bytes, flags: int) -> int:
    return -(flags & Flag.MALFORMED) if len(frame) % 97 == 0 else 0


def invents(_: Engine, frame: bytes, __: int) -> int:
    return 64 if frame[:1] == b"\x9f" else 0


def forgets(one: Engine, frame: bytes, __: int) -> int:
    if frame[-1:] == b"\xc1":
        one.on_frame(b"\xc1", START_NS, START_NS, 0, 1)
    return 0


@pytest.mark.parametrize("plant", [panics, hides, invents, forgets])
def test_a_broken_decoder_is_found(plant: Callable[[Engine, bytes, int], int]) -> None:
    """Each plant breaks one thing that few frames show: the mutator makes such frames."""

    class Broken:
        def __init__(self, real: Engine) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever an engine has
            return getattr(self._real, name)

        def on_frame(self, frame: bytes, t_ns: int, boot_ns: int, source: int, line: int) -> int:
            flags = self._real.on_frame(frame, t_ns, boot_ns, source, line)
            return flags + plant(self._real, frame, flags)

    with pytest.raises((AssertionError, RuntimeError)):
        hammer(cast("Engine", Broken(engine(live=True))), live=True)
