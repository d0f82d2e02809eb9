"""Bearer tokens: one for each right, kept as digests, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Literal

from edgeguard.config.model import ApiConfig
from edgeguard.config.secrets import TOKEN_VARIABLES, Secret
from edgeguard.errors import ConfigError

Right = Literal["halt", "resume", "read"]
RIGHTS: Final[tuple[Right, ...]] = ("halt", "resume", "read")
TOKEN_CHARS_MIN: Final = 20
"""Shorter tokens can be guessed; `python -c "import secrets; print(secrets.token_urlsafe(32))"`."""
DIGEST_PREFIX: Final = "sha256:"
"""A secret may hold the digest of a token in hex in the token's place."""


class Tokens:
    """The digests of the tokens that were given."""

    def __init__(self, digests: Mapping[Right, bytes]) -> None:
        """Take the sha256 of each right's token; a right without one is nobody's."""
        self._digests = dict(digests)

    def rights(self) -> tuple[Right, ...]:
        """Return the rights that somebody can have."""
        return tuple(right for right in RIGHTS if right in self._digests)

    def allows(self, right: Right, authorization: bytes | None) -> bool:
        """Tell whether an ``Authorization`` header carries the token of `right`.

        The comparison takes the same time wherever the first difference is.
        """
        return hmac.compare_digest(self._offered(authorization), self._wanted(right))

    def holds_any(self, authorization: bytes | None) -> bool:
        """Tell whether a header carries the token of any right."""
        offered = self._offered(authorization)
        found = [hmac.compare_digest(offered, self._wanted(right)) for right in RIGHTS]
        return any(found)

    def _wanted(self, right: Right) -> bytes:
        # Nothing has this digest's length, so that nothing equals it.
        return self._digests.get(right, b"")

    @staticmethod
    def _offered(authorization: bytes | None) -> bytes:
        scheme, _, token = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            token = b""
        return hashlib.sha256(token.strip()).digest()


def read_tokens(config: ApiConfig, environment: Mapping[str, str] | None = None) -> Tokens:
    """Return the tokens that credentials, files or the environment hold.

    Raises:
        ConfigError: a token is too short, is given twice, or its file is not private.
    """
    files: Mapping[Right, str] = {
        "halt": config.halt_token_file,
        "resume": config.resume_token_file,
        "read": config.read_token_file,
    }
    digests: dict[Right, bytes] = {}
    for right in RIGHTS:
        secret = Secret(f"edgeguard-{right}-token", files[right], TOKEN_VARIABLES[right])
        text = secret.read(environment)
        if text:
            digests[right] = _digest(right, text)
    if len(set(digests.values())) < len(digests):
        raise ConfigError("each right must have a token of its own, two had the same")
    return Tokens(digests)


def _digest(right: Right, text: str) -> bytes:
    if text.startswith(DIGEST_PREFIX):
        try:
            digest = bytes.fromhex(text.removeprefix(DIGEST_PREFIX))
        except ValueError:
            digest = b""
        if len(digest) != hashlib.sha256().digest_size:
            raise ConfigError(f"the {right} token's digest must be 64 hex digits, was not")
        return digest
    if len(text) < TOKEN_CHARS_MIN:
        msg = f"the {right} token must have at least {TOKEN_CHARS_MIN} characters, had fewer"
        raise ConfigError(msg)
    return hashlib.sha256(text.encode()).digest()
