"""Halts by hand that need nothing but a file: the HALT file and the pages' manual words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edgeguard.errors import UsageError
from edgeguard.guard.accounts import ACCOUNT, GuardedAccount
from edgeguard.guard.scopes import Scope, scopes_of
from edgeguard.latch import HaltFile, halt_words, read_halt_file, remove_halt_file

HaltAccounts = Callable[[list[Scope], tuple[str, str, str]], None]
"""Halts scopes: trigger, code and reason."""
WORDS_MAX: Final = 8
"""Manual words of one account that a resume lifts by name, the newest; each is set by a person."""


class ManualWatch:
    """Looks for manual halts; one `stat` and one load per account and look."""

    def __init__(self, path: Path, accounts: Mapping[str, GuardedAccount]) -> None:
        """Watch `STATE_DIR/HALT` and the accounts' pages."""
        self._path = path
        self._accounts = accounts
        self._seen_file: HaltFile | None = None
        self._seen_words: dict[str, int] = {}
        self._standing: dict[str, list[int]] = {}
        self.halt: HaltAccounts = lambda _scopes, _words: None

    def look(self) -> None:
        """Halt what was halted by hand since the last look."""
        self.look_at_words()
        self.look_at_file()

    def look_at_words(self) -> None:
        """Halt the accounts whose manual word was set."""
        for account in self._accounts.values():
            word = account.page.manual()
            if word and word != self._seen_words.get(account.id):
                # The word cannot say why; the HALT file that a person wrote with it does.
                self.look_at_file()
                words = ("manual", "MANUAL_WORD", "the halt page's manual word was set")
                self.halt([(account, ACCOUNT)], words)
                standing = self._standing.setdefault(account.id, [])
                standing.append(word)
                del standing[:-WORDS_MAX]
            self._seen_words[account.id] = word

    def take_words(self, account: GuardedAccount) -> list[int]:
        """Return the manual words that stood since the last resume, which now lifts them.

        A gate has the one latched that it saw last, which need not be the last one of all.
        """
        # Set once more after this, the same number is another halt.
        self._seen_words.pop(account.id, None)
        return self._standing.pop(account.id, [])

    def look_at_file(self) -> None:
        """Halt every account when the HALT file appears."""
        try:
            self._path.lstat()
        except FileNotFoundError:
            self._seen_file = None
            return
        except OSError:
            # A name that cannot be looked at is taken for one that is there.
            self._seen_file = None
        current = read_halt_file(self._path)
        if current is not None and current != self._seen_file:
            text, reason = halt_words(current.text)
            self.halt(self._scopes(text), ("manual", "HALT_FILE", reason))
        self._seen_file = current

    def _scopes(self, text: str) -> list[Scope]:
        """Return what the file's scope means; one that nobody knows means everything."""
        try:
            return scopes_of(self._accounts, {"scope": text})
        except UsageError:
            return scopes_of(self._accounts, {})

    def halt_file_identity(self) -> tuple[int, int, int] | None:
        """Return the identity of the HALT file as it is now, None where there is none."""
        current = read_halt_file(self._path)
        return current.identity if current is not None else None

    def remove_halt_file(self, identity: tuple[int, int, int] | None) -> bool:
        """Remove the HALT file of that identity; False if another is in its place.

        Raises:
            StorageError: it cannot be removed.
        """
        if identity is None:
            return read_halt_file(self._path) is None
        return remove_halt_file(self._path, identity)
