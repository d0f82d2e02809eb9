"""``edgeguard install-runbook``: the runbook's thin files, put where a user's own package is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

import edgeguard
from edgeguard.errors import RefusedError, StorageError

FILES: Final = ("emergency_shutdown.py", "mt5/kill_switch.py")
PACKAGE: Final = "execution"


@click.command()
@click.option(
    "--into",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Your execution package, or the folder that holds it.",
)
def install_runbook(folder: Path) -> None:
    """Put the runbook's commands into an execution package of your own.

    Without an execution package of your own nothing needs to be installed: EdgeGuard brings one.
    A file of yours is never overwritten.
    """
    target = folder if _is_package(folder) else folder / PACKAGE
    for name in FILES:
        _put(source_folder() / name, target / name)
    click.echo(f"installed into {target}; from its parent folder:")
    click.echo('  python -m execution.emergency_shutdown --all --reason "..."')
    click.echo('  python -m execution.mt5.kill_switch --activate --reason "..."')


def source_folder() -> Path:
    """Return where EdgeGuard's own thin files are: beside the edgeguard package."""
    return Path(edgeguard.__file__).resolve().parent.parent / PACKAGE


def _is_package(folder: Path) -> bool:
    return folder.resolve().name == PACKAGE or (folder / "__init__.py").is_file()


def _put(source: Path, target: Path) -> None:
    """Copy one file.

    Raises:
        RefusedError: another file of that name is there.
        StorageError: it cannot be written.
    """
    try:
        text = source.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            if target.read_bytes() != text:
                raise RefusedError(f"{target} must not be overwritten: it is another file")
            return
        target.write_bytes(text)
    except OSError as e:
        raise StorageError(f"{target} must be written from {source}, was not: {e}") from e
