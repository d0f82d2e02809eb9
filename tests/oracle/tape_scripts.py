"""Short random stories that lead a replay into each corner of the rules."""

from collections.abc import Callable
from fractions import Fraction

from tests.oracle.calendar_ import next_rollover
from tests.oracle.tape_config import symbol_facts
from tests.oracle.tape_world import MS, Bare, Broker, Held, S, World

HALF = Fraction(1, 2)
DAY = 86_400 * S
FRIDAY = 4


def some_broker(world: World) -> Broker:
    """Return a random account."""
    return world.rng.choice(world.brokers)


def some_symbol(world: World) -> str:
    """Return a random symbol."""
    return world.rng.choice(list(world.quotes))


def for_whom(world: World) -> str | None:
    """Return an account's id, or None for a tick of every account."""
    return None if world.rng.random() < 0.6 else some_broker(world).planned.id


# Single lines.


def calm_tick(world: World) -> None:
    """A small move."""
    symbol = some_symbol(world)
    world.drift(symbol, world.rng.uniform(-0.0008, 0.0008))
    quote = world.quotes[symbol]
    quote.spread = max(quote.facts.spread + world.rng.randint(-3, 3), 0)
    if world.rng.random() < 0.3:
        world.tick(symbol, to=for_whom(world), source_ns=world.now + world.rng.randint(-2, 2))
    else:
        world.tick(symbol, to=for_whom(world))


def bad_tick(world: World) -> None:
    """A tick that must not count."""
    symbol = some_symbol(world)
    quote = world.quotes[symbol]
    bid, ask = world.price(quote.bid, quote), world.price(quote.ask, quote)
    to = for_whom(world)
    bads: list[tuple[object, object]] = [
        ("NaN", ask), (bid, "Infinity"), (Bare("NaN"), ask), (bid, Bare("-Infinity")),
        ("0", ask), (bid, "0.0"), ("-" + bid, ask), (world.price(quote.ask + 5, quote), bid),
    ]  # fmt: skip
    choice = world.rng.randrange(len(bads) + 3)
    if choice < len(bads):
        world.prices(symbol, *bads[choice], to)
    elif choice == len(bads):
        world.prices("NOSUCH", bid, ask, to)
    elif choice == len(bads) + 1:
        world.tick(symbol, to=to, source_ns=world.now - world.rng.randint(1, 9) * S)
    else:
        world.tick(symbol, to=to, source_ns=Bare("NaN"))


def locked_tick(world: World) -> None:
    """Bid equal to ask."""
    quote = world.quotes[symbol := some_symbol(world)]
    quote.spread = 0
    world.tick(symbol)
    quote.spread = quote.facts.spread


def snapshot(world: World) -> None:
    """A true account line, now and then a lie or no snapshot at all."""
    broker = some_broker(world)
    draw = world.rng.random()
    initial = broker.planned.initial
    if draw < 0.06:
        world.snapshot(broker, equity=world.rng.choice(("NaN", Bare("Infinity"), None, "NaN")))
    elif draw < 0.08:
        world.snapshot(broker, balance=None)
    elif draw < 0.09:
        world.snapshot(broker, balance=world.rng.choice(("0", "-5.00")))
    elif draw < 0.1:
        world.snapshot(broker, spoil=world.rng.choice(("volume", "profit", "price_current")))
    elif draw < 0.14:
        world.snapshot(broker, lie=initial * world.rng.choice((Fraction(1, 100), -HALF / 50)))
    else:
        world.snapshot(broker)


def transfer(world: World) -> None:
    """Money in or out, of any kind."""
    broker = some_broker(world)
    kind = world.rng.choice(
        ("balance", "balance", "credit", "bonus", "correction", "charge", "commission", "interest")
    )
    is_counted = kind in ("balance", "credit", "bonus", "correction")
    percent = world.rng.choice((1, 5, 20, -2, -10, -30)) if is_counted else -HALF
    amount = broker.planned.initial * percent / 100
    amount_text: object = world.money(amount, broker)
    broker.balance += amount
    broker.deals += 1
    if world.rng.random() < 0.03:
        amount_text = "NaN"
    world.simple("transfer", broker, deal=broker.deals, kind=kind, amount=amount_text)


def error(world: World) -> None:
    """One error of some source, class and order."""
    rng = world.rng
    values: dict[str, object] = {
        "source": rng.choice(("engine", "engine", "broker", "edgeguard")),
        "class": rng.choice(("reject", "reject", "timeout", "requote")),
    }
    if rng.random() < 0.6:
        values["order"] = rng.choice((0, 1, 2, 3, 4, 5))
    world.simple("error", some_broker(world), code=10006, **values)


def heartbeat(world: World) -> None:
    """A sign of life."""
    sources = ["engine", "engine", *(f"feed:{name}" for name in world.plan.feeds)]
    if world.rng.random() < 0.05:
        sources = ["feed:stranger", "somebody"]
    world.simple("heartbeat", some_broker(world), source=world.rng.choice(sources))


def terminal(world: World) -> None:
    """An answer of the terminal."""
    connected = world.rng.random() < 0.7
    world.simple("terminal", some_broker(world), connected=connected, trade_allowed=True)


def clock(world: World) -> None:
    """Nothing but time."""
    world.write("clock", {})


def symbol_line(world: World) -> None:
    """Facts that repeat what is known, or lose against the configuration."""
    pooled = world.quotes[some_symbol(world)].facts
    facts = symbol_facts(pooled)
    if pooled not in world.plan.from_tape:
        facts |= {"contract_size": "77", "digits": pooled.digits}
    world.simple("symbol", some_broker(world), symbol=pooled.name, **facts)


# Stories.


def open_book(world: World) -> None:
    """Open positions, some hedged, and show them in a snapshot."""
    broker = some_broker(world)
    for _ in range(world.rng.randint(1, 3)):
        symbol = some_symbol(world)
        is_buy = world.rng.random() < 0.5
        held = world.open(broker, symbol, is_buy=is_buy, leverage=world.rng.choice((1, 3, 6)))
        held.swap = Fraction(world.rng.choice((0, 0, -150, 70)), 100)
        if broker.planned.currency_digits == 0:
            held.swap = Fraction(round(held.swap))
        if world.rng.random() < 0.25:
            world.open(broker, symbol, is_buy=not is_buy, leverage=2)
    del broker.held[8:]
    world.snapshot(broker)


def fills(world: World) -> None:
    """Fills in, out, by another and inout, with repeats and old deals."""
    broker = some_broker(world)
    for _ in range(world.rng.randint(1, 4)):
        one_fill(world, broker)
        if world.rng.random() < 0.5:
            world.step()
    if world.rng.random() < 0.5:
        world.snapshot(broker)


def one_fill(world: World, broker: Broker) -> None:
    """Write one fill."""
    rng = world.rng
    draw = rng.random()
    if not broker.held or draw < 0.25:
        is_buy = rng.random() < 0.5
        held = world.open(broker, some_symbol(world), is_buy=is_buy, leverage=rng.choice((1, 4)))
        world.fill(broker, held, "in", held.volume)
    elif draw < 0.33:
        held = rng.choice(broker.held)
        world.fill(broker, held, "in", held.volume)
        held.volume *= 2
    elif draw < 0.4:
        odd_fill(world, broker)
    elif draw < 0.5:
        turn(world, broker, rng.choice(broker.held))
    else:
        close(world, broker, rng.choice(broker.held), rng.choice(("out", "out", "out_by")))


def close(world: World, broker: Broker, held: Held, entry: str) -> None:
    """Close a position in part or in whole."""
    whole = world.rng.random() < 0.5 or held.volume < Fraction(3, 100)
    part = Fraction(round(held.volume * 100 / world.rng.choice((2, 3, 7))), 100)
    volume = held.volume if whole else part
    if world.rng.random() < 0.05:
        volume = held.volume + Fraction(1, 100)
    world.fill(broker, held, entry, volume)
    held.volume -= min(volume, held.volume)
    if held.volume <= 0:
        broker.held.remove(held)


def turn(world: World, broker: Broker, held: Held) -> None:
    """Turn a position round."""
    volume = held.volume + Fraction(world.rng.randint(0, 200), 100)
    world.fill(broker, held, "inout", volume)
    held.volume, held.is_buy = volume - held.volume, not held.is_buy
    quote = world.quotes[held.symbol]
    held.price = quote.ask if held.is_buy else quote.bid
    if held.volume <= 0:
        broker.held.remove(held)


def odd_fill(world: World, broker: Broker) -> None:
    """Write a fill that must do nothing, or that knows no position."""
    held = world.rng.choice(broker.held)
    kind = world.rng.randrange(4)
    before = broker.balance
    if kind == 0:
        world.fill(broker, held, "out", held.volume, deal=world.rng.randint(100, broker.deals))
    elif kind == 1:
        world.fill(broker, held, "out", held.volume, profit=world.rng.choice(("NaN", "Infinity")))
    elif kind == 2:
        world.fill(broker, held, "out", held.volume, position=987_654)
    else:
        world.fill(broker, held, "in", held.volume, price=Bare("NaN"))
    broker.balance = before


def crash(world: World) -> None:
    """Move against a position by about a limit, then confirm, deny, recover or stay silent."""
    broker = some_broker(world)
    if not broker.held:
        open_book(world)
        world.wait(10 * MS)
    if not broker.held:
        return
    symbol = world.rng.choice(broker.held).symbol
    net = sum(h.volume if h.is_buy else -h.volume for h in broker.held if h.symbol == symbol)
    limit = broker.planned.frac(world.rng.choice(("daily_loss", "total_drawdown")))
    loss = (
        broker.planned.initial
        * limit
        * Fraction(world.rng.choice((50, 85, 101, 101, 110, 110, 130)), 100)
    )
    quote, before = world.quotes[symbol], world.quotes[symbol].mid
    points = round(loss / (world.rate(symbol, broker) * (abs(net) or Fraction(1))))
    target = before - points if net > 0 else before + points
    steps = world.rng.choice((1, 1, 3, 6))
    for n in range(1, steps + 1):
        quote.mid = max(before + (target - before) * n // steps, 100)
        world.tick(symbol, to=for_whom(world) and broker.planned.id)
        world.wait(world.rng.choice((0, 1, 20 * MS)))
    aftermath(world, broker, symbol, before)


def aftermath(world: World, broker: Broker, symbol: str, before: int) -> None:
    """Let the broker answer a marked breach in one of its ways."""
    initial = broker.planned.initial
    ends: list[Callable[[], None]] = [
        lambda: world.snapshot(broker),
        lambda: world.snapshot(broker, lie=initial * broker.planned.frac("daily_loss")),
        lambda: world.snapshot(broker, lie=initial * Fraction(-3, 100)),
        lambda: world.snapshot(broker, equity="NaN"),
        lambda: None,
    ]
    draw = world.rng.random()
    if draw < 0.4:
        world.quotes[symbol].mid = before
        world.tick(symbol)
        world.wait(world.rng.choice((1, 20 * MS)))
        world.tick(symbol)
    if draw > 0.2:
        ms = round(broker.planned.frac("confirm_ms"))
        world.wait(world.rng.choice((0, ms * MS // 2, ms * MS - 1, ms * MS, ms * MS + 1)))
    world.rng.choice(ends)()


def tie(world: World) -> None:
    """Lose exactly a limit, to the point, then a point more."""
    broker = some_broker(world)
    symbol = "EURUSD"
    if symbol not in world.quotes or broker.planned.currency != "USD":
        return
    broker.held.clear()
    quote = world.quotes[symbol]
    held = world.open(broker, symbol, is_buy=world.rng.random() < 0.5)
    held.volume = broker.planned.initial / 5000
    held.price = quote.bid if held.is_buy else quote.ask
    broker.balance = broker.planned.initial
    world.snapshot(broker)
    world.wait(1)
    limit = broker.planned.frac(world.rng.choice(("daily_loss", "total_drawdown")))
    points = limit * 5000
    down = round(points) if held.is_buy else -round(points)
    quote.mid -= down
    world.tick(symbol, to=broker.planned.id)
    world.wait(world.rng.choice((1, 50 * MS)))
    quote.mid -= 1 if held.is_buy else -1
    world.tick(symbol, to=broker.planned.id)


def jump(world: World) -> None:
    """A suspicious tick and what may follow it."""
    symbol = some_symbol(world)
    quote = world.quotes[symbol]
    world.tick(symbol)
    world.wait(10 * MS)
    base = quote.mid
    frac = some_broker(world).planned.frac("jump_frac")
    size = round(base * frac * Fraction(world.rng.choice((100, 101, 150, 250)), 100)) + 1
    quote.mid = max(base + world.rng.choice((-1, 1)) * size, 100)
    world.tick(symbol)
    for _ in range(world.rng.randint(1, 3)):
        world.step()
        follow = world.rng.random()
        if follow < 0.35:
            quote.mid += world.rng.randint(-2, 2)
        elif follow < 0.6:
            quote.mid = base
        elif follow < 0.75:
            quote.mid = (quote.mid + base) // 2
        else:
            quote.mid = max(quote.mid + world.rng.choice((-2, 2)) * size, 100)
        world.tick(symbol)
    if world.rng.random() < 0.5:
        quote.mid = base


def spread_storm(world: World) -> None:
    """Ordinary spreads, then wide ones, then ordinary ones for about the hold."""
    symbol = some_symbol(world)
    quote, planned = world.quotes[symbol], some_broker(world).planned
    normal = quote.facts.spread
    sample = round(planned.frac("spread_sample_ms")) * MS
    for _ in range(world.rng.choice((0, 3, 6, 12))):
        quote.spread = max(normal + world.rng.randint(-2, 2), 1)
        world.tick(symbol)
        world.wait(sample)
    multiple = planned.frac("spread_multiple")
    for _ in range(world.rng.randint(1, 4)):
        quote.spread = round(multiple * normal) + world.rng.choice((0, 1, 1, normal, 9 * normal))
        world.tick(symbol)
        world.wait(world.rng.choice((0, 5 * MS, sample)))
    hold = round(planned.frac("spread_clear_s") * S)
    for _ in range(world.rng.randint(0, 4)):
        quote.spread = world.rng.choice((normal, normal, 2 * normal, 4 * normal))
        world.tick(symbol)
        world.wait(world.rng.choice((hold // 3, hold // 2, hold, sample)))
    quote.spread = normal
    clock(world)


def long_storm(world: World) -> None:
    """Wide spreads for longer than the freeze."""
    symbol = some_symbol(world)
    quote, planned = world.quotes[symbol], some_broker(world).planned
    freeze = round(planned.frac("spread_freeze_max_s") * S)
    quote.spread = quote.facts.spread * 12
    world.tick(symbol)
    world.wait(freeze + world.rng.choice((-1, 0, 1)))
    for _ in range(world.rng.randint(3, 14)):
        world.tick(symbol)
        world.wait(round(planned.frac("spread_sample_ms")) * MS)
    quote.spread = quote.facts.spread


def error_burst(world: World) -> None:
    """About as many errors as the limit, some of one order, some a window apart."""
    broker = some_broker(world)
    count = round(broker.planned.frac("errors_per_minute")) + world.rng.randint(0, 2)
    first = world.now
    for n in range(count):
        values: dict[str, object] = {"source": "engine", "class": "reject"}
        if world.rng.random() < 0.4:
            values["order"] = world.rng.choice((0, n, 1))
        if n == count - 1 and world.rng.random() < 0.4:
            world.now = max(world.now, first + 60 * S + world.rng.choice((-1, 0)))
        world.simple("error", broker, **values)
        world.wait(world.rng.choice((0, 1, 300 * MS)))
    if world.rng.random() < 0.6:
        world.wait(world.rng.choice((30, 59, 60, 61)) * S)
        clock(world)


def silence(world: World) -> None:
    """Signs of life, then none for about as long as is allowed."""
    for _ in range(world.rng.randint(1, 3)):
        heartbeat(world)
        terminal(world)
        world.step()
    limit = round(some_broker(world).planned.frac("connection_lost_s") * S)
    world.wait(limit + world.rng.choice((-2 * S, -1, 0, 1, S)))
    world.rng.choice((heartbeat, terminal, clock))(world)


def stale(world: World) -> None:
    """No quote for about as long as a price may be old."""
    broker = some_broker(world)
    if not broker.held:
        open_book(world)
    age = round(broker.planned.frac("price_age_max_s") * S)
    world.wait(age + world.rng.choice((-1, 0, 1, S)))
    world.rng.choice((clock, calm_tick, snapshot, transfer))(world)


def rollover(world: World) -> None:
    """Come to just before, at or after the beginning of a day."""
    limits = some_broker(world).planned.limits
    text = str(limits.get("rollover_time", "17:00"))
    zone = str(limits.get("rollover_zone", "America/New_York"))
    minute = int(text[:2]) * 60 + int(text[3:])
    begin = next_rollover(world.now, minute, zone).t_ns
    world.now = begin + world.rng.choice((-S, -1, 0, 0, 1, S))
    world.rng.choice((calm_tick, snapshot, transfer, clock, fills))(world)


def hold_over_close(world: World) -> None:
    """Widen a spread shortly before Friday 17:00 in New York and calm down over the weekend."""
    friday = next_rollover(world.now, 17 * 60, "America/New_York")
    while friday.day.weekday() != FRIDAY:
        friday = next_rollover(friday.t_ns, 17 * 60, "America/New_York")
    symbol = some_symbol(world)
    quote = world.quotes[symbol]
    hold = round(some_broker(world).planned.frac("spread_clear_s") * S)
    world.tick(symbol)
    world.now = max(friday.t_ns - hold // 2 - 50 * MS, world.now)
    quote.spread = 12 * quote.facts.spread
    world.tick(symbol)
    quote.spread = quote.facts.spread
    world.wait(50 * MS)
    world.tick(symbol)
    world.wait(world.rng.choice((hold // 4, hold, 2 * DAY, 2 * DAY + hold)))
    world.tick(symbol)
    world.wait(2 * DAY)
    clock(world)


def weekend(world: World) -> None:
    """Let hours or days pass, most often over a close."""
    world.wait(world.rng.choice((3600 * S, 7200 * S, 12 * 3600 * S, 2 * DAY)))
    clock(world)


LINES: tuple[tuple[Callable[[World], None], int], ...] = (
    (calm_tick, 30), (bad_tick, 4), (locked_tick, 1), (snapshot, 10), (transfer, 3), (error, 5),
    (heartbeat, 4), (terminal, 3), (clock, 3), (symbol_line, 1),
)  # fmt: skip
STORIES: tuple[Callable[[World], None], ...] = (
    open_book, fills, crash, tie, jump, spread_storm, long_storm, error_burst, silence, stale,
    rollover, weekend, hold_over_close,
)  # fmt: skip
