"""One account's money: the last snapshot, and what marks, fills and transfers did to it since."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.coverage import reached
from tests.oracle.events import AccountLine, Fill, Transfer
from tests.oracle.facts import Facts
from tests.oracle.numerals import snap, to_points

ZERO = Fraction(0)
COUNTED_KINDS = ("balance", "credit", "bonus", "correction")

Leg = tuple[str, bool]


@dataclass
class Part:
    """A volume that stands at one price, with the snapshot's profit and swap on it."""

    is_buy: bool
    volume: Fraction
    price: int
    profit: Fraction = ZERO
    swap: Fraction = ZERO


@dataclass
class Holding:
    """A position, made of the snapshot's part and of later `in` fills."""

    symbol: str
    magic: int
    parts: list[Part] = field(default_factory=list)

    @property
    def volume(self) -> Fraction:
        """Return the volume of all parts."""
        return sum((part.volume for part in self.parts), ZERO)

    def remove(self, share: Fraction) -> Fraction:
        """Remove a share of every part and return the snapshot money that went with it."""
        gone = sum(((part.profit + part.swap) * share for part in self.parts), ZERO)
        for part in self.parts:
            part.volume *= 1 - share
            part.profit *= 1 - share
            part.swap *= 1 - share
        return gone


class Book:
    """Snapshot, positions, quotes and conversion of one account."""

    def __init__(self, facts: Facts, currency: str) -> None:
        self.facts = facts
        self.currency = currency
        self.has_snapshot = False
        self.balance = ZERO
        self.reported = ZERO
        self.effects = ZERO
        self.last_deal: int | None = None
        self.seen_deals: set[int] = set()
        self.holdings: dict[int, Holding] = {}
        self.quotes: dict[str, tuple[int, int]] = {}
        self.marks: dict[str, tuple[int, int]] = {}
        self.priced_ns: dict[str, int] = {}
        # Money of closed volume as (magic, symbol, amount), for limits of strategies and symbols.
        self.realised: list[tuple[int, str, Fraction]] = []

    # What lines do.

    def snapshot(self, t_ns: int, line: AccountLine) -> None:
        """Replace everything before by a valid account line."""
        self.has_snapshot = True
        self.balance, self.reported = line.balance, line.equity
        self.last_deal = line.last_deal
        self.effects = ZERO
        self.marks = {}
        self.holdings = {}
        for row in line.positions:
            price = to_points(row.price_current, self.facts.of(row.symbol).digits)
            holding = self.holdings.setdefault(row.identifier, Holding(row.symbol, row.magic))
            holding.parts.append(Part(row.is_buy, row.volume, price, row.profit, row.swap))
            self.priced_ns[row.symbol] = t_ns
            if row.symbol in self.quotes:
                reached("position_at_price_current")

    def quote(self, t_ns: int, symbol: str, bid: int, ask: int) -> None:
        """Take an accepted tick."""
        self.quotes[symbol] = (bid, ask)
        self.priced_ns[symbol] = t_ns
        if self.has_snapshot:
            self.marks[symbol] = (bid, ask)

    def transfer(self, line: Transfer) -> None:
        """Move balance and marked equity by a transfer of any kind."""
        assert line.amount is not None
        self.balance += line.amount
        self.effects += line.amount

    def fill(self, t_ns: int, line: Fill) -> None:
        """Take a fill with a new deal."""
        if line.deal in self.seen_deals:
            reached("fill_seen_deal")
            return
        self.seen_deals.add(line.deal)
        if not self.has_snapshot:
            reached("fill_before_snapshot")
            return
        if self.last_deal is not None and line.deal <= self.last_deal:
            reached("fill_old_deal")
            return
        rest = line.volume
        if line.entry != "in":
            rest -= self._close(line)
        if line.entry == "inout":
            reached("fill_inout")
        if line.entry in ("in", "inout") and rest > 0:
            self._open(t_ns, line, rest)

    def _close(self, line: Fill) -> Fraction:
        """Book a closing deal and return the closed volume."""
        holding = self.holdings.get(line.position)
        self.effects += line.amount
        self.balance += line.amount
        if holding is None or holding.volume == 0:
            reached("fill_unknown_position")
            self.realised.append((line.magic or 0, line.symbol, line.amount))
            return ZERO
        closed = min(line.volume, holding.volume)
        self._count_close(line, holding)
        self.effects -= holding.remove(closed / holding.volume)
        self.realised.append((holding.magic, holding.symbol, line.amount))
        if holding.volume == 0:
            del self.holdings[line.position]
        return closed

    @staticmethod
    def _count_close(line: Fill, holding: Holding) -> None:
        if line.entry in ("out", "out_by"):
            reached(f"fill_{line.entry}")
        if line.volume < holding.volume:
            reached("fill_partial")
        if line.volume > holding.volume and line.entry != "inout":
            reached("fill_over_volume")

    def _open(self, t_ns: int, line: Fill, volume: Fraction) -> None:
        """Open a volume at the fill's price."""
        holding = self.holdings.get(line.position)
        reached("fill_in_adds" if holding else "fill_in_new")
        if holding is None:
            holding = self.holdings[line.position] = Holding(line.symbol, line.magic or 0)
        price = to_points(line.price, self.facts.of(line.symbol).digits)
        holding.parts.append(Part(line.is_buy, volume, price))
        self.priced_ns.setdefault(line.symbol, t_ns)
        if line.symbol in self.marks:
            reached("fill_in_marked_at_once")

    # What follows from it.

    def marked(self) -> Fraction | None:
        """Return the marked equity, None where a change cannot be converted."""
        change = self.change(lambda _: True)
        return None if change is None else self.reported + self.effects + change

    def change(self, covers: Callable[[Holding], bool]) -> Fraction | None:
        """Return the change of some positions' profit since the snapshot, in account currency."""
        total = ZERO
        for symbol in sorted({h.symbol for h in self.holdings.values()}):
            rows = [h for h in self.holdings.values() if h.symbol == symbol and covers(h)]
            converted = self._converted(symbol, rows)
            if converted is None:
                return None
            total += converted
        return total

    def floating(self, covers: Callable[[Holding], bool]) -> Fraction | None:
        """Return profit and swap of some positions, changed by the marks."""
        change = self.change(covers)
        if change is None:
            return None
        return change + self.carried(covers)

    def carried(self, covers: Callable[[Holding], bool]) -> Fraction:
        """Return the snapshot's profit and swap that is left on some positions."""
        parts = [p for h in self.holdings.values() if covers(h) for p in h.parts]
        return sum((part.profit + part.swap for part in parts), ZERO)

    def _converted(self, symbol: str, rows: list[Holding]) -> Fraction | None:
        """Return the change of one symbol's positions: exact, or converted and snapped."""
        if symbol not in self.marks:
            return ZERO
        bid, ask = self.marks[symbol]
        facts = self.facts.of(symbol)
        parts = [part for row in rows for part in row.parts]
        moved = sum((_points(part, bid, ask) * part.volume for part in parts), ZERO)
        if facts.has_tick_value:
            # A tick value is money of the account already.
            reached("marked_futures")
            return self._snapped(moved * facts.per_point)
        if facts.profit == self.currency:
            return moved * facts.per_point
        if moved == 0:
            return ZERO
        legs = self.route(facts.profit)
        if legs is None:
            reached("convert_no_route")
            return None
        self._count_route(legs)
        return self._snapped(moved * facts.per_point * self._rate(legs))

    @staticmethod
    def _snapped(money: Fraction) -> Fraction:
        snapped = snap(money)
        if snapped != money:
            reached("snapped")
        return snapped

    def _count_route(self, legs: list[Leg]) -> None:
        if len(legs) == 1:
            reached("convert_inverse" if legs[0][1] else "convert_direct")
        else:
            middle = {self._ends(leg)[1] for leg in legs[:1]}
            reached("convert_through_usd" if "USD" in middle else "convert_through_third")

    def _ends(self, leg: Leg) -> tuple[str, str]:
        """Return the currencies a leg leads from and to."""
        base, profit = self._pair(leg[0])
        return (profit, base) if leg[1] else (base, profit)

    def _rate(self, legs: list[Leg]) -> Fraction:
        rate = Fraction(1)
        for symbol, is_inverse in legs:
            bid, ask = self.quotes[symbol]
            mid = Fraction(bid + ask, 2 * 10 ** self.facts.of(symbol).digits)
            rate = rate / mid if is_inverse else rate * mid
        return rate

    def route(self, currency: str) -> list[Leg] | None:
        """Return how to convert into the account currency by symbols with an accepted tick."""
        direct = self._leg(currency, self.currency)
        if direct is not None:
            return [direct]
        thirds = sorted({c for s in self.quotes for c in self._pair(s)} - {"USD"})
        for third in ["USD", *thirds]:
            first, second = self._leg(currency, third), self._leg(third, self.currency)
            if first is not None and second is not None:
                return [first, second]
        return None

    def _leg(self, start: str, end: str) -> Leg | None:
        """Return the direct, else the inverse symbol between two currencies."""
        for is_inverse in (False, True):
            pair = (end, start) if is_inverse else (start, end)
            found = [s for s in sorted(self.quotes) if self._pair(s) == pair]
            if len(found) > 1:
                reached("convert_first_by_name")
            if found:
                return found[0], is_inverse
        return None

    def _pair(self, symbol: str) -> tuple[str, str]:
        facts = self.facts.of(symbol)
        return facts.base, facts.profit

    def depends_on(self) -> dict[str, bool]:
        """Return the symbols marked equity rests on; true where it holds a position itself."""
        held = {holding.symbol for holding in self.holdings.values()}
        symbols = dict.fromkeys(held, True)
        for symbol in sorted(held):
            facts = self.facts.of(symbol)
            needs_rate = facts.profit != self.currency and not facts.has_tick_value
            for name, _ in (self.route(facts.profit) if needs_rate else None) or []:
                symbols.setdefault(name, False)
        return symbols


def _points(part: Part, bid: int, ask: int) -> int:
    """Return how far a part has moved in its favour: long at bid, short at ask."""
    reached("marked_long" if part.is_buy else "marked_short")
    return bid - part.price if part.is_buy else part.price - ask
