"""Loading: what a file means, and every way of refusing one."""

import hashlib
from pathlib import Path

import pytest

from edgeguard.config.check import remarks
from edgeguard.config.load import load_config
from edgeguard.errors import ConfigError
from tests.unit.config.toml import BASE, write


def violations(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return caught.value.violations


def test_defaults_fill_and_the_hash_is_of_the_bytes(tmp_path: Path) -> None:
    """A minimal file loads with every default; the hash is sha256 of the file as it lies there."""
    path = write(tmp_path)
    config, digest = load_config(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert config.account[0].limits.total_drawdown == "0.06"
    assert config.guard.lease_ms == 1000


@pytest.mark.parametrize("text", ["0.030", '"0.030"', "3.0e-2", "+0.03"])
def test_decimals_keep_their_text(tmp_path: Path, text: str) -> None:
    """A decimal is printed as the file writes it, whether a TOML number or text."""
    path = write(tmp_path, daily_loss=f"daily_loss = {text}")
    assert load_config(path)[0].account[0].limits.daily_loss == text.strip('"')


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file means the same directories from wherever a command is called."""
    path = write(tmp_path, BASE + '[guard]\nstate_dir = "var"\n')
    monkeypatch.chdir("/")
    assert load_config(path)[0].guard.state_dir == str(tmp_path.resolve() / "var")


def test_every_violation_is_told_at_once(tmp_path: Path) -> None:
    """Faults of keys, of sections and between sections come in one error with path and value."""
    text = BASE.replace("digits = 5", "").replace("= 0.030", "= 3\ndaily_lost = 1")
    extra = '[guard]\nlease_ms = 50\n[[feed]]\nname = "f"\nsymbols = ["GBPUSD"]\n'
    assert set(violations(write(tmp_path, text + extra))) == {
        "account[0].limits.daily_loss must be in (0, 1), was 3",
        "account[0].limits.daily_lost must be a known key, was 1; did you mean daily_loss?",
        "symbol[0].digits must be given, was absent",
        "guard.lease_ms must be at least 4 x heartbeat_ms = 400, was 50",
        'feed[0].symbols[0] must be a configured [[symbol]], was "GBPUSD"',
    }


@pytest.mark.parametrize(
    ("key", "line", "words"),
    [
        ("id", 'id = "a/b"', "account[0].id must be 1 to 63 letters"),
        ("id", "id = 5", "account[0].id must be 1 to 63 letters"),
        ("login", "login = 0", "account[0].login must be in [1, 9223372036854775807], was 0"),
        ("login", "login = true", "account[0].login must be a whole number, was true"),
        ("currency", 'currency = "usd"', 'must be a currency in capitals such as USD, was "usd"'),
        ("initial_balance", 'initial_balance = "0"', "initial_balance must be in (0, "),
        ("initial_balance", "initial_balance = nan", 'must be a number such as 0.03 or "0.03"'),
        ("initial_balance", "initial_balance = []", "must be a number, was a list"),
        ("initial_balance", f'initial_balance = "1.{"1" * 28}"', "must have at most 28 digits"),
        ("terminal", 'terminal = "mt4"', "must be paper, metatrader5 or mt5linux://HOST:PORT"),
        ("trade_mode", 'trade_mode = "play"', "must be one of demo, contest, real"),
        ("digits", "digits = 11", "symbol[0].digits must be in [0, 10], was 11"),
        (
            "daily_loss",
            'rollover_zone = "Europe/Prag"',
            "rollover_zone must be a known time zone such as America/New_York",
        ),
        ("daily_loss", 'rollover_zone = "Europe"', "must be a known time zone"),
        ("daily_loss", 'rollover_zone = "../UTC"', "must be a known time zone"),
        ("daily_loss", 'rollover_zone = "localtime"', "must be a known time zone"),
        (
            "digits",
            'digits = 5\nsession = ["Mon 09:00-17:30 Europe/Nowhere"]',
            "symbol[0].session[0] must be a window such as Mon 09:00-17:30 Europe/Berlin",
        ),
        (
            "daily_loss",
            'spread_window_s = "0.0000000001"',
            "spread_window_s must have at most 9 digits after the point",
        ),
        ("digits", "digits = 5.0", "symbol[0].digits must be a whole number, was 5.0"),
        (
            "server",
            'server = "a\\u202eb"',
            'must be one printable line of 1 to 200 characters, was "a\\u202eb"',
        ),
        (
            "terminal",
            'terminal = "mt5linux://h:65536"',
            "must be paper, metatrader5 or mt5linux://",
        ),
        ("terminal", 'terminal = "paper\\u001b"', 'HOST:PORT, was "paper\\x1b"'),
        ("name", 'name = "EUR USD"', "symbol[0].name must be 1 to 63 visible characters"),
    ],
)
def test_a_key_out_of_range_is_named(tmp_path: Path, key: str, line: str, words: str) -> None:
    """The sentence carries the key's path, what must hold and what was found."""
    (sentence,) = violations(write(tmp_path, **{key: line}))
    assert words in sentence


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("[[symbol]]\nname = 'EURUSD'\ndigits = 5", "symbol[1].name must be unique"),
        (
            "[[symbol]]\nname='X'\ndigits=1\nsession=['Mon 17:00-09:00 Europe/Berlin']",
            "symbol[1].session[0] must be a window",
        ),
        ("[[symbol]]\nname='X'\ndigits=1\nsession='25x8'", "symbol[1].session must be 24x7"),
        ("[[symbol]]\nname='X'\ndigits=1\nholidays=['2026-02-30']", "holidays[0] must be a date"),
        ("[[symbol]]\nname='X'\ndigits=1\ntick_size=1", "must be given together"),
        ("[[feed]]\nname='engine'", "must not be a source of EdgeGuard's own"),
        ("[[feed]]\nname='f'\naccount='B'", 'must be a configured [[account]], was "B"'),
        ("[[feed]]\nname='f'\ncodec='dwx'", "endpoint must be given for the dwx codec"),
        ("[[feed]]\nname='f'\nendpoint='tcp://10.0.0.1:5'", "must have CURVE keys beyond loopback"),
        ("[[strategy]]\nname='s'\nmagic=[]", "magic must be a list of at least 1"),
        (
            "[[strategy]]\nname='s'\nmagic=[1]\n[[strategy]]\nname='t'\nmagic=[1]",
            "must be of one strategy alone",
        ),
        ("[guard]\ncontrol='ipc:///x'\nhalts_pub='ipc:///x'", "must be a socket of its own"),
        ("[[paper.quotes]]\nsymbol='EURUSD'\nbid='2'\nask='1'", "bid must be at most ask = 1"),
        ("[guard]\ncontrol='tcp://127.0.0.1:65536'", "guard.control must be empty, ipc:///"),
        ("[guard]\ncontrol='tcp://127.0.0.1:0'", "guard.control must be empty, ipc:///"),
        (
            '[guard]\nstate_dir="a\\u001b[2J"',
            'guard.state_dir must be a printable path, was "a\\x1b',
        ),
        ("[[environment]]\nname='e'", "environment[0].config must be given"),
        ("guard = 3", "guard must be a known key"),
        (
            "[[account]]\nid='B'\n[account.limits]\nspread_window_s=604800\nspread_sample_ms=1",
            "account[1].limits.spread_sample_ms must be so long that spread_window_s = 604800",
        ),
        ("\n".join(f"[[account]]\nid='B{at}'" for at in range(256)), "had 257"),
    ],
)
def test_faults_between_keys_are_named(tmp_path: Path, extra: str, words: str) -> None:
    """What one key says of another is judged too."""
    found = violations(write(tmp_path, BASE + extra))
    assert any(words in sentence for sentence in found), found


def test_a_floor_that_locks_below_the_first_one_is_refused(tmp_path: Path) -> None:
    """lock_at below initial_balance x (1 - total_drawdown) could never be reached from above."""
    path = write(tmp_path, daily_loss='lock_at = "93999.99"')
    (sentence,) = violations(path)
    assert "account[0].limits.lock_at must be at least the first floor" in sentence
    assert "= 94000, was 93999.99" in sentence
    assert load_config(write(tmp_path, daily_loss='lock_at = "94000"'))[0]


def test_a_live_account_needs_to_know_normal_spreads(tmp_path: Path) -> None:
    """Without a figure or a profile the spread trigger would be blind at first on real money."""
    path = write(tmp_path, terminal='terminal = "metatrader5"')
    (sentence,) = violations(path)
    assert "symbol[0].spread_normal_points must be given for EURUSD" in sentence


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "must be UTF-8 text"),
        (b"x = ", "must be valid TOML"),
        (b"[account]\nid = 1", "account must be a list of tables, was a table"),
        (b"", "account must be given, was absent"),
        (b"x = " + b"1" * 5000, "must be valid TOML"),
        (b'"a\\nb\\u001b[2J" = 1', "a\\nb\\x1b[2J must be a known key"),
        (b"#" * 1_000_001, "must have at most 1000000 bytes"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, words: str) -> None:
    """Whatever lies in the file ends in a sentence."""
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    assert any(words in sentence for sentence in violations(path))


def test_a_required_feed_is_told_how_often_it_must_beat(tmp_path: Path) -> None:
    """One that beats more rarely would close gates all day, and no key of ours knows its beat."""
    extra = "[guard]\nfeed_silence_max_ms = 700\n[[feed]]\nname = 'f'\nrequired = true\n"
    assert not any(
        "FEED_SILENT" in note for note in remarks(load_config(write(tmp_path, BASE + extra))[0])
    )
    config, _ = load_config(write(tmp_path, BASE + extra + "heartbeat = true\n"))
    (note,) = [note for note in remarks(config) if "FEED_SILENT" in note]
    assert note.startswith(
        "feed f: must tick or beat more often than every feed_silence_max_ms = 700"
    )


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    """The sentence tells what to do."""
    (sentence,) = violations(tmp_path / "none.toml")
    assert "No such file" in sentence
    assert "--config FILE" in sentence
