"""Commands without a guard: what they print, what they refuse, and their exit codes."""

import json
from pathlib import Path

import pytest

from edgeguard.__main__ import main
from edgeguard.cli.app import COMMANDS, run
from edgeguard.config.paths import Paths
from tests.unit.config.toml import BASE, write


@pytest.fixture(autouse=True)
def _nothing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no configuration of this machine be found."""
    monkeypatch.delenv("EDGEGUARD_CONFIG", raising=False)
    monkeypatch.delenv("EDGEGUARD_STATE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_command_is_there_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of the group and of each command ends with 0."""
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in text
        assert run([name, "--help"]) == 0


def test_check_tells_accounts_symbols_and_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person wants to see before a start."""
    assert run(["config", "check", "--config", str(write(tmp_path))]) == 0
    out, err = capsys.readouterr()
    assert "accounts A; symbols EURUSD" in out
    assert "price_anomaly is not armed until" in err


@pytest.mark.parametrize("before", [True, False])
def test_options_stand_before_or_after_the_command(
    tmp_path: Path,
    before: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both orders mean the same."""
    option = ["--config", str(write(tmp_path))]
    assert run([*option, "config", "check"] if before else ["config", "check", *option]) == 0
    assert "accounts A" in capsys.readouterr().out


def test_the_environment_names_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """EDGEGUARD_CONFIG does where no option stands."""
    monkeypatch.setenv("EDGEGUARD_CONFIG", str(write(tmp_path)))
    assert run(["config", "check"]) == 0
    assert "accounts A" in capsys.readouterr().out


def test_all_violations_come_on_stderr_with_exit_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, never a traceback."""
    path = write(tmp_path, BASE + "[guard]\nx = 1\ny = 2\n")
    assert run(["config", "check", "--config", str(path)]) == 3
    assert capsys.readouterr().err.count("edgeguard: guard.") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "No such command"),
        (["status"], 2, "a configuration must be named by --config"),
        (["status", "--state-dir", "none"], 14, "no guard answers at ipc://"),
        (["status", "--config", "none.toml"], 3, "none.toml must be a readable TOML file"),
        (["status", "--config", "none.toml", "--state-dir", "none"], 3, "must be a readable TOML"),
        (["pause", "--reason", "", "--state-dir", "none"], 2, "--reason must be given"),
        (["pause", "--reason", "a\nb", "--state-dir", "none"], 2, "printable characters"),
        (["pause", "--reason", "x" * 1001, "--state-dir", "none"], 2, "at most 1000"),
        (["resume", "--reason", "x"], 2, "either --halt-id H or --pause"),
        (["rebaseline", "--account", "A", "--reason", "x"], 2, "either --peak V or --day V"),
        (["maintenance", "--for", "soon", "--reason", "x"], 2, "written like 90s, 10m or 2h"),
        (["replay", "--config", "none.toml", "x.jsonl"], 3, "must be readable"),
        (["replay"], 2, "at least one --ticks SPEC or TAPE"),
        (["journal", "verify", "--state-dir", "none"], 6, "journal"),
        (["broker", "--config", "none.toml"], 3, "must be readable"),
        (["demo", "--trigger", "bad_luck"], 2, "bad_luck"),
        (["demo", "--trigger", "error_rate", "--ticks", "x"], 2, "--ticks shows a loss limit"),
        (["demo", "--ticks", "x"], 2, "SPEC must be KIND:SYMBOL:PATH"),
        (["demo", "--ticks", "oanda:USDJPY:x.zip"], 2, "the demo knows the symbols"),
        (["demo", "--ticks", "oanda:XAUUSD:x_20140502.zip"], 6, "must be a readable tick file"),
    ],
)
def test_expected_trouble_is_a_sentence(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of INTERFACES, the sentence says what must hold."""
    assert run(arguments) == code
    assert words in capsys.readouterr().err


def test_replay_prints_decisions_before_an_unreadable_line(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Exit 6, and what was decided stays printed."""
    tape = tmp_path / "tape.jsonl"
    error = {"type": "error", "t_ns": 1, "account": "A", "source": "e", "class": "x"}
    tape.write_text("\n".join([json.dumps(error)] * 2 + ["{"]), encoding="utf-8")
    config = write(tmp_path, BASE.replace("daily_loss = 0.030", "errors_per_minute = 1"))
    assert run(["replay", "--config", str(config), str(tape)]) == 6
    out, err = capfdbinary.readouterr()
    assert json.loads(out.splitlines()[-1])["action"] == "pause"
    assert b"tape.jsonl:3: the line must be JSON" in err


def halt(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the process's own main, as the shell does."""
    monkeypatch.setattr("sys.argv", ["edgeguard", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--reason must be given"),
        (["--reason", " "], "--reason must be given"),
        (["--reason", "\x07\n"], "--reason must be given"),
        (["--reason"], "--reason must be given a value"),
        (["--reason", "x", "--scope", "desk"], "--scope must be all, account:ID"),
        (["--reason", "x", "--timeout", "soon"], "--timeout must be seconds"),
        (["--reason", "x", "--timeout", "0"], "--timeout must be in (0, 3600]"),
        (["--reason", "x", "--all"], "halt does not know --all"),
    ],
)
def test_a_halt_that_is_not_understood_is_exit_2(
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says so at once, so that the person can type it again."""
    assert halt("halt", *arguments, monkeypatch=monkeypatch) == 2
    assert words in capsys.readouterr().err


def test_without_a_guard_the_halt_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 13: a guard that starts comes up halted. A second time the file stands already."""
    paths = Paths(None, tmp_path / "state").create()
    where = ["--state-dir", str(paths.state_dir)]
    for words in ("is written", "stood already"):
        assert halt(*where, "halt", "--reason", "test", monkeypatch=monkeypatch) == 13
        assert words in capsys.readouterr().out
    line = json.loads(paths.halt_file.read_text(encoding="utf-8"))
    assert (line["reason"], line["scope"]) == ("test", "all")


def test_a_wrong_configuration_does_not_stop_a_halt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the guard would refuse to start on still says where the guard is."""
    path = write(tmp_path, BASE + '[guard]\nstate_dir = "state"\nnonsense = 1\n')
    Paths(None, tmp_path / "state").create()
    code = halt("halt", "--json", "--reason", "x", "--config", str(path), monkeypatch=monkeypatch)
    out, err = capsys.readouterr()
    assert code == 13
    assert [json.loads(line)["stage"] for line in out.splitlines()][-1] == "result"
    assert "only the halt file" in err.lower()


def test_where_nothing_is_known_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped directory must not read as a halt."""
    arguments = ("halt", "--reason", "x", "--state-dir", str(tmp_path / "none"))
    assert halt(*arguments, monkeypatch=monkeypatch) == 14
    assert "NOTHING could be done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("contacts", "code", "words"),
    [
        (None, 0, "is not there: messages name nobody to call"),
        ("contacts: {}\n", 0, "has nobody with escalation_level 1"),
        ("contacts: [", 3, "must be a list of contacts"),
        ("contacts: {a: &x {name: A}, b: *x}\n", 3, "anchors are refused"),
        ("contacts: {founder: {name: '', escalation_level: 1}}\n", 3, "name must be given"),
        ("contacts: {founder: {name: F, telephone: 1}}\n", 3, "telephone"),
    ],
)
def test_config_check_reads_the_contacts(
    tmp_path: Path, contacts: str | None, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ops would refuse at its start is said before."""
    pytest.importorskip("yaml")
    if contacts is not None:
        (tmp_path / "emergency_contacts.yaml").write_text(contacts, encoding="utf-8")
    assert run(["config", "check", "--config", str(write(tmp_path))]) == code
    assert words in capsys.readouterr().err
