"""Unit tests of the broker side."""
