"""Bytes to messages and back: EdgeGuard's own wire and the two tick formats found in the field."""
