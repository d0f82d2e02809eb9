"""Carry out a manual halt: through the guard where it answers, without it where it does not."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeguard.cli.locate import is_absent
from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.errors import EdgeGuardError, RefusedError, UsageError
from edgeguard.messages import BrokerCommand, BrokerEvent, Reply
from edgeguard.transport.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeguard.cli.locate import Place

FLAT_DURABLE, FLAT_ONLY, DURABLE_ONLY, NEITHER, FILE_ONLY, NOTHING = 0, 10, 11, 12, 13, 14
"""Exit codes of a halt (INTERFACES, "Exit codes of every command")."""
FLAT_TIMEOUT_S: Final = 60.0
"""How long the command waits for a verified flat account unless told otherwise."""
GUARD_ANSWER_S: Final = 1.0
"""How long a guard may stay silent before the command acts without it."""
BROKER_ANSWER_S: Final = 2.0
"""How long a broker's parent may stay silent before it counts as gone."""
BROKER_TURN_S: Final = 0.05
"""How long one broker is listened to before the next one is."""


@dataclass
class Order:
    """What the person asked for."""

    reason: str = ""
    scope: str = "all"
    timeout_s: float = FLAT_TIMEOUT_S
    operator: str = ""
    config: Path | None = None
    state_dir: Path | None = None
    as_json: bool = False


@dataclass
class Seen:
    """What was seen to happen; nothing else is ever claimed.

    Attributes:
        stopped: a gate was closed: by the guard, or by a page's manual word.
        durable: the halt is on disk.
        flat: every account asked for reported verified flat.
        final: the guard finished its answer.
    """

    stopped: bool = False
    durable: bool = False
    flat: bool = False
    final: bool = False

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

    def tell(self, stage: str, text: str, body: object = None) -> None:
        """Tell one stage."""
        people = sys.stderr if self._as_json else sys.stdout
        people.write(f"{stage.replace('_', ' ')}: {text}\n" if text else f"{stage}\n")
        people.flush()
        if self._as_json:
            sys.stdout.write(json.dumps({"stage": stage, "text": text, "body": body}) + "\n")
            sys.stdout.flush()


def halt(order: Order, place: Place, voice: Voice | None = None) -> int:
    """Halt, tell every stage (to `voice` where one is given), and return the exit code."""
    voice = voice or Voice(as_json=order.as_json)
    seen = _through_guard(order, place, voice)
    if not seen.final:
        _write_halt_file(order, place, seen, voice)
    if not seen.stopped:
        _without_guard(order, place, seen, voice)
    if not seen.flat:
        _name_last_resort(place, voice)
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
    if is_absent(endpoint):
        voice.tell("no_guard", f"no guard listens at {endpoint}")
        return seen
    try:
        client = Client(endpoint, keys=place.keys(endpoint, "guard"))
    except EdgeGuardError as e:
        voice.tell("no_guard", str(e))
        return seen
    with client:
        try:
            command_id = client.command(
                "halt",
                operator=order.operator,
                reason=order.reason,
                scope=order.scope,
                timeout=f"{order.timeout_s:g}",
            )
        except EdgeGuardError as e:
            voice.tell("no_guard", str(e))
            return seen
        for reply in _stages(client, command_id, order.timeout_s):
            _take(reply, seen)
            voice.tell(reply.stage, reply.text, json.loads(reply.body or b"{}"))
    if not seen.stopped:
        voice.tell("no_guard", f"the guard at {endpoint} did not answer in {GUARD_ANSWER_S:g} s")
    elif not seen.final:
        voice.tell("silent", "the guard began to answer and fell silent")
    return seen


def _stages(client: Client, command_id: str, timeout_s: float) -> Iterator[Reply]:
    """Yield the stages of an answer whose first must come soon."""
    first = next(client.replies(command_id, GUARD_ANSWER_S), None)
    if first is not None:
        yield first
        if not first.final:
            yield from client.replies(command_id, timeout_s + GUARD_ANSWER_S)


def _take(reply: Reply, seen: Seen) -> None:
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


def _without_guard(order: Order, place: Place, seen: Seen, voice: Voice) -> None:
    """Close the pages and drive the brokers by this command alone."""
    accounts = _accounts(order.scope, place)
    for account in accounts:
        _close_page(place, account, seen, voice)
    if not accounts:
        voice.tell("no_broker", "no account is known here: name the configuration with --config")
        return
    flat = _Flattening(order, place, voice).run(accounts)
    # A broker that took the order stops nothing by itself, yet the account it proved flat is flat.
    seen.flat = bool(accounts) and flat == set(accounts)


def _accounts(scope: str, place: Place) -> tuple[str, ...]:
    kind, _, name = scope.partition(":")
    if kind != "account":
        return place.accounts
    if place.accounts and name not in place.accounts:
        known = ", ".join(place.accounts)
        raise UsageError(f"--scope must name one of the accounts {known}, was {name}")
    return (name,)


def _close_page(place: Place, account: str, seen: Seen, voice: Voice) -> None:
    from edgeguard import halt_page  # noqa: PLC0415 - wanted only where no guard answers

    page = place.paths.page(account)
    try:
        halt_page.set_manual(page, SystemClock().wall_ns())
    except (OSError, ValueError) as e:
        voice.tell("no_page", f"{page} could not be closed: {e}; a gate without a page is closed")
        return
    voice.tell("stopped", f"the gates of account {account} are closed by the page's manual word")
    seen.stopped = True


class _Flattening:
    """Drives the broker's parent of each account until it is flat or time is over."""

    def __init__(self, order: Order, place: Place, voice: Voice) -> None:
        self._order = order
        self._place = place
        self._voice = voice
        self._clock = SystemClock()
        self._halt_id = f"manual-{self._clock.wall_ns()}"

    def run(self, accounts: tuple[str, ...]) -> set[str]:
        """Return the accounts that were verified flat."""
        clients = {account: self._connect(account) for account in accounts}
        waiting = {account: client for account, client in clients.items() if client is not None}
        heard: set[str] = set()
        flat: set[str] = set()
        start_ns = self._clock.boot_ns()
        try:
            while waiting and self._since(start_ns) < self._order.timeout_s:
                for account, client in list(waiting.items()):
                    for event in client.broker_events(BROKER_TURN_S):
                        heard.add(account)
                        if self._take(account, event, flat):
                            waiting.pop(account, None)
                    if account not in heard and self._since(start_ns) > BROKER_ANSWER_S:
                        self._voice.tell("no_broker", f"the broker of {account} does not answer")
                        waiting.pop(account)
        finally:
            for client in clients.values():
                if client is not None:
                    client.close()
        return flat

    def _since(self, start_ns: int) -> float:
        return (self._clock.boot_ns() - start_ns) / NS_PER_S

    def _connect(self, account: str) -> Client | None:
        endpoint = self._place.paths.broker(account)
        if is_absent(endpoint):
            self._voice.tell("no_broker", f"no broker of {account} listens at {endpoint}")
            return None
        kind, _, name = self._order.scope.partition(":")
        scope = self._order.scope if kind in {"strategy", "symbol"} else "account"
        try:
            keys = self._place.keys(endpoint, f"broker.{account}", "broker")
            client = Client(endpoint, keys=keys)
        except EdgeGuardError as e:
            self._voice.tell("no_broker", str(e))
            return None
        client.send_broker(
            BrokerCommand(
                account=account,
                id=f"{self._halt_id}.{account}",
                t_ns=self._clock.wall_ns(),
                verb="flatten",
                scope=scope,
                magics=self._place.magics.get(name, ()) if kind == "strategy" else (),
                halt_id=self._halt_id,
                reason=self._order.reason,
            )
        )
        return client

    def _take(self, account: str, event: BrokerEvent, flat: set[str]) -> bool:
        """Tell one event; return whether it is the last of its account."""
        if event.halt_id != self._halt_id or event.account != account:
            return False
        self._voice.tell(
            event.kind, f"account {account}: {event.text}", json.loads(event.body or b"{}")
        )
        if event.kind == "flat":
            flat.add(account)
        return event.kind == "flat"


def _name_last_resort(place: Place, voice: Voice) -> None:
    for account, phone in place.phones.items():
        if phone:
            voice.tell("phone", f"the broker of account {account}: {phone}")
