"""Key files, the ring, the doorman's judgement, and what `edgeguard keys` prints."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from edgeguard.cli.app import run
from edgeguard.config import secrets
from edgeguard.config.model import PeerConfig
from edgeguard.errors import ConfigError, InUseError
from edgeguard.transport import CurveKeys, make_context, router
from edgeguard.transport.doorman import ALL, Book, Unwelcome
from edgeguard.transport.keys import Keyring, key_path, new_pair, read_key, write_key

DESK = new_pair()
BOOK = Book(
    [
        PeerConfig(name="desk", public=DESK.public, rights=("read", "halt")),
        PeerConfig(name="anna", uid=1001, rights=("read",)),
        PeerConfig(name="zero", uid=0, rights=("read",)),
        PeerConfig(name="idle", uid=1002),
    ],
    uid=1000,
)
TCP = "192.0.2.1"


def raw(key: str) -> list[bytes]:
    return [z85.decode(key)]


@pytest.mark.parametrize(
    ("door", "address", "mechanism", "credentials", "name"),
    [
        ("control", TCP, b"CURVE", raw(DESK.public), "desk"),
        ("halts", TCP, b"CURVE", raw(DESK.public), "desk"),
        ("broker", TCP, b"CURVE", raw(DESK.public), "desk"),
        ("control", "localhost:1000:1000:7", b"NULL", [], "@local"),
        ("feeds", "localhost:0:0:7", b"NULL", [], "@local"),
        ("control", "localhost:1001:5:7", b"NULL", [], "anna"),
        ("gate", "127.0.0.1", b"NULL", [], "@loopback"),
    ],
)
def test_book_lets_in(
    door: str, address: str, mechanism: bytes, credentials: list[bytes], name: str
) -> None:
    """P21: by key, by user id, or as anybody on this host."""
    assert BOOK.judge(door, address, mechanism, credentials) == name


@pytest.mark.parametrize(
    ("door", "address", "mechanism", "credentials", "cause"),
    [
        ("control", TCP, b"CURVE", raw(new_pair().public), "unknown_key"),
        ("control", TCP, b"CURVE", [], "unknown_key"),
        ("control", TCP, b"CURVE", [b"short"], "unknown_key"),
        ("control", TCP, b"CURVE", [*raw(DESK.public), b"more"], "unknown_key"),
        ("control", TCP, b"PLAIN", [b"desk", b"word"], "mechanism"),
        ("control", TCP, b"GSSAPI", [b"desk"], "mechanism"),
        ("feeds", TCP, b"CURVE", raw(DESK.public), "rights"),
        ("", TCP, b"CURVE", raw(DESK.public), "rights"),
        ("vault", TCP, b"CURVE", raw(DESK.public), "rights"),
        ("control", "localhost:1003:0:7", b"NULL", [], "unknown_user"),
        ("control", "localhost:99999999:0:7", b"NULL", [], "unknown_user"),
        ("control", "localhost:1002:0:7", b"NULL", [], "rights"),
        ("feeds", "localhost:1001:0:7", b"NULL", [], "rights"),
    ],
)
def test_book_keeps_out(
    door: str, address: str, mechanism: bytes, credentials: list[bytes], cause: str
) -> None:
    """P21, A-KEY-2, A-KEY-6: strangers, other mechanisms, and doors without the right."""
    with pytest.raises(Unwelcome, match=cause):
        BOOK.judge(door, address, mechanism, credentials)


def test_rights_are_those_of_the_name() -> None:
    """P7: nobody by loopback resumes; a name that nobody has may do nothing."""
    assert BOOK.rights("@local") == ALL
    assert "resume" not in BOOK.rights("@loopback")
    assert BOOK.rights("desk") == {"read", "halt"}
    assert BOOK.rights("") == BOOK.rights("@other") == frozenset()
    # Root owns the files: a configured peer cannot take its rights away, nor the guard's own.
    assert BOOK.judge("control", "localhost:0:0:1", b"NULL", []) == "@local"


def test_server_with_keys_and_without_a_doorman_lets_nobody_in() -> None:
    """P21, A-KEY-7: with nobody to ask, libzmq refuses even a well-formed key."""
    server, client = new_pair(), new_pair()
    context = make_context()
    bound = router(context, "tcp://127.0.0.1:*", keys=server)
    other = context.socket(zmq.DEALER)
    other.setsockopt(zmq.LINGER, 0)
    other.setsockopt(zmq.CURVE_PUBLICKEY, client.public.encode())
    other.setsockopt(zmq.CURVE_SECRETKEY, client.secret.encode())
    other.setsockopt(zmq.CURVE_SERVERKEY, server.public.encode())
    other.connect(bound.getsockopt_string(zmq.LAST_ENDPOINT))
    other.send(b"hello")
    assert not bound.poll(300)
    context.destroy(linger=0)


def test_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    """P21, A-DISK-1: 0600 in a 0700 folder; a second key of that name is refused."""
    path, pair = key_path(tmp_path / "keys", "guard"), new_pair()
    write_key(path, "guard", pair)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_key(path) == pair
    with pytest.raises(InUseError, match="must be new, exists"):
        write_key(path, "guard", new_pair())
    assert read_key(path) == pair


def test_key_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    """P22, A-DISK-2: a link in the place of a key file is not followed."""
    target = tmp_path / "target"
    (tmp_path / "guard.key").symlink_to(target)
    with pytest.raises(InUseError):
        write_key(tmp_path / "guard.key", "guard", new_pair())
    assert not target.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_key_file_of_others_is_refused(tmp_path: Path, mode: int) -> None:
    """P21, P24, A-DISK-3: a secret that others may read is none."""
    path = tmp_path / "guard.key"
    write_key(path, "guard", new_pair())
    path.chmod(mode)
    with pytest.raises(ConfigError, match="must be its owner's alone"):
        read_key(path)


def test_key_file_is_read_where_modes_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows every file looks readable by all: a broker there finds its key all the same."""
    path, pair = tmp_path / "broker.key", new_pair()
    write_key(path, "broker", pair)
    path.chmod(0o666)
    monkeypatch.setattr(secrets, "HAS_MODES", False)
    assert read_key(path) == pair


@pytest.mark.parametrize("part", ["secret", "public", "both", "nothing", "binary"])
def test_damaged_key_file_is_one_sentence_without_its_contents(tmp_path: Path, part: str) -> None:
    """P21, A-SECRET-1: what is wrong is told, what the file holds is not."""
    path, pair = tmp_path / "guard.key", new_pair()
    write_key(path, "guard", pair)
    text = path.read_text()
    damaged = {
        "secret": text.replace(pair.secret, pair.secret[:39]),
        "public": text.replace(pair.public, new_pair().public),
        "both": text.replace('"', ""),
        "nothing": "# empty\n",
        "binary": "\x00\x01" + text,
    }[part]
    path.write_text(damaged)
    with pytest.raises(ConfigError) as caught:
        read_key(path)
    assert pair.secret[:20] not in str(caught.value)
    assert str(path) in str(caught.value)


def test_ring_names_what_is_missing(tmp_path: Path) -> None:
    """P21: a server's key that nobody configured, and an own key that is not there."""
    pair = new_pair()
    ring = Keyring(str(tmp_path), {"guard": pair.public}, "desk")
    assert ring.client("ipc:///x", "guard") is None
    with pytest.raises(ConfigError, match=r"desk\.key must be readable"):
        ring.client("tcp://127.0.0.1:1", "guard")
    with pytest.raises(ConfigError, match=r"must name .broker\.A. with its public key"):
        ring.client("tcp://127.0.0.1:1", "broker.A")
    write_key(key_path(tmp_path, "desk"), "desk", DESK)
    assert ring.client("tcp://127.0.0.1:1", "guard") == CurveKeys(
        DESK.public, DESK.secret, pair.public
    )
    assert Keyring("", {}, "desk").server("tcp://127.0.0.1:1") is None


def test_secret_is_in_no_text_of_its_holder() -> None:
    """P21, A-SECRET-2: neither repr nor str nor a format string shows it."""
    for text in (repr(DESK), str(DESK), f"{DESK}", f"{[DESK]}", "%s" % (DESK,)):  # noqa: UP031
        assert DESK.secret not in text


def test_command_prints_secrets_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """P21, A-SECRET-3: `keys new` and `keys show` print public halves; --secret prints one."""
    into = ["--into", str(tmp_path)]
    assert run(["keys", "new", "desk", *into]) == 0
    secret = read_key(tmp_path / "desk.key").secret
    assert run(["keys", "show", *into]) == 0
    assert run(["keys", "show", "desk", *into]) == 0
    made = capsys.readouterr()
    assert secret not in made.out + made.err
    assert made.out.count('name = "desk"') == 3
    assert run(["keys", "show", "desk", "--secret", *into]) == 0
    assert capsys.readouterr().out == f"{secret}\n"
    assert run(["keys", "new", "desk", *into]) == 4
    assert run(["keys", "show", "--secret", *into]) == 2


@pytest.mark.parametrize("name", ["../guard", "a/b", "", ".hidden", "a\nb", "x" * 64])
def test_key_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    """P22, A-DISK-4: a name is a name, never a path."""
    assert run(["keys", "new", name, "--into", str(tmp_path / "keys")]) == 2
    assert not list(tmp_path.rglob("*.key"))
