"""The emergency contacts: read from YAML with every trick of YAML refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import yaml

from edgeguard.errors import ConfigError

BYTES_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 20
LEVEL_MAX: Final = 9


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person or desk; `escalation_level` 1 is told first, 0 is never told by itself."""

    name: str
    phone: str = ""
    email: str = ""
    url: str = ""
    hours: str = ""
    escalation_level: int = 0

    def line(self) -> str:
        """Return the contact on one line."""
        ways = (self.phone, self.email, self.url, self.hours)
        return ", ".join([self.name, *(way for way in ways if way)])


class Contacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    contacts: dict[str, Contact] = {}

    def at_level(self, level: int) -> list[Contact]:
        """Return who is told first at an escalation level."""
        return [c for c in self.contacts.values() if c.escalation_level == level]

    def broker(self) -> Contact | None:
        """Return the broker's desk, the last resort where something stays open."""
        return self.contacts.get("broker_support")


def read_contacts(path: Path) -> Contacts:
    """Return the contacts in the file at `path`; none where there is no such file.

    Raises:
        ConfigError: the file cannot be read, is no plain YAML, or holds what is not known.
    """
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return Contacts()
    except OSError as e:
        raise ConfigError(f"contacts {path} must be readable, was not: {e.strerror}") from e
    if len(data) > BYTES_MAX:
        raise ConfigError(f"contacts {path} must have at most {BYTES_MAX} bytes, had more")
    try:
        contacts = msgspec.convert(_plain(data), Contacts)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as e:
        reason = " ".join(str(e).split())
        raise ConfigError(f"contacts {path} must be a list of contacts: {reason}") from e
    for key, contact in contacts.contacts.items():
        _check(f"contacts {path}: {key}", contact)
    return contacts


def _check(where: str, contact: Contact) -> None:
    if not contact.name.strip():
        raise ConfigError(f"{where}.name must be given, was empty")
    for field in ("name", "phone", "email", "url", "hours"):
        if not getattr(contact, field).isprintable():
            raise ConfigError(f"{where}.{field} must be one printable line, was not")
    if not 0 <= contact.escalation_level <= LEVEL_MAX:
        raise ConfigError(f"{where}.escalation_level must be in [0, {LEVEL_MAX}]")


def _plain(data: bytes) -> object:
    """Return what the bytes hold, as plain values.

    Raises:
        yaml.YAMLError: they are no YAML, or use anchors, aliases, tags, or depth.
    """
    text = data.decode("utf-8")
    depth = 0
    # The events come before any value is built, so that nothing can grow.
    parse = cast("Callable[..., Iterable[yaml.Event]]", yaml.parse)
    for event in parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused(event, "anchors are refused")
        if getattr(event, "tag", None):
            raise _refused(event, "tags are refused")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise _refused(event, "nested too deep")
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that is stricter


def _refused(event: yaml.Event, why: str) -> yaml.YAMLError:
    mark = event.start_mark
    return yaml.YAMLError(why if mark is None else f"line {mark.line + 1}: {why}")


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that takes no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Build a mapping."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: {key.value} is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)
