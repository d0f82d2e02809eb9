"""Symbol facts of one account: key by key from [[symbol]], else from a `symbol` line."""

from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.calendar_ import Session
from tests.oracle.coverage import reached
from tests.oracle.errors import BadConfig
from tests.oracle.settings import Settings, decimal, session

POINT_MODES = ("FOREX", "FOREX_NO_LEVERAGE", "CFD", "CFDINDEX", "CFDLEVERAGE", "EXCH_STOCKS")
TICK_VALUE_MODES = ("FUTURES", "EXCH_FUTURES")


@dataclass(frozen=True)
class SpreadFacts:
    """What the configuration and the terminal say about a symbol's spread."""

    configured: Fraction | None
    floor: Fraction
    profile: list[int | None] | None
    session: Session


@dataclass(frozen=True)
class SymbolFacts:
    """All facts of one symbol; per_point is the profit of one lot and one point."""

    digits: int
    base: str
    profit: str
    per_point: Fraction
    has_tick_value: bool
    spread: SpreadFacts

    @property
    def session(self) -> Session:
        """Return when the symbol trades."""
        return self.spread.session


class Facts:
    """What one account knows about its symbols."""

    def __init__(self, settings: Settings) -> None:
        self.config = settings.symbols
        self.profiles = settings.profiles
        self.lines: dict[str, dict[str, object]] = {}
        self.read: dict[str, SymbolFacts] = {}

    def learn(self, symbol: str, facts: dict[str, object]) -> None:
        """Take the facts of a `symbol` line."""
        self.lines.setdefault(symbol, {}).update(facts)
        self.read.pop(symbol, None)
        config = self.config.get(symbol, {})
        if any(key in config and facts[key] != str(config[key]) for key in facts):
            reached("fact_config_over_line")
        if "digits" not in config:
            reached("digits_from_symbol_line")
        self.of(symbol)

    def knows(self, symbol: str) -> bool:
        """Tell whether a symbol is named in the configuration or by a `symbol` line."""
        return symbol in self.config or symbol in self.lines

    def names(self) -> list[str]:
        """Return all known symbols by name."""
        return sorted(set(self.config) | set(self.lines))

    def of(self, symbol: str) -> SymbolFacts:
        """Return the facts of a symbol; without digits in either place it is exit 3."""
        if symbol not in self.read:
            self.read[symbol] = self._read(symbol)
        return self.read[symbol]

    def _read(self, symbol: str) -> SymbolFacts:
        digits = self._number(symbol, "digits")
        if digits is None or digits.denominator != 1:
            raise BadConfig(f"symbol {symbol} must have digits")
        per_point, has_tick_value = self._per_point(symbol, Fraction(1, 10**digits.numerator))
        floor = self._number(symbol, "spread_floor_points")
        spread = SpreadFacts(
            configured=self._number(symbol, "spread_normal_points"),
            floor=Fraction(1) if floor is None else floor,
            profile=self.profiles.get(symbol),
            session=self.session(symbol),
        )
        base = str(self._get(symbol, "currency_base") or symbol[:3])
        profit = str(self._get(symbol, "currency_profit") or symbol[3:6])
        return SymbolFacts(digits.numerator, base, profit, per_point, has_tick_value, spread)

    def _per_point(self, symbol: str, point: Fraction) -> tuple[Fraction, bool]:
        mode = self._get(symbol, "calc_mode") or "FOREX"
        if mode in POINT_MODES:
            return (self._number(symbol, "contract_size") or Fraction(100_000)) * point, False
        if mode not in TICK_VALUE_MODES:
            raise BadConfig(f"{symbol}.calc_mode must be known, was {mode}")
        value = self._number(symbol, "tick_value")
        if value is None:
            raise BadConfig(f"symbol {symbol} must have tick_value")
        return value / (self._number(symbol, "tick_size") or point) * point, True

    def _get(self, symbol: str, key: str) -> object:
        """Return one fact, None where nobody gave it."""
        config = self.config.get(symbol, {})
        return config[key] if key in config else self.lines.get(symbol, {}).get(key)

    def _number(self, symbol: str, key: str) -> Fraction | None:
        value = self._get(symbol, key)
        return None if value is None else decimal(value, f"{symbol}.{key}")

    def session(self, symbol: str) -> Session:
        """Return when a symbol trades, known or not."""
        keys = ("session", "holidays")
        return session({k: v for k in keys if (v := self._get(symbol, k)) is not None})
