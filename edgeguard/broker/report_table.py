"""Lay the record of a flatten out as tables for people: what was found, sent, answered and left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from edgeguard.broker.report import Record, RequestLine
from edgeguard.broker.values import plain_text
from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.plain import escaped_line

_BOOK: Final = (
    *("found", "ticket", "symbol", "side", "volume", "opened at", "profit", "magic"),
    "what became of it",
)
_REQUESTS: Final = (
    *("no", "t", "took", "what", "ticket", "symbol", "side", "volume", "quote", "price"),
    *("slip", "answer"),
)
# Ends of requests that traded, or deleted what they were to delete.
FILLED: Final = ("FILLED", "PARTIAL")


def table(record: Record) -> str:
    """Return a record as text: its head, the book with each row's fate, each request, the end."""
    by_ticket: dict[int, list[RequestLine]] = {}
    for line in record.requests:
        for ticket in {line.ticket, line.by_ticket} - {0}:
            by_ticket.setdefault(ticket, []).append(line)
    parts = [
        *_head(record),
        "",
        *_columns([_BOOK, *_book(record, by_ticket)]),
        "",
        *_columns([_REQUESTS, *(_request(record, line) for line in record.requests)]),
        "",
        *_tail(record),
    ]
    # A reason, a symbol or a terminal's words forge no line of a record that people believe.
    return "\n".join(map(escaped_line, parts)) + "\n"


def _head(record: Record) -> list[str]:
    """Return who, when, why and the totals."""
    started = datetime.fromtimestamp(record.started_ns / NS_PER_S, UTC)
    positions = sum(row.what == "position" for row in record.book)
    stages = {
        "first order after": record.first_order_ns,
        "pendings gone after": record.pendings_gone_ns,
        "ended after": record.ended_ns,
    }
    listed = len(record.requests)
    omitted = f" (the first {listed} are below)" if listed < record.requests_sent else ""
    return [
        f"flatten of account {record.account} ({record.login} on {record.server})",
        f"started {started:%Y-%m-%d %H:%M:%S.%f} UTC; times below count from there",
        f"scope: {record.scope}   result: {record.result}",
        f"halt: {record.halt_id or '-'}   reason: {record.reason or '-'}",
        f"book: {positions} positions, {len(record.book) - positions} orders",
        f"requests: {record.requests_sent}{omitted}   reads: {record.reads}",
        ", ".join(f"{name} {_after(record, when)}" for name, when in stages.items()),
        _slippage(record),
    ]


def _slippage(record: Record) -> str:
    """Return the total with its sign's meaning, and how many closes are not in it."""
    total = f"slippage: {record.slippage_total} {record.currency}".rstrip()
    unpriced = sum(
        line.kind == "close" and line.end in FILLED and line.slippage is None
        for line in record.requests
    )
    rest = f"; {unpriced} closed without an answer or a quote, not counted" if unpriced else ""
    return f"{total} against the quotes at the decisions, above 0 is worse{rest}"


def _book(record: Record, by_ticket: dict[int, list[RequestLine]]) -> Iterable[tuple[str, ...]]:
    """Yield each row of the book that was found, then what requests met besides, with its fate."""
    left = {row.ticket: row.why for row in record.remaining}
    for row in record.book:
        what = (row.what, str(row.ticket), row.symbol, row.side, row.volume, row.price_open)
        fate = _fate(record, by_ticket.get(row.ticket, ()), left.get(row.ticket))
        yield (*what, row.profit or "-", str(row.magic), fate)
    found = {row.ticket for row in record.book}
    for ticket, lines in by_ticket.items():
        if ticket not in found:
            first = lines[0]
            kind = "order" if first.kind == "delete" else "position"
            # The other half of a pair stands on the other side; only its own requests say which.
            side = first.side if first.ticket == ticket else "-"
            fate = _fate(record, lines, left.get(ticket))
            what = (kind, str(ticket), first.symbol, side, first.volume, "-", "-", "-")
            yield (*what, f"appeared later; {fate}")


def _fate(record: Record, lines: Sequence[RequestLine], left: str | None) -> str:
    """Say how one position or order ended, by which requests."""
    if left is not None:
        return f"LEFT: {left}"
    took = [line for line in lines if line.end in FILLED]
    if took:
        numbers = ", ".join(str(line.intent) for line in took)
        done = "deleted" if took[-1].kind == "delete" else "closed"
        rest = "" if took[-1].end == "FILLED" else "; the rest went without a request of this one"
        return f"{done} by {numbers}{rest}"
    if record.result == "FLAT":
        return "gone without a request of this one: filled, or closed by others or the server"
    return "not gone yet"


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _request(record: Record, line: RequestLine) -> tuple[str, ...]:
    """Return the cells of one request."""
    quote = "-" if line.quote_bid is None else f"{line.quote_bid}/{line.quote_ask}"
    took_ms = (line.answered_ns - line.sent_ns) // NS_PER_MS
    evidence = f" ({line.why})" if line.why and line.why not in line.answer else ""
    return (
        str(line.intent),
        _after(record, line.sent_ns),
        f"{took_ms} ms" if line.answered_ns else "-",
        f"{line.kind} with {line.by_ticket}" if line.by_ticket else line.kind,
        str(line.ticket),
        line.symbol,
        line.side,
        line.volume,
        quote,
        line.price or "-",
        line.slippage or "-",
        f"{line.answer or 'none'} -> {line.end or 'open'}{evidence}",
    )


def _tail(record: Record) -> list[str]:
    """Return the proof, or what is left and why; then the alarms."""
    tail: list[str] = []
    if record.proof is not None:
        first, second = record.proof.first_ns, record.proof.second_ns
        tail += [
            f"proven flat by two reads {record.proof.apart_ms} ms apart:",
            f"  one that ended at {_after(record, first)}: connected, nothing of the scope listed",
            f"  one that began at {_after(record, second)}: connected, nothing of the scope listed",
        ]
    for row in record.remaining:
        what = f"{row.what} {row.ticket} {row.symbol} {row.side} {plain_text(row.volume)}"
        tail.append(f"LEFT: {what}: {row.why}")
    return tail + [f"alarm: {text}" for text in record.alarms]


def _after(record: Record, when_ns: int | None) -> str:
    return "-" if when_ns is None else f"{(when_ns - record.started_ns) / NS_PER_S:.3f} s"
