"""Read a TOML file into a `Config`, or refuse it with every violation at once.

Decimals keep the exact text of the file, so that a decision line prints a threshold as the config
writes it. Relative paths inside the file are relative to the file, never to the current directory,
so that an emergency command finds the same guard from anywhere.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Final, TypeVar, cast, get_type_hints

import msgspec

from edgeguard.config.check import cross_violations
from edgeguard.config.kinds import ExactNumber, Rule, Unfit, Value
from edgeguard.config.model import Config
from edgeguard.config.rules import RULES
from edgeguard.config.schema import inner_section
from edgeguard.errors import ConfigError
from edgeguard.plain import escaped_line

FILE_BYTES_MAX: Final = 1_000_000
"""Largest configuration file in bytes; the largest sensible one is far below."""

Table = Mapping[str, object]
Section = type[msgspec.Struct]
S = TypeVar("S", bound=msgspec.Struct)


def load_config(path: Path) -> tuple[Config, str]:
    """Read the configuration file at `path`.

    Args:
        path: the TOML file.

    Returns:
        The configuration with every default filled and every path absolute, and the sha256 of the
        file's bytes in hex.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or breaks a rule; has every violation.
    """
    data = _read(path)
    return parse_config(data, path), hashlib.sha256(data).hexdigest()


def parse_config(data: bytes, path: Path) -> Config:
    """Return the configuration in `data`, the bytes of the file at `path`.

    Raises:
        ConfigError: as `load_config`.
    """
    reader = _Reader()
    config = msgspec.convert(reader.section("", _toml(data, path), Config), Config)
    violations = [*reader.violations, *reader.untouched(cross_violations(config))]
    if violations:
        raise ConfigError(violations)
    return _absolute(config, path.resolve().parent)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as e:
        reason = e.strerror or "unreadable"
        msg = f"configuration file {path} must be readable, was not: {reason}"
        raise ConfigError(f"{msg}; name it with --config FILE or EDGEGUARD_CONFIG") from e
    if len(data) > FILE_BYTES_MAX:
        msg = f"configuration file {path} must have at most {FILE_BYTES_MAX} bytes, had more"
        raise ConfigError(msg)
    return data


def _toml(data: bytes, path: Path) -> Table:
    try:
        return tomllib.loads(data.decode("utf-8"), parse_float=ExactNumber)
    except UnicodeDecodeError as e:
        msg = f"{path} must be UTF-8 text, was not at byte {e.start}"
        raise ConfigError(msg) from e
    except (ValueError, RecursionError) as e:  # no TOML, or a number that no range would take
        raise ConfigError(f"{path} must be valid TOML, was not: {e}") from e


class _Reader:
    """Walks the tables of a file and notes what is wrong; stand-ins take a faulty value's place.

    The stand-ins let the comparison between keys run on whatever is sound, so that one go finds
    everything; what that comparison says about a faulty key itself is dropped by `untouched`.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self._faulty: set[str] = set()

    def untouched(self, sentences: list[str]) -> list[str]:
        """Return the sentences that rest on no faulty key."""
        return [sentence for sentence in sentences if not self._rests_on_fault(sentence)]

    def _rests_on_fault(self, sentence: str) -> bool:
        """Tell whether a sentence speaks of a key, or of the names of sections, found faulty."""
        words = re.findall(r"[a-z_]+", sentence)
        named = re.findall(r"\[\[([a-z]+)\]\]", sentence)
        keys = {f"{words[0]}.{word}" for word in words}
        keys.update(f"{section}.{key}" for section in named for key in ("id", "name", section))
        return not self._faulty.isdisjoint(keys)

    def section(self, prefix: str, table: Table, section: Section) -> dict[str, object]:
        """Return the checked keys of one table."""
        kinds = get_type_hints(section)
        fields = {field.name: field for field in msgspec.structs.fields(section)}
        filled: dict[str, object] = {}
        for key, value in table.items():
            where = f"{prefix}{key}"
            if key not in fields:
                self.violations.append(_unknown(where, key, value, list(fields)))
            elif (inner := inner_section(kinds[key])) is not None:
                filled[key] = self._inner(where, value, inner)
            elif (read := self._value(where, value, RULES[section][key])) is not None:
                filled[key] = read
        for name, field in fields.items():
            if field.required and name not in table:
                self._note(f"{prefix}{name}", "be given", "absent")
            if field.required and name not in filled:
                rule = RULES.get(section, {}).get(name)
                filled[name] = () if rule is None else rule.stand_in()
        return filled

    def _note(self, where: str, requirement: str, found: str) -> None:
        self.violations.append(f"{where} must {requirement}, was {found}")
        path = re.findall(r"[a-z_]+", where)
        self._faulty.add(f"{path[0]}.{path[-1]}")

    def _value(self, where: str, value: object, rule: Rule) -> Value | None:
        try:
            return rule.read(_plain(value))
        except Unfit as fault:
            self._note(where + fault.suffix, fault.requirement, _shown(value, fault.suffix))
            return None

    def _inner(self, where: str, value: object, inner: tuple[Section, bool]) -> object:
        section, many = inner
        if not many:
            if isinstance(value, dict):
                return self.section(f"{where}.", cast(Table, value), section)
            self._note(where, "be a table", _shown(value))
            return self.section(f"{where}.", {}, section)
        if not isinstance(value, list):
            self._note(where, "be a list of tables", _shown(value))
            return []
        filled: list[object] = []
        for index, item in enumerate(cast("list[object]", value)):
            if isinstance(item, dict):
                filled.append(self.section(f"{where}[{index}].", cast(Table, item), section))
            else:
                self._note(f"{where}[{index}]", "be a table", _shown(item))
        return filled


def _unknown(where: str, key: str, value: object, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; `edgeguard config schema` lists all keys"
    return f"{escaped_line(where)} must be a known key, was {_shown(value)}{hint}"


def _plain(value: object) -> object:
    """Return TOML's own dates and times as the text that the rules read."""
    if isinstance(value, time):
        return value.isoformat(timespec="auto" if value.second or value.microsecond else "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_plain(item) for item in items]
    return value


def _shown(value: object, suffix: str = "") -> str:
    """Return a value as the file writes it, or the kind of a larger one."""
    if suffix and isinstance(value, list):
        items = cast("list[object]", value)
        return _shown(items[int(suffix[1:-1])])
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and not isinstance(value, ExactNumber):
        return f'"{escaped_line(value[:80])}"'
    return str(value)[:80]


def _absolute(config: Config, folder: Path) -> Config:
    """Return `config` with every path of the file made absolute."""
    guard = msgspec.structs.replace(
        config.guard,
        state_dir=_joined(folder, config.guard.state_dir),
        run_dir=_joined(folder, config.guard.run_dir),
    )
    symbols = tuple(
        msgspec.structs.replace(s, spread_profile=_joined(folder, s.spread_profile))
        if s.spread_profile
        else s
        for s in config.symbol
    )
    environments = tuple(
        msgspec.structs.replace(e, config=_joined(folder, e.config)) for e in config.environment
    )
    return msgspec.structs.replace(
        config,
        guard=guard,
        keys=_joined_keys(folder, config.keys, ("dir",)),
        symbol=symbols,
        environment=environments,
        api=_joined_keys(folder, config.api, _API_PATHS),
        notify=_joined_keys(
            folder,
            msgspec.structs.replace(
                config.notify,
                channel=tuple(
                    _joined_keys(folder, c, ("url_file",)) for c in config.notify.channel
                ),
            ),
            ("contacts", "deadman_url_file"),
        ),
        incident=_joined_keys(folder, config.incident, ("log",)),
    )


_API_PATHS: Final = (
    "halt_token_file",
    "resume_token_file",
    "read_token_file",
    "tls_cert",
    "tls_key",
)


def _joined_keys(folder: Path, section: S, keys: tuple[str, ...]) -> S:
    """Return a section with the paths in `keys` made absolute."""
    paths = {key: _joined(folder, getattr(section, key)) for key in keys}
    return msgspec.structs.replace(section, **paths)


def _joined(folder: Path, text: str) -> str:
    """Return `text` as an absolute path below `folder`; empty text stays empty."""
    return str((folder / Path(text).expanduser()).resolve()) if text else ""
