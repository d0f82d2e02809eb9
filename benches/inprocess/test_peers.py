"""The same rules as people write them in an afternoon, per tick."""

from __future__ import annotations

from collections.abc import Callable

from benches.harness import guarding
from benches.inprocess.conftest import BATCH, FRAMES, quotes
from benches.peers.plain import PlainGuard, Position

Measure = Callable[[Callable[[], None], int], None]


def test_plain_python(measure: Measure) -> None:
    guard = PlainGuard(1e6, 1e6, 1e6)
    names = guarding.symbol_names(8)
    for at in range(64):
        guard.open(Position(names[at % 8], 1 if at // 8 % 2 == 0 else -1, 0.01, 1.387))
    feed = quotes(8)
    now = 0.0

    def work() -> None:
        nonlocal now
        for one in feed:
            now += 0.001
            guard.on_tick(one.symbol, one.bid, one.ask, now)

    measure(work, BATCH * FRAMES)
    assert not guard.is_halted
    assert not guard.is_paused
