"""The command group: commands are imported when they are called, errors end in one sentence."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final

import click

import edgeguard
from edgeguard.cli.options import where_options
from edgeguard.errors import EdgeGuardError

COMMANDS: Final[dict[str, str]] = {
    "demo": "edgeguard.cli.demo",
    "up": "edgeguard.cli.serve",
    "guard": "edgeguard.cli.serve",
    "broker": "edgeguard.cli.serve",
    "ops": "edgeguard.cli.ops",
    "status": "edgeguard.cli.status",
    "halt": "edgeguard.cli.control",
    "pause": "edgeguard.cli.control",
    "resume": "edgeguard.cli.control",
    "acknowledge": "edgeguard.cli.control",
    "rebaseline": "edgeguard.cli.control",
    "maintenance": "edgeguard.cli.control",
    "replay": "edgeguard.cli.replay",
    "learn-spreads": "edgeguard.cli.learn",
    "config": "edgeguard.cli.config",
    "journal": "edgeguard.cli.journal",
    "keys": "edgeguard.cli.keys",
    "notify": "edgeguard.cli.ops",
    "incident": "edgeguard.cli.ops",
    "install-runbook": "edgeguard.cli.install",
}
"""The module of each command; the function has the command's name."""
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


class LazyGroup(click.Group):
    """A group whose commands are imported on use, so that each starts as fast as it can."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a person's day."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, importing its module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        return getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(edgeguard.__version__, prog_name="edgeguard")
@where_options
def cli() -> None:
    """EdgeGuard: an independent kill switch for automated trading."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; expected trouble is one sentence on stderr."""
    try:
        code = cli.main(arguments, prog_name="edgeguard", standalone_mode=False)
    except click.ClickException as e:
        e.show()
        return e.exit_code
    except click.Abort:
        return INTERRUPTED
    except EdgeGuardError as e:
        for sentence in str(e).splitlines():
            click.echo(f"edgeguard: {sentence}", err=True)
        return e.exit_code
    except BrokenPipeError:
        # The reader of stdout has gone: nothing is left to say, and nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
