"""What only a live engine does: holes, quiet feeds, clocks that jump, days that nobody watched."""

import msgspec
import pytest

from edgeguard.engine import Engine, Flag
from edgeguard.messages import Tick, TickBatch
from tests.unit.engine.desk import SECOND, START_NS, SYMBOL, Desk, long

FEED = """
[[feed]]
name = "main"
heartbeat = {heartbeat}
"""
LOST = "halt CONNECTION_LOST"


def test_a_hole_in_errors_is_told_and_one_in_ticks_is_counted() -> None:
    desk = Desk()
    desk.error(seq=1)
    assert desk.error(seq=3) == []
    assert desk.flags == Flag.HOLE
    desk.error(seq=3)
    assert desk.flags == Flag.IGNORED
    desk.tick("1.10000", "1.10005")
    desk.seq[next(key for key in desk.seq if key[0].__name__ == "TickBatch")] += 5
    desk.tick("1.10000", "1.10005")
    assert desk.flags == Flag(0)


def test_the_terminal_the_engine_and_a_feed_are_lost_after_sixty_seconds_of_silence() -> None:
    desk = Desk(rest=SYMBOL + FEED.format(heartbeat="true"))
    desk.terminal()
    desk.beat()
    desk.tick("1.10000", "1.10005")
    assert desk.wait(60) == []
    assert desk.wait(0.001) == [LOST, LOST, LOST]
    assert desk.wait(3600) == []


def silent(desk: Desk, limit_s: float) -> tuple[str, int] | None:
    limit_ns = int(limit_s * SECOND)
    return desk.engine.silent_feed("A", limit_ns, desk.wall_ns, desk.boot_ns)


def test_a_required_feed_with_heartbeats_is_silent_beyond_the_limit() -> None:
    """P9: more than the limit, of a feed that has spoken; its next word ends it."""
    desk = Desk(rest=SYMBOL + FEED.format(heartbeat="true"))
    desk.wait(3600)
    assert silent(desk, 10) is None, "one that never spoke is what the start waits for"
    desk.tick("1.10000", "1.10005")
    desk.wait(10)
    assert silent(desk, 10) is None
    desk.wait(0.001)
    assert silent(desk, 10) == ("main", 10_001_000_000)
    desk.tick("1.10000", "1.10005")
    assert silent(desk, 10) is None
    # Long limits end where the connection counts as lost.
    desk.wait(60.001)
    assert silent(desk, 600) == ("main", 60_001_000_000)


def test_a_resume_makes_no_feed_speak() -> None:
    """P9: after a lost connection the deadline counts from the resume, the silence does not."""
    desk = Desk(rest=SYMBOL + FEED.format(heartbeat="true"))
    desk.tick("1.10000", "1.10005")
    assert desk.wait(61) == [LOST]
    desk.engine.resume("A", desk.wall_ns, desk.boot_ns)
    assert silent(desk, 10) == ("main", 61 * SECOND)
    assert desk.wait(60) == []
    desk.tick("1.10000", "1.10005")
    assert silent(desk, 10) is None


def test_a_closed_market_makes_no_feed_silent() -> None:
    """P9: closed hours are left out; the silence counts from the opening."""
    session = 'session = ["Wed 07:00-07:01 America/New_York", "Wed 08:00-09:00 America/New_York"]\n'
    desk = Desk(rest=SYMBOL + session + FEED.format(heartbeat="true"))
    desk.wait(55)
    desk.tick("1.10000", "1.10005")
    desk.wait(3545)
    assert silent(desk, 10) is None
    desk.wait(6)
    assert silent(desk, 10) == ("main", 11 * SECOND)


def test_a_feed_without_heartbeats_may_be_quiet_and_an_optional_one_is_nobodys_concern() -> None:
    """P9: quiet is not silent; required alone counts."""
    desk = Desk(rest=SYMBOL + FEED.format(heartbeat="false"))
    desk.tick("1.10000", "1.10005")
    for _ in range(30):
        desk.terminal()
        desk.wait(10)
        assert silent(desk, 10) is None
    optional = Desk(rest=SYMBOL + FEED.format(heartbeat="true") + "required = false\n")
    optional.tick("1.10000", "1.10005")
    optional.wait(3600)
    assert silent(optional, 10) is None


def test_a_source_that_never_spoke_is_never_lost() -> None:
    desk = Desk(rest=SYMBOL + FEED.format(heartbeat="true"))
    desk.account("100000.00")
    assert desk.wait(3600) == []


def test_a_disconnected_terminal_gives_no_proof() -> None:
    desk = Desk()
    desk.terminal()
    for _ in range(6):
        desk.wait(10)
        assert desk.terminal(connected=False) == []
    assert desk.wait(0.001) == [LOST]


def test_a_feed_without_heartbeats_may_be_quiet_while_the_terminal_is_quiet_too() -> None:
    desk = Desk(rest=SYMBOL + FEED.format(heartbeat="false"))
    desk.terminal()
    desk.tick("1.10000", "1.10005")
    desk.tick("1.10000", "1.10005", source="terminal")
    for _ in range(40):
        assert desk.wait(10) == []
        assert desk.terminal() == []
    # The terminal's own quotes move, the feed's do not.
    desk.tick("1.10010", "1.10015", source="terminal")
    assert desk.wait(1.1) == [LOST]


def test_a_feed_without_heartbeats_is_lost_with_the_terminal() -> None:
    desk = Desk(rest=SYMBOL + FEED.format(heartbeat="false"))
    desk.terminal()
    desk.tick("1.10000", "1.10005")
    lines = desk.wait(62)
    assert lines == [LOST, LOST]


def test_maintenance_suspends_the_engine_and_nothing_else() -> None:
    desk = Desk()
    desk.terminal()
    desk.beat()
    desk.engine.set_maintenance("A", desk.boot_ns + 600_000_000_000)
    desk.wait(59)
    desk.terminal()
    assert desk.wait(30) == []
    desk.engine.set_maintenance("A", None)
    assert desk.wait(0.001) == [LOST]
    assert [d.reference for d in desk.engine.would_fire("A")] == ["engine"]


def test_publishers_with_clocks_of_their_own_do_not_run_back() -> None:
    desk = Desk()
    hour = 3_600_000_000_000
    for _ in range(12):
        desk.wait(0.1)
        desk.tick("1.10000", "1.10005", source_ns=desk.wall_ns)
        desk.tick("1.10000", "1.10005", source="terminal", source_ns=desk.wall_ns + 2 * hour)
    assert desk.status()["limits"]["error_rate"]["value"] == "0"


def test_a_wall_that_jumps_over_the_rollover_keeps_the_stricter_reference() -> None:
    desk = Desk('daily_loss = "0.03"\n')
    desk.account("100000.00")
    desk.account("98000.00")
    desk.step_wall(11 * 3600)
    desk.wait(0.001)
    # The new day's reference would be 98000: 2 % below it is 4 % below the day that still is.
    lines = desk.account("96500.00")
    assert "halt DAILY_LOSS_EXCEEDS_MAX" in lines
    desk.step_wall(-11 * 3600)
    for _ in range(130):
        desk.wait(1)
        desk.terminal()
    assert desk.status()["day"]["reference"] == "100000.00"


def test_a_wall_that_steps_back_does_not_open_an_old_day_again() -> None:
    """P12."""
    desk = Desk()
    desk.account("100000.00")
    desk.wait(10 * 3600)
    assert desk.status()["day"]["provenance"] == "rollover"
    desk.account("99000.00")
    desk.step_wall(-7200)
    for _ in range(3):
        desk.wait(3600)
        desk.account("98000.00")
    assert desk.status()["day"]["reference"] == "100000.00"


@pytest.mark.parametrize(("hours", "is_known"), [(1, True), (11, False)])
def test_a_restart_keeps_the_day_and_never_guesses_one_that_ended(
    hours: int, *, is_known: bool
) -> None:
    before = Desk()
    before.account("100000.00")
    before.transfer("-1000.00")
    for _ in range(10):
        before.wait(1)
        before.tick("1.10000", "1.10008")
    stored, samples = before.engine.references(), before.engine.baseline("A", "EURUSD")
    assert samples is not None
    after = Desk()
    after.step_wall(hours * 3600)
    after.engine.load_references(stored)
    after.engine.load_baseline("A", "EURUSD", samples, after.wall_ns, after.boot_ns)
    lines = after.account("98000.00")
    assert ("pause DAY_START_UNKNOWN" in lines) == (not is_known)
    assert after.status()["day"]["reference"] == ("100000.00" if is_known else None)
    assert after.status()["peak"]["value"] == "100000.00"
    kept = after.status()["symbols"][0]["samples"]
    assert kept == (10 if is_known else 0), "an hour's window keeps what is younger"
    if not is_known:
        lines = rebased(after)
        assert lines == ["release DAY_START_UNKNOWN_CLEARED"]
        assert after.status()["day"]["provenance"] == "history"


def test_a_transfer_told_before_the_first_snapshot_counts_against_loaded_references() -> None:
    """Neither a withdrawal that looks like a loss, nor a deposit that hides one."""
    before = Desk()
    before.account("100000.00")
    after = Desk()
    after.engine.load_references(before.engine.references())
    assert after.transfer("-10000.00") == []
    assert after.account("90000.00") == []
    status = after.status()
    assert status["equity_marked"] == "90000.00"
    assert (status["day"]["transfers"], status["peak"]["transfers"]) == ("-10000.00", "-10000.00")
    assert "halt DAILY_LOSS_EXCEEDS_MAX" in after.account("86999.99")


def test_without_references_a_transfer_before_the_first_snapshot_is_part_of_it() -> None:
    desk = Desk()
    desk.transfer("-10000.00")
    assert desk.account("90000.00") == ["halt TOTAL_DRAWDOWN_EXCEEDS_MAX"]
    assert desk.status()["day"]["reference"] == "90000.00"
    assert desk.status()["peak"]["transfers"] == "0.00"


def test_a_deal_told_before_the_first_snapshot_counts_for_its_strategy() -> None:
    """The snapshot that follows holds its money and not its position any more."""
    rest = """
[[symbol]]
name = "EURUSD"
digits = 5
spread_normal_points = 10
[[strategy]]
name = "trend"
magic = [101]
[strategy.limits]
daily_loss = "0.01"
"""
    before = Desk(rest=rest)
    held = msgspec.structs.replace(long("1.10000"), magic=101)
    before.account("100000.00", positions=(held,))
    after = Desk(rest=rest)
    after.engine.load_references(before.engine.references())
    after.fill("-1000.01", magic=101)
    assert after.account("98999.99") == ["halt DAILY_LOSS_EXCEEDS_MAX strategy:trend"]


def test_a_stored_baseline_that_is_none_is_refused_and_a_strangers_is_left() -> None:
    desk = Desk()
    desk.tick("1.10000", "1.10008")
    stored = desk.engine.baseline("A", "EURUSD")
    assert stored is not None
    assert desk.engine.baseline("A", "GBPUSD") is None
    assert desk.engine.baseline("B", "EURUSD") is None
    for data in (b"", b"{}", b"[]", stored[:-1], stored.replace(b'"version":1', b'"version":2')):
        with pytest.raises(ValueError, match="baseline of EURUSD on A"):
            desk.engine.load_baseline("A", "EURUSD", data, desk.wall_ns, desk.boot_ns)
    desk.engine.load_baseline("A", "GBPUSD", stored, desk.wall_ns, desk.boot_ns)
    assert desk.status()["symbols"][0]["samples"] == 1


def rebased(desk: Desk) -> list[str]:
    desk.engine.rebaseline(
        "A", day="99000.00", t_ns=desk.wall_ns, boot_ns=desk.boot_ns, provenance="history"
    )
    return desk.taken()


def test_history_tells_the_transfers_since_its_reference() -> None:
    """1,000 came in since: an equity of 98,000 is 3 % below, and of 97,999.99 more than that."""
    desk = Desk(first="history")
    desk.account("98000.00")
    desk.engine.rebaseline(
        "A",
        day="100000.00",
        transfers="1000.00",
        t_ns=desk.wall_ns,
        boot_ns=desk.boot_ns,
        provenance="history",
    )
    assert desk.taken() == [
        "warn DAILY_LOSS_EXCEEDS_MAX_WARN_80",
        "release DAY_START_UNKNOWN_CLEARED",
    ]
    day = desk.status()["day"]
    assert (day["reference"], day["transfers"]) == ("100000.00", "1000.00")
    assert 0 < day["ends_ns"] - day["started_ns"] <= 25 * 3600 * 10**9
    assert day["started_ns"] <= desk.wall_ns
    assert "halt DAILY_LOSS_EXCEEDS_MAX" in desk.account("97999.99")


@pytest.mark.parametrize("first", ["history", "operator"])
def test_a_first_start_is_closed_until_the_day_is_told(first: str) -> None:
    desk = Desk(first=first)
    assert desk.account("96000.00") == [
        "warn TOTAL_DRAWDOWN_EXCEEDS_MAX_WARN_50",
        "pause DAY_START_UNKNOWN",
    ]
    assert desk.account("95999.00") == []
    assert desk.status()["day"]["reference"] is None
    assert rebased(desk) == [
        "pause DAILY_LOSS_EXCEEDS_MAX",
        "release DAY_START_UNKNOWN_CLEARED",
    ]


def test_stored_references_that_are_none_are_refused() -> None:
    desk = Desk()
    for data in (b"", b"{}", b'{"version":9,"saved_ns":0,"accounts":{}}', b"\xff"):
        with pytest.raises(ValueError, match="references"):
            desk.engine.load_references(data)
    assert isinstance(desk.engine, Engine)


def test_a_spread_pause_ends_by_the_clock_alone() -> None:
    desk = Desk()
    desk.tick("1.10000", "1.10100")
    assert desk.status()["states"][0]["code"] == "SPREAD_EXCEEDS_MAX"
    desk.tick("1.10000", "1.10005")
    assert desk.wait(29.9) == []
    assert desk.wait(0.1) == ["release SPREAD_EXCEEDS_MAX_CLEARED"]


def test_marked_equity_moves_with_the_market() -> None:
    desk = Desk()
    desk.account("100000.00", positions=(long("1.10000", profit="12.00"),))
    desk.tick("1.10050", "1.10055")
    status = desk.status()
    assert (status["equity_marked"], status["equity_reported"]) == ("100050.00", "100000.00")
    trip = status["symbols"][0]["what_would_trip"]
    assert trip == {"side": "bid", "daily_loss": "1.06999", "total_drawdown": "1.03999"}


def batch(source: str, seq: int | None, *ticks: Tick, account: str = "A") -> bytes:
    return msgspec.msgpack.encode(TickBatch(account, source, 1, seq, START_NS, ticks))


QUOTE = Tick("EURUSD", 1.10000, 1.10005)
WIDE = Tick("EURUSD", 1.10000, 1.10090)


def test_ticks_of_a_known_stream_are_taken_together_up_to_the_first_flags() -> None:
    """Of a stream that `on_frame` has not seen nothing is taken; decisions stop the call."""
    desk = Desk()
    engine, now = desk.engine, (desk.wall_ns, desk.boot_ns)
    first = batch("main", 1, QUOTE)
    assert engine.on_ticks([first], 0, *now) == 0
    feed = engine.register_source("feed:main")
    assert engine.on_frame(first, *now, feed, 1) == 0
    payloads = [batch("main", seq, QUOTE) for seq in (2, 3)] + [
        batch("main", 4, QUOTE, WIDE, QUOTE)
    ]
    payloads += [batch("other", 1, QUOTE), batch("main", 5, QUOTE)]
    assert engine.on_ticks(payloads, 0, *now) == 3 << 8 | Flag.DECISIONS
    (decision,) = engine.take_decisions()
    assert (decision.source_file, decision.source_line) == ("feed:main", 4)
    assert (decision.action, decision.index) == ("pause", 5)
    assert engine.on_ticks(payloads, 3, *now) == 3 << 8
    assert engine.on_ticks(payloads, 4, *now) == 5 << 8
    assert engine.on_ticks(payloads, 4, *now) == 5 << 8 | Flag.IGNORED
    assert engine.on_ticks(payloads, 9, *now) == 9 << 8
    assert engine.heard() == [(feed, now[1])]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_damaged_batch_of_a_known_stream_is_left_and_counts_as_malformed(cut: int) -> None:
    """What a known stream may skip is only what was decoded before: the rest is judged as ever."""
    desk = Desk()
    engine, now = desk.engine, (desk.wall_ns, desk.boot_ns)
    whole = batch("main", 1, QUOTE)
    assert engine.on_frame(whole, *now, 0, 1) == 0
    for damaged in (whole[:-cut], whole + b"\xc0" * cut, b"\x98" + whole[1:-cut]):
        assert engine.on_ticks([damaged], 0, *now) == 0
        assert engine.on_frame(damaged, *now, 0, 1) == Flag.MALFORMED
    longer = b"\x98" + batch("main", 2, QUOTE)[1:] + b"\xc0"
    assert engine.on_frame(longer, *now, 0, 2) == 0
    assert engine.on_ticks([b"\x98" + batch("main", 3, QUOTE)[1:] + b"\x07"], 0, *now) == 1 << 8


@pytest.mark.parametrize("source", ["main", "terminal", "a publisher with a name of its own"])
def test_one_call_for_all_and_one_for_each_decide_alike(source: str) -> None:
    """The same batches, of one quote and of several, good and bad, through both ways in."""
    alone, together = (
        Desk(rest=SYMBOL + FEED.format(heartbeat="false")),
        Desk(rest=SYMBOL + FEED.format(heartbeat="false")),
    )
    quotes = (
        QUOTE,
        WIDE,
        Tick("EURUSD", 1.1, 1.0),
        Tick("NONE", 1.0, 1.1),
        Tick("EURUSD", "1.1", "1.10004"),
    )
    payloads = [
        batch(source, at + 1, *quotes[at % 5 : at % 5 + 1 + at % 2], account="" if at % 3 else "A")
        for at in range(60)
    ]
    lines: list[list[str]] = []
    for desk, is_together in ((alone, False), (together, True)):
        engine, now = desk.engine, (desk.wall_ns, desk.boot_ns)
        at, found = 0, list[str]()
        while at < len(payloads):
            taken = engine.on_ticks(payloads, at, *now) if is_together else at << 8
            if taken == at << 8:
                engine.on_frame(payloads[at], *now, desk.source, at + 1)
                taken = at + 1 << 8
            at = taken >> 8
            found += [decision.line().decode() for decision in engine.take_decisions()]
        lines.append([*found, engine.status().decode()])
    # A line of evidence is the caller's own alone, the stream's number together.
    assert lines[0] == lines[1]
    assert len(lines[0]) > 1
