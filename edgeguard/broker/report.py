"""The record of one flatten: what was sent and came back, and the proof or what is left."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from edgeguard.broker.paper.units import to_lots
from edgeguard.broker.planner.flatness import Remaining
from edgeguard.broker.planner.model import BUY, Intent, Observation, Send
from edgeguard.broker.planner.requests import money_per_lot
from edgeguard.broker.publisher import ORDER_KINDS, SIDES
from edgeguard.broker.retcodes import Answer
from edgeguard.broker.rows import SendRow, SymbolRow, TickRow
from edgeguard.broker.values import fixed_text, plain_text, price_text, volume_text
from edgeguard.plain import escaped_line

RECORD_VERSION: Final = 1
LINES_MAX: Final = 20_000
"""Requests that one record holds; what a longer war adds is counted only."""


class RequestLine(msgspec.Struct):
    """One request: what was sent, what came back, how it ended.

    Prices and volumes are decimal text; `slippage` is money in account currency, positive where
    the fill was worse than the quote at the decision; null where nothing was filled or no quote was
    known. Times are wall nanoseconds.
    """

    intent: int
    kind: str
    symbol: str
    side: str
    ticket: int
    volume: str
    sent_ns: int
    request: dict[str, Any]
    by_ticket: int = 0
    answered_ns: int = 0
    retcode: int | None = None
    answer: str = ""
    order: int = 0
    deal: int = 0
    filled: str = "0"
    price: str | None = None
    quote_bid: str | None = None
    quote_ask: str | None = None
    slippage: str | None = None
    end: str = ""
    why: str = ""


class Listed(msgspec.Struct, frozen=True):
    """One position or order of the book that the flatten found."""

    what: str
    ticket: int
    symbol: str
    side: str
    volume: str
    price_open: str
    profit: str | None
    magic: int


class Proof(msgspec.Struct, frozen=True):
    """The two reads that prove flat: wall ns of the end of one and the start of the other."""

    first_ns: int
    second_ns: int
    apart_ms: int


class Record(msgspec.Struct, kw_only=True):
    """One flatten from command to proof, or to what remains."""

    v: int = RECORD_VERSION
    account: str
    login: int
    server: str
    run: str
    halt_id: str
    scope: str
    reason: str
    started_ns: int
    first_order_ns: int | None = None
    pendings_gone_ns: int | None = None
    ended_ns: int | None = None
    result: str = "IN_PROGRESS"
    book: list[Listed] = []
    requests: list[RequestLine] = []
    requests_sent: int = 0
    reads: int = 0
    alarms: list[str] = []
    slippage_total: str = "0.00"
    proof: Proof | None = None
    remaining: list[Remaining] = []


class Recorder:
    """Fills one record while its flatten runs."""

    def __init__(self, record: Record) -> None:
        """Take the empty record."""
        self.record = record
        self._lines: dict[int, RequestLine] = {}
        self._slippage: dict[int, float] = {}
        self._specs: dict[str, SymbolRow] = {}
        self._digits = 2
        self._has_book = False

    def book(self, obs: Observation, covers: Any, specs: dict[str, SymbolRow | None]) -> None:  # noqa: ANN401
        """Take in the first good read: the book that the flatten found."""
        if self._has_book:
            return
        self._has_book = True
        self._digits = obs.account.currency_digits
        for row in obs.positions:
            if covers(row):
                spec = specs.get(row.symbol)
                self.record.book.append(
                    Listed(
                        "position",
                        row.ticket,
                        row.symbol,
                        SIDES[1 if row.type else 0],
                        volume_text(row.volume, spec),
                        _price(row.price_open, spec),
                        fixed_text(row.profit, self._digits),
                        row.magic,
                    )
                )
        for order in obs.orders:
            if covers(order):
                spec = specs.get(order.symbol)
                self.record.book.append(
                    Listed(
                        "order",
                        order.ticket,
                        order.symbol,
                        kind_text(order.type),
                        volume_text(order.volume_current, spec),
                        _price(order.price_open, spec),
                        None,
                        order.magic,
                    )
                )

    def sent(self, send: Send, wall_ns: int) -> RequestLine:
        """Take in a request that is about to be sent."""
        intent = send.intent
        line = RequestLine(
            intent=intent.id,
            kind=intent.kind,
            symbol=intent.symbol,
            side=kind_text(intent.side) if intent.kind == "delete" else SIDES[intent.side],
            ticket=intent.ticket,
            volume=volume_text(to_lots(intent.units), send.spec),
            sent_ns=wall_ns,
            request=dict(send.request),
            by_ticket=intent.by_ticket,
        )
        if send.quote is not None:
            line.quote_bid = _price(send.quote.bid, send.spec)
            line.quote_ask = _price(send.quote.ask, send.spec)
        record = self.record
        record.first_order_ns = record.first_order_ns or wall_ns
        record.requests_sent += 1
        if len(record.requests) < LINES_MAX:
            record.requests.append(line)
            self._lines[intent.id] = line
        return line

    def answered(self, send: Send, answer: Answer, row: SendRow | None, wall_ns: int) -> None:
        """Take in what came back."""
        line = self._lines.get(send.intent.id)
        if line is None:
            return
        line.answered_ns = wall_ns
        line.answer = f"{answer.name}: {answer.text}"
        if row is None:
            return
        line.retcode, line.order, line.deal = row.retcode, row.order, row.deal
        line.filled = volume_text(row.volume, send.spec)
        if row.price > 0 and row.volume > 0:
            line.price = _price(row.price, send.spec)
            self._add_slippage(send, row, line)

    def line(self, intent: int) -> RequestLine | None:
        """Return the line of an intent, None where this record does not hold it."""
        return self._lines.get(intent)

    def ended(self, intent: Intent, end: str, why: str) -> bool:
        """Take in how a request ended; False where this record does not know it."""
        line = self._lines.get(intent.id)
        if line is None:
            return False
        line.end, line.why = end, why
        return True

    def _add_slippage(self, send: Send, row: SendRow, line: RequestLine) -> None:
        """Add what the fill cost against the quote at the decision."""
        if send.intent.kind != "close" or send.quote is None or send.spec is None:
            return
        money = slippage_money(send.intent, send.quote, row, send.spec)
        self._slippage[send.intent.id] = money
        line.slippage = fixed_text(money, self._digits)
        total = sum(self._slippage.values())
        self.record.slippage_total = fixed_text(total, self._digits) or "0"


def slippage_money(intent: Intent, quote: TickRow, row: SendRow, spec: SymbolRow) -> float:
    """Return what a fill cost against the quote at the decision, account currency, > 0 is worse."""
    worse = quote.bid - row.price if intent.side == BUY else row.price - quote.ask
    return worse * row.volume * money_per_lot(spec)


def kind_text(kind: int) -> str:
    """Return an MT5 order type in words."""
    return ORDER_KINDS[kind] if 0 <= kind < len(ORDER_KINDS) else str(kind)


def _price(value: float, spec: SymbolRow | None) -> str:
    return plain_text(value) if spec is None else price_text(value, spec.digits)


COLUMNS: Final = (
    "t",
    "what",
    "ticket",
    "symbol",
    "side",
    "volume",
    "quote",
    "price",
    "slip",
    "answer",
)


def table(record: Record) -> str:
    """Return a record as a table for people."""
    positions = sum(row.what == "position" for row in record.book)
    stages = {
        "first order after": record.first_order_ns,
        "pendings gone after": record.pendings_gone_ns,
        "ended after": record.ended_ns,
    }
    head = [
        f"flatten of account {record.account} ({record.login} on {record.server})",
        f"scope: {record.scope}   result: {record.result}   slippage: {record.slippage_total}",
        f"halt: {record.halt_id or '-'}   reason: {record.reason or '-'}",
        f"book: {positions} positions, {len(record.book) - positions} orders",
        f"requests: {record.requests_sent}   reads: {record.reads}",
        ", ".join(f"{name} {_after(record, when)}" for name, when in stages.items()),
    ]
    rows = [COLUMNS, *(_row(record, line) for line in record.requests)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    body = [_line(row, widths) for row in rows]
    # A reason, a symbol or a terminal's words forge no line of a record that people believe.
    lines = map(escaped_line, [*head, "", *body, "", *_tail(record)])
    return "\n".join(lines) + "\n"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()


def _tail(record: Record) -> list[str]:
    """Return the proof, or what is left and why; then the alarms."""
    tail: list[str] = []
    if record.proof is not None:
        when = _after(record, record.proof.second_ns)
        tail.append(f"proven flat by two reads {record.proof.apart_ms} ms apart, until {when}")
    for row in record.remaining:
        what = f"{row.what} {row.ticket} {row.symbol} {row.side} {plain_text(row.volume)}"
        tail.append(f"LEFT: {what}: {row.why}")
    return tail + [f"alarm: {text}" for text in record.alarms]


def _row(record: Record, line: RequestLine) -> tuple[str, ...]:
    quote = "-" if line.quote_bid is None else f"{line.quote_bid}/{line.quote_ask}"
    what = f"{line.kind} {line.by_ticket}" if line.by_ticket else line.kind
    return (
        _after(record, line.sent_ns),
        what,
        str(line.ticket),
        line.symbol,
        line.side,
        line.volume,
        quote,
        line.price or "-",
        line.slippage or "-",
        f"{line.answer} -> {line.end or 'open'}",
    )


def _after(record: Record, when_ns: int | None) -> str:
    return "-" if when_ns is None else f"{(when_ns - record.started_ns) / 1e9:.3f} s"
