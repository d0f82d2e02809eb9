"""The codecs: what is decoded, and that hostile bytes are one error and nothing else."""

from __future__ import annotations

import random

import msgspec
import pytest

from edgeguard.codec.foreign import ForeignCodec, parse_dwx, parse_jsonapi
from edgeguard.codec.native import decode, encode
from edgeguard.codec.peek import peek
from edgeguard.errors import ConfigError, MalformedError
from edgeguard.messages import ErrorEvent, Heartbeat, Tick, TickBatch

BATCH = TickBatch("A", "main", 10**18, 2**33, 5, (Tick("EURUSD", 1.1, "1.2", 7),))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"\x90",
        b"\x91\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\xdf\xff\xff\xff\xff",
        b"\xc1",
        encode(BATCH)[:-1],
        encode(BATCH) + b"\x00",
        msgspec.msgpack.encode([99, "A"]),
        msgspec.msgpack.encode([1, 1, 2, 3, 4, 5, []]),
        msgspec.msgpack.encode([5, "A", "engine", True, 1, 1]),
        b"\x96\x05\xa2\xff\xfe\xa1x\x01\x01\x01",
    ],
)
def test_bytes_that_are_no_message_are_malformed(payload: bytes) -> None:
    """I6: truncated, oversized claims, deep nesting, wrong types: MalformedError, at once."""
    with pytest.raises(MalformedError, match="must be a message"):
        decode(payload)
    peek(payload)


def test_random_bytes_never_raise_anything_else() -> None:
    """P22: 20,000 mutations of a message either decode or are malformed."""
    rng = random.Random(7)
    malformed = 0
    whole = bytearray(encode(BATCH))
    for _ in range(20_000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        payload = bytes(data[: rng.randint(0, len(data))])
        peek(payload)
        try:
            decode(payload)
        except MalformedError:
            malformed += 1
    assert 0 < malformed < 20_000


def test_peek_reads_what_decoding_reads() -> None:
    """The head that is read without decoding is the one of the message."""
    for message in (
        BATCH,
        TickBatch("", "feed", 1, None, 1, ()),
        Heartbeat("Ä" * 40, "engine", 2**63, 127, 1),
        ErrorEvent("A", "edgeguard", 2**32, 65_536, 1, "x"),
    ):
        head = peek(encode(message))
        assert head is not None
        assert (head.account, head.source, head.seq) == (
            message.account,
            message.source,
            message.seq or 0,
        )


@pytest.mark.parametrize(
    ("text", "tick"),
    [
        (b"EURUSD:|:1.100000;1.100200", Tick("EURUSD", "1.100000", "1.100200")),
        (b"EURUSD.m:|:1.1;1.2", Tick("EURUSD.m", "1.1", "1.2")),
        (b"EURUSD_M1:|:1606780800;1.19;1.19;1.19;1.19;37;12;0", None),
    ],
)
def test_dwx_ticks_are_read_and_bars_passed_over(text: bytes, tick: Tick | None) -> None:
    """Prices keep their text; anything with more than two is a bar."""
    assert parse_dwx(text) == tick


def test_jsonapi_ticks_are_read_and_other_objects_passed_over() -> None:
    """Numbers keep their text, the broker's stamp becomes nanoseconds."""
    text = (
        b'{"status":"CONNECTED","symbol":"EURUSD","timeframe":"TICK",'
        b'"data":[1581611172734,1.08515,1.085210]}'
    )
    tick = Tick("EURUSD", "1.08515", "1.085210", 1_581_611_172_734_000_000)
    assert parse_jsonapi(text) == tick
    assert parse_jsonapi(b'{"status":"DISCONNECTED"}') is None
    assert parse_jsonapi(b'{"symbol":"X","timeframe":"M1","data":[1,2,3,4,5,6]}') is None


@pytest.mark.parametrize(
    "text",
    [b"", b"EURUSD", b"EURUSD:|:1.1", b":|:1;2", b"\xff:|:1;2", b"{", b"[]", b"{}" * 9, b'"x"'],
)
def test_foreign_garbage_is_malformed(text: bytes) -> None:
    """Neither format raises anything but MalformedError."""
    for parse in (parse_dwx, parse_jsonapi):
        try:
            assert parse(text) is None
        except MalformedError as error:
            assert "must be" in str(error)  # noqa: PT017  # None is right as well


def test_hostile_json_ticks_are_malformed() -> None:
    """Texts, NaN, depth and too few numbers in a tick's data are no tick."""
    for data in ("[1,2]", '[1,"2",3]', "[1,NaN,3]", "[" * 5000, "[1,[],3]", "[1e999,1,2]"):
        with pytest.raises(MalformedError):
            parse_jsonapi(b'{"timeframe":"TICK","symbol":"X","data":' + data.encode() + b"}")


def test_symbols_match_exactly() -> None:
    """A subscription to EURUSD delivers EURUSD.m too; it is not passed on."""
    codec = ForeignCodec("dwx", "main", ["EURUSD"], 9)
    payload = codec.to_native([b"EURUSD:|:1.1;1.2"], "A", 5)
    assert payload is not None
    batch = decode(payload)
    assert batch == TickBatch("A", "main", 9, None, 5, (Tick("EURUSD", "1.1", "1.2"),))
    assert codec.to_native([b"EURUSD.m:|:1.1;1.2"], "A", 5) is None
    assert codec.ignored == 1
    with pytest.raises(ConfigError, match="must be native or one of"):
        ForeignCodec("other", "main", [], 9)
