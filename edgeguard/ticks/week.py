"""Quarter hours of the New York week: in which of them a stamp of some clock falls."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edgeguard.clock import NS_PER_S
from edgeguard.errors import UsageError

BUCKETS: Final = 672
"""Quarter hours of a week; bucket 0 begins on Sunday at 00:00 in New York."""
QUARTER_NS: Final = 900 * NS_PER_S
SHIFT_MAX_H: Final = 14

_NEW_YORK: Final = ZoneInfo("America/New_York")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZONE: Final = re.compile(r"(.+?)([+-][0-9]{1,2})?")


class WeekClock:
    """Finds the bucket of a stamp; the answer for each quarter hour is worked out once.

    Args:
        zone: whose wall clock the stamps show: an IANA zone, perhaps with whole hours added, as the
            servers of many brokers have it: ``America/New_York+7``.

    Raises:
        UsageError: there is no such zone.
    """

    def __init__(self, zone: str = "UTC") -> None:
        match = _ZONE.fullmatch(zone)
        shift = int(match[2] or 0) if match else 0
        try:
            self._zone = ZoneInfo(match[1] if match else "")
        except (ZoneInfoNotFoundError, ValueError, OSError) as e:
            msg = (
                f"--zone must be an IANA zone like Europe/Athens or America/New_York+7, was {zone}"
            )
            raise UsageError(msg) from e
        if abs(shift) > SHIFT_MAX_H:
            raise UsageError(f"--zone must add at most {SHIFT_MAX_H} hours, was {zone}")
        self._shift = timedelta(hours=shift)
        self._known: dict[int, int] = {}

    def bucket(self, t_ns: int) -> int:
        """Return the number of the quarter hour in which a stamp falls."""
        quarter = t_ns // QUARTER_NS
        found = self._known.get(quarter)
        if found is None:
            found = self._known[quarter] = self._find(quarter * (QUARTER_NS // NS_PER_S))
        return found

    def _find(self, seconds: int) -> int:
        shown = _EPOCH + timedelta(seconds=seconds) - self._shift
        local = shown.replace(tzinfo=self._zone).astimezone(_NEW_YORK)
        day = local.isoweekday() % 7
        return (day * 24 + local.hour) * 4 + local.minute // 15
