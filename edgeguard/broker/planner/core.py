"""The flatten planner: events in, exactly one next action out.

Level-triggered: it observes, plans from what is really there, sends at most one request per
position at a time, and observes again until two fresh reads agree that nothing is left.
"""

from __future__ import annotations

from heapq import heappush

from edgeguard.broker.planner.ahead import drop, guess, number
from edgeguard.broker.planner.flatness import judge_flat, remaining
from edgeguard.broker.planner.intake import is_synced, take_observation
from edgeguard.broker.planner.invariants import hold, there
from edgeguard.broker.planner.legs import Leg, OrderLeg, Own
from edgeguard.broker.planner.model import (
    Action,
    Identity,
    Idle,
    Intent,
    Look,
    Note,
    Observation,
    Past,
    Policy,
    Scope,
    Send,
)
from edgeguard.broker.planner.reads import observe, observe_later, observe_or_wait
from edgeguard.broker.planner.replies import Sent, take_answer
from edgeguard.broker.planner.requests import (
    PRICED,
    close_by_request,
    close_request,
    delete_request,
)
from edgeguard.broker.planner.state import Bucket, Run, State
from edgeguard.broker.planner.waits import (
    close_market,
    may_send,
    note_flags,
    note_probe,
    note_tick,
    say_waiting,
)
from edgeguard.broker.planner.work import (
    Job,
    Queue,
    build_queue,
    close_intent,
    delete_intent,
    pair_intent,
    pick,
    single_job,
)
from edgeguard.broker.retcodes import Answer
from edgeguard.broker.rows import SendRow, SymbolRow, TickRow

LOOK_RETRY_NS = 1_000_000_000
"""Pause between looks at a symbol that is closed."""
STUCK_NAMED = 5
"""A stuck flatten names at most this many of the things left."""


class Planner:
    """Plans the flatten of one account over one terminal.

    Call `next` for the action, carry it out, report with `observed`, `observe_failed`, `looked` or
    `answered`, take the notes, and call `next` again. `tick` may be called at any time, also while
    an action is being carried out: it only speaks.
    """

    def __init__(self, policy: Policy, identity: Identity, past: Past) -> None:
        """Start without a run.

        Args:
            policy: every bound.
            identity: the account that may be traded, as configured.
            past: what earlier lives left.
        """
        bucket = Bucket(policy.appeared_burst, policy.appeared_refill_ns)
        self._st = State(policy, past.next_intent, bucket)
        self._st.adopted = list(past.unresolved)
        self._st.adopted_filled = list(past.filled)
        self._st.past_damaged = past.damaged
        self._identity = identity
        self._path = ""
        self._queue = Queue()
        # Rules that have just become known change risks and pairs.
        self._must_rebuild = False
        self._sent: Sent | None = None

    # Runs.

    def start(self, now_ns: int, run_id: str, scope: Scope) -> None:
        """Begin a flatten; a run id that is under way already changes nothing."""
        if run_id in self._st.runs:
            return
        if not any(run.flat_ns is None for run in self._st.runs.values()):
            self._st.progress_ns = now_ns
        self._st.runs[run_id] = Run(run_id, scope)
        self._st.stale = True
        self._st.deletes_since_ns = None

    def prove_again(self, now_ns: int, run_id: str) -> None:
        """Ask for two fresh reads although a run may have been proven flat before."""
        run = self._st.runs.get(run_id)
        if run is not None and run.flat_ns is not None:
            run.flat_ns = run.empty_ns = None
            self._st.progress_ns = now_ns
            self._st.stale = True

    def stop(self, run_id: str) -> bool:
        """End a flatten; return whether it was there. What is in flight is still accounted for."""
        self._st.stale = True
        return self._st.runs.pop(run_id, None) is not None

    @property
    def state(self) -> State:
        """The memory, for reports and tests; callers change nothing in it."""
        return self._st

    @property
    def is_working(self) -> bool:
        """Whether a run is not proven flat, or a request has no end yet."""
        st = self._st
        if any(run.flat_ns is None for run in st.runs.values()):
            return True
        return bool(st.adopted or st.unresolved)

    def take_notes(self) -> list[Note]:
        """Return what there is to say since the last call."""
        notes, self._st.notes = self._st.notes, []
        return notes

    # Events.

    def observed(self, now_ns: int, obs: Observation) -> None:
        """Take in a good bracketed read."""
        st = self._st
        st.observe_ns = now_ns
        st.identity_fault = self._identity_fault(obs)
        if st.identity_fault:
            st.obs = None
            self._queue = Queue()
            st.alarm(now_ns, "WRONG_ACCOUNT", st.identity_fault)
            self._forget_empty()
            say_waiting(st)
            return
        note_flags(st, now_ns, obs)
        take_observation(st, now_ns, obs)
        self._queue = build_queue(st, now_ns) if st.runs else Queue()
        judge_flat(st, now_ns, obs, synced=is_synced(st, now_ns))
        say_waiting(st)

    def observe_failed(self, now_ns: int, why: str) -> None:
        """Note a read that failed: it proves nothing, and an empty answer it is not."""
        st = self._st
        st.obs = None
        st.observe_fails += 1
        st.observe_ns = now_ns
        st.idle_reads = 0
        self._queue = Queue()
        self._forget_empty()
        st.read_fault = why

    def looked(
        self, now_ns: int, symbol: str, spec: SymbolRow | None, tick: TickRow | None
    ) -> None:
        """Take in a symbol's rules and tick, read at `now_ns`; None for what was not given."""
        market = self._st.market(symbol)
        market.look_ns = now_ns
        if spec is not None:
            first = market.spec is None
            market.spec, market.spec_ns = spec, now_ns
            self._must_rebuild = self._must_rebuild or first
        elif market.spec_ns is None:
            market.spec_ns = now_ns
        if tick is not None and tick.bid > 0 and tick.ask >= tick.bid:
            market.tick, market.tick_ns = tick, now_ns
            note_tick(market)

    def answered(self, now_ns: int, answer: Answer, row: SendRow | None) -> None:
        """Take in what became of the request in flight."""
        sent = there(self._sent, "the request in flight")
        self._sent = None
        take_answer(self._st, now_ns, sent, answer, row)
        self._st.idle_reads = 0
        # The next chunk, or the same one built anew; what a pair leaves may find another pair.
        if sent.own.intent.kind == "close":
            leg = sent.legs[0]
            if leg.available > 0 and not leg.locked and leg.pace.next_ns <= now_ns:
                self._requeue(leg)
        say_waiting(self._st)

    def tick(self, now_ns: int) -> None:
        """Speak up when nothing has got better for too long."""
        st = self._st
        if not self.is_working or now_ns - st.progress_ns < st.policy.alarm_ns:
            return
        st.alarm(now_ns, "STUCK", "the flatten makes no progress: " + self._why_stuck())

    # The next action.

    def ahead(self, now_ns: int) -> Intent | None:
        """Return the intent that probably follows the one in flight, to be on disk by then.

        None without a request in flight, without a guess, or where one was made already.
        """
        st, sent = self._st, self._sent
        if sent is None or st.ahead is not None:
            return None
        found = guess(st, self._queue, sent, now_ns)
        if found is None:
            return None
        intent = number(st, self._intent(found))
        st.ahead = intent
        return intent

    def next(self, now_ns: int) -> Action:
        """Return what to do now."""
        hold(self._sent is None, "one request is in flight at a time")
        action = self._next(now_ns)
        # A look is on the way to the same request; anything else has overtaken the guess.
        if not isinstance(action, Look):
            drop(self._st)
        return action

    def _next(self, now_ns: int) -> Action:
        st = self._st
        self.tick(now_ns)
        if not self.is_working:
            return Idle()
        if st.obs is None:
            return observe_or_wait(st, now_ns)
        if st.stale or now_ns - st.obs.start_ns > st.policy.observation_age_ns:
            return observe(st, now_ns)
        if any(run.flat_ns is None for run in st.runs.values()):
            look = self._look_first(now_ns)
            if look is not None:
                return look
            if self._must_rebuild:
                self._must_rebuild = False
                self._queue = build_queue(st, now_ns)
            send = self._send(now_ns)
            if send is not None:
                return send
        return observe_later(st, now_ns)

    def _look_first(self, now_ns: int) -> Look | None:
        """Return a look that the plan needs: a symbol's rules, or a sign of a closed one's life."""
        st = self._st
        for symbol in self._queue.symbols:
            market = st.market(symbol)
            if market.spec_ns is None or now_ns - market.spec_ns > st.policy.spec_age_ns:
                return Look(symbol, with_spec=True)
            if market.closed and now_ns - market.look_ns >= LOOK_RETRY_NS:
                return Look(symbol, with_spec=False)
        return None

    def _send(self, now_ns: int) -> Action | None:
        st = self._st
        if not (self._queue.jobs or self._queue.deletes) or not may_send(st, now_ns):
            return None
        found = pick(st, self._queue, now_ns)
        if found is None:
            return None
        if isinstance(found, OrderLeg):
            return self._send_delete(now_ns, found)
        if found.by is None:
            look = self._fresh_quote(now_ns, found)
            if look is not None:
                return look
        return self._send_job(now_ns, found)

    def _fresh_quote(self, now_ns: int, job: Job) -> Look | None:
        """Return a look where the last quote is too old; the job goes back on the queue."""
        st = self._st
        market = st.market(job.leg.symbol)
        priced = market.needs_price or (
            market.spec is not None and market.spec.trade_exemode in PRICED
        )
        age = st.policy.quote_age_priced_ns if priced else st.policy.quote_age_ns
        if market.tick_ns is not None and now_ns - market.tick_ns <= age:
            market.asked = False
            return None
        if not market.asked:
            market.asked = True
            self._requeue(job.leg)
            return Look(job.leg.symbol, with_spec=False)
        market.asked = False
        if priced:
            close_market(st, now_ns, job.leg.symbol, "there is no fresh quote to close at")
            return Look(job.leg.symbol, with_spec=True)
        return None

    def _send_delete(self, now_ns: int, order: OrderLeg) -> Send:
        st = self._st
        st.deletes_run += 1
        note_probe(st, now_ns)
        intent = number(st, self._intent(order))
        own = Own(intent, now_ns)
        order.owns.append(own)
        self._sent = Sent(own, (), order)
        return Send(intent, delete_request(intent), None, st.market(intent.symbol).spec)

    def _send_job(self, now_ns: int, job: Job) -> Send:
        st = self._st
        st.deletes_run = 0
        note_probe(st, now_ns)
        market = st.market(job.leg.symbol)
        intent = number(st, self._intent(job))
        if job.by is None:
            request = close_request(intent, market, job.leg.widen, st.policy.deviation_points)
            legs: tuple[Leg, ...] = (job.leg,)
        else:
            request = close_by_request(intent)
            legs = (job.leg, job.by)
        own = Own(intent, now_ns)
        for leg in legs:
            leg.owns.append(own)
        self._sent = Sent(own, legs, None, int(request.get("type_filling", 0)))
        return Send(intent, request, market.tick, market.spec)

    def _intent(self, found: OrderLeg | Job) -> Intent:
        if isinstance(found, OrderLeg):
            return delete_intent(found)
        if found.by is None:
            return close_intent(self._st, found.leg)
        return pair_intent(found.leg, found.by)

    def _requeue(self, leg: Leg) -> None:
        if leg.row is not None:
            heappush(self._queue.jobs, single_job(self._st, leg))

    # Judgement.

    def _identity_fault(self, obs: Observation) -> str:
        """Return why this is not the account, or not the terminal, that may be traded."""
        account, path = obs.account, obs.terminal.path
        self._path = self._path or path
        if path != self._path:
            return f"the terminal is {path}, was {self._path} before: nothing is sent"
        found = Identity(account.login, account.server, account.trade_mode)
        wanted = self._identity
        if found == wanted:
            return ""
        return (
            f"the terminal shows account {found.login} on {found.server} (mode {found.trade_mode}),"
            f" configured is {wanted.login} on {wanted.server} (mode {wanted.trade_mode}):"
            " nothing is sent"
        )

    def _forget_empty(self) -> None:
        """A read that failed or belongs to another account breaks the row of empty reads."""
        for run in self._st.runs.values():
            run.empty_ns = None

    def _why_stuck(self) -> str:
        st = self._st
        if st.identity_fault:
            return st.identity_fault
        if st.obs is None:
            return f"reads fail ({st.read_fault or 'no answer yet'})"
        left: list[str] = []
        for run in st.runs.values():
            left += [f"{r.what} {r.ticket} {r.symbol}: {r.why}" for r in remaining(st, run)]
        return "; ".join(left[:STUCK_NAMED]) or "waiting for the proof that it is flat"
