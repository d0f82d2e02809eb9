"""Calls the program under test in process, and the oracle, in one shape."""

from pathlib import Path

from tests.oracle.errors import BadConfig, Unreadable
from tests.oracle.reference import replay

RAN = 0
CONFIGURATION = 3
UNREADABLE = 6


def edgeguard_lines(
    config_path: Path, tick_specs: list[str], tapes: list[Path]
) -> tuple[int, list[str]]:
    """Return exit code and decision lines of `edgeguard replay`."""
    from edgeguard.errors import ConfigError, InputError  # noqa: PLC0415
    from edgeguard.replay import replay_lines  # noqa: PLC0415

    lines: list[str] = []
    try:
        for line in replay_lines(config_path, tick_specs, tapes):
            lines.append(line.decode().removesuffix("\n"))  # noqa: PERF401 - kept on an error
    except ConfigError:
        return CONFIGURATION, lines
    except InputError:
        return UNREADABLE, lines
    return RAN, lines


def oracle_lines(
    config_path: Path, tick_specs: list[str], tapes: list[Path]
) -> tuple[int, list[str]]:
    """Return exit code and decision lines of the oracle."""
    lines: list[str] = []
    try:
        for line in replay(config_path, tick_specs, tapes):
            lines.append(line)  # noqa: PERF402 - kept on an error
    except BadConfig:
        return CONFIGURATION, lines
    except Unreadable:
        return UNREADABLE, lines
    return RAN, lines
