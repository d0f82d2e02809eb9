"""A small random market and its accounts, which write the lines of a tape."""

import json
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import cast

from tests.oracle.numerals import fixed, half_even, to_minor
from tests.oracle.tape_config import Plan, PlannedAccount, Values, worth
from tests.oracle.tape_pool import Pooled

S = 1_000_000_000
MS = 1_000_000


class Bare(str):
    """Text that goes into JSON as it is."""

    __slots__ = ()


def encoded(value: object) -> str:
    """Return the JSON text of a value; Bare text unquoted."""
    if isinstance(value, Bare):
        return str(value)
    if isinstance(value, dict):
        items = cast("Values", value).items()
        return "{" + ",".join(f"{json.dumps(k)}:{encoded(v)}" for k, v in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(encoded(item) for item in cast("list[object]", value)) + "]"
    return json.dumps(value)


@dataclass
class Quote:
    """The market of one symbol in points."""

    facts: Pooled
    mid: int
    spread: int

    @property
    def bid(self) -> int:
        """Return the bid in points."""
        return max(self.mid - self.spread // 2, 1)

    @property
    def ask(self) -> int:
        """Return the ask in points."""
        return self.bid + self.spread


@dataclass
class Held:
    """A position as the broker has it."""

    identifier: int
    symbol: str
    is_buy: bool
    volume: Fraction
    price: int
    swap: Fraction
    magic: int


@dataclass
class Broker:
    """One account as its broker has it."""

    planned: PlannedAccount
    balance: Fraction
    held: list[Held] = field(default_factory=list)
    deals: int = 100
    positions: int = 0
    seq: int = 0


@dataclass
class Written:
    """A line of a tape, and the symbol whose bare tick it is."""

    t_ns: int
    text: str
    tick: tuple[str, str, str] | None = None


class World:
    """Time, quotes and accounts; every method writes lines."""

    def __init__(self, rng: Random, plan: Plan, start_ns: int) -> None:
        self.rng = rng
        self.plan = plan
        self.now = start_ns
        self.quotes = {s.name: Quote(s, s.price, s.spread) for s in plan.symbols}
        self.brokers = [Broker(account, account.initial) for account in plan.accounts]
        self.lines: list[Written] = []
        self.has_seq = rng.random() < 0.3

    # Time.

    def wait(self, length_ns: int) -> None:
        """Let time pass."""
        self.now += max(length_ns, 0)

    def step(self) -> None:
        """Let a little time pass, often exactly until something falls due."""
        draw = self.rng.random()
        if draw < 0.12:
            return
        if draw < 0.2:
            self.wait(self.rng.choice(self.plan.durations_ns[:6]) + self.rng.choice((-1, 0, 1)))
        elif draw < 0.3:
            self.wait(self.rng.choice((1, 2, 250 * MS, 999_999_999)))
        elif draw < 0.75:
            self.wait(self.rng.choice((1, 5, 10, 50, 100)) * self.rng.randint(1, 9) * MS)
        else:
            self.wait(self.rng.randint(1, 8) * S)

    # Lines.

    def write(self, kind: str, values: Values, tick: tuple[str, str, str] | None = None) -> None:
        """Write a line at the present time."""
        fields: Values = {"type": kind, "t_ns": self.now, **values}
        if self.has_seq and kind in ("account", "error", "heartbeat") and "account" in fields:
            broker = next(b for b in self.brokers if b.planned.id == fields["account"])
            broker.seq += self.rng.choice((1, 1, 1, 1, 2, 0, -1))
            fields["seq"] = broker.seq
        self.lines.append(Written(self.now, encoded(fields), tick))

    def number(self, text: str) -> object:
        """Return a decimal as a string or as a bare number, now and then oddly written."""
        draw = self.rng.random()
        if draw < 0.7:
            return text
        if draw < 0.97 or "." not in text or text.startswith("-"):
            return Bare(text)
        return Bare(text + "e0") if draw < 0.985 else text + "0"

    def money(self, amount: Fraction, broker: Broker) -> object:
        """Return money in the account's digits."""
        digits = broker.planned.currency_digits
        return self.number(fixed(to_minor(amount, digits), digits))

    # Ticks.

    def tick(self, symbol: str, *, to: str | None = None, **more: object) -> None:
        """Write the present quote of a symbol, for one account or for all."""
        quote = self.quotes[symbol]
        self.prices(symbol, self.price(quote.bid, quote), self.price(quote.ask, quote), to, **more)

    def price(self, points: int, quote: Quote) -> str:
        """Return points as price text, now and then with digits to round away."""
        text = fixed(points, quote.facts.digits)
        if quote.facts.digits and self.rng.random() < 0.04:
            text += self.rng.choice(("5", "49", "51", "0"))
        return text

    def prices(
        self, symbol: str, bid: object, ask: object, to: str | None = None, **more: object
    ) -> None:
        """Write a tick with any prices."""
        values: Values = {} if to is None else {"account": to}
        values |= {"symbol": symbol, "bid": self._shown(bid), "ask": self._shown(ask), **more}
        is_plain = to is None and not more and isinstance(bid, str) and isinstance(ask, str)
        self.write("tick", values, (symbol, str(bid), str(ask)) if is_plain else None)

    def _shown(self, price: object) -> object:
        return self.number(price) if isinstance(price, str) and price[:1].isdigit() else price

    def drift(self, symbol: str, fraction: float) -> None:
        """Move a symbol's mid by about a fraction of its price."""
        quote = self.quotes[symbol]
        quote.mid = max(quote.mid + half_even(Fraction(fraction) * quote.facts.price), 100)

    # Accounts.

    def rate(self, symbol: str, broker: Broker) -> Fraction:
        """Return roughly what a lot and a point are worth in account currency."""
        facts = self.quotes[symbol].facts
        if facts.mode in ("FUTURES", "EXCH_FUTURES") and facts.tick is not None:
            per_point = Fraction(facts.tick[1]) / Fraction(facts.tick[0])
            return per_point / 10**facts.digits
        size = Fraction(facts.contract or "100000") / 10**facts.digits
        return size * worth(facts.profit, broker.planned.currency)

    def volume(self, symbol: str, broker: Broker, leverage: float = 5) -> Fraction:
        """Return a volume whose worth is so many times the account."""
        value = self.rate(symbol, broker) * self.quotes[symbol].facts.price
        hundredths = half_even(Fraction(leverage) * broker.planned.initial / value * 100)
        return Fraction(max(hundredths, 1), 100)

    def open(self, broker: Broker, symbol: str, *, is_buy: bool, leverage: float = 5) -> Held:
        """Open a position without telling the tape."""
        quote = self.quotes[symbol]
        broker.positions += 1
        magic = self.rng.choice((0, 0, *self.plan.strategies))
        price = quote.ask if is_buy else quote.bid
        volume = self.volume(symbol, broker, leverage)
        held = Held(broker.positions, symbol, is_buy, volume, price, Fraction(0), magic)
        broker.held.append(held)
        return held

    def profit(self, broker: Broker, held: Held) -> Fraction:
        """Return a position's profit as the broker rounds it."""
        quote = self.quotes[held.symbol]
        moved = quote.bid - held.price if held.is_buy else held.price - quote.ask
        exact = self.rate(held.symbol, broker) * held.volume * moved
        digits = broker.planned.currency_digits
        return Fraction(to_minor(exact, digits), 10**digits)

    def equity(self, broker: Broker) -> Fraction:
        """Return the broker's equity."""
        floating = sum((self.profit(broker, h) + h.swap for h in broker.held), Fraction(0))
        return broker.balance + floating

    def snapshot(
        self, broker: Broker, *, lie: Fraction = Fraction(0), spoil: str = "", **more: object
    ) -> None:
        """Write an account line; a lie is added to its equity, a spoilt key made invalid."""
        rows: list[Values] = []
        for held in broker.held:
            quote = self.quotes[held.symbol]
            price = quote.bid if held.is_buy else quote.ask
            rows.append({
                "ticket": held.identifier + 1000, "identifier": held.identifier,
                "symbol": held.symbol, "side": "buy" if held.is_buy else "sell",
                "volume": self.number(fixed(half_even(held.volume * 100), 2)),
                "price_open": fixed(held.price, quote.facts.digits),
                "price_current": self.number(fixed(price, quote.facts.digits)),
                "profit": self.money(self.profit(broker, held), broker),
                "swap": self.money(held.swap, broker), "magic": held.magic,
            })  # fmt: skip
            if spoil:
                rows[-1] = {**rows[-1], spoil: "NaN"}
        values: Values = {
            "account": broker.planned.id,
            "balance": self.money(broker.balance, broker),
            "equity": self.money(self.equity(broker) + lie, broker),
            "positions": list(rows),
            **more,
        }
        if self.rng.random() < 0.3:
            values.setdefault("last_deal", broker.deals)
        self.write("account", values)

    def fill(
        self, broker: Broker, held: Held, entry: str, volume: Fraction, **more: object
    ) -> None:
        """Write a fill of a position and let the broker book it."""
        quote = self.quotes[held.symbol]
        broker.deals += 1
        is_buy = held.is_buy == (entry == "in")
        price = quote.ask if is_buy else quote.bid
        values: Values = {
            "account": broker.planned.id, "deal": broker.deals, "position": held.identifier,
            "symbol": held.symbol, "side": "buy" if is_buy else "sell", "entry": entry,
            "volume": self.number(fixed(half_even(volume * 100), 2)),
            "price": self.number(fixed(price, quote.facts.digits)),
        }  # fmt: skip
        if entry != "in":
            values |= self._booked(broker, held, min(volume / held.volume, Fraction(1)))
        if entry == "in" and held.magic:
            values["magic"] = held.magic
        self.write("fill", values | more)

    def _booked(self, broker: Broker, held: Held, share: Fraction) -> Values:
        """Book a close at the broker and return what its deal says."""
        digits = broker.planned.currency_digits
        unit = Fraction(1, 10**digits)
        profit = half_even(self.profit(broker, held) * share / unit) * unit
        swap = half_even(held.swap * share / unit) * unit
        costs = [Fraction(0)] * 2
        if self.rng.random() < 0.5:
            costs = [-self.rng.randint(0, 300) * unit, -self.rng.randint(0, 50) * unit]
        broker.balance += profit + swap + sum(costs, Fraction(0))
        held.swap -= swap
        texts: Values = {"profit": self.money(profit, broker)}
        if swap or self.rng.random() < 0.3:
            texts["swap"] = self.money(swap, broker)
        if any(costs):
            texts |= {
                "commission": self.money(costs[0], broker),
                "fee": self.money(costs[1], broker),
            }
        return texts

    def simple(self, line_type: str, broker: Broker, /, **values: object) -> None:
        """Write a line of an account that needs no state."""
        self.write(line_type, {"account": broker.planned.id, **values})
