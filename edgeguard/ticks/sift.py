"""Bad and suspicious ticks of a recorded file, told apart as docs/TRIGGERS.md section 2 says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Final

from edgeguard.clock import NS_PER_MS
from edgeguard.config.model import Limits
from edgeguard.ticks.rows import Row

PRICES_KEPT: Final = 200_000
"""Price texts whose points are remembered; a long file has few different ones at a time."""

Accepted = tuple[int, int]
"""Time in ns and spread in points of an accepted tick."""


@dataclass(frozen=True)
class Jump:
    """What makes a tick suspicious: `frac` of the last mid; `confirm_ns` believes it at last."""

    frac: Fraction
    confirm_ns: int

    @classmethod
    def of(cls, limits: Limits) -> Jump:
        """Return the rule of an account's limits."""
        return cls(Fraction(limits.jump_frac), limits.jump_confirm_ms * NS_PER_MS)


class Sieve:
    """Lets the accepted ticks of one symbol pass and counts the bad ones by cause.

    A suspect is held back until the next valid tick confirms or discards it; unresolved it passes
    at its deadline, with the deadline's time.
    """

    def __init__(self, digits: int, jump: Jump) -> None:
        self.bad: Counter[str] = Counter()
        self._digits = digits
        self._jump = jump
        self._points: dict[str, int | None] = {}
        self._stamp: int | None = None
        self._accepted: tuple[int, int] | None = None
        self._suspect: tuple[int, int] | None = None
        self._deadline = 0

    def take(self, row: Row) -> Iterator[Accepted]:
        """Yield what a row makes acceptable: nothing, itself, or a suspect that fell due before.

        Raises:
            ArithmeticError: a price is no number.
        """
        if self._suspect is not None and row.t_ns >= self._deadline:
            yield self._accept(self._deadline, self._suspect)
        bid, ask = self._price(row.bid), self._price(row.ask)
        if bid is None or ask is None:
            self.bad["non_finite"] += 1
        elif bid <= 0 or ask <= 0:
            self.bad["not_positive"] += 1
        elif bid > ask:
            self.bad["crossed"] += 1
        elif self._stamp is not None and row.t_ns < self._stamp:
            self.bad["running_back"] += 1
        else:
            self._stamp = row.t_ns
            if self._is_acceptable(row.t_ns, (bid, ask)):
                yield self._accept(row.t_ns, (bid, ask))

    def _is_acceptable(self, t_ns: int, quote: tuple[int, int]) -> bool:
        """Tell whether a valid tick is accepted at once; otherwise it becomes the suspect."""
        if self._accepted is None or self._is_near(quote, self._accepted):
            return True
        if self._suspect is None:
            self._deadline = t_ns + self._jump.confirm_ns
        elif self._is_near(quote, self._suspect):
            return True
        self._suspect = quote
        return False

    def _is_near(self, quote: tuple[int, int], other: tuple[int, int]) -> bool:
        before, frac = sum(other), self._jump.frac
        return abs(sum(quote) - before) * frac.denominator <= frac.numerator * before

    def _accept(self, t_ns: int, quote: tuple[int, int]) -> Accepted:
        self._accepted, self._suspect = quote, None
        return t_ns, quote[1] - quote[0]

    def _price(self, text: str) -> int | None:
        """Return a price in points, None for one that is not finite."""
        if text not in self._points:
            if len(self._points) >= PRICES_KEPT:
                self._points.clear()
            price = Decimal(text)
            self._points[text] = (
                int(price.scaleb(self._digits).to_integral_value(ROUND_HALF_EVEN))
                if price.is_finite()
                else None
            )
        return self._points[text]
