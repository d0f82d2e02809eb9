"""One broker parent per account: a lock on a file, which the kernel lifts when its holder dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from edgeguard.errors import InUseError


class AccountLock:
    """Held until closed or until this process ends, however it ends."""

    def __init__(self, path: Path, account: str) -> None:
        """Take the lock.

        Raises:
            InUseError: another process has it.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._file)
        except OSError as e:
            os.close(self._file)
            raise InUseError(
                f"another broker already runs for account {account} ({path} is locked): stop it "
                "first, or use another --state-dir"
            ) from e

    def close(self) -> None:
        """Lift the lock."""
        os.close(self._file)


def _lock(file: int) -> None:
    if os.name == "posix":
        import fcntl  # noqa: PLC0415 - absent on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import importlib  # noqa: PLC0415

    msvcrt: Any = importlib.import_module("msvcrt")
    msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
