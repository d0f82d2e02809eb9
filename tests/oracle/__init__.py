"""The oracle: a brute-force second implementation of docs/TRIGGERS.md that knows only its text."""
