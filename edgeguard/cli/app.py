"""The command group: commands are imported when they are called, errors end in one sentence."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import click

import edgeguard
from edgeguard.cli.options import where_options
from edgeguard.errors import ConfigError, EdgeGuardError
from edgeguard.plain import escaped

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
    "check": "edgeguard.cli.check",
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
SUMMARIES: Final[dict[str, str]] = {
    "demo": "Break a limit on a paper account and watch it become flat.",
    "up": "Run guard, brokers and ops together until SIGTERM or Ctrl-C.",
    "guard": "Run the guard alone until SIGTERM or Ctrl-C.",
    "broker": "Run one account's broker alone until SIGTERM or Ctrl-C.",
    "ops": "Run HTTP, notifications and incidents until SIGTERM or Ctrl-C.",
    "status": "Show state, equity, the distance to each limit, and why the gate is closed.",
    "halt": "Stop new trading, close everything and prove it.",
    "pause": "Refuse new entries; exits go through.",
    "resume": "End a halt (--halt-id) or a sticky pause (--pause).",
    "acknowledge": "Open a guard that stays paused after an unclean stop and a reboot.",
    "rebaseline": "Set a new reference, so that a halted account can be resumed.",
    "maintenance": "Suspend the deadline of the engine's heartbeat, never a loss limit.",
    "replay": "Replay ticks and tapes; decisions go to stdout.",
    "learn-spreads": "Learn the normal spread of each quarter hour of the week.",
    "config": "Judge a configuration, or print its schema.",
    "journal": "Verify, show or export the guard's journal.",
    "keys": "Make the CURVE keys of this host, or show their public halves.",
    "check": "Check a live desk from configuration to terminal, without trading.",
    "notify": "Prove the channels, or show when each was last proven.",
    "incident": "Show, acknowledge and tick incidents.",
    "install-runbook": "Put the runbook's commands into an execution package of your own.",
}
"""What the help of the group says of a command, so that it need not import all of them."""
NEEDS_EXTENSION: Final = frozenset({"demo", "up", "guard", "replay"})
"""Commands that judge events themselves, or start what does."""
GUARD_ONLY: Final = frozenset({"edgeguard._core", "uvloop", "apsw"})
"""What the pure wheel is without."""
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
        if cmd_name in NEEDS_EXTENSION and find_spec("edgeguard._core") is None:
            raise _needs_extension(cmd_name, "edgeguard._core")
        return getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows: list[tuple[str, str]] = []
        for name in self.list_commands(ctx):
            command = None if name in SUMMARIES else self.get_command(ctx, name)
            rows.append(
                (name, SUMMARIES[name] if command is None else command.get_short_help_str())
            )
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _needs_extension(command: str, missing: str) -> ConfigError:
    return ConfigError(
        f"{command} needs the wheel with the extension (Linux or WSL2), this one is without "
        f"{missing}: run it on the guard's host"
    )


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
        for sentence in escaped(str(e)).split("\n"):
            click.echo(f"edgeguard: {sentence}", err=True)
        return e.exit_code
    except ModuleNotFoundError as e:
        if e.name not in GUARD_ONLY:
            raise
        click.echo(f"edgeguard: {_needs_extension(' '.join(arguments), e.name)}", err=True)
        return ConfigError.exit_code
    except BrokenPipeError:
        # The reader of stdout has gone: nothing is left to say, and nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
