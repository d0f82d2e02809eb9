"""Evidence: a tape that replay reads, a picture that opens, and no part that stops another."""

from __future__ import annotations

import json
from pathlib import Path

from edgeguard.clock import NS_PER_S, ManualClock
from edgeguard.codec.native import encode
from edgeguard.config.model import Config, IncidentConfig
from edgeguard.config.paths import PathNames, Paths
from edgeguard.incident.evidence import Moment, collect, collect_flat, decoded, folder_of
from edgeguard.incident.store import Incident
from edgeguard.incident.tape_out import tape_lines
from edgeguard.messages import (
    AccountSnapshot,
    ErrorEvent,
    Fill,
    Heartbeat,
    MarketMessage,
    Order,
    Position,
    SymbolFacts,
    TerminalProof,
    Tick,
    TickBatch,
    Transfer,
)
from edgeguard.ops.recorder import Recorder
from edgeguard.tape import read_tape
from tests.unit.api.rig import make_config

T_NS = 1_700_000_000 * NS_PER_S
HEAD = ("A", "terminal", 1, 1, T_NS)
POSITION = Position(7, 7, "EURUSD", "buy", "1.00", "1.38700", "1.38694", "0.00", "-6.00")
ORDER = Order(9, "EURUSD", "buy_limit", "1.00", "1.38")
SNAPSHOT = AccountSnapshot(
    *HEAD, "100000.00", "99994.00", "0.00", "0.00", (POSITION,), (ORDER,), login=1
)
TICKS = TickBatch("", "main", 1, 1, T_NS, (Tick("EURUSD", 1.38694, "1.38705", T_NS),))
ONE_OF_EACH: tuple[MarketMessage, ...] = (
    SymbolFacts(*HEAD, "EURUSD", 5, "100000", "FOREX", "EUR", "USD"),
    SNAPSHOT,
    TICKS,
    Fill(*HEAD, 11, 7, "EURUSD", "sell", "out", "0.50", "1.38690", "-5.00"),
    ErrorEvent(*HEAD, "reject", 10006, 12, "no money"),
    Heartbeat("A", "engine", 1, 9, T_NS),
    Transfer(*HEAD, 12, "balance", "500.00"),
    TerminalProof(*HEAD, connected=True, trade_allowed=True),
)
INCIDENT = Incident("INC-2023-001", "halt:H1", "P1", "manual", "Test", "account", ("A",), T_NS)


def private_paths(folder: Path) -> Paths:
    """Return paths that leave nothing on shared memory."""
    return Paths(PathNames(state_dir=str(folder), run_dir=str(folder / "run"))).create()


def test_every_message_comes_back_from_the_tape_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    path.write_bytes(b"".join(tape_lines((T_NS, message) for message in ONE_OF_EACH)))
    events = list(read_tape(path, frozenset({"A"})))
    assert [event.fault for event in events] == [None] * len(ONE_OF_EACH)
    back = [event.message for event in events]
    assert [type(message) for message in back] == [type(message) for message in ONE_OF_EACH]
    snapshot, ticks = back[1], back[2]
    assert isinstance(snapshot, AccountSnapshot)
    assert (snapshot.positions, snapshot.orders) == (SNAPSHOT.positions, SNAPSHOT.orders)
    assert isinstance(ticks, TickBatch)
    assert ticks.ticks[0].source_ns == T_NS


def test_the_tape_never_goes_back_in_time(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    times = [T_NS, T_NS - 5, T_NS + 1]
    path.write_bytes(b"".join(tape_lines((t_ns, TICKS) for t_ns in times)))
    assert all(event.fault is None for event in read_tape(path, frozenset({"A"})))


def test_evidence_is_kept_part_by_part(tmp_path: Path) -> None:
    """No journal, no logs: the rest is there, and README.txt says what is not."""
    paths = private_paths(tmp_path)
    frames = [(T_NS + n, encode(message)) for n, message in enumerate(ONE_OF_EACH)]
    held = collect(paths, INCIDENT, Moment({"state": "HALTED"}, [*frames, (T_NS, b"junk")], 5))
    folder = folder_of(paths, INCIDENT.id)
    assert json.loads((folder / "state.json").read_text()) == {"state": "HALTED"}
    assert json.loads((folder / "account.json").read_text())["A"]["positions"][0]["ticket"] == 7
    assert (folder / "equity_spreads.png").read_bytes().startswith(b"\x89PNG")
    assert held["tape.jsonl"].startswith("8 lines")
    assert held["journal.jsonl"] == ""
    said = (folder / "README.txt").read_text()
    assert "journal.jsonl: could not be kept" in said
    assert "logs.txt: nothing was there to keep" in said
    assert folder.stat().st_mode & 0o077 == 0


def test_the_flatten_records_of_this_halt_are_kept(tmp_path: Path) -> None:
    paths = private_paths(tmp_path)
    reports = paths.state_dir / "reports"
    reports.mkdir()
    for number, halt_id in enumerate(("H0", "H1")):
        record = {"halt_id": halt_id, "result": "FLAT"}
        (reports / f"flatten.A.{number}.json").write_text(json.dumps(record))
    collect_flat(paths, INCIDENT, Moment(None, [], 0))
    assert not (folder_of(paths, INCIDENT.id) / "equity_spreads.png").exists()
    kept = (folder_of(paths, INCIDENT.id) / "flatten.jsonl").read_text().splitlines()
    assert [json.loads(line)["halt_id"] for line in kept] == ["H1"]


def test_the_recorder_is_bounded_in_time_and_bytes_and_keeps_the_facts() -> None:
    base = make_config()
    config = Config(
        account=base.account,
        symbol=base.symbol,
        incident=IncidentConfig(evidence_minutes=1, evidence_mb=1),
    )
    clock = ManualClock(T_NS)
    recorder = Recorder(config, clock)
    facts, ticks = encode(ONE_OF_EACH[0]), encode(TICKS)
    recorder.on_frames([b"A.facts", facts])
    for _ in range(10_000):
        recorder.on_frames([b"A.ticks", ticks])
    kept = recorder.frames()
    assert sum(len(payload) for _, payload in kept) < 1_000_000
    assert isinstance(decoded(kept)[0][1], SymbolFacts)
    clock.advance(61 * NS_PER_S)
    recorder.on_frames([b"A.ticks", ticks])
    recorder.on_frames([b"junk"])
    assert [payload for _, payload in recorder.frames()] == [facts, ticks]
    assert recorder.frames()[0][0] == recorder.frames()[1][0]
