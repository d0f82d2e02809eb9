"""`Gate`: one account's answer, and the ways in which an engine may ask for it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, ParamSpec, Self, TypeVar, cast

from edgeguard import halt_page
from edgeguard.clock import Clock
from edgeguard.gate.answers import OPEN, GateClosedError, Permit, Refusal, Shortcut, Source, refusal
from edgeguard.gate.page import PageSource

if TYPE_CHECKING:
    from edgeguard.transport import CurveKeys

_P = ParamSpec("_P")
_R = TypeVar("_R")
Answer = Permit | Refusal
Listener = Callable[[Answer], None]


class Gate:
    """One account's gate; safe to share between threads, to be made anew after a fork."""

    def __init__(
        self,
        where: str | Path,
        account: str,
        *,
        clock: Clock | None = None,
        keys: CurveKeys | None = None,
        lease_s: float = 1.0,
    ) -> None:
        """Attach to a guard, which need not be running yet. Never raises: it is closed then.

        Args:
            where: `RUN_DIR`, `RUN_DIR/halt.<account>`, or the guard's gate endpoint
                (``tcp://HOST:PORT``, ``ipc://PATH``).
            account: the account's id as the guard's configuration has it.
            clock: stands in for the host's clocks, for simulations.
            keys: CURVE keys for a guard on another host.
            lease_s: how long an echo is trusted by a gate on an endpoint; a page carries its own.
        """
        self.account = account
        self._permit = Permit(account)
        self._broken = ""
        self._watchers: list[threading.Thread] = []
        self._wakes: list[threading.Event] = []
        self._is_closed = threading.Event()
        self._native: Shortcut | None = None
        self._source: Source | None = self._attach(str(where), clock, keys, lease_s)
        self._shorten()

    def check(self, symbol: str | None = None, strategy: str | None = None) -> Answer:
        """Return a truthy `Permit` or a falsy `Refusal`; never raise.

        Args:
            symbol: also ask for this symbol's own state.
            strategy: also ask for this strategy's own state.
        """
        if self._native is not None:
            return self._native.check(symbol, strategy)
        source = self._source
        if source is None:
            return refusal(self.account, "MISSING", self._broken)
        try:
            code = source.ask(symbol, strategy)
            if code == OPEN:
                return self._permit
            return refusal(self.account, code, source.detail(code))
        except Exception as error:  # noqa: BLE001  # whatever went wrong, the answer is no
            return refusal(self.account, "MISSING", f"the check itself failed: {error!r}")

    def require(self, symbol: str | None = None, strategy: str | None = None) -> Permit:
        """Return a permit or raise `GateClosedError`."""
        answer = self.check(symbol, strategy)
        if isinstance(answer, Refusal):
            raise GateClosedError(answer)
        return answer

    @contextmanager
    def permit(self, symbol: str | None = None, strategy: str | None = None) -> Generator[Permit]:
        """Run a block with a permit, or raise `GateClosedError` before it begins."""
        yield self.require(symbol, strategy)

    def guards(
        self, symbol: str | None = None, strategy: str | None = None
    ) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
        """Return a decorator for functions that open risk; they raise `GateClosedError` if closed.

        Works on plain functions and on coroutine functions, which are asked for when they run.

        Raises:
            TypeError: the function is a generator, whose body runs long after it was called.
        """

        def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
            if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
                raise TypeError(
                    "gate.guards must have a function that runs when it is called, had a "
                    "generator: ask gate.require() inside it, before each order"
                )
            if inspect.iscoroutinefunction(function):

                @functools.wraps(function)
                async def asynchronous(*args: _P.args, **kwargs: _P.kwargs) -> object:
                    self.require(symbol, strategy)
                    return await cast("Awaitable[object]", function(*args, **kwargs))

                return cast("Callable[_P, _R]", asynchronous)

            @functools.wraps(function)
            def plain(*args: _P.args, **kwargs: _P.kwargs) -> _R:
                self.require(symbol, strategy)
                return function(*args, **kwargs)

            return plain

        return decorate

    async def wait_open(
        self, symbol: str | None = None, strategy: str | None = None, *, poll_s: float = 0.05
    ) -> Permit:
        """Wait until the gate is open and return the permit; bound it with `asyncio.timeout`.

        A gate asks rather than is told, so this looks every `poll_s` seconds.
        """
        while True:
            answer = self.check(symbol, strategy)
            if isinstance(answer, Permit):
                return answer
            await asyncio.sleep(poll_s)

    def on_change(
        self,
        listener: Listener,
        symbol: str | None = None,
        strategy: str | None = None,
        *,
        poll_s: float = 0.05,
    ) -> None:
        """Call `listener` with the answer now and whenever its code changes, from a thread.

        The answer is that of `check` with the same symbol and strategy, looked at every `poll_s`
        seconds, and on an endpoint also at once when the guard has said something. What the
        listener raises is dropped: it is not part of the answer.
        """
        wake = threading.Event()
        self._wakes.append(wake)

        def watch() -> None:
            last: str | None = None
            while not self._is_closed.is_set():
                answer = self.check(symbol, strategy)
                code = answer.code if isinstance(answer, Refusal) else OPEN
                if code != last:
                    last = code
                    _tell(listener, answer)
                wake.wait(poll_s)
                wake.clear()

        thread = threading.Thread(target=watch, name="edgeguard-gate-watch", daemon=True)
        self._watchers.append(thread)
        thread.start()

    def close(self) -> None:
        """Let go of the page or the socket; every later check refuses."""
        self._is_closed.set()
        self._wake()
        for watcher in self._watchers:
            if watcher is not threading.current_thread():
                watcher.join()
        self.__dict__.pop("check", None)
        self.__dict__.pop("require", None)
        self._native = None
        source, self._source = self._source, None
        self._broken = "the gate was closed by its owner"
        if source is not None:
            source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __bool__(self) -> NoReturn:
        # `if gate:` would always be true and open risk without having asked.
        raise TypeError("ask gate.check(): a gate itself is neither open nor closed")

    def _wake(self) -> None:
        """Have every listener's thread look again at once."""
        for wake in self._wakes:
            wake.set()

    def _shorten(self) -> None:
        """Let `gate.check` and `gate.require` be the extension's own methods.

        That saves a Python frame in the order's path. A subclass that asks more keeps its say.
        """
        if self._native is None or type(self).check is not Gate.check:
            return
        self.__dict__["check"] = self._native.check
        if type(self).require is Gate.require:
            self.__dict__["require"] = self._native.require

    def _attach(
        self, where: str, clock: Clock | None, keys: CurveKeys | None, lease_s: float
    ) -> Source | None:
        """Return the source of answers; None, with the reason kept, where there can be none."""
        try:
            if "://" in where:
                from edgeguard.gate.remote import RemoteSource  # noqa: PLC0415  # zmq costs 50 ms

                return RemoteSource(
                    where,
                    self.account,
                    lease_s=lease_s,
                    clock=clock,
                    keys=keys,
                    on_word=self._wake,
                )
            path = Path(where)
            if path.name != f"halt.{self.account}":
                path /= f"halt.{self.account}"
            if clock is None:
                # Not a method of this object's: the extension cannot be asked to let go of a cycle.
                refuse = functools.partial(refusal, self.account)
                self._native = halt_page.native_gate(
                    path, self.account, self._permit, refuse, GateClosedError
                )
            return None if self._native is not None else PageSource(path, self.account, clock)
        except Exception as error:  # noqa: BLE001  # a gate that cannot attach is a closed gate
            self._broken = f"the gate could not attach: {error!r}"
            return None


def _tell(listener: Listener, answer: Answer) -> None:
    try:
        listener(answer)
    except BaseException:  # noqa: BLE001  # see on_change: one that exits must not end the watch
        return
