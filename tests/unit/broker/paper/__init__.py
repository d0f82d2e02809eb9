"""Unit tests of the paper terminal, under virtual time."""
