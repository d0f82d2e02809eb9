"""A NautilusTrader strategy with EdgeGuard beside it (1.221.0).

A mixin in front of NautilusTrader's own class:

    class Mine(Guarded, Strategy): ...

    mine = Mine(gate=Gate(RUN_DIR, "A"), reporter=Reporter(RUN_DIR, "A"))

Orders that may open risk ask the gate, alone, in a list (a bracket) or enlarged; reduce-only
orders, cancels and everything else pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeguard import Gate

if TYPE_CHECKING:
    from edgeguard import Reporter


class Guarded:
    """Asks the gate before each order that is not reduce-only, and tells the guard of the rest."""

    def __init__(self, *arguments: Any, gate: Gate, reporter: Reporter, **named: Any) -> None:
        """Take the gate and the reporter; the rest is the strategy's own."""
        super().__init__(*arguments, **named)
        self.gate = gate
        self.reporter = reporter

    def submit_order(self, order: Any, *arguments: Any, **named: Any) -> None:
        """Submit an order, or say in the log why it was not."""
        if self._may(order):
            super().submit_order(order, *arguments, **named)  # type: ignore[misc]

    def submit_order_list(self, order_list: Any, *arguments: Any, **named: Any) -> None:
        """Submit a list whole or not at all: an entry without its stop would be worse."""
        if all(self._may(order) for order in order_list.orders):
            super().submit_order_list(order_list, *arguments, **named)  # type: ignore[misc]

    def modify_order(self, order: Any, quantity: Any = None, *arguments: Any, **named: Any) -> None:
        """Modify an order; one that grows asks like a new one."""
        if quantity is None or quantity <= order.quantity or self._may(order):
            super().modify_order(order, quantity, *arguments, **named)  # type: ignore[misc]

    def on_quote_tick(self, tick: Any) -> None:
        """Report the quote, and that the strategy lives; call this first in your own."""
        symbol = tick.instrument_id.symbol.value.replace("/", "")
        self.reporter.tick(symbol, str(tick.bid_price), str(tick.ask_price), tick.ts_event)
        self.reporter.heartbeat()

    def on_order_rejected(self, event: Any) -> None:
        """Count a rejection towards the error rate."""
        self.reporter.error("reject", text=str(event.reason))

    def _may(self, order: Any) -> bool:
        """Tell whether an order may go out, and log why one may not."""
        symbol = order.instrument_id.symbol.value.replace("/", "")
        answer = order.is_reduce_only or self.gate.check(symbol=symbol)
        if not answer:
            self.log.error(f"not submitted: {answer}")  # type: ignore[attr-defined]  # noqa: G004
        return bool(answer)
