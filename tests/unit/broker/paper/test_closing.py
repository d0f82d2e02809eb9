"""Closing positions on hedging and netting accounts: what a flattener must survive."""

import pytest

from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper import presets
from tests.unit.broker.paper.bench import Bench, changed


def test_hedging_close_takes_the_position_off(hedging: Bench) -> None:
    """A deal with `position` set closes that position, at bid for a buy, and books its profit."""
    hedging.buy(1.0)
    hedging.tick("EURUSD", 1.08600, 1.08606)
    (held,) = hedging.positions()
    result = hedging.close(held)
    assert (result.retcode, result.price) == (c.TRADE_RETCODE_DONE, 1.08600)
    assert hedging.positions() == ()
    deals = hedging.mt5.history_deals_get(position=held.identifier)
    assert deals is not None
    assert [(deal.entry, deal.type, deal.profit) for deal in deals] == [
        (c.DEAL_ENTRY_IN, c.DEAL_TYPE_BUY, 0.0),
        (c.DEAL_ENTRY_OUT, c.DEAL_TYPE_SELL, 94.0),
    ]


def test_hedging_without_position_opens_a_second_one(hedging: Bench) -> None:
    """An opposite deal that names no position hedges instead of closing."""
    hedging.buy(1.0)
    assert hedging.sell(1.0).retcode == c.TRADE_RETCODE_DONE
    assert [held.type for held in hedging.positions()] == [0, 1]


def test_hedging_duplicate_close_answers_position_closed(hedging: Bench) -> None:
    """The second close of the same ticket is refused: nothing is opened."""
    hedging.buy(1.0)
    (held,) = hedging.positions()
    assert hedging.close(held).retcode == c.TRADE_RETCODE_DONE
    assert hedging.close(held).retcode == c.TRADE_RETCODE_POSITION_CLOSED
    assert hedging.positions() == ()


def test_hedging_partial_close_keeps_ticket_and_identifier(hedging: Bench) -> None:
    """A smaller volume shrinks the position; a larger one than is left is refused."""
    hedging.buy(1.0)
    (held,) = hedging.positions()
    assert hedging.close(held, 0.4).retcode == c.TRADE_RETCODE_DONE
    (rest,) = hedging.positions()
    assert (rest.ticket, rest.identifier, rest.volume) == (held.ticket, held.identifier, 0.6)
    assert hedging.close(held, 0.7).retcode == c.TRADE_RETCODE_INVALID_CLOSE_VOLUME


def test_netting_duplicate_close_reverses(netting: Bench) -> None:
    """On netting the resent close opens the other side, whatever `position` says."""
    netting.buy(1.0)
    (held,) = netting.positions()
    assert netting.close(held).retcode == c.TRADE_RETCODE_DONE
    assert netting.close(held).retcode == c.TRADE_RETCODE_DONE
    (turned,) = netting.positions()
    assert (turned.type, turned.volume) == (c.POSITION_TYPE_SELL, 1.0)


def test_netting_account_may_insist_on_the_position() -> None:
    """The spec's stricter server refuses a close whose position is gone."""
    bench = Bench(presets.netting(netting_needs_position=True))
    bench.buy(1.0)
    (held,) = bench.positions()
    bench.close(held)
    assert bench.close(held).retcode == c.TRADE_RETCODE_POSITION_CLOSED


def test_netting_reversal_keeps_identifier_and_changes_ticket(netting: Bench) -> None:
    """A larger opposite deal is one INOUT deal; the position takes the reversing order's ticket."""
    netting.buy(1.0)
    (before,) = netting.positions()
    result = netting.sell(2.5)
    (after,) = netting.positions()
    assert (after.type, after.volume, after.ticket) == (1, 1.5, result.order)
    assert after.identifier == before.identifier != after.ticket
    deals = netting.mt5.history_deals_get(position=before.identifier)
    assert deals is not None
    assert [deal.entry for deal in deals] == [c.DEAL_ENTRY_IN, c.DEAL_ENTRY_INOUT]
    assert netting.mt5.positions_get(ticket=before.ticket) == ()


def test_netting_adds_at_the_average_price(netting: Bench) -> None:
    """Two buys on one symbol are one position at the volume-weighted price."""
    netting.buy(1.0)
    netting.tick("EURUSD", 1.09000, 1.09010)
    netting.buy(3.0)
    (held,) = netting.positions()
    assert held.volume == 4.0
    assert held.price_open == pytest.approx((1.08506 + 3 * 1.09010) / 4, abs=1e-9)


def test_close_by_halves_the_requests_and_leaves_the_residue(hedging: Bench) -> None:
    """CLOSE_BY settles both legs at the second's open price in one request; the rest lives on."""
    hedging.buy(1.0)
    hedging.sell(0.7)
    long, short = hedging.positions()
    result = hedging.send(
        action=c.TRADE_ACTION_CLOSE_BY, position=long.ticket, position_by=short.ticket
    )
    assert (result.retcode, result.volume) == (c.TRADE_RETCODE_DONE, 0.7)
    (rest,) = hedging.positions()
    assert (rest.ticket, rest.volume) == (long.ticket, 0.3)
    deals = hedging.mt5.history_deals_get(0, 2**33)
    assert deals is not None
    pair = [deal for deal in deals if deal.entry == c.DEAL_ENTRY_OUT_BY]
    assert [deal.price for deal in pair] == [short.price_open] * 2
    assert [deal.position_id for deal in pair] == [long.identifier, short.identifier]
    # Bought at 1.08506, settled at the short's 1.08500: 0.7 lots lose 4.20.
    assert [deal.profit for deal in pair] == [-4.2, 0.0]
    orders = hedging.mt5.history_orders_get(ticket=result.order)
    assert orders is not None
    assert (orders[0].type, orders[0].position_by_id) == (c.ORDER_TYPE_CLOSE_BY, short.identifier)


def test_close_by_needs_hedging_opposite_sides_and_the_mask_bit(netting: Bench) -> None:
    """CLOSE_BY is invalid on netting, on one side, on itself and where order_mode lacks bit 64."""
    request = {"action": c.TRADE_ACTION_CLOSE_BY}
    netting.buy(1.0)
    (held,) = netting.positions()
    refused = netting.send(**request, position=held.ticket, position_by=held.ticket)
    assert refused.retcode == c.TRADE_RETCODE_INVALID
    bench = Bench(changed(presets.hedging(), order_mode=63))
    bench.buy(1.0)
    bench.buy(1.0)
    bench.sell(1.0)
    first, second, short = bench.positions()
    same_side = bench.send(**request, position=first.ticket, position_by=second.ticket)
    assert same_side.retcode == c.TRADE_RETCODE_INVALID
    no_bit = bench.send(**request, position=first.ticket, position_by=short.ticket)
    assert no_bit.retcode == c.TRADE_RETCODE_INVALID_ORDER


def test_fifo_account_closes_the_oldest_first() -> None:
    """Anything but the oldest position of the symbol is refused, other symbols do not matter."""
    bench = Bench(presets.hedging(fifo_close=True))
    bench.buy(1.0, "GBPUSD")
    bench.buy(1.0)
    bench.pass_ns(1_000_000)
    bench.buy(2.0)
    account = bench.mt5.account_info()
    assert account is not None
    assert account.fifo_close is True
    _, oldest, younger = bench.positions()
    assert bench.close(younger).retcode == c.TRADE_RETCODE_FIFO_CLOSE
    assert bench.close(oldest).retcode == c.TRADE_RETCODE_DONE
    assert bench.close(younger).retcode == c.TRADE_RETCODE_DONE


def test_position_beyond_volume_max_needs_chunks(netting: Bench) -> None:
    """Netting adds may exceed volume_max; one request may not, chunks may, any remainder may."""
    netting.server.book.balance = 1e9
    netting.buy(100.0)
    netting.buy(33.33)
    (held,) = netting.positions()
    assert netting.close(held).retcode == c.TRADE_RETCODE_INVALID_VOLUME
    assert netting.close(held, 100.0).retcode == c.TRADE_RETCODE_DONE
    (rest,) = netting.positions()
    assert netting.close(rest).retcode == c.TRADE_RETCODE_DONE


def test_whole_remainder_below_volume_min_is_accepted(hedging: Bench) -> None:
    """Dust left by a spec change is off the grid and closable only as a whole."""
    hedging.buy(0.01)
    (held,) = hedging.positions()
    hedging.server.book.positions[held.ticket].units = 500_000
    (dust,) = hedging.positions()
    assert dust.volume == 0.005
    assert hedging.close(dust, 0.002).retcode == c.TRADE_RETCODE_INVALID_VOLUME
    assert hedging.close(dust).retcode == c.TRADE_RETCODE_DONE


def test_deal_and_order_tickets_are_different_counters(hedging: Bench) -> None:
    """A position's ticket is its opening order's; deals and request ids count on their own."""
    first = hedging.buy(1.0)
    second = hedging.buy(1.0)
    assert [held.ticket for held in hedging.positions()] == [first.order, second.order]
    assert first.deal not in (first.order, 0)
    assert (second.request_id - first.request_id, second.deal - first.deal) == (1, 1)
