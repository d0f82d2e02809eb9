"""Decision lines: their order within one instant and their exact text."""

import json
from dataclasses import dataclass

from tests.oracle.coverage import decided

TRIGGERS = (
    "daily_loss", "total_drawdown", "connection_lost", "error_rate", "price_anomaly", "input",
)  # fmt: skip
ACTIONS = ("release", "warn", "pause", "halt")
CODES = {
    "daily_loss": "DAILY_LOSS_EXCEEDS_MAX",
    "total_drawdown": "TOTAL_DRAWDOWN_EXCEEDS_MAX",
    "connection_lost": "CONNECTION_LOST",
    "error_rate": "ERROR_RATE_EXCEEDS_MAX",
    "price_anomaly": "SPREAD_EXCEEDS_MAX",
}
INPUT_CODES = ("PRICE_JUMP", "PRICE_STALE", "EQUITY_UNTRUSTED", "DAY_START_UNKNOWN")


@dataclass(frozen=True)
class Line:
    """One decision of one account; scope_rank orders scopes, name orders symbols and sources."""

    trigger: str
    action: str
    code: str
    value: str | None = None
    threshold: str | None = None
    reference: str | None = None
    symbol: str | None = None
    scope: str = "account"
    scope_rank: int = 0

    def order(self) -> tuple[int, int, str, int, int]:
        """Return the place within one instant of one account."""
        name = self.reference if self.trigger == "connection_lost" else self.symbol
        base = self.code.removesuffix("_CLEARED")
        code_rank = INPUT_CODES.index(base) if base in INPUT_CODES else 0
        rank = TRIGGERS.index(self.trigger)
        return rank, self.scope_rank, name or "", ACTIONS.index(self.action), code_rank


@dataclass(frozen=True)
class Origin:
    """The event that moved the clock."""

    index: int
    file: str
    line: int


def text(line: Line, t_ns: int, account: str, origin: Origin, config_hash: str) -> str:
    """Return the JSON text of a decision."""
    decided(line.trigger, line.action, line.code)
    return json.dumps(
        {
            "v": 1,
            "index": origin.index,
            "t_ns": t_ns,
            "account": account,
            "scope": line.scope,
            "trigger": line.trigger,
            "action": line.action,
            "code": line.code,
            "value": line.value,
            "threshold": line.threshold,
            "reference": line.reference,
            "symbol": line.symbol,
            "source": {"file": origin.file, "line": origin.line},
            "config_hash": config_hash,
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )
