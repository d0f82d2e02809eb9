"""What the emergency command speaks by itself: as much msgpack and ZMTP as it needs."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeguard.codec import native
from edgeguard.codec.minimal import COMMAND_TAG, pack, read_reply
from edgeguard.errors import MalformedError, UnreachableError
from edgeguard.messages import Command, Reply
from edgeguard.transport.guard_call import GuardCall
from edgeguard.transport.unix_wire import MESSAGE_BYTES_MAX, UnixWire

TEXT = st.text(max_size=300)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)


@unhurried
@given(TEXT, st.binary(max_size=300), st.integers(0, 2**63 - 1), st.dictionaries(TEXT, TEXT))
def test_a_command_has_the_bytes_of_the_codec(
    text: str, nonce: bytes, t_ns: int, args: dict[str, str]
) -> None:
    command = Command(text, nonce, t_ns, "halt", text, text, args)
    fields = (COMMAND_TAG, text, nonce, t_ns, "halt", text, text, args)
    assert pack(fields) == native.encode(command)


@unhurried
@given(TEXT, TEXT, st.booleans(), st.binary(max_size=70_000))
def test_a_reply_is_read_as_the_codec_reads_it(
    name: str, text: str, final: bool, body: bytes
) -> None:
    reply = Reply(name, "flat", final, text, body)
    assert tuple(read_reply(native.encode(reply))) == (name, "flat", final, text, body)


@unhurried
@given(st.binary(max_size=60))
def test_bytes_that_are_no_reply_are_malformed_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(MalformedError):
        read_reply(payload)


@pytest.mark.parametrize("cut", range(12))
def test_a_reply_that_was_cut_or_is_another_message_is_malformed(cut: int) -> None:
    whole = native.encode(Reply("id", "flat", True, "t", b"{}"))  # noqa: FBT003
    for payload in (
        whole[:cut],
        whole + b"\0",
        native.encode(Command("i", b"n", 1, "halt", "o", "r")),
    ):
        with pytest.raises(MalformedError):
            read_reply(payload)


@contextmanager
def router(path: Path) -> Generator["zmq.Socket[bytes]"]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(f"ipc://{path}")
        yield socket


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000])
def test_libzmq_understands_it_and_it_understands_libzmq(tmp_path: Path, size: int) -> None:
    """Both forms of a frame's length, both ways, many parts, and what comes in one piece."""
    with router(tmp_path / "s") as server:
        wire = UnixWire(str(tmp_path / "s"))
        wire.send(b"q" * size)
        assert server.poll(5_000)
        name, question = server.recv_multipart()
        assert question == b"q" * size
        for number in range(3):
            server.send_multipart((name, b"topic", b"%d" % number + b"a" * size))
        answers: list[bytes] = []
        while len(answers) < 3:
            message = wire.receive(5_000)
            assert not wire.is_closed
            answers += [] if message is None else [message]
        assert answers == [b"%d" % number + b"a" * size for number in range(3)]
        assert wire.receive(0) is None
        wire.close()


def test_a_call_ends_with_its_last_stage_or_with_its_peer(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with router(path) as server:
        call = GuardCall(f"ipc://{path}")
        call.send("halt", "ann", "why", {"scope": "all"})
        assert server.poll(5_000)
        name, payload = server.recv_multipart()
        command = native.decode(payload)
        assert isinstance(command, Command)
        assert (command.verb, command.operator, command.args) == ("halt", "ann", {"scope": "all"})
        for other, stage, final in (("x", "flat", True), (command.id, "flat", False)):
            server.send_multipart((name, native.encode(Reply(other, stage, final, ""))))
        server.send_multipart((name, b"\xc1"))
        found = call.replies(5.0)
        assert next(found).stage == "flat"
    # The server is gone: the rest of the five seconds is not waited for.
    assert list(found) == []
    call.close()


def test_nobody_listens(tmp_path: Path) -> None:
    """No path, a path that is no socket, and one that a killed process left: all at once."""
    with pytest.raises(UnreachableError, match="nobody at"):
        GuardCall(f"ipc://{tmp_path}/none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnreachableError, match="nobody at"):
        GuardCall(f"ipc://{tmp_path}/file")


def serve(path: Path, data: bytes) -> threading.Thread:
    """Greet a caller with `data` and keep the connection until the caller ends it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def run() -> None:
        with listener, listener.accept()[0] as peer:
            peer.sendall(data)
            while peer.recv(1000):
                pass

    thread = threading.Thread(target=run)
    thread.start()
    return thread


HELLO = b"\xff" + bytes(8) + b"\x7f\x03" + bytes(53)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 100, "speaks no ZMTP 3"),
        (bytes(100), "speaks no ZMTP 3"),
        (HELLO + b"\x02" + (MESSAGE_BYTES_MAX + 1).to_bytes(8, "big"), "speaks no ZMTP 3"),
        (b"", "it does not answer"),
    ],
    ids=["http", "zeros", "too long", "hung"],
)
def test_a_stranger_at_the_socket_is_nobody(tmp_path: Path, data: bytes, words: str) -> None:
    thread = serve(tmp_path / "s", data)
    with pytest.raises(UnreachableError, match=words):
        UnixWire(str(tmp_path / "s"))
    thread.join(5)
    assert not thread.is_alive()
