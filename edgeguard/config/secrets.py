"""Secrets from where they are safest: a systemd credential, a private file, the environment.

A secret is read once, at the start, and never printed; messages name its source alone.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeguard.errors import ConfigError

CREDENTIALS_ENV: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd keeps the credentials of a unit (``LoadCredential=``)."""
TOKEN_VARIABLES: Final = {
    "halt": "EMERGENCY_TOKEN",
    "resume": "EDGEGUARD_RESUME_TOKEN",
    "read": "EDGEGUARD_READ_TOKEN",
}
"""The variable of each right's HTTP token."""
SECRET_BYTES_MAX: Final = 8192
HAS_MODES: Final = os.name == "posix"
"""Whether a file's mode says who may read it; on Windows its access list does, unread here."""


def without_tokens() -> dict[str, str]:
    """Return this process's environment without HTTP tokens, for a process that needs none."""
    names = TOKEN_VARIABLES.values()
    return {name: value for name, value in os.environ.items() if name not in names}


def keep_out_of_cores() -> None:
    """Let this process leave no core file: its memory holds secrets."""
    with contextlib.suppress(ImportError):  # no such limit on Windows
        import resource  # noqa: PLC0415 - not there on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass(frozen=True)
class Secret:
    """Where one secret may be found, best place first.

    Attributes:
        credential: its name among systemd's credentials, e.g. ``edgeguard-halt-token``.
        file: a file of this user alone; empty for none.
        variable: an environment variable; empty for none.
        value: what the configuration itself holds; empty for nothing.
    """

    credential: str
    file: str = ""
    variable: str = ""
    value: str = ""

    def read(self, environment: Mapping[str, str] | None = None) -> str:
        """Return the secret, empty where none is given.

        Raises:
            ConfigError: a named file cannot be read, or others than its owner may read it.
        """
        found = os.environ if environment is None else environment
        folder = found.get(CREDENTIALS_ENV, "")
        if folder and (Path(folder) / self.credential).is_file():
            return _text(Path(folder) / self.credential)
        if self.file:
            return _private_text(Path(self.file))
        return found.get(self.variable, "").strip() if self.variable else self.value


def _private_text(path: Path) -> str:
    """Return the text of a file that its owner alone may read."""
    try:
        mode = path.stat().st_mode
    except OSError as e:
        raise ConfigError(f"secret file {path} must be readable, was not: {e.strerror}") from e
    if HAS_MODES and stat.S_IMODE(mode) & 0o077:
        msg = f"secret file {path} must be its owner's alone (0600), was {stat.S_IMODE(mode):04o}"
        raise ConfigError(msg)
    return _text(path)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_BYTES_MAX + 1)
        text = data.decode("utf-8").strip()
    except OSError as e:
        raise ConfigError(f"secret file {path} must be readable, was not: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"secret file {path} must be text, was not") from e
    if not text or len(data) > SECRET_BYTES_MAX:
        raise ConfigError(f"secret file {path} must hold 1 to {SECRET_BYTES_MAX} bytes of text")
    return text
