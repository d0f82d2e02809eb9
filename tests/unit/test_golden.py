"""The golden bytes of the market side: Python writes exactly these and reads them back."""

import math

import msgspec
import pytest

from edgeguard import messages
from tests.golden.samples import SAMPLES, path


def golden(name: str) -> bytes:
    return bytes.fromhex(path(name).read_text(encoding="ascii"))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_message_is_written_as_the_golden_bytes(name: str) -> None:
    assert msgspec.msgpack.encode(SAMPLES[name]) == golden(name)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_golden_bytes_are_read_back(name: str) -> None:
    decoded = msgspec.msgpack.decode(golden(name), type=messages.AnyMessage)
    if isinstance(decoded, messages.TickBatch):
        bids = [tick.bid for tick in decoded.ticks]
        assert bids[:2] == [1.38694, "1284.305"]
        assert isinstance(bids[2], float)
        assert math.isnan(bids[2])
        return
    assert decoded == SAMPLES[name]


def test_every_tag_of_the_market_side_has_a_sample() -> None:
    tags = {type(message).__struct_config__.tag for message in SAMPLES.values()}
    assert tags == set(range(1, 9))
