"""The emergency command: what it imports, and where it finds the guard."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeguard.cli.app import COMMANDS, SUMMARIES
from edgeguard.cli.durations import seconds
from edgeguard.cli.emergency import parse
from edgeguard.cli.locate import find_place
from edgeguard.errors import ConfigError, UsageError
from tests.unit.config.toml import BASE, write

HEAVY = {"click", "rich", "uvloop", "asyncio", "apsw", "httpx", "edgeguard._core"}


def test_it_imports_almost_nothing() -> None:
    """Each of these costs tens of milliseconds that a person in an emergency would wait for."""
    code = "import sys, edgeguard.cli.emergency as e, edgeguard.halt_page; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_options_stand_before_or_after_the_word() -> None:
    """And values may follow a space or an equals sign."""
    order = parse(["--config", "c", "halt", "--reason=why not", "--timeout", "5", "--json"])
    assert (str(order.config), order.reason, order.timeout_s) == ("c", "why not", 5.0)
    assert order.as_json
    assert order.operator


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("line\nline\x1b[2J", "line line [2J"),
        ("right\u202eleft\ud800", "right left"),
        ("x" * 1_000_000, "x" * 1000),
    ],
)
def test_no_reason_stops_a_halt(given: str, kept: str) -> None:
    """P6, P22: a script that passes a log on as its reason halts; its words are made harmless."""
    order = parse(["halt", "--reason", given, "--operator", f"o{given}"])
    assert order.reason == kept
    assert order.operator == f"o{kept}"[:1000]


def test_the_place_is_found_without_judging_the_file(tmp_path: Path) -> None:
    """Accounts, phones, magics and named sockets come from a file that a guard would refuse."""
    text = BASE.replace('terminal = "paper"', 'terminal = "nonsense"\nbroker_phone = "123"')
    extra = (
        '[guard]\nstate_dir = "s"\ncontrol = "tcp://127.0.0.1:9"\n'
        '[[strategy]]\nname = "trend"\nmagic = [1, 2]\n'
    )
    place = find_place(write(tmp_path, text + extra), None)
    assert place.accounts == ("A",)
    assert place.phones == {"A": "123"}
    assert place.magics == {"trend": (1, 2)}
    assert place.paths.control == "tcp://127.0.0.1:9"
    assert place.paths.state_dir == tmp_path.resolve() / "s"


def test_a_file_that_is_no_toml_matters_only_without_a_state_directory(tmp_path: Path) -> None:
    """With the directory named, the guard can be found all the same."""
    path = tmp_path / "broken.toml"
    path.write_text("= =", encoding="utf-8")
    with pytest.raises(ConfigError, match="must be a readable TOML file"):
        find_place(path, None)
    assert find_place(path, tmp_path).paths.state_dir == tmp_path.resolve()


@pytest.mark.parametrize("kind", ["pipe", "endless", "deep", "number"])
def test_no_file_keeps_a_halt_waiting(tmp_path: Path, kind: str) -> None:
    """P6: a pipe that nobody writes to, a file without an end, and what no parser can take."""
    path = tmp_path / "hostile.toml"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path = Path("/dev/zero")
        case "deep":
            path.write_text("a = " + "[" * 50_000, encoding="utf-8")
        case _:
            path.write_text("a = " + "1" * 5_000, encoding="utf-8")
    assert find_place(path, tmp_path).paths.state_dir == tmp_path.resolve()


def test_pages_tell_the_accounts_where_no_file_does(tmp_path: Path) -> None:
    """The halt pages of a run directory bear their accounts' names."""
    paths = find_place(None, tmp_path).paths.create()
    paths.page("B7").touch()
    assert find_place(None, tmp_path).accounts == ("B7",)
    paths.page("B7").unlink()


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200)])
def test_durations(text: str, value: int) -> None:
    """As people write them."""
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "0", "-5", "1d", "1.5h", "soon"])
def test_what_is_no_duration(text: str) -> None:
    """A sentence with examples."""
    with pytest.raises(ValueError, match="90s, 10m or 2h"):
        seconds(text)


def test_an_unknown_option_is_a_usage_error() -> None:
    """The help is named."""
    with pytest.raises(UsageError, match="edgeguard halt --help"):
        parse(["halt", "--now"])


def modules_of(code: str) -> set[str]:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_the_way_to_the_first_byte_needs_neither_zmq_nor_msgspec() -> None:
    """Each import there was measured (docs/PERFORMANCE.md, "Start-up")."""
    slow = {"zmq", "msgspec", "dataclasses", "inspect", "json", "secrets", "threading"}
    found = modules_of("import edgeguard.cli.emergency, edgeguard.transport.unix_wire")
    assert not (HEAVY | slow) & found


def test_the_help_of_the_group_imports_no_command() -> None:
    found = modules_of("from edgeguard.cli.app import run\nassert run(['--help']) == 0")
    assert not {COMMANDS[name] for name in SUMMARIES if name in COMMANDS} & found
    if SUMMARIES.keys() >= COMMANDS.keys():
        assert not {"zmq", "msgspec", "rich", "apsw", "uvloop"} & found
