"""Tokens come from where they are safest, and unsafe ones are refused at the start."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgeguard.api.tokens import read_tokens
from edgeguard.config.model import ApiConfig
from edgeguard.errors import ConfigError

TOKEN = "t" * 32


def _secret(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_credential_beats_a_file_beats_the_environment(tmp_path: Path) -> None:
    file = _secret(tmp_path / "halt", "f" * 32)
    config = ApiConfig(halt_token_file=file)
    folder = tmp_path / "credentials"
    folder.mkdir()
    environment = {"EMERGENCY_TOKEN": "e" * 32, "CREDENTIALS_DIRECTORY": str(folder)}
    assert read_tokens(config, environment).allows("halt", b"Bearer " + b"f" * 32)
    _secret(folder / "edgeguard-halt-token", "c" * 32 + "\n", 0o440)
    assert read_tokens(config, environment).allows("halt", b"Bearer " + b"c" * 32)


def test_a_digest_may_stand_for_the_token(tmp_path: Path) -> None:
    digest = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest()
    config = ApiConfig(read_token_file=_secret(tmp_path / "read", digest))
    tokens = read_tokens(config, {})
    assert tokens.allows("read", b"Bearer " + TOKEN.encode())
    assert not tokens.allows("read", b"Bearer " + digest.encode())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = _secret(tmp_path / "halt", TOKEN, mode)
    with pytest.raises(ConfigError, match="owner's alone"):
        read_tokens(ApiConfig(halt_token_file=file), {})


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"EMERGENCY_TOKEN": "short"}, "20 characters"),
        ({"EMERGENCY_TOKEN": TOKEN, "EDGEGUARD_RESUME_TOKEN": TOKEN}, "of its own"),
        ({"EMERGENCY_TOKEN": "sha256:abc"}, "64 hex digits"),
    ],
)
def test_unsafe_tokens_are_refused(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        read_tokens(ApiConfig(), environment)
    assert TOKEN not in str(raised.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be readable"):
        read_tokens(ApiConfig(halt_token_file=str(tmp_path / "none")), {})
