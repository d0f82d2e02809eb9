"""The runbook's own commands, behind the thin files in ``execution/``.

They are `edgeguard halt` for several guards at once: the same functions, one thread each, so that a
guard that hangs delays no other. Stages go to stderr as they are seen; stdout has one line for each
environment. Imports little, like `edgeguard.cli.emergency`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from edgeguard.cli.emergency import parse
from edgeguard.cli.halting import NOTHING, Order, Voice, halt
from edgeguard.cli.locate import STATE_DIR_ENV, Place, find_config, find_place, read_toml
from edgeguard.errors import ConfigError, EdgeGuardError, UsageError
from edgeguard.plain import escaped, escaped_line

SHUTDOWN_HELP: Final = """Usage: python -m execution.emergency_shutdown --all --reason TEXT

Stop new trading, close everything and prove it.
  --all            every [[environment]] of the configuration too, all at once
  --reason TEXT    why; goes into the journal (required)
  --scope, --timeout, --operator, --json, --config, --state-dir: as `edgeguard halt --help` has them
"""
KILL_SWITCH_HELP: Final = """Usage: python -m execution.mt5.kill_switch ACTION [OPTIONS]

  --activate --reason TEXT     stop new trading, close everything and prove it
  --status                     what the guard sees
  --deactivate --halt-id H --operator NAME --reason TEXT
                               resume; without --halt-id it names the halt that stands
"""
WORST_FIRST: Final = (1, NOTHING, 3, 5, 2, 13, 12, 11, 10, 0)
"""Exit codes by how much is wrong; the worst environment's is the command's."""


@dataclass
class Environment:
    """One guard to halt, and how that went."""

    name: str
    config: Path | None
    state_dir: Path | None = None
    place: Place | None = None
    code: int = NOTHING
    result: str = ""
    stages: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])


class _Prefixed(Voice):
    """Tells the stages of one environment on stderr, under its name."""

    def __init__(self, environment: Environment, lock: threading.Lock) -> None:
        super().__init__(as_json=False)
        self._environment = environment
        self._lock = lock

    def tell(self, stage: str, text: str, body: bytes = b"") -> None:
        document: object = json.loads(body or b"null")
        self._environment.stages.append({"stage": stage, "text": text, "body": document})
        if stage == "result":
            self._environment.result = text
            return
        with self._lock:
            sys.stderr.write(
                escaped_line(f"{self._environment.name}: {stage.replace('_', ' ')}: {text}") + "\n"
            )
            sys.stderr.flush()


def emergency_shutdown(arguments: list[str]) -> int:
    """Halt this environment, or with ``--all`` every one; return the worst exit code."""
    if not {"--help", "-h"}.isdisjoint(arguments):
        sys.stdout.write(SHUTDOWN_HELP)
        return 0
    try:
        order = parse([argument for argument in arguments if argument != "--all"])
        environments = [_this(order)]
        if "--all" in arguments:
            environments += _others(environments[0])
    except EdgeGuardError as e:
        return _complain(e)
    return _halt_all(environments, order)


def kill_switch(arguments: list[str]) -> int:
    """Activate, show or deactivate the kill switch of this environment."""
    actions = [a for a in arguments if a in {"--activate", "--status", "--deactivate"}]
    rest = [argument for argument in arguments if argument not in actions]
    if not {"--help", "-h"}.isdisjoint(arguments):
        sys.stdout.write(KILL_SWITCH_HELP)
        return 0
    try:
        if len(actions) != 1:
            raise UsageError("give one of --activate, --status and --deactivate")
        if actions == ["--activate"]:
            order = parse(rest)
            return _halt_all([_this(order)], order)
    except EdgeGuardError as e:
        return _complain(e)
    from edgeguard.cli.app import run  # noqa: PLC0415 - only where click is wanted

    if actions == ["--status"]:
        return run(["status", *rest])
    if any(argument.split("=")[0] == "--halt-id" for argument in rest):
        return run(["resume", *rest])
    run(["status"])
    sys.stderr.write(
        "edgeguard: name the halt that you mean, as shown above: python -m "
        'execution.mt5.kill_switch --deactivate --halt-id H --operator NAME --reason "..."\n'
    )
    return 5


def _complain(error: EdgeGuardError) -> int:
    for sentence in escaped(str(error)).split("\n"):
        sys.stderr.write(f"edgeguard: {sentence}\n")
    return error.exit_code


def _this(order: Order) -> Environment:
    """Return the environment that the options mean."""
    config = find_config(order.config)
    name = _table(_document(config).get("guard")).get("environment", "default")
    place = find_place(order.config, order.state_dir)
    return Environment(str(name), config, order.state_dir, place)


def _others(this: Environment) -> list[Environment]:
    """Return every other environment of a configuration, those that cannot be found included."""
    if this.config is None:
        return []
    folder = this.config.resolve().parent
    seen = {this.config.resolve()}
    found: list[Environment] = []
    # The variable names this guard's state directory; no other guard may be sought there.
    overriding = os.environ.pop(STATE_DIR_ENV, None)
    try:
        for row in _rows(_document(this.config).get("environment")):
            path = (folder / Path(str(row.get("config", ""))).expanduser()).resolve()
            if path in seen:
                continue
            seen.add(path)
            found.append(_sought(Environment(str(row.get("name", path.stem)), path)))
    finally:
        if overriding is not None:
            os.environ[STATE_DIR_ENV] = overriding
    return found


def _sought(environment: Environment) -> Environment:
    try:
        return replace(environment, place=find_place(environment.config, None))
    except EdgeGuardError as e:
        return replace(environment, code=e.exit_code, result=str(e).replace("\n", "; "))


def _document(config: Path | None) -> Mapping[str, object]:
    """Return what the file holds, judging nothing; nothing where it cannot be read."""
    if config is None:
        return {}
    try:
        return read_toml(config)
    except ConfigError:
        return {}


def _table(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [_table(row) for row in cast("list[object]", value)] if isinstance(value, list) else []


def _halt_all(environments: list[Environment], order: Order) -> int:
    """Halt every environment at once, print a line for each, and return the worst exit code."""
    lock = threading.Lock()
    threads = [
        threading.Thread(target=_halt_one, args=(environment, order, lock))
        for environment in environments
        if environment.place is not None
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for environment in environments:
        sys.stdout.write(_line(environment, as_json=order.as_json) + "\n")
    sys.stdout.flush()
    # A code that is not in the table is worse than any that is.
    ranks = {code: rank for rank, code in enumerate(WORST_FIRST)}
    return min((environment.code for environment in environments), key=lambda c: ranks.get(c, -1))


def _halt_one(environment: Environment, order: Order, lock: threading.Lock) -> None:
    assert environment.place is not None  # noqa: S101 - who has no place has no thread
    try:
        voice = _Prefixed(environment, lock)
        environment.code = halt(order, environment.place, voice)
    except EdgeGuardError as e:
        environment.code, environment.result = e.exit_code, str(e).replace("\n", "; ")
    except Exception as e:  # noqa: BLE001 - one environment's trouble must not hide the others'
        environment.code, environment.result = 1, f"a bug: {e!r}"


def _line(environment: Environment, *, as_json: bool) -> str:
    if not as_json:
        return escaped_line(
            f"{environment.name}: {environment.result} (exit code {environment.code})"
        )
    words = ("name", "code", "result", "stages")
    return json.dumps({word: getattr(environment, word) for word in words})
