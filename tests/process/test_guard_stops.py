"""SIGSTOP and SIGCONT of guard and gates: nothing is let in on what is stale.

`STOPS` sets how many (default 16; `make stops N=300` prints the table of more).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.process.stop_campaign import StopCampaign, run

STOPS = int(os.environ.get("STOPS", "16"))


@pytest.mark.timeout(60 + 6 * STOPS)
def test_what_was_stopped_lets_nothing_in_on_stale_words(tmp_path: Path) -> None:
    """P2, P3, H2: closed within a lease of the stop, and open again by what is fresh alone."""
    is_clean, table = run(STOPS, tmp_path, seed=STOPS)
    print(table)  # noqa: T201
    assert is_clean, table


@pytest.mark.timeout(60)
def test_campaign_sees_a_gate_that_trusts_buffered_heartbeats(tmp_path: Path) -> None:
    """The planted gate wakes to beats in its queue and lets in; the shipped ones do not."""
    campaign = StopCampaign(tmp_path, seed=1, engines=("page", "wire", "buffered"))
    try:
        campaign.do(campaign.stop_gates_over_a_death)
    finally:
        campaign.close()
    assert campaign.faults == {"buffered: the guard is dead for a lease": 1}
