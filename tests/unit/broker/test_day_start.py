"""What deal history proves of the start of a day, and what it does not."""

from edgeguard.broker.day_start import DayStart, Today, day_start
from edgeguard.broker.paper import constants as c
from edgeguard.broker.rows import DealRow, PositionRow

DAY_NS = 1_700_000_000_000_000_000
OFFSET_S = 7200
DAY_MSC = DAY_NS // 1_000_000 + OFFSET_S * 1000
HOUR_MSC = 3_600_000


def deal(number: int, at_h: float, profit: float = 0.0, **fields: object) -> DealRow:
    row = {
        "order": 0,
        "type": c.DEAL_TYPE_BALANCE,
        "entry": 0,
        "magic": 0,
        "position_id": 0,
        "symbol": "",
        "volume": 0.0,
        "price": 0.0,
        **fields,
    }
    time_msc = DAY_MSC + int(at_h * HOUR_MSC)
    return DealRow(ticket=number, time_msc=time_msc, profit=profit, **row)  # type: ignore[arg-type]


def trade(number: int, at_h: float, position: int, *, closes: bool, profit: float = 0.0) -> DealRow:
    side = c.DEAL_TYPE_SELL if closes else c.DEAL_TYPE_BUY
    entry = c.DEAL_ENTRY_OUT if closes else c.DEAL_ENTRY_IN
    return deal(
        number, at_h, profit, type=side, entry=entry, position_id=position, volume=0.1, symbol="X",
        commission=-0.35,
    )  # fmt: skip


def judged(*deals: DealRow, now: float, credit: float = 0.0, held: int = 0) -> DayStart:
    rows = (PositionRow(held, held, "X", 0, 0.1, 1.0, 1.0, 0.0, time_msc=DAY_MSC - 1),)
    today = Today(now, credit, 2, rows if held else ())
    return day_start(deals, today, since_ns=DAY_NS, offset_s=OFFSET_S)


OPENED = deal(1, -100, 100_000.0)


def test_balance_and_transfers_of_the_day() -> None:
    """Trades of yesterday and today, a deposit today, and its deals on the broker's clock."""
    found = judged(
        OPENED,
        trade(2, -5, 10, closes=False),
        trade(3, -4, 10, closes=True, profit=-200.0),
        deal(4, 0.0, 500.0),
        trade(5, 1, 11, closes=False),
        trade(6, 2, 11, closes=True, profit=70.1),
        now=100_000 - 200.7 + 500 + 69.4,
    )
    assert found == DayStart(DAY_NS, "", "99799.30", "99799.30", "500.00", 6, 3)


def test_credit_counts_in_equity_and_as_transfer() -> None:
    """A credit of yesterday is in the equity; one of today is a transfer, and no balance."""
    kind = c.DEAL_TYPE_CREDIT
    found = judged(
        OPENED, deal(2, -1, 1000.0, type=kind), deal(3, 1, 50.0, type=kind), now=1e5, credit=1050.0
    )
    assert (found.balance, found.equity, found.transfers) == ("100000.00", "101000.00", "50.00")


def test_a_position_over_the_day_start_leaves_the_equity_unknown() -> None:
    """By its deals, and also where only its own opening time tells."""
    over = judged(OPENED, trade(2, -1, 10, closes=False), now=99_999.65, held=0)
    own = judged(OPENED, now=1e5, held=77)
    for found, number in ((over, 10), (own, 77)):
        assert found.equity is None
        assert f"position {number} was open" in found.why
        assert found.balance is not None


def test_a_history_that_does_not_add_up_proves_nothing() -> None:
    """Deals that the terminal no longer has, of balance or of credit."""
    for found in (judged(OPENED, now=99_000.0), judged(OPENED, now=1e5, credit=5.0)):
        assert "incomplete" in found.why
        assert (found.balance, found.equity, found.transfers) == (None, None, None)


def test_an_account_of_today_begins_with_its_first_deal() -> None:
    """Not with nothing, of which every loss would be more than 3 %."""
    found = judged(deal(1, 1, 1e5), deal(2, 2, 500.0), now=100_500.0)
    assert (found.balance, found.transfers, found.why) == ("100000.00", "500.00", "")


def test_an_account_without_deals_has_no_money() -> None:
    """Nothing is made up: the balance is 0, and no reference can be."""
    assert judged(now=0.0).balance == "0.00"
