"""Commands that were given before: to this run with a long nonce, or to the run before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeguard.codec.native import decode, encode
from edgeguard.guard.control import NONCES_MAX
from edgeguard.journal import export
from edgeguard.messages import Command, Reply
from edgeguard.transport import dealer, make_context
from tests.process.guard_rig import CLOCK, DEADLINE_S, World, make_config, running, until


def say(world: World, payload: bytes) -> Reply:
    """Return the last answer to a payload from a new connection."""
    context = make_context()
    try:
        socket = dealer(context, world.paths.control)
        socket.send(payload)
        while True:
            assert socket.poll(int(DEADLINE_S * 1000))
            reply = decode(socket.recv_multipart()[-1])
            assert isinstance(reply, Reply)
            if reply.final:
                return reply
    finally:
        context.destroy(linger=0)


def end_pauses(nonce: bytes) -> bytes:
    """Return the bytes of a command that ends an operator's pause."""
    return encode(Command("id", nonce, CLOCK.wall_ns(), "resume", "o", "r", {"pause": "1"}))


def test_long_nonce_is_seen_again(tmp_path: Path) -> None:
    """P7, A-CTL-5: what is kept of a long nonce is what is compared."""
    with running(make_config(tmp_path)) as world:
        payload = end_pauses(b"n" * 500)
        assert say(world, payload).stage == "done"
        again = say(world, payload)
        assert (again.stage, again.text) == ("refused", "command must be new, was seen before")
        assert world.status()["guard"]["refused"]["replayed"] == 1


def test_command_of_the_run_before_is_stale(tmp_path: Path) -> None:
    """P7, A-CTL-6: a restarted guard, which has seen nothing yet, takes no older command."""
    with running(make_config(tmp_path)) as world:
        payload = end_pauses(b"once")
        assert say(world, payload).stage == "done"
        assert world.command("pause")[-1].stage == "done"
        until(lambda: world.status()["guard"]["storage"]["latch_row"] >= 2)
        world.guard.kill()
        world.start()
        until(world.has_spoken)
        world.until_code("PAUSED")
        again = say(world, payload)
        assert again.stage == "refused"
        assert "this run of the guard" in again.text
        world.until_code("PAUSED")
        assert world.status()["guard"]["refused"]["stale"] == 1
        assert world.command("resume", pause="1")[-1].stage == "done"
        world.until_open()


def rows_of_commands(world: World, verb: str) -> list[tuple[str, str]]:
    """Return what the journal has of commands: kinds of rows, and each command's verb.

    What a guard writes down of itself, whenever it does, is left out; any other row that has the
    verb in it is not.
    """
    rows: list[tuple[str, str]] = []
    for line in export(world.paths.journal):
        row = json.loads(line)
        if row["kind"] == "command":
            rows.append((row["kind"], row["body"][4]))
        elif row["kind"] == "refused":
            rows.append((row["kind"] + " as " + row["body"]["cause"], row["body"]["command"][4]))
        elif verb.encode() in line:
            rows.append((row["kind"], verb))
    return rows


@pytest.mark.parametrize("verb", ["nonsense", "halt"])
def test_flood_of_other_commands_forgets_no_resume(tmp_path: Path, verb: str) -> None:
    """P7, P22, A-CTL-11: who may not resume can neither push a resume out nor fill the journal."""
    with running(make_config(tmp_path)) as world:
        payload = end_pauses(b"once")
        assert say(world, payload).stage == "done"
        context = make_context()
        socket = dealer(context, world.paths.control, hwm=0)
        for number in range(NONCES_MAX + 1):
            nonce = number.to_bytes(8, "big")
            args = {"timeout": "0"}
            socket.send(encode(Command("i", nonce, CLOCK.wall_ns(), verb, "o", "r", args)))
        ends = 0
        while ends <= NONCES_MAX:
            assert socket.poll(int(DEADLINE_S * 1000))
            reply = decode(socket.recv_multipart()[-1])
            assert isinstance(reply, Reply)
            ends += reply.final
        context.destroy(linger=0)
        again = say(world, payload)
        assert (again.stage, again.text) == ("refused", "command must be new, was seen before")
        if verb == "nonsense":
            # The journal is written in the order of events, and later than they are answered: all
            # that the flood can have come to is there once the row of a command after it is.
            assert world.command("acknowledge")[-1].stage == "done"
            until(lambda: ("command", "acknowledge") in rows_of_commands(world, verb))
            assert rows_of_commands(world, verb) == [
                ("command", "resume"),
                ("refused as replayed", "resume"),
                ("command", "acknowledge"),
            ]
