"""CURVE keys: files of one key each, and the ring of what one process may use.

A key file is ``NAME.key`` in the folder that `[keys] dir` names: TOML with ``public`` and
``secret``, private to its owner (0600). Public keys are no secrets: they stand in the
configuration's `[[peer]]` tables.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import zmq

from edgeguard.config.model import Config
from edgeguard.config.secrets import Secret
from edgeguard.errors import ConfigError, InUseError
from edgeguard.transport.endpoints import CurveKeys

KEY_CHARACTERS: Final = 40
"""Length of a CURVE key in Z85."""
SUFFIX: Final = ".key"
OPERATOR: Final = "operator"
"""The name of the key that commands show, unless ``EDGEGUARD_KEY`` names another."""
KEY_ENV: Final = "EDGEGUARD_KEY"


def new_pair() -> CurveKeys:
    """Return a fresh key pair."""
    public, secret = zmq.curve_keypair()
    return CurveKeys(public.decode(), secret.decode())


def key_path(folder: Path, name: str) -> Path:
    """Return the file of the key `name`."""
    return folder / f"{name}{SUFFIX}"


def write_key(path: Path, name: str, keys: CurveKeys) -> None:
    """Create a key file, readable by its owner alone; one that exists is never overwritten.

    Raises:
        InUseError: the file exists.
        ConfigError: it cannot be written.
    """
    text = (
        f"# EdgeGuard CURVE key {name}: secret. Keep it 0600, on the host that uses it alone.\n"
        f'public = "{keys.public}"\nsecret = "{keys.secret}"\n'
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as e:
        raise InUseError(
            f"key file {path} must be new, exists; move it away to make another key {name}"
        ) from e
    except OSError as e:
        raise ConfigError(f"key file {path} must be writable, was not: {e.strerror}") from e


def read_key(path: Path, server: str = "") -> CurveKeys:
    """Return the pair in a key file, to be used towards a server with that public key.

    Raises:
        ConfigError: the file cannot be read, is not its owner's alone, or holds no key.
    """
    text = Secret(f"edgeguard-key-{path.name.removesuffix(SUFFIX)}", file=str(path)).read()
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        table = {}
    public, secret = table.get("public"), table.get("secret")
    if not isinstance(public, str) or not isinstance(secret, str):
        raise ConfigError(f"key file {path} must hold public and secret, did not")
    if len(secret) != KEY_CHARACTERS or public != _public_of(secret):
        # Nothing of what it holds is repeated here: it may be most of a secret.
        raise ConfigError(f"key file {path} must hold a matching pair, did not")
    return CurveKeys(public, secret, server)


def _public_of(secret: str) -> str:
    try:
        return zmq.curve_public(secret.encode("ascii")).decode()
    except (ValueError, zmq.ZMQError):
        return ""


class Keyring:
    """The keys of one process: its own pair, and the public keys of those it calls."""

    def __init__(self, folder: str, publics: Mapping[str, str], *names: str) -> None:
        """Take where keys are; nothing is read before one is needed.

        Args:
            folder: `[keys] dir`, empty for none.
            publics: public keys by the names of their `[[peer]]`.
            names: names of the own key, best first; the first whose file or credential is there.
        """
        self._folder = Path(folder) if folder else None
        self._publics = publics
        self._names = names
        self._own: CurveKeys | None = None

    @classmethod
    def of(cls, config: Config, *names: str) -> Keyring:
        """Return the ring of a configuration for a process called one of `names`."""
        publics = {peer.name: peer.public for peer in config.peer if peer.public}
        return cls(config.keys.dir, publics, *names)

    def server(self, endpoint: str) -> CurveKeys | None:
        """Return the keys with which to bind `endpoint`, None where it has none.

        Raises:
            ConfigError: the own key cannot be read.
        """
        return self._pair() if self._is_for(endpoint) else None

    def client(self, endpoint: str, *names: str) -> CurveKeys | None:
        """Return the keys with which to connect to `endpoint`, None where it has none.

        Args:
            endpoint: where to connect.
            names: the names under which the server's key may be known, best first.

        Raises:
            ConfigError: the own key cannot be read, or the server's is not known.
        """
        if not self._is_for(endpoint):
            return None
        server = next((self._publics[name] for name in names if name in self._publics), "")
        if not server:
            raise ConfigError(
                f'a [[peer]] must name "{names[0]}" with its public key to reach {endpoint}, none '
                "did"
            )
        pair = self._pair()
        return CurveKeys(pair.public, pair.secret, server)

    def _is_for(self, endpoint: str) -> bool:
        return self._folder is not None and endpoint.startswith("tcp://")

    def _pair(self) -> CurveKeys:
        if self._own is None:
            assert self._folder is not None  # noqa: S101  # `_is_for` was asked
            paths = [key_path(self._folder, name) for name in self._names]
            self._own = read_key(next((path for path in paths if path.is_file()), paths[-1]))
        return self._own
