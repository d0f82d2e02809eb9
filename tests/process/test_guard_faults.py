"""What goes wrong around a running guard, and what the gate says to it."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import msgspec
import pytest

from edgeguard import halt_page
from edgeguard.gate import Gate, Permit, Refusal
from edgeguard.journal import verify
from edgeguard.messages import ErrorEvent, Position
from edgeguard.reporter import Reporter
from tests.process.guard_rig import CLOCK, DEADLINE_S, World, make_config, running, until

POSITION = Position(7, 7, "EURUSD", "buy", "1.00", "1.1", "1.1", "0", "0", magic=7)


def codes(world: World, *of: str) -> list[str]:
    """Return the codes of the halt events so far, or those of them that are named.

    A machine that stalls adds pauses of its own, AWAY and SNAPSHOT_AGE.
    """
    return [
        f"{event.action} {event.code}"
        for event in world.observer.events
        if not of or event.code in of
    ]


def pauses(world: World) -> set[str]:
    """Return the codes of the pauses in force by the last heartbeat."""
    return set(world.observer.beats[-1].pauses)


def test_halt_file_halts_and_resume_removes_it(tmp_path: Path) -> None:
    """P6: creating a file is enough; the resume removes that file and opens."""
    with running(make_config(tmp_path)) as world:
        world.paths.halt_file.write_text("flash crash\n")
        world.until_code("HALTED")
        until(lambda: world.status()["halt"]["durable"])
        assert world.status()["halt"]["reason"] == "flash crash"
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        world.lift(world.halt_id())
        assert not world.paths.halt_file.exists()
        world.until_open()


def test_manual_word_halts_with_and_without_a_guard(tmp_path: Path) -> None:
    """P6: the word closes gates at once, becomes a halt, and one set while dead is found."""
    with running(make_config(tmp_path)) as world:
        halt_page.set_manual(world.paths.page("A"), CLOCK.wall_ns())
        answer = world.gate.check()
        assert isinstance(answer, Refusal)
        assert answer.code == "HALTED"
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        world.lift(world.halt_id())
        world.until_open()
        world.guard.kill()
        halt_page.set_manual(world.paths.page("A"), CLOCK.wall_ns())
        world.start()
        until(world.is_halted)
        assert world.status()["halt"]["trigger"] == "manual"


def test_manual_word_set_during_a_resume_of_another_is_a_halt_of_its_own(tmp_path: Path) -> None:
    """P6, P7: whenever in the resume it comes, it stands on the page and the account is halted."""
    with running(make_config(tmp_path)) as world:
        page = world.paths.page("A")
        halt_page.set_manual(page, 1001)
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        replies = world.replies("resume", halt_id=world.halt_id())
        assert next(replies).stage == "accepted"
        halt_page.set_manual(page, 1002)
        list(replies)
        until(world.is_halted)
        assert not world.gate.check()
        reader = halt_page.reader(page, "A")
        reader.check()
        facts = reader.facts()
        assert facts is not None
        assert 1002 in facts
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        world.lift(world.halt_id())
        world.until_open()


def test_gate_that_slept_through_a_second_manual_word_opens_with_the_resume(tmp_path: Path) -> None:
    """A resume names each word that stood: a gate has latched the one that it saw."""
    with running(make_config(tmp_path)) as world:
        page = world.paths.page("A")
        with Gate(world.paths.run_dir, "A") as sleeper:
            halt_page.set_manual(page, 1001)
            assert not sleeper.check()
            until(lambda: world.status()["halt"])
            halt_page.set_manual(page, 1002)
            until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
            world.lift(world.halt_id())
            until(lambda: isinstance(sleeper.check(), Permit), lambda: str(sleeper.check()))


def test_halt_of_one_account_leaves_the_other_open(tmp_path: Path) -> None:
    """Accounts are halted, paused and resumed each on its own; `all` means all."""
    with running(make_config(tmp_path, "A", "B")) as world:
        other = Gate(world.paths.run_dir, "B")
        until(lambda: isinstance(other.check(), Permit))
        world.command("halt", scope="account:A", timeout="5")
        world.until_code("HALTED")
        # A halt would not end by itself.
        until(lambda: isinstance(other.check(), Permit), lambda: str(other.check()))
        assert world.brokers[0].flattens
        assert not world.brokers[1].flattens
        world.command("halt", timeout="5")
        assert not other.check()
        halts = {row["id"]: row["halt"]["id"] for row in world.status()["accounts"]}
        world.lift(halts["B"])
        until(lambda: isinstance(other.check(), Permit))
        assert not world.gate.check()


def test_strategy_halt_closes_its_scope_alone(tmp_path: Path) -> None:
    """A strategy's halt refuses that strategy with SCOPE and flattens its magics."""
    with running(make_config(tmp_path)) as world:
        world.command("halt", scope="strategy:X", timeout="5")
        # A halt of more than that would not end by itself.
        world.until_open()
        until(lambda: getattr(world.gate.check(strategy="X"), "code", "OPEN") == "SCOPE")
        until(lambda: isinstance(world.gate.check(strategy="Y"), Permit))
        order = world.brokers[0].flattens[0]
        assert (order.scope, order.magics) == ("strategy:X", (7,))
        halt_id = world.status()["accounts"][0]["scopes"][0]["halt"]["id"]
        world.guard.kill()
        world.start()
        world.until_open()
        assert not world.gate.check(strategy="X")
        until(lambda: world.status()["accounts"][0]["scopes"][0]["flatten"] == "FLAT_VERIFIED")
        world.lift(halt_id)
        until(lambda: isinstance(world.gate.check(strategy="X"), Permit))


def test_hole_pauses_until_a_fresh_snapshot(tmp_path: Path) -> None:
    """I3: a lost error message closes with HOLE; the next fresh snapshot opens again."""
    with running(make_config(tmp_path)) as world:
        world.brokers[0].answers_reads = False
        # Number 2 is never sent.
        for seq in (1, 3):
            world.publish(ErrorEvent("A", "engine", 1, seq, CLOCK.wall_ns(), "x"))
        world.until_code("HOLE")
        world.brokers[0].answers_reads = True
        world.until_open()
        until(lambda: codes(world, "HOLE") == ["pause HOLE", "release HOLE"])


def test_snapshot_of_another_account_pauses_and_is_not_used(tmp_path: Path) -> None:
    """P13, I8: a terminal logged in elsewhere pauses until an operator has looked."""
    with running(make_config(tmp_path, snapshot_age_max_ms=500)) as world:
        world.brokers[0].login = 4711
        world.brokers[0].equity = "1.00"
        until(lambda: {"WRONG_ACCOUNT", "SNAPSHOT_AGE"} <= pauses(world))
        world.brokers[0].equity = "100000.00"
        world.brokers[0].login = 1000
        # A snapshot that counts has come: of the other account none comes any more.
        until(lambda: pauses(world) == {"WRONG_ACCOUNT"})
        world.until_code("PAUSED")
        assert world.command("resume", pause="1")[-1].stage == "done"
        world.until_open()
        assert "halt DAILY_LOSS_EXCEEDS_MAX" not in codes(world)


def test_silent_snapshots_pause_and_come_back(tmp_path: Path) -> None:
    """P9, D6: no fresh snapshot within its age closes; the next one opens."""
    with running(make_config(tmp_path, snapshot_age_max_ms=500)) as world:
        world.brokers[0].answers_reads = False
        until(lambda: "SNAPSHOT_AGE" in pauses(world))
        world.until_code("PAUSED")
        before = len(codes(world, "SNAPSHOT_AGE"))
        world.brokers[0].answers_reads = True
        world.until_open()
        until(lambda: "release SNAPSHOT_AGE" in codes(world, "SNAPSHOT_AGE")[before:])


def test_exposure_on_a_halted_account_is_flattened_again(tmp_path: Path) -> None:
    """What appears on an account that was halted and flat is flattened again, and alarmed."""
    with running(make_config(tmp_path)) as world:
        broker = world.brokers[0]
        world.command("halt", timeout="5")
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        before = len(broker.flattens)

        def is_alarmed() -> bool:
            if "EXPOSURE_ON_HALTED" in [alarm["code"] for alarm in world.status()["alarms"]]:
                return True
            # Again and again: an order to flatten that was repeated in the meantime may take it.
            broker.positions = (POSITION,)
            return False

        until(is_alarmed)
        until(lambda: len(broker.flattens) > before and not broker.positions)
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")


def test_what_cannot_be_flattened_is_not_flat_and_not_resumed(tmp_path: Path) -> None:
    """P17: the halt's answer says not flat, a resume is refused, the order is repeated."""
    with running(make_config(tmp_path)) as world:
        world.brokers[0].can_flatten = False
        world.stages_of_halt("durable", "not_flat")
        assert world.last_word_on_halt() == "HALTED, DURABLE, NOT FLAT"
        assert "NOT_FLAT" in world.command("resume", halt_id=world.halt_id())[-1].text
        world.brokers[0].can_flatten = True
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")


def test_stopped_guard_closes_and_needs_a_fresh_snapshot_afterwards(tmp_path: Path) -> None:
    """P3, H2: SIGSTOP closes by the lease; after SIGCONT the guard trusts nothing of before."""
    with running(make_config(tmp_path)) as world:
        assert world.guard.process is not None
        world.guard.process.send_signal(signal.SIGSTOP)
        world.until_code("STALE")
        world.brokers[0].answers_reads = False
        world.guard.process.send_signal(signal.SIGCONT)
        world.until_code("PAUSED")
        until(lambda: "pause AWAY" in codes(world))
        world.brokers[0].answers_reads = True
        world.until_open()


@pytest.mark.parametrize("engine", ["fake"])
def test_failing_engine_ends_in_a_halted_page_and_a_non_zero_exit(
    tmp_path: Path, engine: str
) -> None:
    """D9: an exception in the engine halts, ends the process, and the next run is halted."""
    config = make_config(tmp_path)
    with running(config, engine) as world, Reporter(world.paths.run_dir, "A") as reporter:
        assert reporter.wait_ready(DEADLINE_S)
        reporter.error("panic")
        assert world.guard.wait() == 1
        assert "RuntimeError" in world.guard.stderr
        world.until_code("HALTED")
        world.start()
        until(world.is_halted)
        assert world.status()["halt"]["code"] == "GUARD_FAILED"


def test_lost_page_is_put_back(tmp_path: Path) -> None:
    """H10: a page that somebody removes is renewed, and gates find it again."""
    with running(make_config(tmp_path)) as world:
        assert world.guard.process is not None
        # Stopped, since it may be quicker than a gate that looks now and then.
        world.guard.process.send_signal(signal.SIGSTOP)
        world.paths.page("A").unlink()
        world.until_code("MISSING")
        world.guard.process.send_signal(signal.SIGCONT)
        world.until_open()
        until(lambda: "PAGE_LOST" in [alarm["code"] for alarm in world.status()["alarms"]])


def test_disk_that_takes_nothing_does_not_delay_a_halt(tmp_path: Path) -> None:
    """P5, P6: the gate closes at once, the answer is NOT DURABLE, storage is not trusted."""
    with running(make_config(tmp_path)) as world:
        assert world.guard.process is not None
        # A limit on file sizes stands in for a full disk: every write fails from here on.
        resource.prlimit(world.guard.process.pid, resource.RLIMIT_FSIZE, (0, -1))
        stages = world.stages_of_halt("not_durable", "flat")
        assert stages[0] == "accepted"
        assert world.last_word_on_halt() == "HALTED, NOT DURABLE, FLAT"
        world.until_code("HALTED")
        until(lambda: not world.status()["guard"]["storage"]["trusted"])
        assert "storage" in world.command("resume", halt_id=world.halt_id())[-1].text
        world.guard.kill()
        world.start()
        until(world.is_halted)


@pytest.mark.parametrize("victim", ["latch", "journal"])
@pytest.mark.parametrize("how", ["removed", "garbage"])
def test_damaged_copy_of_the_latch_starts_halted(tmp_path: Path, victim: str, how: str) -> None:
    """P24: copies that disagree or cannot be read are a halt, and a halt by hand still works."""
    with running(make_config(tmp_path)) as world:
        assert world.guard.kill(signal.SIGTERM) == 0
        path = world.paths.latch if victim == "latch" else world.paths.journal
        if how == "removed":
            path.unlink()
        else:
            size = path.stat().st_size
            path.write_bytes(b"\xa5" * size)
        world.start()
        until(world.is_halted)
        assert world.status()["halt"]["code"] == "STORAGE_UNTRUSTED"
        assert world.command("halt", timeout="2")[0].stage == "accepted"
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        resumed = world.command("resume", halt_id=world.halt_id())[-1]
        assert resumed.stage == ("done" if how == "removed" else "refused"), resumed.text


def test_crash_without_a_page_waits_for_an_operator(tmp_path: Path) -> None:
    """DESIGN 6: an unclean stop whose page is gone stays paused until it is acknowledged."""
    with running(make_config(tmp_path)) as world:
        world.guard.kill()
        world.paths.page("A").unlink()
        world.start()
        world.until_code("PAUSED")
        assert "acknowledge" in world.status()["gate"]["opens_when"]
        assert world.command("resume", pause="1")[-1].stage == "done"
        world.until_code("PAUSED")
        assert world.command("acknowledge")[-1].stage == "done"
        world.until_open()


def test_halt_of_an_account_that_left_the_configuration_is_kept(tmp_path: Path) -> None:
    """P1: an account that is taken out while halted comes back halted."""
    both = make_config(tmp_path, "A", "B")
    with running(both) as world:
        world.command("halt", scope="account:B", timeout="5")
        world.guard.kill(signal.SIGTERM)
        alone = msgspec.structs.replace(both, account=both.account[:1])
        for config in (alone, both):
            world.guard.rewrite(config)
            world.start()
            world.until_open()
            if config is alone:
                assert world.guard.kill(signal.SIGTERM) == 0
        assert not Gate(world.paths.run_dir, "B").check()
        until(lambda: world.status()["state"] == "HALTED")


def test_journal_of_all_that_is_sound(tmp_path: Path) -> None:
    """P23: after halts, resumes and kills the chain holds, against the anchor in the latch too."""
    with running(make_config(tmp_path)) as world:
        for _ in range(2):
            world.command("halt", timeout="5")
            world.command("resume", halt_id=world.halt_id())
            world.guard.kill()
            world.start()
            world.until_open()
        storage = world.status()["guard"]["storage"]
        anchor = (storage["journal_seq"], bytes.fromhex(storage["journal_hash"]))
        verdict = verify(world.paths.journal, anchor)
        assert verdict.is_sound, verdict.fault
        assert verdict.rows > 10
