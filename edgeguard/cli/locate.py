"""Find the guard that a command means, from options, environment or the usual places.

An emergency must not stop at a faulty configuration: `quick_names` takes from the file only what is
needed to reach the guard, and judges nothing else. Imports little, so that ``halt`` starts fast.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from edgeguard.config.paths import PAGE_PREFIX, PathNames, Paths
from edgeguard.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from edgeguard.transport import CurveKeys

CONFIG_ENV: Final = "EDGEGUARD_CONFIG"
STATE_DIR_ENV: Final = "EDGEGUARD_STATE_DIR"
CONFIG_BYTES_MAX: Final = 1_000_000
"""Largest configuration file in bytes, as the loader has it."""
USUAL_CONFIGS: Final = (
    "edgeguard.toml",
    "config/edgeguard.toml",
    "/etc/edgeguard/edgeguard.toml",
)
"""Where a configuration is looked for when nothing names one."""
CONTACTS: Final = "emergency_contacts.yaml"
"""Where the contacts are, beside the configuration, when it names no other place."""


class Place(NamedTuple):
    """The guard that a command means, without its configuration being judged.

    Attributes:
        paths: its files and sockets.
        accounts: the account ids, from the file or from the halt pages that exist.
        phones: the broker's phone of each account that has one.
        magics: the magic numbers of each strategy.
        key_folder: where this host's CURVE keys are, empty for none.
        publics: the public keys of the configured peers.
        key_names: names of the key to show, best first; empty: ``EDGEGUARD_KEY`` or ``operator``.
        config: the configuration file, where one is known.
        contacts: the emergency contacts that it names, which may not be there.
    """

    paths: Paths
    accounts: tuple[str, ...]
    phones: Mapping[str, str] = MappingProxyType({})
    magics: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    key_folder: str = ""
    publics: Mapping[str, str] = MappingProxyType({})
    key_names: tuple[str, ...] = ()
    config: Path | None = None
    contacts: Path | None = None

    def keys(self, endpoint: str, *servers: str) -> CurveKeys | None:
        """Return the keys with which to connect to `endpoint`, None where it needs none.

        Args:
            endpoint: where to connect.
            servers: the names of its owner's `[[peer]]`, best first.

        Raises:
            ConfigError: the key that the commands show cannot be read, or the owner has none.
        """
        if not endpoint.startswith("tcp://"):
            return None
        from edgeguard.transport.keys import KEY_ENV, OPERATOR, Keyring  # noqa: PLC0415

        names = self.key_names or (os.environ.get(KEY_ENV) or OPERATOR,)
        return Keyring(self.key_folder, self.publics, *names).client(endpoint, *servers)


def find_config(given: Path | None) -> Path | None:
    """Return the configuration file that `given`, the environment or a usual place names."""
    named = given or _from_env(CONFIG_ENV)
    if named is not None:
        return named
    # One in a folder that may not be looked into is none of this user's.
    return next((path for path in map(Path, USUAL_CONFIGS) if os.path.isfile(path)), None)  # noqa: PTH113


def need_config(given: Path | None) -> Path:
    """Return what `find_config` finds.

    Raises:
        UsageError: nothing names a configuration.
    """
    found = find_config(given)
    if found is None:
        usual = ", ".join(USUAL_CONFIGS)
        msg = f"a configuration must be named by --config or {CONFIG_ENV}, or be one of {usual}"
        raise UsageError(msg)
    return found


def find_state_dir(given: Path | None) -> Path | None:
    """Return the state directory that `given` or the environment names, if any."""
    return given or _from_env(STATE_DIR_ENV)


def find_place(config: Path | None, state_dir: Path | None) -> Place:
    """Return the guard's place from as little as can be read.

    Raises:
        UsageError: neither a configuration nor a state directory is named.
        ConfigError: the configuration cannot be read and no state directory is named.
    """
    file, directory = find_config(config), find_state_dir(state_dir)
    if file is None and directory is None:
        need_config(config)
    document: Mapping[str, object] = {}
    if file is not None:
        try:
            document = read_toml(file)
        except ConfigError:
            if directory is None:
                raise
    rows = [row for row in _tables(document.get("account")) if isinstance(row.get("id"), str)]
    folder = file.resolve().parent if file is not None else Path()
    names = quick_names(_table(document.get("guard")), rows, folder) if document else PathNames()
    paths = Paths(names, directory)
    pages = (page.name.removeprefix(PAGE_PREFIX) for page in paths.pages())
    return Place(
        paths,
        tuple(names.brokers) or tuple(pages),
        {str(row["id"]): str(row.get("broker_phone", "")) for row in rows},
        {
            str(row.get("name")): tuple(n for n in _list(row.get("magic")) if isinstance(n, int))
            for row in _tables(document.get("strategy"))
        },
        _key_folder(document, folder),
        {
            str(row.get("name")): str(row["public"])
            for row in _tables(document.get("peer"))
            if row.get("public")
        },
        (),
        file if document else None,
        folder / str(_table(document.get("notify")).get("contacts", CONTACTS)),
    )


def _key_folder(document: Mapping[str, object], folder: Path) -> str:
    value = _table(document.get("keys")).get("dir")
    is_given = isinstance(value, str) and bool(value)
    return str((folder / Path(str(value)).expanduser()).resolve()) if is_given else ""


def quick_names(
    guard: Mapping[str, object], accounts: list[Mapping[str, object]], folder: Path
) -> PathNames:
    """Return what the tables of a file in `folder` say of paths, judging nothing."""

    def text(key: str, default: str = "") -> str:
        value = guard.get(key, default)
        return value if isinstance(value, str) else default

    def path(key: str, default: str = "") -> str:
        value = text(key, default)
        return str((folder / Path(value).expanduser()).resolve()) if value else ""

    return PathNames(
        path("state_dir", "var/edgeguard"),
        path("run_dir"),
        text("control"),
        text("feeds_bind"),
        text("halts_pub"),
        text("gate_router"),
        {str(row["id"]): str(row.get("broker", "")) for row in accounts},
    )


def read_toml(file: Path) -> Mapping[str, object]:
    """Return what a file says, judging nothing.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(_start_of(file).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise ConfigError(f"{file} must be a readable TOML file, was not: {e}") from e


def _start_of(file: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: it cannot be read.
        ValueError: it is longer than any configuration.
    """
    with open(file, "rb", opener=_open_at_once) as opened:
        data = opened.read(CONFIG_BYTES_MAX + 1) or b""
    if len(data) > CONFIG_BYTES_MAX:
        raise ValueError(f"it has more than {CONFIG_BYTES_MAX} bytes")
    return data


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever would write to a pipe of that name."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def is_absent(endpoint: str) -> bool:
    """Tell whether certainly nobody listens at `endpoint`: an ``ipc`` path that does not exist."""
    path = endpoint.removeprefix("ipc://")
    # What this user may not look at is as good as absent: no connection could be made there.
    return path != endpoint and not os.path.exists(path)  # noqa: PTH110


def _from_env(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _table(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _tables(value: object) -> list[Mapping[str, object]]:
    return [_table(item) for item in _list(value)]
