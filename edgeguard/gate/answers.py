"""What a gate answers: a truthy permit or a falsy refusal."""

from __future__ import annotations

from typing import Final, Literal, Protocol, cast

Code = Literal["HALTED", "PAUSED", "STARTING", "STALE", "MISSING", "HOLE", "WRONG_ACCOUNT", "SCOPE"]

OPEN: Final = "OPEN"
"""The one code of a source that is a permit."""

_WHY: Final[dict[str, str]] = {
    "HALTED": "trading is halted; an operator's resume of that halt opens it",
    "PAUSED": "new risk is paused; it opens when the cause has cleared",
    "STARTING": "the guard has not finished its start",
    "STALE": "no fresh heartbeat of the guard within its lease",
    "MISSING": "no word of a guard",
    "HOLE": "the guard has lost messages and waits for an account snapshot",
    "WRONG_ACCOUNT": "the halt page is another account's",
    "SCOPE": "this strategy or symbol is halted or paused",
}


class Permit:
    """Truthy: the account may open risk now. Ask again for the next order."""

    __slots__ = ("account",)

    def __init__(self, account: str) -> None:
        """Name the account."""
        self.account = account

    def __bool__(self) -> Literal[True]:
        return True

    def __repr__(self) -> str:
        return f"Permit(account={self.account!r})"


class Refusal:
    """Falsy: no new risk. `code` is stable, `why` is a sentence for people."""

    __slots__ = ("account", "code", "why")

    def __init__(self, account: str, code: Code, why: str) -> None:
        """Name the account, the code and the reason."""
        self.account = account
        self.code: Code = code
        self.why = why

    def __bool__(self) -> Literal[False]:
        return False

    def __str__(self) -> str:
        return f"{self.code}: {self.why} (account {self.account})"

    def __repr__(self) -> str:
        return f"Refusal(account={self.account!r}, code={self.code!r}, why={self.why!r})"


class GateClosedError(Exception):
    """Raised where an order must not go out; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        """Carry the refusal."""
        self.refusal = refusal
        super().__init__(str(refusal))


class Source(Protocol):
    """Where a gate's answers come from: a page or a lease."""

    def ask(self, symbol: str | None, strategy: str | None) -> str:
        """Return the code, `OPEN` for a permit."""
        ...

    def detail(self, code: str) -> str:
        """Return what is to be added to the sentence of a code."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class Shortcut(Protocol):
    """A gate that answers by itself: the extension's."""

    def check(self, symbol: str | None = None, strategy: str | None = None) -> Permit | Refusal:
        """Return the permit or a refusal."""
        ...

    def require(self, symbol: str | None = None, strategy: str | None = None) -> Permit:
        """Return the permit or raise `GateClosedError`."""
        ...


def refusal(account: str, code: str, detail: str = "") -> Refusal:
    """Return the refusal of a code; one that is not known is MISSING."""
    known = cast("Code", code if code in _WHY else "MISSING")
    why = _WHY[known]
    return Refusal(account, known, f"{why}: {detail}" if detail else why)
