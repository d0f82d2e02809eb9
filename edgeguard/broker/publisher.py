"""Publish what the terminal says to the guard: snapshots, deals, quotes, facts and proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from edgeguard.broker.paper import constants as c
from edgeguard.broker.planner.model import Observation
from edgeguard.broker.rows import DealRow, OrderRow, PositionRow, SymbolRow, TerminalRow, TickRow
from edgeguard.broker.values import fixed_text, plain_text, price_text, volume_text
from edgeguard.clock import Clock
from edgeguard.codec.native import encode
from edgeguard.messages import (
    FEED_BYTES_MAX,
    AccountSnapshot,
    Entry,
    ErrorEvent,
    Fill,
    MarketMessage,
    Order,
    Position,
    SymbolFacts,
    TerminalProof,
    Tick,
    TickBatch,
    Transfer,
)

SOURCE: Final = "terminal"
SIDES: Final = ("buy", "sell")
ENTRIES: Final[tuple[Entry, ...]] = ("in", "out", "inout", "out_by")
TRADE_MODES: Final = ("demo", "contest", "real")
ORDER_KINDS: Final = (
    "buy",
    "sell",
    "buy_limit",
    "sell_limit",
    "buy_stop",
    "sell_stop",
    "buy_stop_limit",
    "sell_stop_limit",
    "close_by",
)
TRANSFER_KINDS: Final[dict[int, str]] = {
    c.DEAL_TYPE_BALANCE: "balance",
    c.DEAL_TYPE_CREDIT: "credit",
    c.DEAL_TYPE_CHARGE: "charge",
    c.DEAL_TYPE_CORRECTION: "correction",
    c.DEAL_TYPE_BONUS: "bonus",
    c.DEAL_TYPE_COMMISSION: "commission",
    c.DEAL_TYPE_COMMISSION_DAILY: "commission",
    c.DEAL_TYPE_COMMISSION_MONTHLY: "commission",
    c.DEAL_TYPE_COMMISSION_AGENT_DAILY: "commission",
    c.DEAL_TYPE_COMMISSION_AGENT_MONTHLY: "commission",
    c.DEAL_TYPE_INTEREST: "interest",
    c.DEAL_DIVIDEND: "dividend",
    c.DEAL_DIVIDEND_FRANKED: "dividend",
    c.DEAL_TAX: "tax",
}
CALC_MODES: Final[dict[int, str]] = {
    c.SYMBOL_CALC_MODE_FOREX: "FOREX",
    c.SYMBOL_CALC_MODE_FUTURES: "FUTURES",
    c.SYMBOL_CALC_MODE_CFD: "CFD",
    c.SYMBOL_CALC_MODE_CFDINDEX: "CFDINDEX",
    c.SYMBOL_CALC_MODE_CFDLEVERAGE: "CFDLEVERAGE",
    c.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE: "FOREX_NO_LEVERAGE",
    c.SYMBOL_CALC_MODE_EXCH_STOCKS: "EXCH_STOCKS",
    c.SYMBOL_CALC_MODE_EXCH_FUTURES: "EXCH_FUTURES",
}
SendFrames = Callable[[list[bytes]], None]


class Publisher:
    """Turns rows into messages with this publisher's epoch and counters, and sends them."""

    def __init__(self, account: str, clock: Clock, send: SendFrames) -> None:
        """Take where frames go; the epoch is now."""
        self._account = account
        self._clock = clock
        self._send = send
        self._epoch = clock.wall_ns()
        self._seqs: dict[str, int] = {}
        self._too_large: set[str] = set()
        self._facts: dict[str, SymbolRow] = {}
        self._specs: dict[str, SymbolRow] = {}

    def spec(self, symbol: str) -> SymbolRow | None:
        """Return a symbol's rules as last published."""
        return self._specs.get(symbol)

    def snapshot(self, obs: Observation, *, last_deal: int | None, request: int) -> None:
        """Publish one bracketed read."""
        account = obs.account
        digits = account.currency_digits
        mode = account.trade_mode
        self._emit(
            "account",
            lambda epoch, seq, now: AccountSnapshot(
                self._account,
                SOURCE,
                epoch,
                seq,
                now,
                balance=fixed_text(account.balance, digits),
                equity=fixed_text(account.equity, digits),
                credit=fixed_text(account.credit, digits),
                margin=fixed_text(account.margin, digits),
                positions=tuple(self._position(row, digits) for row in obs.positions),
                orders=tuple(self._order(row) for row in obs.orders),
                last_deal=last_deal,
                request=request,
                login=account.login,
                server=account.server,
                trade_mode=TRADE_MODES[mode] if 0 <= mode < len(TRADE_MODES) else str(mode),
                currency=account.currency,
            ),
        )

    def deal(self, row: DealRow, digits: int) -> None:
        """Publish a deal: a fill where it traded, a transfer where money moved without a trade."""
        if row.type in (c.DEAL_TYPE_BUY, c.DEAL_TYPE_SELL):
            self._fill(row, digits)
            return
        amount = fixed_text(row.profit + row.commission + row.swap + row.fee, digits)
        kind = TRANSFER_KINDS.get(row.type, f"type_{row.type}")
        self._emit(
            "transfer",
            lambda epoch, seq, now: Transfer(
                self._account, SOURCE, epoch, seq, now, row.ticket, kind, amount or "0"
            ),
        )

    def ticks(self, ticks: Iterable[tuple[str, TickRow]]) -> None:
        """Publish quotes as one batch. The broker's stamps are left out: they are not UTC."""
        rows = tuple(
            Tick(symbol, self._price(symbol, row.bid), self._price(symbol, row.ask))
            for symbol, row in ticks
        )
        if rows:
            self._emit(
                "tick",
                lambda epoch, seq, now: TickBatch(self._account, SOURCE, epoch, seq, now, rows),
            )

    def forget_facts(self) -> None:
        """Publish facts again when they are next read."""
        self._facts.clear()

    def facts(self, row: SymbolRow) -> None:
        """Publish a symbol's facts when they are new or have changed."""
        self._specs[row.name] = row
        stable = _stable(row)
        if self._facts.get(row.name) == stable:
            return
        self._facts[row.name] = stable
        self._emit(
            "symbol",
            lambda epoch, seq, now: SymbolFacts(
                self._account,
                SOURCE,
                epoch,
                seq,
                now,
                row.name,
                digits=row.digits,
                contract_size=plain_text(row.trade_contract_size),
                calc_mode=CALC_MODES.get(row.trade_calc_mode),
                currency_base=row.currency_base or None,
                currency_profit=row.currency_profit or None,
                tick_size=plain_text(row.trade_tick_size),
                tick_value=plain_text(row.trade_tick_value),
            ),
        )

    def proof(self, terminal: TerminalRow | None, *, trade_ok: bool, text: str) -> None:
        """Publish that the terminal's calls return, or (None) that they do not."""
        self._emit(
            "terminal",
            lambda epoch, seq, now: TerminalProof(
                self._account,
                SOURCE,
                epoch,
                seq,
                now,
                connected=terminal is not None and terminal.connected,
                trade_allowed=terminal is not None and terminal.trade_allowed,
                expert_allowed=trade_ok,
                api_allowed=terminal is not None and not terminal.tradeapi_disabled,
                text=text[:500],
            ),
        )

    def error(
        self, class_: str, text: str, *, code: int | None = None, order: int | None = None
    ) -> None:
        """Publish an error of the terminal."""
        self._emit(
            "error",
            lambda epoch, seq, now: ErrorEvent(
                self._account, SOURCE, epoch, seq, now, class_, code, order, text[:500]
            ),
        )

    def _fill(self, row: DealRow, digits: int) -> None:
        self._emit(
            "fill",
            lambda epoch, seq, now: Fill(
                self._account,
                SOURCE,
                epoch,
                seq,
                now,
                deal=row.ticket,
                position=row.position_id,
                symbol=row.symbol,
                side="sell" if row.type == c.DEAL_TYPE_SELL else "buy",
                entry=ENTRIES[row.entry] if 0 <= row.entry < len(ENTRIES) else "inout",
                volume=volume_text(row.volume, self.spec(row.symbol)),
                price=self._price(row.symbol, row.price),
                profit=fixed_text(row.profit, digits),
                commission=fixed_text(row.commission, digits),
                swap=fixed_text(row.swap, digits),
                fee=fixed_text(row.fee, digits),
                order=row.order,
                magic=row.magic,
            ),
        )

    def _position(self, row: PositionRow, digits: int) -> Position:
        return Position(
            ticket=row.ticket,
            identifier=row.identifier,
            symbol=row.symbol,
            side="sell" if row.type else "buy",
            volume=volume_text(row.volume, self.spec(row.symbol)),
            price_open=self._price(row.symbol, row.price_open),
            price_current=self._price(row.symbol, row.price_current),
            swap=fixed_text(row.swap, digits) or "0",
            profit=fixed_text(row.profit, digits) or "0",
            magic=row.magic,
            sl=self._price(row.symbol, row.sl) if row.sl else "0",
            tp=self._price(row.symbol, row.tp) if row.tp else "0",
            time_msc=row.time_msc,
        )

    def _order(self, row: OrderRow) -> Order:
        known = 0 <= row.type < len(ORDER_KINDS)
        return Order(
            ticket=row.ticket,
            symbol=row.symbol,
            kind=ORDER_KINDS[row.type] if known else str(row.type),
            volume=volume_text(row.volume_current, self.spec(row.symbol)),
            price_open=self._price(row.symbol, row.price_open),
            magic=row.magic,
            position_by=row.position_by_id,
        )

    def _price(self, symbol: str, value: float) -> str:
        spec = self.spec(symbol)
        return plain_text(value) if spec is None else price_text(value, spec.digits)

    def _emit(self, topic: str, make: Callable[[int, int, int], MarketMessage]) -> None:
        seq = self._seqs.get(topic, 0) + 1
        self._seqs[topic] = seq
        payload = encode(make(self._epoch, seq, self._clock.wall_ns()))
        if len(payload) > FEED_BYTES_MAX:
            # The guard's socket would cut the whole connection for it.
            self._note_too_large(topic, len(payload))
            return
        self._send([f"{self._account}.{topic}".encode(), payload])

    def _note_too_large(self, topic: str, size: int) -> None:
        """Say once per kind that a message does not fit; the guard misses it and closes."""
        if topic not in self._too_large:
            self._too_large.add(topic)
            text = f"{topic} message of {size} bytes, a message has at most {FEED_BYTES_MAX}"
            self.error("too_large", text)


def _stable(row: SymbolRow) -> SymbolRow:
    """Return the row without what moves with every tick: the tick value follows the rates."""
    return SymbolRow(
        row.name,
        row.digits,
        row.point,
        row.volume_min,
        row.volume_max,
        row.volume_step,
        row.filling_mode,
        row.order_mode,
        row.trade_exemode,
        row.trade_mode,
        row.trade_contract_size,
        row.trade_tick_size,
        float(f"{row.trade_tick_value:.2g}"),
        row.trade_calc_mode,
        row.currency_base,
        row.currency_profit,
    )
