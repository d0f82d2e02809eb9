"""Bugs planted on purpose, each behind its name: the simulation has to find every one.

Most are what real close-all tools do; the shipped code has no switch
for any of them, they are patched in here.
"""
# ruff: noqa: ANN401, ARG001, SLF001 - bugs reach into the shipped code, whatever its shape

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any
from unittest import mock

import msgspec

from edgeguard.broker import flatten_run, intents, session
from edgeguard.broker.planner import (
    ahead,
    core,
    evidence,
    flatness,
    intake,
    legs,
    model,
    replies,
    requests,
    work,
)
from edgeguard.broker.retcodes import RETCODES, Verdict


def _nothing(*args: Any) -> None:
    """Do nothing."""


def _all_of_it(units: int, *args: Any) -> int:
    return units


Patch = contextlib.AbstractContextManager[object]
PLANTS: dict[str, Callable[[], Patch]] = {}


def plant(function: Callable[[], Patch]) -> Callable[[], Patch]:
    PLANTS[function.__name__] = function
    return function


@contextlib.contextmanager
def planted(name: str | None) -> Generator[None]:
    """Plant one bug, or none."""
    if name is None:
        yield
        return
    with PLANTS[name]():
        yield


def _patch_verdicts(change: dict[Verdict, Verdict]) -> Patch:
    """Misread answers."""
    old = replies.take_answer

    def take(st: Any, now_ns: int, sent: Any, answer: Any, row: Any) -> None:
        verdict = change.get(answer.verdict, answer.verdict)
        old(st, now_ns, sent, answer._replace(verdict=verdict), row)

    return mock.patch.object(core, "take_answer", take)


@plant
def reread_and_retry() -> Patch:
    """An unknown outcome counts as refused: read the positions again and send again."""
    return _patch_verdicts({Verdict.UNKNOWN: Verdict.BUSY})


@plant
def double_send_on_placed() -> Patch:
    """10008 counts as refused."""
    return _patch_verdicts({Verdict.PLACED: Verdict.BUSY})


@plant
def missing_position() -> Patch:
    """A close without its position opens the opposite one on a hedging account."""
    old = requests.close_request

    def close(*args: Any) -> dict[str, Any]:
        request = old(*args)
        del request["position"]
        return request

    return mock.patch.object(core, "close_request", close)


@plant
def none_is_empty() -> Patch:
    """A failed list read counts as an empty list."""
    old = session.TerminalSession.read

    async def read(self: Any, method: str, kind: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await old(self, method, kind, *args, **kwargs)
        except session.ReadError:
            if method in ("positions_get", "orders_get"):
                return ()
            raise

    return mock.patch.object(session.TerminalSession, "read", read)


@plant
def flat_on_one_read() -> Patch:
    """The first empty read counts as proof."""

    def one_more(st: Any, run: Any, obs: Any) -> None:
        run.flat_ns = (obs.start_ns, obs.start_ns)
        st.notes.append(model.Flat(run.id, obs.start_ns, obs.start_ns))

    return mock.patch.object(flatness, "_one_more", one_more)


@plant
def lagging_list_is_believed() -> Patch:
    """What an answer said was executed is forgotten: the lagging list is closed again."""
    return mock.patch.object(legs.Leg, "take", _nothing)


@plant
def intent_after_the_call() -> Patch:
    """The intent is written only when the answer is there."""
    old = intents.IntentLog.append
    held: dict[int, list[Any]] = {}

    def append(self: Any, line: Any, *, durable: bool) -> bool:
        waiting = held.setdefault(id(self), [])
        if isinstance(line, intents.SentLine):
            waiting.append(line)
            return True
        while waiting:
            old(self, waiting.pop(0), durable=True)
        return old(self, line, durable=durable)

    return mock.patch.object(intents.IntentLog, "append", append)


@plant
def restart_forgets() -> Patch:
    """A restarted parent does not look at unfinished intents."""
    old = intents.Contents.past

    def past(self: Any, now_wall_ns: int) -> Any:
        return msgspec.structs.replace(old(self, now_wall_ns), unresolved=())

    return mock.patch.object(intents.Contents, "past", past)


@plant
def restart_believes_the_list() -> Patch:
    """A restarted parent does not know what was executed just before."""
    old = intents.Contents.past

    def past(self: Any, now_wall_ns: int) -> Any:
        return msgspec.structs.replace(old(self, now_wall_ns), filled=())

    return mock.patch.object(intents.Contents, "past", past)


@plant
def restart_forgets_the_flatten() -> Patch:
    """A restarted parent does not go on with an unfinished flatten."""
    old = intents.Contents.take

    def take(self: Any, line: Any) -> None:
        old(self, line)
        self.runs.clear()

    return mock.patch.object(intents.Contents, "take", take)


@plant
def unsent_mark_is_believed_across_boots() -> Patch:
    """What was written ahead and has no mark was not sent, also where a power cut took the mark."""

    def end_unsent(self: Any, boot: str, wall_ns: int) -> None:
        for number, line in list(self.contents.unresolved.items()):
            if line.boot_id:
                end = intents.EndLine(number, "PROVEN_NOT_SENT", 0, "no mark", wall_ns)
                self.append(end, durable=False)

    return mock.patch.object(intents.IntentLog, "end_unsent", end_unsent)


@plant
def prepared_is_sent_without_a_mark() -> Patch:
    """An intent written ahead is not marked in its turn: after a kill it counts as never sent."""
    old = intents.IntentLog.append

    def append(self: Any, line: Any, *, durable: bool) -> bool:
        return isinstance(line, intents.SendingLine) or old(self, line, durable=durable)

    return mock.patch.object(intents.IntentLog, "append", append)


def marks_fail() -> Patch:
    """No bug: a disk that takes no mark of what was written ahead."""
    old = intents.IntentLog.append

    def append(self: Any, line: Any, *, durable: bool) -> bool:
        return not isinstance(line, intents.SendingLine) and old(self, line, durable=durable)

    return mock.patch.object(intents.IntentLog, "append", append)


@plant
def prepared_is_sent_although_its_mark_failed() -> Patch:
    """A failed mark is told of, and the request sent all the same under that number."""
    forgets = property(lambda _self: 0, lambda _self, _number: None)
    runner = mock.patch.object(flatten_run.Runner, "_tried_ahead", forgets, create=True)

    @contextlib.contextmanager
    def both() -> Generator[None]:
        with marks_fail(), runner:
            yield

    return both()


@plant
def prepared_is_sent_unchecked() -> Patch:
    """The guess is sent although the answer has changed what should come next."""
    old = ahead.number

    def number(st: Any, intent: Any) -> Any:
        guessed, st.ahead = st.ahead, None
        return guessed or old(st, intent)

    return mock.patch.object(core, "number", number)


@plant
def prepared_has_no_end() -> Patch:
    """A guess that did not come true is forgotten."""

    def drop(st: Any) -> None:
        st.ahead = None

    return mock.patch.object(core, "drop", drop)


@plant
def prepared_takes_the_number_anew() -> Patch:
    """A guess that did not come true leaves its number to the next request."""

    def drop(st: Any) -> None:
        if st.ahead is not None:
            st.next_intent = st.ahead.id
        ahead.drop(st)

    return mock.patch.object(core, "drop", drop)


@plant
def wrong_account_is_traded() -> Patch:
    """Nobody compares login and server."""
    return mock.patch.object(core.Planner, "_identity_fault", mock.Mock(return_value=""))


@plant
def gives_up() -> Patch:
    """After three refusals a position is left alone, silently."""
    old = work._is_ready  # pyright: ignore[reportPrivateUsage]

    def ready(st: Any, leg: Any, now_ns: int) -> bool:
        return leg.pace.fails < 3 and old(st, leg, now_ns)

    return mock.patch.object(work, "_is_ready", ready)


@plant
def retry_lost_when_trading_is_off() -> Patch:
    """AutoTrading off ends the flatten for good, as in the best-known equity protector."""

    def close(st: Any, now_ns: int, cause: str) -> None:
        st.account_closed = cause
        st.account_retry_ns = 1 << 62

    return mock.patch.object(replies, "close_account", close)


@plant
def silent_when_stuck() -> Patch:
    """No alarm when nothing gets better."""
    return mock.patch.object(core.Planner, "tick", _nothing)


@plant
def short_quarantine() -> Patch:
    """On netting a request without a trace counts as never sent after one second."""
    policy = model.Policy(netting_quarantine_ns=1_000_000_000)
    return mock.patch("tests.sim.flatten.run.Policy", mock.Mock(return_value=policy))


@plant
def partial_counts_as_full() -> Patch:
    """10010 is taken for 10009."""
    return _patch_verdicts({Verdict.PARTIAL: Verdict.DONE})


@plant
def partial_is_forgotten() -> Patch:
    """A partial fill ends as the answer said, although the rest still works."""
    old = replies._units_done  # pyright: ignore[reportPrivateUsage]

    def executed(st: Any, now_ns: int, sent: Any, answer: Any, row: Any) -> None:
        units = old(sent.own, row) if row is not None else 0
        for leg in sent.legs:
            leg.owns.remove(sent.own)
        end = "PARTIAL" if answer.verdict is Verdict.PARTIAL else "FILLED"
        st.notes.append(model.Resolved(sent.own.intent, end, units, "as answered"))

    return mock.patch.object(replies, "_take_executed", executed)


@plant
def stale_link_is_believed() -> Patch:
    """Lists of a terminal without a link count for flat."""
    old = session.TerminalSession.observe

    async def observe(self: Any, **kwargs: Any) -> Any:
        obs = await old(self, **kwargs)
        return msgspec.structs.replace(
            obs, terminal=msgspec.structs.replace(obs.terminal, connected=True)
        )

    return mock.patch.object(session.TerminalSession, "observe", observe)


@plant
def filling_never_changes() -> Patch:
    """10030 is answered with the same filling again."""
    return mock.patch.object(core, "close_request", _same_filling)


def _same_filling(*args: Any) -> dict[str, Any]:
    return {**requests.close_request(*args), "type_filling": 2}


@plant
def mask_for_enum() -> Patch:
    """The symbol's filling mask is sent as the filling."""

    def filling(market: Any) -> int:
        return 0 if market.spec is None else market.spec.filling_mode

    return mock.patch.object(requests, "filling", filling)


@plant
def no_chunks() -> Patch:
    """A position above volume_max is closed in one request."""
    return mock.patch.object(work, "chunk", _all_of_it)


@plant
def old_snapshot() -> Patch:
    """The close list is made once: what appears later is not in it."""
    old = intake._note_appeared  # pyright: ignore[reportPrivateUsage]

    def appeared(st: Any, now_ns: int, leg: Any, row: Any) -> None:
        old(st, now_ns, leg, row)
        leg.blocked = "not in the list"

    return mock.patch.object(intake, "_note_appeared", appeared)


@plant
def pendings_stay() -> Patch:
    """Pending orders are not deleted."""
    return mock.patch.object(work, "_is_deletable", mock.Mock(return_value=False))


@plant
def unlisted_code_is_done() -> Patch:
    """A code that nobody knows counts as a refusal."""
    codes = {10099: RETCODES[10006], 10037: RETCODES[10006], 10012: RETCODES[10006]}
    return mock.patch.dict(RETCODES, codes)


@plant
def scope_is_ignored() -> Patch:
    """A strategy's flatten closes everybody's positions."""
    return mock.patch.object(model.Scope, "covers", mock.Mock(return_value=True))


@plant
def no_trace_is_proof() -> Patch:
    """One read without a trace ends an unknown request."""

    def traceless(own: Any, leg: Any, court: Any) -> Any:
        del own, leg, court
        return evidence.Verdict("PROVEN_NOT_SENT", 0, "no trace")

    return mock.patch.object(evidence, "_judge_traceless", traceless)


@plant
def endless_fast_retries() -> Patch:
    """No pause between attempts."""
    return mock.patch.object(legs.Pace, "fail", _fail_fast)


def _fail_fast(self: Any, now_ns: int, cause: str, bounds_ns: Any, *, quick: int = 0) -> None:
    del bounds_ns, quick
    self.fails += 1
    self.cause = cause
    self.next_ns = now_ns
