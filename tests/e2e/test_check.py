"""`edgeguard check` as a user runs it: what proves the kill channel, what shows that it is cut."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeguard.broker.paper.client import PaperControl
from tests.e2e.rig import PAPER, edgeguard, running

pytestmark = pytest.mark.timeout(120)


def found(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    return document


def wrong(report: dict[str, Any]) -> set[str]:
    return {item["name"] for item in report["accounts"]["A"]["items"] if not item["ok"]}


def test_a_working_channel_is_proven_and_a_cut_one_named(tmp_path: Path) -> None:
    """Exit 0 with positions named that nothing protects; AutoTrading off is 5 and says so."""
    with running(tmp_path) as guard:
        socket = str(guard.paths.paper_socket("A"))
        with PaperControl(socket) as paper:
            bare = {"symbol": "EURUSD", "side": "buy", "lots": 0.2}
            paper.admin("open_book", positions=[bare])
            good = guard.command("check", "--json")
            assert good.returncode == 0, good.stderr
            report = found(good.stdout)
            assert report["ok"]
            assert all(item["ok"] for item in report["commands"])
            proof = report["accounts"]["A"]
            assert proof["before_ns"] is None
            assert [row["symbol"] for row in proof["no_stop_loss"]] == ["EURUSD"]
            assert "1 positions WITHOUT a stop loss at the broker" in good.stderr
            paper.admin("autotrading", on=False)
            bad = guard.command("check", "--json")
            assert bad.returncode == 5, bad.stderr
            assert "autotrading" in wrong(found(bad.stdout))
            assert found(bad.stdout)["accounts"]["A"]["before_ns"] == proof["t_ns"]
            assert len(paper.admin("dump")["positions"]) == 1


def test_without_anybody_there_it_says_so(tmp_path: Path) -> None:
    """Exit 14, with one sentence for each account."""
    ran = edgeguard("check", "--config", str(PAPER), "--state-dir", str(tmp_path / "s"))
    assert ran.returncode == 14
    assert "no broker of A answered" in ran.stderr


def test_the_printed_commands_must_be_edgeguards(tmp_path: Path) -> None:
    """A user's own `execution` package hides them until `install-runbook` was run."""
    own = tmp_path / "execution"
    own.mkdir()
    (own / "__init__.py").write_text("", encoding="utf-8")
    where = ("--config", str(PAPER), "--state-dir", str(tmp_path / "s"))
    arguments = ("check", "--json", "--runbook-dir", str(tmp_path), *where)
    hidden = found(edgeguard(*arguments).stdout)["commands"]
    assert [item["ok"] for item in hidden] == [False, False]
    assert edgeguard("install-runbook", "--into", str(tmp_path)).returncode == 0
    shown = found(edgeguard(*arguments).stdout)["commands"]
    assert [item["ok"] for item in shown] == [True, True]
