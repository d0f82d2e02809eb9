"""Frames between the paper process and its clients: exact bytes, bounds, and no trust in a peer."""

import random

import pytest

from edgeguard.broker.paper.wire import (
    FRAME_BYTES_MAX,
    LENGTH,
    FrameBuffer,
    FrameError,
    ReplyFrame,
    RequestFrame,
    pack,
    unpack_reply,
    unpack_request,
)


def test_frame_is_length_then_a_msgpack_map() -> None:
    """Pinned bytes: other programs may write feed frames by hand."""
    frame = RequestFrame(feed=[("EURUSD", 1.5, 2.0, 7)])
    assert pack(frame) == (
        b"\x00\x00\x00\x22"
        b"\x81\xa4feed\x91\x94\xa6EURUSD\xcb?\xf8\x00\x00\x00\x00\x00\x00\xcb@\x00\x00\x00\x00\x00\x00\x00\x07"
    )
    assert unpack_request(pack(frame)[4:]) == frame


def test_frames_survive_any_cut() -> None:
    """Bytes may arrive in any pieces; whole frames come out in order."""
    frames = [RequestFrame(id=n, call="positions_get", args=[None, None]) for n in range(50)]
    stream = b"".join(pack(frame) for frame in frames)
    cut = random.Random(1)
    buffer = FrameBuffer()
    got: list[RequestFrame] = []
    while stream:
        size = cut.randint(1, 40)
        got += [unpack_request(body) for body in buffer.add(stream[:size])]
        stream = stream[size:]
    assert got == frames


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x80",
        b"\x81\xa4call\x01",
        b"\x82\xa4call\xa1a\xa5admin\xa1b",
        b"\x81\xa7unknown\x01",
        b"\x81\xa4feed\x91\x91\xa6EURUSD",
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    """Nonsense, no family, two families, unknown keys and short ticks raise FrameError."""
    with pytest.raises(FrameError):
        unpack_request(body)


def test_random_bytes_never_do_more_than_raise() -> None:
    """10,000 random bodies either parse or raise FrameError."""
    dice = random.Random(2)
    refused = 0
    for _ in range(10_000):
        body = dice.randbytes(dice.randint(0, 60))
        try:
            unpack_request(body)
            unpack_reply(body)
        except FrameError:
            refused += 1
    assert refused > 9_900


def test_an_endless_frame_is_refused_at_its_length() -> None:
    """A peer cannot make us collect more than the bound."""
    with pytest.raises(FrameError):
        FrameBuffer().add(LENGTH.pack(FRAME_BYTES_MAX + 1))


def test_replies_carry_rows_and_codes() -> None:
    """A reply's value is plain data; a lost connection says so."""
    frame = ReplyFrame(id=3, code=-10004, text="No IPC connection", lost=True)
    assert unpack_reply(pack(frame)[4:]) == frame
    rows = ReplyFrame(id=4, value=[[1, 2.5, "x"]])
    assert unpack_reply(pack(rows)[4:]).value == [[1, 2.5, "x"]]
