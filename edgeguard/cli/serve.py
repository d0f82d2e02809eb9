"""``edgeguard up``, ``guard`` and ``broker``: the processes that stay."""

from __future__ import annotations

import signal
import sys
import threading
from importlib.util import find_spec
from types import FrameType

import click

from edgeguard.cli.options import Where, pass_where, where_options
from edgeguard.clock import SystemClock, utc
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.config.secrets import keep_out_of_cores
from edgeguard.errors import UsageError
from edgeguard.log_files import LogFiles, cut_own_log
from edgeguard.supervisor import Supervisor, ops_role, roles_of, spawner

TICK_S = 0.1
LOG_LOOK_S = 10.0
"""How often a process that nobody supervises looks at the size of its log."""
LOG = "up"
"""The supervisor's own log, beside the processes'."""


@click.command()
@click.option(
    "--ops/--no-ops",
    "with_ops",
    default=lambda: find_spec("starlette") is not None,
    help="HTTP interface and notifications too [default: where edgeguard[ops] is installed].",
)
@where_options
@pass_where
def up(where: Where, *, with_ops: bool) -> int:
    """Run guard, brokers and ops together until SIGTERM or Ctrl-C."""
    config, _ = where.load()
    paths = where.paths(config).create()
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    config_path = where.config_path().resolve()
    roles = roles_of(config, config_path, paths)
    if with_ops:
        roles.append(ops_role(config_path, paths))
    logs = LogFiles(paths.log_dir)
    clock = SystemClock()

    def tell(sentence: str) -> None:
        click.echo(f"edgeguard up: {sentence}", err=True)
        logs.append(LOG, f"{utc(clock.wall_ns())} {sentence}")
        logs.heard(LOG)

    supervisor = Supervisor(roles, spawner(logs), clock, tell)
    for line in places(config, paths):
        click.echo(line)
    sys.stdout.flush()
    try:
        while supervisor.hopeless is None and not stopping.is_set():
            supervisor.tick()
            _pass_on(logs)
            stopping.wait(TICK_S)
    finally:
        supervisor.stop()
        _pass_on(logs)
    return supervisor.hopeless or 0


def places(config: Config, paths: Paths) -> list[str]:
    """Return the lines that say where engines and people find this guard."""
    ids = [account.id for account in config.account]
    return [
        f"state    {paths.state_dir}",
        *(f'gate     edgeguard.Gate("{paths.run_dir}", account="{name}")' for name in ids),
        f"feeds    {paths.feeds_bind}",
        f"halts    {paths.halts_pub}",
        f"control  {paths.control}",
    ]


def _pass_on(logs: LogFiles) -> None:
    """Repeat what the processes wrote to their logs, for the terminal or the system's log."""
    if said := logs.news():
        click.echo(said, err=True, nl=False)


@click.command()
@where_options
@pass_where
def guard(where: Where) -> int:
    """Run the guard alone until SIGTERM or Ctrl-C."""
    from edgeguard.guard.process import run_guard  # noqa: PLC0415 - needs uvloop, the extension

    keep_out_of_cores()
    config, config_hash = where.load()
    return run_guard(config, where.paths(config).create(), config_hash)


@click.command()
@click.option("--account", help="The account's id [default: the only one].")
@click.option("--bound-log", is_flag=True, hidden=True, help="Nobody else cuts what it says.")
@where_options
@pass_where
def broker(where: Where, account: str | None, *, bound_log: bool) -> int:
    """Run one account's broker (parent and child) alone until SIGTERM or Ctrl-C."""
    from edgeguard.broker.parent import run_broker  # noqa: PLC0415 - only this command needs it

    keep_out_of_cores()
    config, _ = where.load()
    ids = [known.id for known in config.account]
    if account is None and len(ids) > 1:
        raise UsageError(f"--account must be one of {', '.join(ids)}, was absent")
    if bound_log:
        threading.Thread(target=_bound_log, daemon=True).start()
    return run_broker(config, where.paths(config).create(), account or ids[0])


def _bound_log() -> None:
    """Keep what this process says bounded, for as long as it lives."""
    pause = threading.Event()
    while True:
        cut_own_log(sys.stderr.fileno())
        pause.wait(LOG_LOOK_S)
