"""Name the values a MetaTrader 5 server speaks for which the vendor's package exports no name.

Kept apart from constants.py so that the module installed as MetaTrader5 exports exactly what the
vendor's does. Values are MQL5's own; masks combine by OR.
"""

from typing import Final

# SymbolInfo.filling_mode: a mask of what a market order may ask for. RETURN has no bit.
SYMBOL_FILLING_FOK: Final = 1
SYMBOL_FILLING_IOC: Final = 2
SYMBOL_FILLING_BOC: Final = 4

# SymbolInfo.order_mode: a mask of allowed order kinds; 127 allows all.
SYMBOL_ORDER_MARKET: Final = 1
SYMBOL_ORDER_LIMIT: Final = 2
SYMBOL_ORDER_STOP: Final = 4
SYMBOL_ORDER_STOP_LIMIT: Final = 8
SYMBOL_ORDER_SL: Final = 16
SYMBOL_ORDER_TP: Final = 32
SYMBOL_ORDER_CLOSEBY: Final = 64
SYMBOL_ORDER_ALL: Final = 127

# SymbolInfo.expiration_mode: a mask of allowed lifetimes.
SYMBOL_EXPIRATION_GTC: Final = 1
SYMBOL_EXPIRATION_DAY: Final = 2
SYMBOL_EXPIRATION_SPECIFIED: Final = 4
SYMBOL_EXPIRATION_SPECIFIED_DAY: Final = 8

# Answered by accounts that forbid opposite positions; the package has no constant for it.
TRADE_RETCODE_HEDGE_PROHIBITED: Final = 10046
