"""The symbols, currencies, zones and instants that generated cases are made of."""

from dataclasses import dataclass
from fractions import Fraction

# What one unit of each currency is worth in US dollars, roughly: it only scales volumes.
WORTH: dict[str, Fraction] = {
    "USD": Fraction(1),
    "EUR": Fraction("1.2"),
    "GBP": Fraction("1.4"),
    "JPY": Fraction("0.0091"),
    "CHF": Fraction("1.1"),
    "AUD": Fraction("0.7"),
    "NZD": Fraction("0.65"),
}


@dataclass(frozen=True)
class Pooled:
    """A symbol of the pool; price in points."""

    name: str
    digits: int
    price: int
    spread: int
    profit: str
    base: str | None = None
    contract: str | None = None
    mode: str | None = None
    tick: tuple[str, str] | None = None


POOL: tuple[Pooled, ...] = (
    Pooled("EURUSD", 5, 120_000, 10, "USD"),
    Pooled("EURUSD.r", 5, 120_000, 12, "USD"),
    Pooled("GBPUSD", 5, 140_000, 14, "USD"),
    Pooled("USDJPY", 3, 110_000, 12, "JPY"),
    Pooled("USDCHF", 5, 90_900, 15, "CHF"),
    Pooled("EURCHF", 5, 109_000, 20, "CHF"),
    Pooled("EURGBP", 5, 85_700, 16, "GBP"),
    Pooled("GBPJPY", 3, 154_000, 25, "JPY"),
    Pooled("AUDNZD", 5, 107_700, 30, "NZD"),
    Pooled("AUDUSD", 5, 70_000, 12, "USD"),
    Pooled("NZDUSD", 5, 65_000, 14, "USD"),
    Pooled("XAUUSD", 3, 1_800_000, 300, "USD", contract="100", mode="CFD"),
    Pooled("US30", 2, 3_500_000, 250, "USD", base="USD", contract="1", mode="CFDINDEX"),
    Pooled(
        "GER40", 1, 150_000, 12, "EUR", base="EUR", contract="25", mode="CFDINDEX",
        tick=("0.1", "2.5"),
    ),
    Pooled("JP225", 0, 30_000, 8, "JPY", base="JPY", contract="100", mode="CFDINDEX"),
    Pooled("ESZ4", 2, 450_000, 25, "USD", base="USD", mode="FUTURES", tick=("0.25", "12.37")),
    Pooled("FDAX", 1, 150_000, 10, "EUR", base="EUR", mode="EXCH_FUTURES", tick=("0.5", "13.111")),
    Pooled("AAPL", 2, 19_000, 3, "USD", base="USD", contract="1", mode="EXCH_STOCKS"),
)  # fmt: skip
BY_NAME = {pooled.name: pooled for pooled in POOL}

# Sets that reach each way of conversion from some account currency.
BOOKS: tuple[tuple[str, ...], ...] = (
    ("EURUSD",),
    ("EURUSD", "USDJPY", "XAUUSD"),
    ("EURUSD", "EURUSD.r", "GBPUSD"),
    ("EURCHF", "EURGBP", "EURUSD"),
    ("EURCHF", "EURGBP"),
    ("GBPJPY", "USDJPY", "GBPUSD"),
    ("AUDNZD", "AUDUSD", "NZDUSD", "EURUSD"),
    ("US30", "GER40", "EURUSD"),
    ("ESZ4", "FDAX", "EURUSD", "JP225", "USDJPY"),
    ("AAPL", "USDCHF", "XAUUSD"),
)

ROLLOVERS: tuple[tuple[str, str], ...] = (
    ("17:00", "America/New_York"),
    ("17:00", "America/New_York"),
    ("00:00", "Europe/Prague"),
    ("02:30", "America/New_York"),
    ("01:30", "America/New_York"),
    ("02:30", "Europe/Berlin"),
    ("02:15", "Australia/Lord_Howe"),
    ("00:00", "Asia/Beirut"),
    ("00:00", "Africa/Cairo"),
    ("23:59", "UTC"),
    ("00:30", "America/Santiago"),
)

# UTC seconds to start near: ordinary days, New York's and Berlin's clock changes, weekends.
STARTS: tuple[int, ...] = (
    1_710_054_000 - 3_600,  # 2024-03-10 06:00, an hour before New York's spring change
    1_730_611_800 - 1_800,  # 2024-11-03 05:00, before the doubled hour
    1_711_846_800 - 1_800,  # 2024-03-31 00:30, before Berlin's spring change
    1_729_990_800 - 5_400,  # 2024-10-26 23:30, before Berlin's doubled hour
    1_709_326_800 - 600,  # Friday 2024-03-01 20:50, before New York's close in winter
    1_709_503_200 - 900,  # Sunday 2024-03-03 21:45, before the opening
    1_709_672_400 - 300,  # Tuesday 2024-03-05 20:55, before the daily close
    1_725_364_800,  # Tuesday 2024-09-03 12:00
    1_711_753_200 - 900,  # Friday 2024-03-29 22:45, near Beirut's and Cairo's midnights
    1_714_082_400 - 600,  # Thursday 2024-04-25 21:50, before Cairo's missing midnight
    1_728_143_100 - 900,  # Saturday 2024-10-05 15:30, Lord Howe's missing half hour
    1_725_768_000 - 900,  # Sunday 2024-09-08 03:45, before Santiago's missing hour
    1_700_000_000,
)

SESSIONS: tuple[object, ...] = (
    "24x7",
    "24x5",
    "24x5",
    "24x5_break",
    ["Mon 09:00-17:30 Europe/Berlin", "Tue 09:00-21:00 Europe/Berlin", "Fri 00:00-24:00 UTC"],
)
