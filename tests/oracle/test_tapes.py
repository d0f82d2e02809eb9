"""Claims about the generated cases and the comparison itself."""

from pathlib import Path

import pytest

from tests.oracle import agreement
from tests.oracle.__main__ import main
from tests.oracle.adapter import RAN, oracle_lines
from tests.oracle.golden import config
from tests.oracle.tapes import EVENTS_MAX, make_case

SEEDS = 40


def test_a_seed_always_makes_the_same_case(tmp_path: Path) -> None:
    """Two directories of one seed hold the same bytes, but for the packed tick files."""
    for seed in range(SEEDS):
        first, second = tmp_path / f"a{seed}", tmp_path / f"b{seed}"
        make_case(seed, first)
        make_case(seed, second)
        names = sorted(path.name for path in first.iterdir())
        assert names == sorted(path.name for path in second.iterdir())
        for name in names:
            if name.endswith((".toml", ".jsonl", ".json")):
                assert (first / name).read_bytes() == (second / name).read_bytes()


def test_cases_are_small_and_the_oracle_reads_them(tmp_path: Path) -> None:
    """Every case has at most EVENTS_MAX lines and ends with exit 0, 3 or 6."""
    for seed in range(SEEDS):
        case = make_case(seed, tmp_path / str(seed))
        lines = sum(len(path.read_text().split("\n")) for path in case.tape_paths)
        assert lines <= EVENTS_MAX + 2 * len(case.tape_paths)
        code, _ = oracle_lines(case.config_path, case.tick_specs, case.tape_paths)
        assert code in (0, 3, 6)


def test_agreement_finds_a_single_wrong_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that prints one threshold differently is found, and its case is kept."""

    def wrong(config_path: Path, tick_specs: list[str], tapes: list[Path]) -> tuple[int, list[str]]:
        code, lines = oracle_lines(config_path, tick_specs, tapes)
        return code, [line.replace('"threshold":"10"', '"threshold":"11"') for line in lines]

    monkeypatch.setattr(agreement, "edgeguard_lines", oracle_lines)
    assert agreement.main(["--tapes", "15", "--keep", str(tmp_path)]) == 0
    monkeypatch.setattr(agreement, "edgeguard_lines", wrong)
    assert agreement.main(["--tapes", "15", "--keep", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    kept = sorted(tmp_path.iterdir())
    assert kept
    assert {"config.toml", "oracle.txt", "program.txt"} <= {p.name for p in kept[0].iterdir()}
    assert '  program {"v":1' in printed


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ "For `replay`: 0 ran, 3 configuration, 6 unreadable input", 2 usage."""
    config_path, tape = tmp_path / "c.toml", tmp_path / "t.jsonl"
    config_path.write_text(config({"errors_per_minute": 1}))
    tape.write_text('{"type":"error","t_ns":1,"account":"A","source":"x","class":"y"}\n')
    assert main(["--config", str(config_path), str(tape)]) == RAN
    assert capsys.readouterr().out.count("\n") == 1
    assert main(["--config", str(tmp_path / "none.toml")]) == 3
    assert main(["--config", str(config_path), str(tmp_path / "none.jsonl")]) == 6
    assert main(["--config", str(config_path), "--ticks", "nonsense"]) == 2
