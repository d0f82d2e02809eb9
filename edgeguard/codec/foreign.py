"""The tick formats of MetaTrader bridges in the field, turned into EdgeGuard's tick batches.

`dwx`: Darwinex's ``SYMBOL:|:BID;ASK`` text. `jsonapi`: the JSON tick objects of MQL5-JSON-API and
its forks. Neither has a sequence number, so silence on them is judged
as stale. A symbol must match the configured one exactly: subscriptions are prefixes, and a feed of
EURUSD delivers EURUSD.m too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from edgeguard.codec.native import encode
from edgeguard.errors import ConfigError, MalformedError
from edgeguard.messages import Tick, TickBatch

NS_PER_MS: Final = 1_000_000
_TICK_ITEMS: Final = 3

Parse = Callable[[bytes], Tick | None]


class _JsonTick(msgspec.Struct, frozen=True):
    """One object of the JSON-API's live socket; bars and link notices have other shapes."""

    status: str = ""
    symbol: str = ""
    timeframe: str = ""
    data: tuple[msgspec.Raw, ...] = ()


_JSON: Final = msgspec.json.Decoder(_JsonTick)
_NUMBER: Final = msgspec.json.Decoder(int | float)


def parse_dwx(text: bytes) -> Tick | None:
    """Return the tick of a DWX message, None for its bars.

    Prices stay the text that was sent, so that no digit is lost.

    Raises:
        MalformedError: the bytes are no DWX market message.
    """
    symbol, separator, prices = text.partition(b":|:")
    parts = prices.split(b";")
    try:
        name = symbol.decode("ascii")
        if not separator or not name:
            raise MalformedError(f"tick must be SYMBOL:|:BID;ASK, was {text[:80]!r}")
        if len(parts) > _TICK_ITEMS:
            return None
        bid, ask = parts
        return Tick(name, bid.decode("ascii"), ask.decode("ascii"))
    except (ValueError, UnicodeDecodeError) as error:
        raise MalformedError(f"tick must be SYMBOL:|:BID;ASK, was {text[:80]!r}") from error


def parse_jsonapi(text: bytes) -> Tick | None:
    """Return the tick of a JSON-API object, None for bars and link notices.

    Its stamp is the broker's clock in ms, whose zone nobody states: it serves the order alone.

    Raises:
        MalformedError: the bytes are no such object.
    """
    try:
        item = _JSON.decode(text)
        if item.timeframe != "TICK":
            return None
        stamp_ms, bid, ask = item.data
        stamp = _NUMBER.decode(stamp_ms)
        for price in (bid, ask):
            _NUMBER.decode(price)
        source_ns = int(stamp) * NS_PER_MS
        return Tick(item.symbol, bytes(bid).decode(), bytes(ask).decode(), source_ns)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedError(f"tick must be a JSON-API object, was {text[:80]!r}") from error


PARSERS: Final[dict[str, Parse]] = {"dwx": parse_dwx, "jsonapi": parse_jsonapi}


class ForeignCodec:
    """Turns one feed's messages into native payloads."""

    def __init__(self, codec: str, feed: str, symbols: Collection[str], epoch: int) -> None:
        """Take the feed's name, the symbols to let through and this run's epoch.

        Raises:
            ConfigError: there is no such codec.
        """
        if codec not in PARSERS:
            known = ", ".join(sorted(PARSERS))
            raise ConfigError(f"feed.codec must be native or one of {known}, was {codec!r}")
        self._parse = PARSERS[codec]
        self._feed = feed
        self._symbols = frozenset(symbols)
        self._epoch = epoch
        self.ignored = 0
        """Messages that were no tick of a configured symbol."""

    def to_native(self, frames: list[bytes], account: str, t_ns: int) -> bytes | None:
        """Return a native tick batch, None for what is no tick of a configured symbol.

        A prefix frame (topic) before the text is passed over.

        Raises:
            MalformedError: the last frame is not of this format.
        """
        tick = self._parse(frames[-1])
        if tick is None or tick.symbol not in self._symbols:
            self.ignored += 1
            return None
        return encode(TickBatch(account, self._feed, self._epoch, None, t_ns, (tick,)))
