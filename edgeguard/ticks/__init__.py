"""Recorded ticks of other makers: what a SPEC names, and the bytes inside its file."""
