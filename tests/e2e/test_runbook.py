"""The runbook's three commands as printed, against real processes and a book that must be flat."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.e2e.rig import edgeguard
from tests.e2e.runbook_rig import TOKENS, Environment, Phone, environment, patient, runbook

pytest.importorskip("uvicorn")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
]
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the runbook calls curl")
SHUTDOWN, KILL_SWITCH = "execution.emergency_shutdown", "execution.mt5.kill_switch"


def test_emergency_shutdown_flattens_every_environment(tmp_path: Path) -> None:
    """One line for each environment; a third that is not there makes the exit code say so."""
    with (
        Phone() as phone,
        environment(tmp_path, phone, "second") as (second, _),
        environment(tmp_path, phone, "first", {"second": second.config}) as (first, _),
    ):
        traders = [first.open_book(), second.open_book()]
        result = runbook(SHUTDOWN, "--all", "--reason", "description", config=first.config)
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines() == [
            "first: halted, durable, verified flat (exit code 0)",
            "second: halted, durable, verified flat (exit code 0)",
        ]
        assert [trader.counts() for trader in traders] == [(0, 0), (0, 0)]
        text = first.config.read_text() + '\n[[environment]]\nname = "gone"\nconfig = "no.toml"\n'
        first.config.write_text(text)
        again = runbook(SHUTDOWN, "--all", "--reason", "again", config=first.config)
        lines = again.stdout.splitlines()
        assert [line.split(":")[0] for line in lines] == ["first", "second", "gone"]
        assert "no.toml must be a readable TOML file" in lines[2]
        assert again.returncode == 3


def test_the_kill_switch_goes_on_and_off(tmp_path: Path) -> None:
    with Phone() as phone, environment(tmp_path, phone) as (here, guard):
        trader = here.open_book()
        result = runbook(KILL_SWITCH, "--activate", "--reason", "description", config=here.config)
        assert result.returncode == 0, result.stderr
        assert trader.counts() == (0, 0)
        status = runbook(KILL_SWITCH, "--status", config=here.config)
        assert status.stdout.startswith("HALTED (flatten FLAT_VERIFIED)")
        unnamed = runbook(KILL_SWITCH, "--deactivate", "--reason", "over", config=here.config)
        assert unnamed.returncode == 5
        halt_id = guard.status()["halt"]["id"]
        assert halt_id in unnamed.stdout
        words = ("--halt-id", halt_id, "--operator", "ann", "--reason", "over")
        resumed = runbook(KILL_SWITCH, "--deactivate", *words, config=here.config)
        assert resumed.returncode == 0, resumed.stderr
        guard.until(lambda found: found["state"] == "ACTIVE")


@needs_curl
def test_the_curl_ends_in_messages_a_row_and_evidence(tmp_path: Path) -> None:
    """The founder's phone, the log and the evidence, opened as a new user would."""
    with Phone() as phone, environment(tmp_path, phone, ops=True) as (here, guard):
        trader = here.open_book()
        guard.until(lambda found: found["accounts"][0]["positions"] == 2)
        status, body = here.curl({"reason": "description", "scope": "all"})
        assert status == 200
        assert body["halt"]["durable"]
        assert body["halt"]["flat"]
        assert trader.counts() == (0, 0)
        discord = patient(
            lambda: [t for t in phone.texts(phone.discord) if "Positions: CLOSED" in t],
            "a Discord message that says closed",
        )[0]
        assert "Manual shutdown (http:127.0.0.1: description), account A" in discord
        patient(lambda: phone.texts(phone.telegram), "a Telegram message")
        name = phone.press_the_button()
        where = ("--config", str(here.config))
        patient(
            lambda: "acknowledged by telegram:7" in edgeguard("incident", "list", *where).stdout,
            "an acknowledgement by the button",
        )
        check_evidence(here, name)
        seen = here.get("/status")[1]["ops"]["channels"]
        assert all(channel["proven_ns"] for channel in seen.values())
        assert here.get("/halts")[1]["halts"][0]["halt"]["id"] == body["halt"]["id"]


def check_evidence(here: Environment, name: str) -> None:
    """Open what an incident has left, as a new user would."""
    where = ("--config", str(here.config))
    folder = here.paths.state_dir / "incidents" / name
    patient((folder / "flatten.jsonl").exists, "the flatten's record among the evidence")
    assert f"| {name} | " in here.log.read_text()
    assert (folder / "equity_spreads.png").read_bytes().startswith(b"\x89PNG")
    logs = (folder / "logs.txt").read_text()
    assert "guard started, process " in logs
    assert "== guard.log" in logs
    assert not any(token in logs for token in (*TOKENS.values(), "webhooks", "bot1:token"))
    assert json.loads((folder / "state.json").read_text())["state"] == "HALTED"
    replayed = edgeguard("replay", *where, str(folder / "tape.jsonl"))
    assert replayed.returncode == 0, replayed.stderr
    assert "- [x] Positions verified closed" in (folder / "checklist.md").read_text()
    assert "[x] Kill switch activated" in edgeguard("incident", "show", name, *where).stdout


@needs_curl
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_the_curl_works_with_the_guard_dead_or_hung(tmp_path: Path, blow: signal.Signals) -> None:
    """Health names the guard; the shutdown still ends flat, and the guard returns halted."""
    with Phone() as phone, environment(tmp_path, phone, ops=True) as (here, guard):
        trader = here.open_book()
        os.kill(guard.process.pid, signal.SIGSTOP)
        pid = guard.pid_of("guard")
        os.kill(pid, blow)
        try:
            status, health = here.get("/health")
            assert (status, health["failing"]) == (503, "guard: no guard answers")
            status, body = here.curl({"reason": "no guard", "scope": "all"})
            assert status == 200, body
            assert trader.counts() == (0, 0)
            assert here.paths.halt_file.exists()
        finally:
            if blow is signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)
            os.kill(guard.process.pid, signal.SIGCONT)
        found = guard.until(lambda seen: seen["state"] == "HALTED")
        assert not found["gate"]["open"]


@pytest.mark.parametrize(
    "arguments",
    [
        (SHUTDOWN, "--all"),
        (SHUTDOWN, "--all", "--reason", ""),
        (SHUTDOWN, "--all", "--reason", "r", "--scope", "everything"),
        (SHUTDOWN, "--everything"),
        (KILL_SWITCH,),
        (KILL_SWITCH, "--activate", "--status"),
        (KILL_SWITCH, "--activate"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = runbook(*arguments, config=tmp_path / "none.toml")
    assert result.returncode == 2
    assert result.stderr.startswith("edgeguard: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("reason", ["a\n\x1b[2J", "x" * 100_000])
def test_no_reason_keeps_the_runbook_from_halting(tmp_path: Path, reason: str) -> None:
    """P6: it writes the HALT file, for want of a guard, with what of the reason is harmless."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    config = tmp_path / "edgeguard.toml"
    config.write_text(f'[guard]\nstate_dir = "{state}"\n', encoding="utf-8")
    result = runbook(SHUTDOWN, "--all", "--reason", reason, config=config)
    assert result.returncode == 13, result.stderr
    kept = json.loads((state / "HALT").read_text(encoding="utf-8"))["reason"]
    assert kept
    assert kept.isprintable()
    assert len(kept) <= 1000


def test_the_thin_files_go_into_a_package_of_the_users_own(tmp_path: Path) -> None:
    mine = tmp_path / "execution"
    mine.mkdir()
    (mine / "__init__.py").write_text("")
    for folder in (tmp_path, mine):
        result = edgeguard("install-runbook", "--into", str(folder))
        assert result.returncode == 0, result.stderr
    assert (mine / "mt5" / "kill_switch.py").is_file()
    (mine / "emergency_shutdown.py").write_text("mine")
    refused = edgeguard("install-runbook", "--into", str(tmp_path))
    assert refused.returncode == 5
    assert (mine / "emergency_shutdown.py").read_text() == "mine"
