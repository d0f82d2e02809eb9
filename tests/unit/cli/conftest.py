"""Commands under test keep their sockets and pages in a directory of their own."""

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from edgeguard.config import paths


@pytest.fixture(autouse=True)
def _own_shared_memory(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Let a short directory stand for /dev/shm, since socket paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="eg"))
    mounts = folder / "mounts"
    mounts.write_text(f"tmpfs {folder} tmpfs rw 0 0\n", encoding="ascii")
    monkeypatch.setattr(paths, "SHARED_MEMORY", folder)
    monkeypatch.setattr(paths, "MOUNTS", mounts)
    yield
    shutil.rmtree(folder)
