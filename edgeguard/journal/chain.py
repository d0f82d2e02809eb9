"""The chain: every row's hash covers its own words and the hash of the row before."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

GENESIS: Final = bytes(32)
"""The hash before the first row."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One row: what happened, when on both clocks, in which boot and run.

    `body` is a JSON document; `t_ns` wall, `boot_ns` CLOCK_BOOTTIME; `run` the guard's epoch.
    """

    seq: int
    t_ns: int
    boot_ns: int
    boot: str
    run: int
    account: str
    kind: str
    body: bytes


_ENCODER: Final = msgspec.msgpack.Encoder()


def chain_hash(previous: bytes, entry: Entry) -> bytes:
    """Return the hash of a row: sha256 over the previous hash and the row's msgpack array."""
    return hashlib.sha256(previous + _ENCODER.encode(entry)).digest()


def state_sum(key: str, value: bytes) -> bytes:
    """Return the checksum of a state value, which SQLite's own checks would not miss less."""
    return hashlib.sha256(key.encode() + b"\0" + value).digest()
