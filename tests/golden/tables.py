"""The message tables of docs/WIRE.md, drawn from edgeguard.messages."""

from __future__ import annotations

import msgspec

from edgeguard import messages

ORDER: tuple[type[msgspec.Struct], ...] = (
    messages.TickBatch,
    messages.Tick,
    messages.Fill,
    messages.AccountSnapshot,
    messages.Position,
    messages.Order,
    messages.ErrorEvent,
    messages.Heartbeat,
    messages.Transfer,
    messages.TerminalProof,
    messages.SymbolFacts,
    messages.StateBeat,
    messages.HaltInfo,
    messages.ScopeState,
    messages.HaltEvent,
    messages.Ping,
    messages.Echo,
    messages.Command,
    messages.Reply,
    messages.BrokerCommand,
    messages.BrokerEvent,
)
"""Every Struct of the vocabulary, in the order in which the page shows them."""


def _type_text(kind: object) -> str:
    """Return a field's type in the page's words: str, int, float, nil, array of X."""
    text = getattr(kind, "__name__", "") if isinstance(kind, type) else str(kind)
    for old, new in (
        ("typing.", ""),
        ("edgeguard.messages.", ""),
        ("Literal", "one of "),
        ("NoneType", "nil"),
        ("None", "nil"),
        (" | ", " or "),
        ("['", ""),
        ("']", ""),
        ("'", ""),
    ):
        text = text.replace(old, new)
    if text.startswith("tuple["):
        text = "array of " + text.removeprefix("tuple[").removesuffix(", ...]")
    return text


def table(struct: type[msgspec.Struct]) -> str:
    """Return one Struct's section: heading, first paragraph of its docstring, field table."""
    tag = struct.__struct_config__.tag
    kind = f"(tag {tag})" if tag is not None else "(inside a message, no tag)"
    doc = " ".join((struct.__doc__ or "").strip().split("\n\n")[0].split())
    rows = [f"### {struct.__name__} {kind}", "", doc, "", "| # | field | type |", "|---|---|---|"]
    if tag is not None:
        rows.append(f"| 0 | tag | {tag} |")
    first = 0 if tag is None else 1
    for number, field in enumerate(msgspec.structs.fields(struct), start=first):
        absent = "" if field.required else " (may be absent)"
        rows.append(f"| {number} | {field.encode_name} | {_type_text(field.type)}{absent} |")
    return "\n".join(rows)


def all_tables() -> str:
    """Return every section, as docs/WIRE.md carries them."""
    return "\n\n".join(table(struct) for struct in ORDER)


if __name__ == "__main__":
    print(all_tables())  # noqa: T201 - a person pastes this into the page
