"""Long texts in parts that a service takes, cut where a reader would."""

from __future__ import annotations

from typing import Final

NUMBER_ROOM: Final = 12
"""Room for ``(12/34)`` and a line end in front of each part."""
PARTS_MAX: Final = 20
CUT: Final = "\n[...] the rest is in the incident's evidence"


def width(text: str) -> int:
    """Return a text's length as the services count it at worst: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int) -> list[str]:
    """Return `text` in parts of at most `limit` units; several parts are numbered."""
    if width(text) <= limit:
        return [text]
    room = limit - NUMBER_ROOM
    parts: list[str] = []
    rest = text
    while rest and len(parts) < PARTS_MAX:
        part, rest = _cut(rest, room)
        parts.append(part)
    if rest:
        last, _ = _cut(parts[-1], room - width(CUT))
        parts[-1] = last + CUT
    return [f"({number}/{len(parts)})\n{part}" for number, part in enumerate(parts, 1)]


def _cut(text: str, room: int) -> tuple[str, str]:
    """Return what fits, up to a line's end or a blank where there is one, and the rest."""
    if width(text) <= room:
        return text, ""
    end = min(len(text), room)
    while width(text[:end]) > room:
        end -= max(1, (width(text[:end]) - room) // 2)
    for mark in ("\n", " "):
        found = text.rfind(mark, end // 2, end + 1)
        if found > 0:
            return text[:found], text[found + 1 :]
    return text[:end], text[end:]
