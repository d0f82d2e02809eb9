"""The lease in Python and in Rust: one machine, written twice, that must not part."""

from __future__ import annotations

import random

from edgeguard._core import Lease as NativeLease
from edgeguard.gate.lease import Beat, Lease

MS = 1_000_000
LEASE_NS = 1_000 * MS


def test_both_leases_agree_on_random_histories() -> None:
    """1,000 histories of 60 echoes and pushes with losses, restarts, halts, reorder: one answer."""
    codes: set[str] = set()
    told: set[tuple[bool, bool]] = set()
    for seed in range(1_000):
        rng = random.Random(seed)
        native, pure = NativeLease(LEASE_NS), Lease(LEASE_NS)
        now, epoch, resumed = 10**12, 1, list[str]()
        for _ in range(60):
            now += rng.choice([10, 500, 2_000, 40_000]) * MS if rng.random() < 0.2 else 100 * MS
            epoch += rng.choice([-1, 1]) if rng.random() < 0.05 else 0
            state = rng.choice(["STARTING", "PAUSED", "HALTED"]) if rng.random() < 0.2 else "ACTIVE"
            halt_id = rng.choice(["h1", "h2", "h3"]) if state == "HALTED" else ""
            if rng.random() < 0.2:
                resumed = rng.sample(["h1", "h2", "h3"], rng.randint(0, 3))
            sent = now - (rng.choice([10, 500, 3_000]) * MS if rng.random() < 0.2 else MS)
            beat = Beat(epoch, rng.randint(1, 4), state, rng.random() < 0.05, halt_id, resumed)
            if rng.random() < 0.2:
                taken = pure.on_push(now, beat)
                assert native.on_push(now, beat) == taken, seed
                told.add((taken, pure.is_told()))
            else:
                assert native.on_echo(sent, now, beat) == pure.on_echo(sent, now, beat)
            assert native.is_told() == pure.is_told()
            at = now + rng.choice([0, 100, 1_000]) * MS
            assert native.check(at) == pure.check(at), seed
            assert native.latched() == pure.latched()
            codes.add(pure.check(at))
    assert told == {(True, True), (False, True), (False, False)}
    assert codes == {"OPEN", "HALTED", "PAUSED", "STARTING", "STALE", "MISSING", "HOLE"}
