"""What must hold between endpoints, keys and peers, and that names are given once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from edgeguard.config.model import Config, FeedConfig, PeerConfig
from edgeguard.config.paths import is_remote

GUARD_PEER: Final = "guard"
"""The name of the guard's own key, and of the `[[peer]]` by which others know it."""


def key_violations(config: Config) -> Iterator[str]:
    """Yield one sentence for each endpoint, key or peer that does not fit the others."""
    yield from _peers(config)
    yield from _feeds(config)
    for where, endpoint in _endpoints(config):
        if is_remote(endpoint) and not config.keys.dir:
            yield _keyless(where, endpoint, "[keys] dir")
    for index, endpoint in enumerate(config.paper.prices):
        if is_remote(endpoint):
            yield _keyless(f"paper.prices[{index}]", endpoint, "a [[feed]] of its own")


def _feeds(config: Config) -> Iterator[str]:
    named = {peer.name for peer in config.peer if peer.public}
    for index, feed in enumerate(config.feed):
        where = f"feed[{index}]"
        if is_remote(feed.endpoint) and not feed.key:
            yield _keyless(f"{where}.endpoint", feed.endpoint, "feed.key")
        if feed.key and not config.keys.dir:
            yield f"{where}.key must go with [keys] dir, was without"
        if feed.key:
            yield from _feed_key(where, feed, named)


def _feed_key(where: str, feed: FeedConfig, named: set[str]) -> Iterator[str]:
    if feed.key not in named:
        yield f'{where}.key must be a [[peer]] with a public key, was "{feed.key}"'
    if feed.codec != "native":
        yield f"{where}.key must be empty for the {feed.codec} codec, which knows no keys"


def _keyless(where: str, endpoint: str, missing: str) -> str:
    return (
        f"{where} must have CURVE keys beyond loopback ({missing}; `edgeguard keys new`), was "
        f'"{endpoint}" without'
    )


def _endpoints(config: Config) -> Iterator[tuple[str, str]]:
    """Yield where each endpoint that EdgeGuard binds is configured, and the endpoint."""
    guard = config.guard
    yield "guard.control", guard.control
    yield "guard.feeds_bind", guard.feeds_bind
    yield "guard.halts_pub", guard.halts_pub
    yield "guard.gate_router", guard.gate_router
    for index, account in enumerate(config.account):
        yield f"account[{index}].broker", account.broker


def _peers(config: Config) -> Iterator[str]:
    peers = list(enumerate(config.peer))
    yield from repeated([(f"peer[{i}].name", p.name) for i, p in peers])
    yield from repeated([(f"peer[{i}].public", p.public) for i, p in peers if p.public])
    yield from repeated([(f"peer[{i}].uid", str(p.uid)) for i, p in peers if p.uid is not None])
    for index, peer in peers:
        yield from _peer(f"peer[{index}]", peer)


def _peer(where: str, peer: PeerConfig) -> Iterator[str]:
    if bool(peer.public) == (peer.uid is not None):
        yield f"{where}.public or uid must be given, one of them, was both or neither"
    if "guard" in peer.rights and peer.name != GUARD_PEER:
        yield f'{where}.rights must have guard for the peer "{GUARD_PEER}" alone, was "{peer.name}"'


def repeated(keyed: Iterable[tuple[str, str]], wanted: str = "unique") -> Iterator[str]:
    """Yield one sentence for each value that was given before."""
    first: dict[str, str] = {}
    for where, value in keyed:
        if value in first:
            yield f'{where} must be {wanted}, was "{value}" like {first[value]}'
        first.setdefault(value, where)
