"""Answers from a halt page on this host."""

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
        self._reader = halt_page.reader(path, account, clock)
        self._check = self._reader.check
        self._codes = halt_page.CODES
        self._words: dict[str, int] = {}

    def ask(self, symbol: str | None, strategy: str | None) -> str:
        """Return the code, ``OPEN`` for a permit."""
        if symbol is None and strategy is None:
            return self._codes[self._check()]
        words: list[int] = []
        if symbol is not None:
            words.append(self._word(f"symbol:{symbol}"))
        if strategy is not None:
            words.append(self._word(f"strategy:{strategy}"))
        return self._codes[self._reader.check_scopes(words)]

    def detail(self, code: str) -> str:
        """Return why no page is attached, and which halt is in force."""
        if code in {"MISSING", "WRONG_ACCOUNT"}:
            return self._reader.why()
        facts = self._reader.facts() if code == "HALTED" else None
        if facts is None:
            return ""
        _, _, _, _, manual, _, halt_id = facts
        # The word is set before the guard has given the halt an id, or where no guard runs.
        return "halted by hand" if manual and not halt_id else halt_id

    def close(self) -> None:
        """Let go of the reader, and with it of the map."""

    def _word(self, scope: str) -> int:
        word = self._words.get(scope)
        if word is None:
            word = halt_page.hash_word(scope)
            if len(self._words) < SCOPES_CACHED_MAX:
                self._words[scope] = word
        return word
