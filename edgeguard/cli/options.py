"""What every command takes: the guard's place, before or after the command's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeguard.cli.locate import (
    CONFIG_ENV,
    STATE_DIR_ENV,
    Place,
    find_config,
    find_place,
    find_state_dir,
    need_config,
    read_toml,
)
from edgeguard.config.paths import Paths

if TYPE_CHECKING:
    from edgeguard.config.model import Config

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Where:
    """The guard that a command means, as far as options name it."""

    config_file: Path | None = None
    state_dir: Path | None = None

    def config_path(self) -> Path:
        """Return the configuration file.

        Raises:
            UsageError: nothing names one.
        """
        return need_config(self.config_file)

    def load(self) -> tuple[Config, str]:
        """Return the judged configuration and its hash.

        Raises:
            UsageError: nothing names a configuration.
            ConfigError: it is wrong.
        """
        # `edgeguard --help` and the commands that judge nothing do not wait for this import.
        from edgeguard.config.load import load_config  # noqa: PLC0415

        return load_config(self.config_path())

    def paths(self, config: Config) -> Paths:
        """Return the paths of a loaded configuration under the chosen state directory."""
        return Paths(config, find_state_dir(self.state_dir))

    def place(self) -> Place:
        """Return the guard's place without judging its configuration.

        Raises:
            UsageError: neither a configuration nor a state directory is named.
            ConfigError: a configuration is named and cannot be read. Only `halt` goes on without.
        """
        file = find_config(self.config_file)
        if file is not None:
            read_toml(file)
        return find_place(self.config_file, self.state_dir)


def where_options(command: F) -> F:
    """Add ``--config`` and ``--state-dir``; the innermost one given wins."""
    for name, attribute, env in (
        ("--state-dir", "state_dir", STATE_DIR_ENV),
        ("--config", "config_file", CONFIG_ENV),
    ):
        command = click.option(
            name,
            attribute,
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_remember,
            help=f"{_HELP[name]} (also {env}).",
        )(command)
    return command


_HELP = {
    "--config": "The guard's configuration.",
    "--state-dir": "Where the guard keeps its state.",
}


def _remember(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    where = context.find_root().ensure_object(Where)
    if value is not None:
        setattr(where, parameter.name, value)


pass_where = click.make_pass_decorator(Where, ensure=True)
"""Gives a command its `Where` as first argument."""
