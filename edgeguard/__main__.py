"""The ``edgeguard`` command. ``halt`` goes its own way before anything heavy is imported."""

from __future__ import annotations

import sys

_WITH_VALUE = frozenset({"--config", "--state-dir"})


def main() -> None:
    """Run the command of ``sys.argv`` and end the process with its exit code."""
    arguments = sys.argv[1:]
    if _command(arguments) == "halt":
        from edgeguard.cli.emergency import halt_command  # noqa: PLC0415 - this is the fast way

        code = halt_command(arguments)
    else:
        from edgeguard.cli.app import run  # noqa: PLC0415 - only where click is wanted

        code = run(arguments)
    sys.exit(code)


def _command(arguments: list[str]) -> str:
    """Return the first argument that is neither an option nor the value of one."""
    rest = iter(arguments)
    for argument in rest:
        if argument in _WITH_VALUE:
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return ""


if __name__ == "__main__":
    main()
