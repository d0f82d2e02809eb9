"""Carry out a manual halt: through the guard where it answers, without it where it does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeguard.clock import SystemClock
from edgeguard.errors import EdgeGuardError, RefusedError, UsageError
from edgeguard.plain import escaped_line
from edgeguard.transport.guard_call import GuardCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeguard.cli.locate import Place
    from edgeguard.codec.minimal import ReplyLine

FLAT_DURABLE, FLAT_ONLY, DURABLE_ONLY, NEITHER, FILE_ONLY, NOTHING = 0, 10, 11, 12, 13, 14
"""Exit codes of a halt (INTERFACES, "Exit codes of every command")."""
FLAT_TIMEOUT_S: Final = 60.0
"""How long the command waits for a verified flat account unless told otherwise."""
GUARD_ANSWER_S: Final = 1.0
"""How long a guard may stay silent before the command acts without it."""


class Order:
    """What the person asked for."""

    def __init__(
        self,
        reason: str = "",
        scope: str = "all",
        timeout_s: float = FLAT_TIMEOUT_S,
        operator: str = "",
    ) -> None:
        """Take the order; where the guard is and how to print are set by whoever parsed it."""
        self.reason = reason
        self.scope = scope
        self.timeout_s = timeout_s
        self.operator = operator
        self.config: Path | None = None
        self.state_dir: Path | None = None
        self.as_json = False


class Seen:
    """What was seen to happen; nothing else is ever claimed.

    Attributes:
        stopped: a gate was closed: by the guard, by a page's manual word, or for want of beats.
        durable: the halt is on disk.
        flat: every account asked for reported verified flat.
        final: the guard finished its answer.
    """

    def __init__(self) -> None:
        """Have seen nothing yet."""
        self.stopped = False
        self.durable = False
        self.flat = False
        self.final = False

    def code(self) -> int:
        """Return the exit code of the command."""
        if self.flat:
            return FLAT_DURABLE if self.durable else FLAT_ONLY
        if not self.stopped:
            return FILE_ONLY if self.durable else NOTHING
        return DURABLE_ONLY if self.durable else NEITHER


class Voice:
    """Tells each stage as it is seen: in sentences, or as JSON with the sentences on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def tell(self, stage: str, text: str, body: bytes = b"") -> None:
        """Tell one stage; `body` is a JSON document or nothing."""
        people = sys.stderr if self._as_json else sys.stdout
        line = f"{stage.replace('_', ' ')}: {text}" if text else stage
        people.write(f"{escaped_line(line)}\n")
        people.flush()
        if self._as_json:
            import json  # noqa: PLC0415 - a person in an emergency does not wait for it

            document: object = json.loads(body or b"null")
            sys.stdout.write(json.dumps({"stage": stage, "text": text, "body": document}) + "\n")
            sys.stdout.flush()


def halt(order: Order, place: Place, voice: Voice | None = None) -> int:
    """Halt, tell every stage (to `voice` where one is given), and return the exit code."""
    voice = voice or Voice(as_json=order.as_json)
    seen = _through_guard(order, place, voice)
    if not seen.final:
        _write_halt_file(order, place, seen, voice)
    if not seen.stopped:
        from edgeguard.cli.flattening import halt_without_guard  # noqa: PLC0415 - rarely wanted

        halt_without_guard(order, place, seen, voice)
    if not seen.flat:
        from edgeguard.cli.flattening import tell_what_is_left  # noqa: PLC0415 - rarely wanted

        tell_what_is_left(place, voice)
    voice.tell("result", _RESULTS[seen.code()])
    return seen.code()


_RESULTS: Final = {
    FLAT_DURABLE: "halted, durable, verified flat",
    FLAT_ONLY: "halted and verified flat, NOT DURABLE: do not restart this machine's guard",
    DURABLE_ONLY: "halted, durable, NOT VERIFIED FLAT: positions may be open",
    NEITHER: "halted, NOT DURABLE, NOT VERIFIED FLAT: positions may be open",
    FILE_ONLY: "ONLY THE HALT FILE was written: a guard that starts comes up halted; positions may "
    "be open",
    NOTHING: "NOTHING could be done: positions may be open and trading may go on",
}


def _through_guard(order: Order, place: Place, voice: Voice) -> Seen:
    """Ask the guard; return what its answer proves."""
    seen = Seen()
    endpoint = place.paths.control
    try:
        call = GuardCall(endpoint, place.keys(endpoint, "guard"))
    except EdgeGuardError as e:
        voice.tell("no_guard", f"no guard answers: {e}")
        return seen
    args = {"scope": order.scope, "timeout": f"{order.timeout_s:g}"}
    try:
        try:
            call.send("halt", order.operator, order.reason, args)
        except EdgeGuardError as e:
            voice.tell("no_guard", str(e))
            return seen
        for reply in _stages(call, order.timeout_s):
            _take(reply, seen)
            voice.tell(reply.stage, reply.text, reply.body)
    finally:
        call.close()
    if not seen.stopped:
        voice.tell("no_guard", f"the guard at {endpoint} did not answer in {GUARD_ANSWER_S:g} s")
    elif not seen.final:
        voice.tell("silent", "the guard began to answer and fell silent")
    return seen


def _stages(call: GuardCall, timeout_s: float) -> Iterator[ReplyLine]:
    """Yield the stages of an answer whose first must come soon."""
    first = next(call.replies(GUARD_ANSWER_S), None)
    if first is not None:
        yield first
        if not first.final:
            yield from call.replies(timeout_s + GUARD_ANSWER_S)


def _take(reply: ReplyLine, seen: Seen) -> None:
    """Note what one stage proves.

    Raises:
        RefusedError: the guard refused, for a reason that no other way would mend.
        UsageError: the guard does not know the scope.
    """
    match reply.stage:
        case "refused":
            raise RefusedError(f"refused: {reply.text}")
        case "failed" if not seen.stopped:
            raise UsageError(reply.text)
        case "durable":
            seen.durable = True
        case "flat":
            seen.flat = True
        case _:
            pass
    # An "accepted" is a promise that closes no gate yet.
    seen.stopped = seen.stopped or reply.stage != "accepted"
    seen.final = seen.final or reply.final


def _write_halt_file(order: Order, place: Place, seen: Seen, voice: Voice) -> None:
    """Create the HALT file, durably; one that stands already serves as well."""
    import json  # noqa: PLC0415 - wanted only where no guard answers

    path = place.paths.halt_file
    line = {
        "v": 1,
        "t_ns": SystemClock().wall_ns(),
        "operator": order.operator,
        "reason": order.reason,
        "scope": order.scope,
    }
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync_folder(path.parent)
    except FileExistsError:
        voice.tell("durable", f"{path} stood already: a halt is in force")
    except OSError as e:
        voice.tell("not_durable", f"{path} could not be written: {e.strerror}")
        return
    else:
        voice.tell("durable", f"{path} is written: a guard that starts comes up halted")
    seen.durable = True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
