"""The demo: a market, an engine and a crash around the shipped guard, broker and gate."""
