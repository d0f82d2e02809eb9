"""Durations as people write them: ``90``, ``90s``, ``10m``, ``2h``."""

from __future__ import annotations

import re
from typing import Final

SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"([0-9]{1,6})([smh]?)")


def seconds(text: str) -> int:
    """Return the seconds that `text` means.

    Raises:
        ValueError: it is no duration, or not above zero.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise ValueError(f"a duration must be written like 90s, 10m or 2h, was {text}")
    return int(found[1]) * SECONDS[found[2]]
