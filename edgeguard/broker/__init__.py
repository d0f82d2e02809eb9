"""Reach one MetaTrader 5 terminal: read it, publish what it says, and flatten it until proven flat.

Plain Python on plain asyncio: nothing in this package imports uvloop or the Rust extension, so that
it also runs on Windows or under Wine beside the terminal.
"""
