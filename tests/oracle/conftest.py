"""Fixtures of the oracle's own tests."""

from pathlib import Path

import pytest

from tests.oracle.golden import Golden


@pytest.fixture
def golden(tmp_path: Path) -> Golden:
    """Return a folder to run golden cases in."""
    return Golden(tmp_path)
