"""The one import of the Rust trading state."""

from edgeguard._core import TradingState

__all__ = ["TradingState"]
