"""Small configurations to break."""

from pathlib import Path

BASE = """
[[account]]
id = "A"
login = 7
server = "S"
trade_mode = "demo"
currency = "USD"
initial_balance = "100000.00"
terminal = "paper"
[account.limits]
daily_loss = 0.030
[[symbol]]
name = "EURUSD"
digits = 5
"""


def write(folder: Path, text: str = BASE, **changes: str) -> Path:
    """Write `text` with ``{old: new}`` replacements given as pairs of keywords and return its path.

    Each keyword names a line's key; its value takes the place of that line.
    """
    lines = text.splitlines()
    for key, line in changes.items():
        at = next(i for i, old in enumerate(lines) if old.startswith(f"{key} ="))
        lines[at] = line
    path = folder / "edgeguard.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
