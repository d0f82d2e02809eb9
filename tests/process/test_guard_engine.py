"""The guard with the shipped engine: the ways of its triggers through the whole process."""

from __future__ import annotations

import signal
from pathlib import Path

from edgeguard.messages import ErrorEvent, Heartbeat, Position, Tick, TickBatch
from tests.process.guard_rig import CLOCK, World, make_config, running, until

LONG = Position(7, 7, "EURUSD", "buy", "10.00", "1.10000", "1.10000", "0", "0")
"""Ten lots: a price of 0.004 less is 4,000 USD, 4 % of the account."""


def tick(world: World, seq: int, bid: float, ask: float) -> None:
    """Publish one quote of EURUSD."""
    quote = (Tick("EURUSD", bid, ask),)
    world.publish(TickBatch("A", "main", 1, seq, CLOCK.wall_ns(), quote))


def events(world: World) -> list[tuple[str, str]]:
    """Return action and code of the halt events so far."""
    return [(event.action, event.code) for event in world.observer.events]


def test_marked_breach_pauses_asks_and_halts_on_the_brokers_word(tmp_path: Path) -> None:
    """A tick that breaks the limit pauses at once; the fresh read that it asks for halts."""
    with running(make_config(tmp_path), "real") as world:
        broker = world.brokers[0]
        broker.positions = (LONG,)
        until(lambda: world.status()["accounts"][0]["positions"] == 1)
        # Silent first: a snapshot with the loss in it would halt without a tick.
        broker.fall_silent()
        broker.equity = "96000.00"
        tick(world, 1, 1.09600, 1.09610)
        until(lambda: ("pause", "DAILY_LOSS_EXCEEDS_MAX") in events(world))
        assert not world.gate.check()
        broker.answers_reads = True
        world.until_code("HALTED")
        until(lambda: broker.flattens)
        until(lambda: world.status()["halt"]["durable"])


def test_eleventh_error_pauses_and_operators_word_ends_it(tmp_path: Path) -> None:
    """Ten errors in a minute are let through, the eleventh pauses new entries."""
    with running(make_config(tmp_path), "real") as world:
        for seq in range(10):
            world.publish(ErrorEvent("A", "engine", 1, seq + 1, CLOCK.wall_ns(), "reject"))
        until(lambda: world.status()["accounts"][0]["limits"]["error_rate"]["value"] == "10")
        world.until_open()
        assert ("pause", "ERROR_RATE_EXCEEDS_MAX") not in events(world)
        world.publish(ErrorEvent("A", "engine", 1, 11, CLOCK.wall_ns(), "reject"))
        until(lambda: ("pause", "ERROR_RATE_EXCEEDS_MAX") in events(world))
        world.until_code("PAUSED")
        assert not world.brokers[0].flattens
        assert world.command("resume", pause="1")[-1].stage == "done"
        world.until_open()


def test_loss_survives_restarts_and_is_lifted_by_a_rebaseline_alone(tmp_path: Path) -> None:
    """A stored reference is never derived anew: the loss stands after kill -9 and clean stop."""
    with running(make_config(tmp_path), "real") as world:
        world.brokers[0].equity = "96000.00"
        world.until_code("HALTED")
        until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        for number in (signal.SIGKILL, signal.SIGTERM):
            world.guard.kill(number)
            world.start()
            until(world.is_halted)
            until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
        until(lambda: "daily_loss would fire" in world.resume(world.halt_id()))
        day = world.command("rebaseline", account="A", day="96000.00")[-1]
        assert day.stage == "done", day.text
        world.lift(world.halt_id())
        world.until_open()


def test_engines_silence_halts_unless_in_maintenance(tmp_path: Path) -> None:
    """Connection lost: an engine that spoke once and falls silent halts, not in maintenance."""
    config = make_config(tmp_path, connection_lost_s="1")
    with running(config, "real") as world:
        assert world.command("maintenance", seconds="60")[-1].stage == "done"
        world.publish(Heartbeat("A", "engine", 1, 1, CLOCK.wall_ns()))
        end_ns = CLOCK.boot_ns() + 2_000_000_000
        until(lambda: CLOCK.boot_ns() > end_ns)
        # A halt would not end by itself.
        world.until_open()
        assert world.command("maintenance", seconds="0")[-1].stage == "done"
        world.until_code("HALTED")
        assert world.status()["halt"]["trigger"] == "connection_lost"


def test_malformed_frames_count_as_errors_of_edgeguard_and_change_nothing(tmp_path: Path) -> None:
    """Bytes that are no message are counted by guard and engine, and never pause."""
    with running(make_config(tmp_path), "real") as world:
        for _ in range(50):
            world.publish_raw(b"\xc1\xc1\xc1")
        until(lambda: world.status()["guard"]["malformed"] == 50)
        world.until_open()
