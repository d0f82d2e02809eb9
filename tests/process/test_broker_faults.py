"""Real processes under real trouble: kills, hangs, forbidden trading; flat every time."""

import contextlib
import os
import signal
from pathlib import Path

import msgspec
import pytest

from edgeguard.config.model import Limits
from tests.process.broker_rig import Rig, hedged_book, make_config, mixed_book, rig
from tests.process.broker_trouble import (
    MS,
    QUICK,
    assert_accounted,
    assert_only_reduced,
    child_pid,
    faults,
)
from tests.process.kill9_worker import run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", ["hedging", "netting"])
def test_a_killed_child_loses_nothing(mode: str) -> None:
    """P19: kill -9 of the child at random orders of a flatten: flat, accounted, nothing opened."""
    tally = run(mode, "child", 6, seed=7)
    assert (tally.kills, tally.flat, tally.faults) == (6, 6, [])


@pytest.mark.parametrize("mode", ["hedging", "netting"])
def test_a_killed_parent_goes_on_where_it_was(mode: str) -> None:
    """P19: kill -9 of the parent mid-flatten: the next one finishes it, with every intent ended."""
    tally = run(mode, "parent", 4, seed=11)
    assert (tally.kills, tally.flat, tally.faults) == (4, 4, [])


def test_a_hanging_order_is_killed_and_proven(tmp_path: Path) -> None:
    """An order_send that never returns is killed at its deadline, alarmed, and accounted for."""
    with rig(tmp_path, make_config(), QUICK) as made:
        made.admin("open_book", **hedged_book(pairs=3, orders=1))
        made.admin(
            "faults", **faults({"name": "hang", "on": ["order_send"], "count": 2, "skip": 1})
        )
        made.command("flatten", halt_id="h", reason="hang")
        flat = made.until("flat", halt_id="h")
        assert any(e.kind == "alarm" for e in made.events)
        record = msgspec.json.decode(flat.body)
        assert any(r["answer"].startswith("OVERRUN") for r in record["requests"])
        assert_accounted(made)
        assert_only_reduced(made)


@pytest.mark.parametrize("mode", ["hedging", "netting"])
@pytest.mark.parametrize("who", ["terminal", "child", "parent"])
def test_a_stopped_process_delays_and_breaks_nothing(tmp_path: Path, mode: str, who: str) -> None:
    """SIGSTOP in the middle of a flatten, past any deadline: flat, accounted, not reversed."""
    with rig(tmp_path, make_config(mode, latency_ms=10), QUICK) as made:
        made.admin("open_book", **mixed_book())
        made.command("flatten", halt_id="h", reason="stop")
        made.until("order")
        pid = stopped_pid(made, who)
        os.kill(pid, signal.SIGSTOP)
        # A stopped terminal or child is noticed and told; a stopped parent can tell nothing.
        with contextlib.suppress(AssertionError):
            made.until("alarm", seconds=0.7 if who == "parent" else 20)
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGCONT)
        made.until("flat", halt_id="h")
        assert_accounted(made)
        assert_only_reduced(made)


def test_a_killed_terminal_comes_back_with_its_book(tmp_path: Path) -> None:
    """kill -9 of the terminal itself mid-flatten: it is started again and the flatten ends flat."""
    with rig(tmp_path, make_config(latency_ms=10), QUICK) as made:
        made.admin("open_book", **mixed_book())
        made.command("flatten", halt_id="h", reason="terminal")
        made.until("order")
        os.kill(stopped_pid(made, "terminal"), signal.SIGKILL)
        made.until("flat", halt_id="h")
        assert_accounted(made)
        assert_only_reduced(made)


def stopped_pid(made: Rig, who: str) -> int:
    assert made.process is not None
    if who == "parent":
        return made.process.pid
    if who == "child":
        return child_pid(made)
    return int((made.paths.state_dir / "paper" / f"{made.account}.pid").read_text())


def test_autotrading_off_and_on(tmp_path: Path) -> None:
    """With the button off the flatten waits with an alarm; pressed again it finishes by itself."""
    with rig(tmp_path, make_config(), QUICK) as made:
        made.admin("open_book", **hedged_book())
        made.admin("autotrading", on=False)
        made.command("flatten", halt_id="h", reason="button")
        waiting = made.until("waiting", halt_id="h")
        assert "AutoTrading" in waiting.text
        not_flat = msgspec.json.decode(made.until("not_flat", halt_id="h").body)
        assert len(not_flat["remaining"]) == 17
        made.until("alarm")
        assert len(made.dump()["positions"]) == 12
        made.admin("autotrading", on=True)
        made.until("flat", halt_id="h")
        assert_accounted(made)


def test_autotrading_off_mid_way(tmp_path: Path) -> None:
    """Pressed off after some orders: the rest waits, and is closed when it is on again."""
    with rig(tmp_path, make_config(latency_ms=20), QUICK) as made:
        made.admin("open_book", **hedged_book())
        made.command("flatten", halt_id="h", reason="button")
        made.until("order")
        made.until("order")
        made.admin("autotrading", on=False)
        made.until("alarm")
        left = len(made.dump()["positions"])
        assert left > 0
        made.admin("autotrading", on=True)
        made.until("flat", halt_id="h")
        assert_accounted(made)


def test_a_closed_market_is_waited_for(tmp_path: Path) -> None:
    """One closed symbol holds up nothing else, alarms, and is closed when it opens."""
    with rig(tmp_path, make_config(), QUICK) as made:
        made.admin("open_book", **hedged_book(orders=0))
        made.admin("market", symbol="XAUUSD", open=False)
        made.command("flatten", halt_id="h", reason="closed")
        record = msgspec.json.decode(made.until("not_flat", halt_id="h").body)
        assert "XAUUSD" in {r["symbol"] for r in record["remaining"]}
        made.until("alarm")
        made.admin("market", symbol="XAUUSD", open=True)
        made.until("flat", halt_id="h")
        assert_accounted(made)


def test_what_appears_later_is_flattened_again(tmp_path: Path) -> None:
    """After flat was proven a new position brings an alarm and another proof."""
    with rig(tmp_path, make_config(), QUICK) as made:
        made.admin("open_book", **hedged_book(pairs=1, orders=0))
        made.command("flatten", halt_id="h", reason="war")
        made.until("flat", halt_id="h")
        made.admin("open_book", positions=[{"symbol": "EURUSD", "side": "buy", "lots": 0.2}])
        assert "appeared" in made.until("alarm", halt_id="h").text
        made.until("flat", halt_id="h")
        assert_accounted(made)


@pytest.mark.parametrize("policy", ["flatten", "hold"])
def test_a_lost_guard_is_acted_on(tmp_path: Path, policy: str) -> None:
    """Silence of the guard flattens or holds, as configured; never before a first hello."""
    settings = msgspec.structs.replace(QUICK, guard_lost_ns=300 * MS)
    config = make_config(limits=msgspec.convert({"on_guard_lost": policy}, type=Limits))
    with rig(tmp_path, config, settings) as made:
        made.admin("open_book", **hedged_book(pairs=1, orders=1))
        made.until("guard_lost")
        if policy == "flatten":
            made.until("flat")
            assert_accounted(made)
        else:
            made.until("alarm")
            assert len(made.dump()["positions"]) == 2


def test_the_kill_channel_is_proven_without_trading(tmp_path: Path) -> None:
    """`check` asks for everything a flatten needs, sends nothing, and names what is missing."""
    with rig(tmp_path, make_config(), QUICK) as made:
        made.admin("open_book", **hedged_book(pairs=2, orders=0))
        made.command("check")
        good = msgspec.json.decode(made.until("check").body)
        assert good["ok"], good
        assert any(item["name"].startswith("close ") for item in good["items"])
        made.admin("autotrading", on=False)
        made.command("check")
        bad = msgspec.json.decode(made.until("check").body)
        assert not bad["ok"]
        assert "autotrading" in {item["name"] for item in bad["items"] if not item["ok"]}
        assert made.admin("counters")["requests"] == 0
        assert len(made.dump()["positions"]) == 4


def test_another_parent_is_refused(tmp_path: Path) -> None:
    """A second parent of the account ends with exit code 4 and one sentence."""
    with rig(tmp_path, make_config(), QUICK) as made:
        second = Rig.__new__(Rig)
        second.__dict__.update(made.__dict__)
        second.start()
        assert second.process is not None
        assert second.process.wait(timeout=20) == 4
        assert second.client is not None
        second.client.close()
        assert "another broker already runs" in (tmp_path / "parent.log").read_text()


def test_a_wrong_account_is_never_traded(tmp_path: Path) -> None:
    """A terminal that shows another account: alarm, nothing sent, flat never claimed."""
    with rig(tmp_path, make_config(), QUICK) as made:
        made.admin("open_book", **hedged_book(pairs=1, orders=0))
        made.admin("switches", values={"login": 999})
        made.command("flatten", halt_id="h", reason="wrong")
        assert "999" in made.until("alarm").text
        assert made.admin("counters")["requests"] == 0
        made.admin("switches", values={"login": None})
        made.until("flat", halt_id="h")
