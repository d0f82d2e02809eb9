"""A table of attacks on a running guard: each is refused, and the guard is as well afterwards."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec
import pytest

from edgeguard.clock import NS_PER_S
from edgeguard.codec.native import decode, encode
from edgeguard.errors import MalformedError
from edgeguard.journal import export
from edgeguard.messages import (
    AccountSnapshot,
    BrokerCommand,
    Command,
    ErrorEvent,
    Fill,
    Heartbeat,
    Ping,
    Reply,
    Tick,
    TickBatch,
)
from edgeguard.transport import dealer, make_context
from tests.process.guard_rig import CLOCK, DEADLINE_S, World, make_config, running, until

SCOPES_MAX = 64
"""Scopes of an account that its page has room for."""
LAST = "asked after all the rest"
"""Id of the status command that marks the end of an attack's answers."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    """Return one guard that takes all attacks."""
    with running(make_config(tmp_path_factory.mktemp("guard"))) as made:
        yield made


def answers(endpoint: str, *payloads: bytes) -> list[Reply]:
    """Return the replies to raw payloads.

    Commands of one connection are answered in their order, so what was not answered before a status
    command that came after them never will be, however slow the guard is.
    """
    context = make_context()
    socket = dealer(context, endpoint)
    try:
        for payload in payloads:
            socket.send(payload)
        replies: list[Reply] = []
        end_ns = CLOCK.boot_ns() + int(DEADLINE_S * NS_PER_S)
        while CLOCK.boot_ns() < end_ns:
            # A payload that ended the connection took what was behind it along: it is sent again.
            socket.send(encode(command("status", id=LAST)))
            while socket.poll(1000):
                reply = decode(socket.recv_multipart()[-1])
                assert isinstance(reply, Reply)
                if reply.id == LAST:
                    return replies
                replies.append(reply)
        raise AssertionError(f"the guard answers nobody any more; it had answered {replies}")
    finally:
        context.destroy(linger=0)


def await_all_published(world: World) -> None:
    """Wait until the guard has taken in all that was published before now."""
    before = world.status()["accounts"][0]["seen"]["fill"]
    fill = Fill("A", "mark", 1, None, 1, 1, 1, "EURUSD", "buy", "in", "0.01", "1.1")
    world.publish(fill)

    def has_come() -> bool:
        return world.status()["accounts"][0]["seen"]["fill"] > before

    until(has_come)


def command(verb: str, **changes: object) -> Command:
    """Return a well-formed command with changes."""
    words = Command(
        "id", bytes(CLOCK.wall_ns().to_bytes(8, "big")), CLOCK.wall_ns(), verb, "o", "r"
    )
    return msgspec.structs.replace(words, **changes)


def test_guard_answers_before_and_after(world: World) -> None:
    """The control: an ordinary command is answered."""
    assert [reply.stage for reply in answers(world.paths.control, encode(command("status")))] == [
        "done"
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"halt",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 60_000,
        encode(command("resume"))[:-3],
        encode(Heartbeat("A", "engine", 1, 1, 1)),
        encode(Ping("A", b"n", 1)),
        encode(BrokerCommand("A", "x", 1, "flatten")),
        encode(Reply("id", "done", True, "")),  # noqa: FBT003  # a struct's field
        msgspec.msgpack.encode([34, "id", "nonce-is-text", 1, "halt", "o", "r", {}]),
        msgspec.msgpack.encode([34, "id", b"n", True, "halt", "o", "r", {}]),
        msgspec.msgpack.encode([34, "id", b"n", 1, "halt", "o", "r", {"scope": 7}]),
        msgspec.msgpack.encode([34]),
        b"\x98\x22\xa2\xff\xfe" + b"\xa1x" * 6,
    ],
)
def test_payload_that_is_no_command_is_dropped(world: World, payload: bytes) -> None:
    """P22: nothing is answered, nothing changes."""
    assert answers(world.paths.control, payload) == []
    world.until_open()


def test_message_over_the_limit_is_dropped(world: World) -> None:
    """A command of more than 64 KiB never reaches the guard's code."""
    huge = encode(command("halt", reason="x" * 70_000))
    assert answers(world.paths.control, huge) == []
    world.until_open()


OLD_NS = 3_600_000_000_000


@pytest.mark.parametrize(
    ("sent", "stage", "words"),
    [
        (lambda: command(""), "failed", "verb must be one of"),
        (lambda: command("open"), "failed", "verb must be one of"),
        (lambda: command("__class__"), "failed", "verb must be one of"),
        (lambda: command("halt", reason=""), "failed", "reason must be given"),
        (lambda: command("halt", reason="\n\x00 \x1b"), "failed", "reason must be given"),
        (lambda: command("halt", args={"scope": "account:Z"}), "failed", "account must be one of"),
        (lambda: command("halt", args={"scope": "planet:X"}), "failed", "scope must be all"),
        (lambda: command("halt", args={"scope": "symbol:"}), "failed", "scope must be all"),
        (lambda: command("halt", args={"scope": "strategy:Z"}), "failed", "strategy must be one"),
        (lambda: command("halt", args={"timeout": "nan"}), "failed", "timeout must be"),
        (lambda: command("halt", args={"timeout": "1e99"}), "failed", "timeout must be"),
        (lambda: command("halt", args={"timeout": "x"}), "failed", "timeout must be seconds"),
        (lambda: command("pause", reason=""), "failed", "reason must be given"),
        (lambda: command("resume"), "refused", "halt id must be"),
        (lambda: command("resume", args={"halt_id": "H1"}), "refused", "halt id must be"),
        (lambda: command("resume", args={"halt_id": "x" * 9000}), "refused", "halt id must be"),
        (lambda: command("resume", operator="", args={"pause": "1"}), "refused", "operator and"),
        (lambda: command("resume", reason="", args={"pause": "1"}), "refused", "operator and"),
        (lambda: command("acknowledge", operator=""), "refused", "operator and reason"),
        (lambda: command("rebaseline"), "failed", "account must be one of"),
        (lambda: command("rebaseline", args={"account": "A"}), "failed", "one of peak and day"),
        (
            lambda: command("rebaseline", args={"account": "A", "peak": "-1"}),
            "refused",
            "must be",
        ),
        (lambda: command("maintenance"), "failed", "seconds must be a number"),
        (lambda: command("maintenance", args={"seconds": "inf"}), "failed", "seconds must be"),
        (lambda: command("maintenance", args={"seconds": "-1"}), "failed", "seconds must be"),
        (lambda: command("resume", t_ns=CLOCK.wall_ns() - OLD_NS), "refused", "younger than"),
        (lambda: command("resume", t_ns=CLOCK.wall_ns() + OLD_NS), "refused", "younger than"),
        (lambda: command("pause", t_ns=0), "refused", "younger than"),
        (lambda: command("acknowledge", t_ns=2**62), "refused", "younger than"),
    ],
)
def test_command_that_must_not_work_is_answered_so(
    world: World, sent: Callable[[], Command], stage: str, words: str
) -> None:
    """P7, P21: one final answer with the reason, and the account is as open as before."""
    replies = answers(world.paths.control, encode(sent()))
    assert [(reply.stage, reply.final) for reply in replies] == [(stage, True)]
    assert words in replies[0].text
    # Neither a halt nor an operator's pause would end by itself.
    world.until_open()


def test_replayed_command_is_refused(world: World) -> None:
    """P7: the same bytes a second time change nothing, from another connection too."""
    payload = encode(command("resume", args={"pause": "1"}))
    first, second = answers(world.paths.control, payload, payload)
    assert first.stage == "done"
    assert (second.stage, second.text) == ("refused", "command must be new, was seen before")
    assert answers(world.paths.control, payload)[-1].stage == "refused"


@pytest.mark.parametrize(
    "reason",
    [
        'x\n{"kind":"resume","account":"A"}',
        "x\r\nforged line",
        "\x1b[2J\x1b[31mred",
        "\u202egnp.exe",
        "{0.__class__.__mro__}",
        "'; DROP TABLE entry; --",
        "../../../../etc/passwd",
        "%s%s%n",
        "x" * 60_000,
    ],
)
def test_hostile_reason_is_data(world: World, reason: str) -> None:
    """P22: a reason reaches journal and status as one short line of printable characters."""
    sent = command("pause", reason=reason)
    assert answers(world.paths.control, encode(sent))[-1].final
    world.until_code("PAUSED")
    assert world.command("resume", pause="1")[-1].stage == "done"
    world.until_open()

    nonce = base64.b64encode(sent.nonce).decode()

    def reasons() -> list[str]:
        rows = [json.loads(line) for line in export(world.paths.journal)]
        commands = [row["body"] for row in rows if row["kind"] == "command"]
        return [body[6] for body in commands if body[2] == nonce]

    until(reasons)
    (written,) = reasons()
    assert written
    assert written.isprintable()
    assert len(written) <= 500
    for line in export(world.paths.journal):
        assert b"\n" not in line


def snapshot(**changes: object) -> AccountSnapshot:
    """Return a snapshot of account A that would halt it, with changes."""
    words = AccountSnapshot(
        "A", "terminal", 1, 1, CLOCK.wall_ns(), "1", "1", "0", "0", request=1,
        login=1000, server="Paper", trade_mode="demo", currency="USD",
    )  # fmt: skip
    return msgspec.structs.replace(words, **changes)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1" * 100,
        b"\x91" * 60_000,
        encode(snapshot())[:-5],
        encode(snapshot(account="Z")),
        encode(snapshot(request=7, t_ns=CLOCK.wall_ns() - OLD_NS)),
        encode(TickBatch("A", "main", 1, 1, 1, (Tick("EURUSD", float("nan"), float("inf")),))),
        encode(TickBatch("A", "main", 1, 2, 1, (Tick("\x00\x1b", "1e309", "-0"),))),
        encode(Heartbeat("A" * 60_000, "engine", 1, 1, 1)),
        encode(Heartbeat("A", "engine" * 5_000, 1, 1, 1)),
        encode(command("halt")),
        encode(ErrorEvent("A", "edgeguard", 1, 1, 1, "x", text="y" * 60_000)),
        b"x" * 70_000,
    ],
)
def test_hostile_feed_message_changes_nothing(world: World, payload: bytes) -> None:
    """P22, I6, I8: malformed, foreign and stale messages neither halt nor open nor kill."""
    world.publish_raw(payload)
    world.publish_raw(b"", payload, payload)
    await_all_published(world)
    status = world.status()
    assert status["halt"] is None
    assert world.guard.process is not None
    assert world.guard.process.poll() is None
    world.until_open()


def test_flood_of_names_stays_bounded(world: World) -> None:
    """P22: thousands of sources, symbols and accounts cost counters and no lasting memory."""
    for number in range(3_000):
        world.publish(Heartbeat("A", f"source-{number}", 1, 1, 1))
        world.publish(Heartbeat(f"account-{number}", "engine", 1, 1, 1))
    until(lambda: world.status()["guard"]["foreign_account"] >= 3_000)
    world.until_open()


def test_flood_of_halts_is_one_halt(world: World) -> None:
    """P8: five hundred halts change neither the first id nor its time."""
    payloads = [
        encode(command("halt", id=str(n), nonce=n.to_bytes(8, "big"), args={"timeout": "0"}))
        for n in range(500)
    ]
    assert answers(world.paths.control, payloads[0])
    first = world.status()["halt"]
    assert len(answers(world.paths.control, *payloads[1:])) >= len(payloads[1:])
    again = world.status()["halt"]
    assert (again["id"], again["t_ns"]) == (first["id"], first["t_ns"])
    until(lambda: world.status()["flatten"] == "FLAT_VERIFIED")
    # What a halt has yet to write voids a resume, as it must.
    world.lift(first["id"])
    world.until_open()


def test_malformed_error_is_the_only_one(world: World) -> None:
    """The guard lived through all of the above and still beats."""
    with pytest.raises(MalformedError):
        decode(b"")
    # An arrival between the tick's two looks counts as one: microseconds in 50 ms of quiet.
    assert world.status()["guard"]["loop"]["rescues"] <= 1
    assert world.status()["guard"]["malformed"] > 0


def test_one_scope_too_many_halts_the_account_and_says_so(tmp_path: Path) -> None:
    """P5, P22, A-CTL-12: invented symbols fill no latch; whoever named one is told what stands."""
    with running(make_config(tmp_path)) as world:
        ends: list[Reply] = []
        while not world.halt_id():
            assert len(ends) <= SCOPES_MAX
            ends.append(world.command("halt", scope=f"symbol:S{len(ends)}", timeout="5")[-1])
        assert {(end.stage, end.text) for end in ends} == {("done", "HALTED, DURABLE, FLAT")}
        assert len(ends) > 1
        assert world.status()["guard"]["storage"]["trusted"]
