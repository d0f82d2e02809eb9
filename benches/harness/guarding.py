"""A real guard as a child process, with a configuration made for the measurement."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.harness import process
from edgeguard.config.load import load_config
from edgeguard.config.model import Config
from edgeguard.config.paths import Paths
from edgeguard.transport.client import Client
from edgeguard.transport.keys import Keyring, key_path, new_pair, write_key

SETTLE_S = 0.5
SYMBOLS = ("EURUSD", "GBPUSD", "AUDUSD", "NZDUSD", "EURGBP", "EURAUD", "EURNZD", "GBPAUD")
ACCOUNT = """
[[account]]
id = "{id}"
login = 5000001
server = "Paper-Demo"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000.00"
terminal = "paper"
[account.limits]
confirm = "none"
first_reference = "snapshot"
connection_lost_s = 86400
spread_clear_s = 0
spread_samples_min = 1000000
releases_per_hour = 3600
price_age_max_s = 86400
"""
OPS = """
[api]
port = {port}
[incident]
log = "{log}"
[notify]
contacts = ""
repeat_s = 1
repeat_p2_s = 1
[[notify.channel]]
name = "mute"
kind = "discord"
url = "http://127.0.0.1:{sink}/hang"
"""
CHANNEL = """
[[notify.channel]]
name = "sink{number}"
kind = "discord"
url = "http://127.0.0.1:{sink}/storm"
"""
QUOTE = """
[[paper.quotes]]
symbol = "{name}"
bid = "1.38694"
ask = "1.38705"
"""
SYMBOL = """
[[symbol]]
name = "{name}"
digits = 5
contract_size = "100000"
calc_mode = "FOREX"
currency_base = "{base}"
currency_profit = "USD"
spread_normal_points = 12
"""


@dataclass
class Shape:
    """What a guard is to watch."""

    accounts: int = 1
    symbols: int = 8
    is_tcp: bool = False
    has_keys: bool = False
    """CURVE on the sockets that are TCP."""
    sink_port: int = 0
    """Where notifications go; 0 for a guard without `edgeguard ops` beside it."""
    sinks: int = 1
    """Messengers that answer, beside the one that never does."""
    paper: str = ""
    """An account with a real broker process and a paper terminal; empty for none."""


@dataclass
class Guarded:
    """A guard that runs: its configuration, its endpoints, its process."""

    config: Path
    paths: Paths
    pid: int
    env: dict[str, str]
    """What a native pinger needs to know of keys."""

    @property
    def ends(self) -> tuple[str, str]:
        """Where ticks go in and halts come out."""
        return self.paths.feeds_bind, self.paths.halts_pub

    def command(self, verb: str, **args: str) -> Any:  # noqa: ANN401  # whatever the document holds
        """Send a command and return the document of its last answer."""
        with Client(self.paths.control) as client:
            number = client.command(verb, operator="bench", reason="bench", **args)
            *_, last = client.replies(number, 10.0)
        return json.loads(last.body)

    def frames(self) -> int:
        """Return how many messages the guard has taken from its feeds."""
        return self.command("status")["guard"]["frames"]

    def settled_frames(self) -> int:
        """Return the same once nothing more arrives."""
        before = -1
        while (now := self.frames()) != before:
            before = now
            time.sleep(SETTLE_S)
        return now


def symbol_names(count: int) -> list[str]:
    """Return the names of the symbols of a shape."""
    return [*SYMBOLS, *(f"SYM{number:03}" for number in range(len(SYMBOLS), count))][:count]


def account_names(count: int) -> list[str]:
    """Return the ids of the accounts of a shape."""
    return ["A", *(f"A{number:03}" for number in range(1, count))]


def write_config(place: Path, shape: Shape) -> Path:
    """Write the configuration of a guard into its directory."""
    lines = ["[guard]", f'state_dir = "{place / "s"}"', "snapshot_age_max_ms = 600000"]
    if shape.accounts > 1:
        # So that the beats of many accounts do not become the load.
        lines += ["heartbeat_ms = 1000", "lease_ms = 5000"]
    if shape.is_tcp:
        lines += [f'feeds_bind = "{free_tcp()}"', f'halts_pub = "{free_tcp()}"']
    if shape.has_keys:
        lines += make_keys(place / "keys")
    if shape.sink_port:
        log, port = place / "incidents.md", free_port()
        lines += [OPS.format(port=port, log=log, sink=shape.sink_port)]
        lines += [
            CHANNEL.format(number=number, sink=shape.sink_port) for number in range(shape.sinks)
        ]
    lines += [ACCOUNT.format(id=name) for name in account_names(shape.accounts)]
    lines += [SYMBOL.format(name=name, base=name[:3]) for name in symbol_names(shape.symbols)]
    if shape.paper:
        lines += [QUOTE.format(name=name) for name in symbol_names(shape.symbols)]
    lines += ["[[feed]]", 'name = "market"', "required = false", ""]
    path = place / "guard.toml"
    path.write_text("\n".join(lines))
    return path


def make_keys(folder: Path) -> list[str]:
    """Make a key for the guard and one for whoever measures; return what the configuration says."""
    lines = ["[keys]", f'dir = "{folder}"']
    for name, rights in (("guard", '"guard"'), ("bench", '"read", "feed"')):
        pair = new_pair()
        write_key(key_path(folder, name), name, pair)
        peer = ["[[peer]]", f'name = "{name}"', f'public = "{pair.public}"', f"rights = [{rights}]"]
        lines += peer
    return lines


def key_env(config: Config, endpoint: str) -> dict[str, str]:
    """Return the environment in which a native client shows its key at this endpoint."""
    keys = Keyring.of(config, "bench").client(endpoint, "guard")
    return {} if keys is None else {"WIRE_KEYS": f"{keys.public} {keys.secret} {keys.server}"}


def free_tcp() -> str:
    """Return an endpoint on a port that was free a moment ago."""
    return f"tcp://127.0.0.1:{free_port()}"


def free_port() -> int:
    """Return a port of this host that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port: int) -> bool:
    """Return whether somebody takes connections on a port of this host."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def guard(place: Path, shape: Shape) -> Generator[Guarded]:
    """Run a guard on its core, open, with a broker that only answers."""
    config = write_config(place, shape)
    loaded, _ = load_config(config)
    paths = Paths(loaded)
    with contextlib.ExitStack() as stack:
        command = process.python("-m", "edgeguard", "--config", config, "guard")
        child = stack.enter_context(
            process.running(command, core=process.SUBJECT, log=place / "guard.log")
        )
        log = place / "guard.log"

        def is_up() -> bool:
            if child.poll() is not None:
                raise process.ChildError(f"the guard must run, did not: {log.read_text()[-2000:]}")
            return paths.page("A").exists() and _is_bound(paths.control)

        process.await_true("the guard's control socket", is_up)
        if shape.paper:
            terminal = process.python("-m", "edgeguard", "--config", config, "broker")
            command = process.yielding([*terminal, "--account", shape.paper])
            stack.enter_context(
                process.running(command, core=process.PINGER, log=place / "broker.log")
            )
        # What it does for one halt must not keep the pinger from seeing the next.
        broker = process.python("-m", "benches.harness.broker", config, shape.paper)
        broker = process.yielding(broker)
        stack.enter_context(process.running(broker, core=process.PINGER, ready="ready"))
        env = key_env(loaded, paths.feeds_bind)
        guarded = Guarded(config, paths, child.pid, env)
        process.await_true("the guard's opening", lambda: is_open(paths, shape))
        yield guarded


def _is_bound(endpoint: str) -> bool:
    return Path(endpoint.removeprefix("ipc://")).exists()


def is_open(paths: Paths, shape: Shape) -> bool:
    """Return whether every account's gate is open."""
    from edgeguard.gate import Gate  # noqa: PLC0415  # attaches anew each time

    for name in account_names(shape.accounts):
        gate = Gate(paths.page(name), account=name)
        try:
            if not gate.check():
                return False
        finally:
            gate.close()
    return True
