"""Answers from a halt page on this host, in plain Python.

Where the extension is installed `edgeguard._core.PageGate` answers instead, and alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgeguard import halt_page
from edgeguard.clock import Clock

SCOPES_CACHED_MAX: Final = 4096
"""Scope names whose hash is kept; more are hashed each time."""


class PageSource:
    """One account's page."""

    def __init__(self, path: Path, account: str, clock: Clock | None) -> None:
        """Read the page at `path`; it need not exist yet."""
        self._reader = halt_page.PurePageReader(path, account, clock=clock)
        self._codes = halt_page.CODES
        self._words: dict[tuple[str, str], int] = {}

    def ask(self, symbol: str | None, strategy: str | None) -> str:
        """Return the code, ``OPEN`` for a permit.

        Raises:
            TypeError: a scope's name is no text.
        """
        words: list[int] = []
        if symbol is not None:
            words.append(self._word("symbol", symbol))
        if strategy is not None:
            words.append(self._word("strategy", strategy))
        return self._codes[self._reader.check_scopes(words)]

    def detail(self, code: str) -> str:
        """Return why no page is attached, and which halt is in force."""
        if code in {"MISSING", "WRONG_ACCOUNT"}:
            return self._reader.why()
        facts = self._reader.facts() if code == "HALTED" else None
        if facts is None:
            return ""
        # The word is set before the guard has given the halt an id, or where no guard runs.
        return "halted by hand" if facts.manual and not facts.halt_id else facts.halt_id

    def close(self) -> None:
        """Let go of the map."""
        self._reader.close()

    def _word(self, kind: str, name: str) -> int:
        word = self._words.get((kind, name))
        if word is None:
            if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError("symbol and strategy must be str")
            # What the text is, not how an enumeration's member would like to be printed.
            word = halt_page.hash_word(f"{kind}:{str.__str__(name)}")
            if len(self._words) < SCOPES_CACHED_MAX:
                self._words[kind, name] = word
        return word
