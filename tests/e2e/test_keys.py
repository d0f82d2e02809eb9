"""Everything over TCP with keys: guard, broker, commands and a gate, each with a key of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgeguard import read_key
from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.config.load import load_config
from edgeguard.config.paths import Paths
from edgeguard.gate import Gate, Permit
from tests.e2e.rig import PAPER, PATIENCE_S, edgeguard, processes_with
from tests.process.guard_rig import until
from tests.process.test_guard_keys import free_endpoints

pytestmark = pytest.mark.timeout(180)
RIGHTS = {
    "guard": ["guard"],
    "broker.A": ["feed"],
    "operator": ["read", "halt", "resume"],
    "ops": ["read", "halt"],
    "desk": ["read", "halt"],
    "engine": ["read", "feed"],
}


TOKENS = {name: f"{name}-{'x' * 24}" for name in ("EMERGENCY_TOKEN", "EDGEGUARD_RESUME_TOKEN")}
"""HTTP tokens for halt and resume, by the variables that carry them."""


class Keyed(NamedTuple):
    """A running guard behind keys."""

    config: Path
    paths: Paths
    keys: Path
    http_port: int

    def http(
        self, method: str, path: str, token: str = "", **body: str
    ) -> tuple[int, dict[str, Any]]:
        """Return status and body of an HTTP request; (0, {}) while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        headers = {"Authorization": f"Bearer {TOKENS[token]}"} if token else {}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, {}
        finally:
            connection.close()

    def tell(self, *arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command with the key of that name, the operator's by default."""
        name = {"EDGEGUARD_KEY": key} if key else {}
        return subprocess.run(  # noqa: S603  # our own command
            [sys.executable, "-m", "edgeguard", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **name},
        )

    def status(self) -> dict[str, Any]:
        """Return the status, {} while no guard answers."""
        asked = self.tell("status", "--json")
        return json.loads(asked.stdout) if asked.returncode == 0 else {}

    def until(self, key: str, value: str) -> dict[str, Any]:
        """Ask for the status until it says so."""
        clock = SystemClock()
        end_ns = clock.boot_ns() + 2 * int(PATIENCE_S * NS_PER_S)
        status: dict[str, Any] = {}
        while clock.boot_ns() < end_ns:
            status = self.status()
            if status.get(key) == value:
                return status
        raise AssertionError(f"never {key} {value}: {status}")


def keyed_config(folder: Path) -> Path:
    """Return the shipped paper configuration with every socket on TCP and a key for everybody."""
    text = PAPER.read_text(encoding="utf-8")
    names = ("control", "feeds_bind", "halts_pub", "gate_router", "broker")
    for name, endpoint in zip(names, free_endpoints(len(names)), strict=True):
        text, count = re.subn(rf'^{name} = ""', f'{name} = "{endpoint}"', text, flags=re.MULTILINE)
        assert count == 1, name
    text = re.sub(r'^dir = ""', 'dir = "keys"', text, flags=re.MULTILINE)
    text = re.sub(r"^state_dir = .*$", 'state_dir = "state"', text, flags=re.MULTILINE)
    for name, rights in RIGHTS.items():
        made = edgeguard("keys", "new", name, "--into", str(folder / "keys"))
        assert made.returncode == 0, made.stderr
        text += "\n" + made.stdout.replace("rights = []", f"rights = {json.dumps(rights)}")
    (port,) = (endpoint.rpartition(":")[2] for endpoint in free_endpoints(1))
    text = re.sub(r"^port = 8000", f"port = {port}", text, flags=re.MULTILINE)
    text = re.sub(r'^(contacts|log) = ".*"', r'\1 = "\1.md"', text, flags=re.MULTILINE)
    path = folder / "keyed.toml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def running(folder: Path, ops: str = "--no-ops") -> Generator[Keyed]:
    """Run ``edgeguard up`` behind keys until the block ends, with ``--ops`` for HTTP too."""
    path = keyed_config(folder)
    config, _ = load_config(path)
    guard = Keyed(path, Paths(config), folder / "keys", config.api.port)
    with (folder / "up.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "edgeguard", "up", ops, "--config", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            env={**os.environ, **TOKENS},
        )
    try:
        guard.until("state", "ACTIVE")
        yield guard
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        shutil.rmtree(guard.paths.run_dir, ignore_errors=True)


def test_guard_broker_commands_and_gate_speak_over_keys(tmp_path: Path) -> None:
    """P21: the account opens, halts flat and resumes over TCP; each key does what it may alone."""
    with running(tmp_path) as guard:
        server = read_key(guard.keys / "guard.key").public
        where = guard.paths.gate_router
        with Gate(where, "A", keys=read_key(guard.keys / "engine.key", server)) as gate:
            until(lambda: isinstance(gate.check(), Permit), lambda: str(gate.check()), PATIENCE_S)
            assert guard.tell("pause", "--reason", "no", key="engine").returncode == 5
            halted = guard.tell("halt", "--reason", "keys", key="desk")
            assert halted.returncode == 0, halted.stderr + halted.stdout
            assert not gate.check()
            halt_id = guard.until("flatten", "FLAT_VERIFIED")["halt"]["id"]
            words = ("resume", "--halt-id", halt_id, "--reason", "x")
            refused = guard.tell(*words, key="desk")
            assert refused.returncode == 5
            assert "the right resume" in refused.stderr
            resumed = guard.tell(*words)
            assert resumed.returncode == 0, resumed.stderr
            guard.until("state", "ACTIVE")
        missing = guard.tell("status", key="nobody")
        assert missing.returncode == 3
        assert "nobody.key must be readable" in missing.stderr
        assert "Traceback" not in missing.stderr


def test_ops_acts_over_tcp_by_the_rights_of_its_own_key(tmp_path: Path) -> None:
    """P21: HTTP proves the channel and halts through the key `ops`, which cannot resume."""
    with running(tmp_path, "--ops") as guard:
        until(
            lambda: guard.http("GET", "/health")[0] == 200,
            lambda: str(guard.http("GET", "/health")),
            2 * PATIENCE_S,
        )
        code, halted = guard.http("POST", "/emergency/shutdown", "EMERGENCY_TOKEN", reason="keys")
        assert code == 200, halted
        halt = guard.until("flatten", "FLAT_VERIFIED")["halt"]
        assert "keys" in halt["reason"]
        words = {"operator": "o", "reason": "r", "halt_id": halt["id"]}
        code, refused = guard.http("POST", "/emergency/resume", "EDGEGUARD_RESUME_TOKEN", **words)
        assert code == 409
        assert "the right resume" in json.dumps(refused)
        assert guard.status()["halt"]["id"] == halt["id"]
        log = tmp_path / "log.md"
        until(lambda: log.exists() and "INC-" in log.read_text(), deadline_s=PATIENCE_S)
        secrets = [read_key(path).secret for path in guard.keys.glob("*.key")]
        assert len(secrets) == len(RIGHTS)
        said = b"".join(path.read_bytes() for path in guard.paths.log_dir.iterdir()).decode()
        assert "listening on" in said
        assert not [secret for secret in (*secrets, *TOKENS.values()) if secret in said]
        holders = processes_with(b"edgeguard", os.fsencode(guard.paths.state_dir))
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in holders]
        knowing = [
            text for text in environments if any(t.encode() in text for t in TOKENS.values())
        ]
        assert len(knowing) == len(("ops",))
        limits = [Path(f"/proc/{pid}/limits").read_text() for pid in holders]
        cores = [re.search(r"Max core file size +(\S+) +(\S+)", text) for text in limits]
        assert len(cores) == len(("guard", "broker", "its child", "ops"))
        assert all(found is not None and found.groups() == ("0", "0") for found in cores)
