"""The JSON Schema of the configuration file, written from the Structs and their rules.

Editors complete and check TOML by it (`edgeguard config schema`); `load_config` remains the judge,
because a schema cannot say what must hold between keys.
"""

from __future__ import annotations

from types import UnionType
from typing import get_args, get_origin, get_type_hints

import msgspec

from edgeguard.config.model import Config
from edgeguard.config.rules import RULES

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, object]:
    """Return the JSON Schema of the whole file."""
    return {"$schema": DIALECT, "title": "EdgeGuard configuration", **section_schema(Config)}


def section_schema(section: type[msgspec.Struct]) -> dict[str, object]:
    """Return the JSON Schema of one section."""
    kinds = get_type_hints(section)
    properties: dict[str, object] = {}
    required: list[str] = []
    for field in msgspec.structs.fields(section):
        inner = inner_section(kinds[field.name])
        if inner is None:
            properties[field.name] = _key_schema(section, field)
        elif inner[1]:
            properties[field.name] = {"type": "array", "items": section_schema(inner[0])}
        else:
            properties[field.name] = section_schema(inner[0])
        if field.required:
            required.append(field.name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def inner_section(kind: object) -> tuple[type[msgspec.Struct], bool] | None:
    """Return the Struct that a key of type `kind` holds, and whether it is a list of them.

    Returns:
        None where the key holds a plain value.
    """
    options = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    for option in options:
        many = get_origin(option) is tuple
        base = get_args(option)[0] if many else option
        if isinstance(base, type) and issubclass(base, msgspec.Struct):
            return base, many
    return None


def _key_schema(section: type[msgspec.Struct], field: msgspec.structs.FieldInfo) -> object:
    schema = RULES[section][field.name].schema()
    if field.default is not msgspec.NODEFAULT and field.default is not None:
        schema["default"] = msgspec.to_builtins(field.default)
    return schema
