"""The load is under way on every account that it names, and a weak one is not judged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benches.harness import guarding
from benches.harness.bench import Bench
from benches.suites import load, wire
from edgeguard.codec.native import decode
from edgeguard.config.load import load_config
from edgeguard.messages import TickBatch

LASTING_NS = 3_000_000_000


def test_the_load_goes_on_for_as_long_as_it_says_on_accounts_that_there_are() -> None:
    made = load.load_records(LASTING_NS)
    names = guarding.account_names(load.ACCOUNTS)
    batches = [decode(one.payload) for one in made]
    ticks = Counter(one.account for one in batches if isinstance(one, TickBatch))
    assert set(ticks) == {*load.BURST, *load.STORM} < set(names)
    assert load.FLATTENED in names
    assert all(ticks[name] == 1 for name in load.STORM)
    assert all(ticks[name] == LASTING_NS // load.BURST_PERIOD_NS for name in load.BURST)
    assert [one.due_ns for one in made] == sorted(one.due_ns for one in made)


def test_no_pause_of_the_burst_becomes_sticky(tmp_path: Path) -> None:
    """One that is not released any more ends the burst."""
    path = guarding.write_config(tmp_path, guarding.Shape(accounts=load.ACCOUNTS))
    config, _ = load_config(path)
    measured = wire.pause_records(Bench(is_full=True, place=tmp_path).sized(1600, 600))
    pairs = (measured[-1].due_ns + load.MARGIN_NS) // load.BURST_PERIOD_NS // 2
    assert pairs <= config.account[0].limits.releases_per_hour


def test_a_load_without_one_of_its_parts_says_which() -> None:
    assert not load.doubt(load.LEAST)
    assert "journal rows must be >= 500/s, were 0" in load.doubt(
        {**load.LEAST, "journal rows": 0.0}
    )


@pytest.mark.parametrize("account", load.BURST)
def test_a_burst_widens_the_spread_and_loses_little(account: str) -> None:
    """A loss that halts would end the burst with its first tick."""
    found = [decode(one.payload) for one in load.load_records(LASTING_NS)]
    bids = {
        float(tick.bid)
        for one in found
        if isinstance(one, TickBatch) and one.account == account
        for tick in one.ticks
    }
    # 3 % of 100,000 on one lot from 1.38694.
    assert min(bids) > 1.38694 - 0.03
