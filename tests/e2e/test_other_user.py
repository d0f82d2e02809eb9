"""Commands of a user who may not look into the guard's state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.rig import running

NOBODY_UID = 65_534
COMMAND = """
import os, sys
import edgeguard.cli.flattening, edgeguard.cli.status, edgeguard.cli.control, edgeguard.cli.ops
import edgeguard.cli.journal, encodings.idna, rich.console
from edgeguard.cli.app import run
from edgeguard.cli.emergency import halt_command
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
sys.exit((halt_command if sys.argv[2] == "halt" else run)(sys.argv[2:]))
"""
"""Everything is imported first: another user may not reach this interpreter's own files."""


@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_another_users_commands_do_nothing_and_say_so(tmp_path: Path) -> None:
    """P6, P21, A-USER-3: no traceback, a code of the table, and a gate as open as before."""
    with running(tmp_path) as guard:
        where = ("--state-dir", str(guard.paths.state_dir))
        for code, words, command in (
            (14, "NOTHING could be done", ("halt", "--reason", "x", "--timeout", "1")),
            (14, "no guard answers", ("status",)),
            (14, "no guard answers", ("pause", "--reason", "x")),
            (6, "must open, did not", ("journal", "verify")),
            (14, "is not there", ("incident", "list")),
        ):
            tried = subprocess.run(  # noqa: S603 - our own interpreter
                [sys.executable, "-c", COMMAND, str(NOBODY_UID), *command, *where],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            said = tried.stdout + tried.stderr
            assert "Traceback" not in said
            assert words in said
            assert tried.returncode == code, said
        status = guard.status()
        assert status["state"] == "ACTIVE"
        assert status["halt"] is None
