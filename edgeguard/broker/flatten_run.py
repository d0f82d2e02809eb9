"""Carry out the planner's actions over a terminal; every intent is on disk before it is sent."""

from __future__ import annotations

import asyncio
from typing import Final

from edgeguard.broker.intents import (
    AnswerLine,
    CounterLine,
    IntentLog,
    SendingLine,
    SentLine,
)
from edgeguard.broker.planner import Planner
from edgeguard.broker.planner.model import Idle, Intent, Look, Observation, Observe, Send, Wait
from edgeguard.broker.polling import Poller
from edgeguard.broker.retcodes import Answer, Verdict
from edgeguard.broker.rows import SendRow
from edgeguard.broker.session import ReadError, TerminalSession
from edgeguard.broker.telling import Flattening, Teller
from edgeguard.clock import NS_PER_S, Clock

UNMARKED: Final = Answer(Verdict.NOT_SENT, "UNMARKED", "the log took no mark that it is sent")
"""What becomes of a request written ahead of its turn whose mark cannot be written."""
SPEAK_S: Final = 1.0
"""Interval at which the planner may speak while an action is being carried out."""


class Runner:
    """Drives one planner; the only one that sends orders.

    Attributes:
        planner, session, teller: its parts, for reading.
    """

    def __init__(  # noqa: PLR0913 - everything it touches is handed to it
        self,
        planner: Planner,
        *,
        session: TerminalSession,
        poller: Poller,
        log: IntentLog,
        clock: Clock,
        teller: Teller,
        boot: str,
    ) -> None:
        """Take the parts and this boot's id, empty where it has none; `run` does the work."""
        self.planner = planner
        self.session = session
        self.teller = teller
        self._poller = poller
        self._log = log
        self._clock = clock
        self._boot = boot
        self._ahead: Intent | None = None
        self._tried_ahead = 0
        """The last number written ahead, or tried to: the file may hold it without its mark."""
        self._wake = asyncio.Event()

    # Commands.

    def start(self, flattening: Flattening) -> None:
        """Begin a flatten, or prove an old one again."""
        now = self._clock.boot_ns()
        known = self.teller.active.get(flattening.run)
        if known is not None:
            known.command_id = flattening.command_id
            self.planner.prove_again(now, flattening.run)
        else:
            self.teller.active[flattening.run] = flattening
            self.teller.log_run(flattening, "start")
            self.planner.start(now, flattening.run, flattening.scope)
        self._wake.set()

    def stop(self, halt_id: str) -> int:
        """End the flattens of a halt, or all for an empty id; return how many there were."""
        active = self.teller.active
        found = [f for f in active.values() if not halt_id or f.halt_id == halt_id]
        for flattening in found:
            if self.teller.end_record(flattening).result != "FLAT":
                self.teller.not_flat(flattening, "stopped by command")
            self.planner.stop(flattening.run)
            self.teller.log_run(flattening, "stop")
            del active[flattening.run]
        self._wake.set()
        return len(found)

    def probe_log(self) -> str:
        """Return why the intent log cannot be written now, empty where it can."""
        self._log.append(CounterLine(self._log.contents.next_id), durable=True)
        return self._log.fault

    def watch(self, obs: Observation) -> None:
        """Take in a polled read while nothing is under way: something may have appeared."""
        if self.teller.active and not self.planner.is_working:
            self.planner.observed(self._clock.boot_ns(), obs)
            self.teller.notes()
            if self.planner.is_working:
                self._wake.set()

    # The loop.

    async def run(self) -> None:
        """Carry out actions for ever; cancel to end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._speak())
            while True:
                await self._step()

    async def _speak(self) -> None:
        """Let the planner raise alarms also while a call hangs."""
        while True:
            await asyncio.sleep(SPEAK_S)
            self.planner.tick(self._clock.boot_ns())
            self.teller.notes()

    async def _step(self) -> None:
        action = self.planner.next(self._clock.boot_ns())
        self.teller.notes()
        if isinstance(action, Idle):
            self._log.rotate_if_large()
            await self._sleep(None)
        elif isinstance(action, Wait):
            await self._sleep(action.until_ns)
        elif isinstance(action, Observe):
            await self._observe(action)
        elif isinstance(action, Look):
            await self._look(action)
        else:
            await self._send(action)
        self.teller.notes()

    async def _sleep(self, until_ns: int | None) -> None:
        """Sleep until a command comes or the time is over."""
        timeout = None
        if until_ns is not None:
            timeout = max(0, until_ns - self._clock.boot_ns()) / NS_PER_S
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _observe(self, action: Observe) -> None:
        since = None
        if action.evidence:
            sent = [line.wall_ns for line in self._log.contents.unresolved.values()]
            since = min(sent, default=self._clock.wall_ns())
        try:
            obs = await self._poller.cycle(history_since_ns=since, identifiers=action.identifiers)
        except ReadError as e:
            self.planner.observe_failed(self._clock.boot_ns(), str(e))
            return
        if obs.session != self.session.session:
            self._connected_anew()
            return
        self._prime(obs)
        self.planner.observed(self._clock.boot_ns(), obs)
        if self.planner.state.identity_fault:
            return
        markets = self.planner.state.markets
        specs = {symbol: market.spec for symbol, market in markets.items()}
        for flattening in self.teller.active.values():
            flattening.recorder.book(obs, flattening.scope.covers, specs)

    def _prime(self, obs: Observation) -> None:
        """Hand the planner the rules that polling has read already: fewer reads to the order."""
        for symbol in dict.fromkeys(row.symbol for row in obs.positions):
            if self.planner.state.market(symbol).spec is None:
                spec, read_ns = self._poller.known(symbol)
                if spec is not None:
                    self.planner.looked(read_ns, symbol, spec, None)

    async def _look(self, action: Look) -> None:
        before = self.session.session
        try:
            spec, tick = await self.session.symbol(action.symbol, with_spec=action.with_spec)
        except ReadError as e:
            self.planner.observe_failed(self._clock.boot_ns(), str(e))
            return
        self.planner.looked(self._clock.boot_ns(), action.symbol, spec, tick)
        if self.session.session != before:
            self._connected_anew()

    def _connected_anew(self) -> None:
        """P13: the identity was read through another connection than the next order would use."""
        self.planner.observe_failed(self._clock.boot_ns(), "the terminal was connected anew")

    async def _send(self, send: Send) -> None:
        covering = self._covering(send.intent)
        wall = self._clock.wall_ns()
        is_written = self._write_intent(send.intent, covering, wall)
        if not is_written:
            text = f"the intent log cannot be written ({self._log.fault}): a crash now loses count"
            self.teller.alarm(text, "INTENT_LOG")
        for flattening in covering:
            first = flattening.recorder.record.first_order_ns is None
            line = flattening.recorder.sent(send, wall)
            if first:
                self.teller.tell("first_order", flattening, f"{line.kind} {line.symbol}", line)
        if not is_written and send.intent.id == self._tried_ahead:
            # A restart would read the missing mark as proof that this was never sent. So it is not:
            # the next turn takes a number that the file cannot hold.
            self._take_answer(send, UNMARKED, None)
            return
        # The first thing to run once the request is on its way; it takes an fsync's time.
        loop = asyncio.get_running_loop()
        loop.call_soon(self._write_ahead)
        answer, row = await self.session.send(send.request)
        self._take_answer(send, answer, row)
        # People hear of it while the next request is on its way: that one must not wait for them.
        loop.call_soon(self._tell_order, covering, send.intent.id, answer.name)

    def _take_answer(self, send: Send, answer: Answer, row: SendRow | None) -> None:
        self._note_answer(send, answer, row)
        self.planner.answered(self._clock.boot_ns(), answer, row)
        # The end goes to the log and the record before the event that tells of the answer.
        self.teller.notes()

    def _write_intent(self, intent: Intent, covering: list[Flattening], wall_ns: int) -> bool:
        """Have an intent in the log and on disk; return whether it is.

        One that is on disk already, written ahead, only has to be marked before it is sent.
        """
        ahead, self._ahead = self._ahead, None
        if ahead == intent:
            return self._log.append(SendingLine(intent.id, wall_ns), durable=False)
        run = covering[0].run if covering else ""
        return self._log.append(SentLine(intent, wall_ns, run), durable=True)

    def _write_ahead(self) -> None:
        """Write the intent that probably comes next, while the terminal works on this one."""
        if not self._boot:
            # Without a boot's id every restart would have to look up what was never sent.
            return
        intent = self.planner.ahead(self._clock.boot_ns())
        if intent is None:
            return
        covering = self._covering(intent)
        run = covering[0].run if covering else ""
        line = SentLine(intent, self._clock.wall_ns(), run, self._boot)
        self._tried_ahead = intent.id
        # Where this fails the intent is written anew in its turn, and people are told then.
        if self._log.append(line, durable=True):
            self._ahead = intent

    def _tell_order(self, covering: list[Flattening], intent: int, name: str) -> None:
        for flattening in covering:
            known = flattening.recorder.line(intent)
            if known is not None:
                text = f"{known.kind} {known.symbol}: {name}"
                self.teller.tell("order", flattening, text, known)

    def _note_answer(self, send: Send, answer: Answer, row: SendRow | None) -> None:
        done = self._clock.wall_ns()
        number = send.intent.id
        line = AnswerLine(number, answer.name, done)
        if row is not None:
            line = AnswerLine(number, answer.name, done, row.retcode, row.order, row.deal)
        self._log.append(line, durable=False)
        for flattening in self._covering(send.intent):
            flattening.recorder.answered(send, answer, row, done)

    def _covering(self, intent: Intent) -> list[Flattening]:
        """Return the flattens that a request serves."""
        st = self.planner.state
        order = st.orders.get(intent.ticket) if intent.kind == "delete" else None
        leg = None if order is not None else st.legs.get(intent.key)
        row = order.row if order is not None else (None if leg is None else leg.row)
        active = self.teller.active.values()
        return [f for f in active if row is None or f.scope.covers(row)]
