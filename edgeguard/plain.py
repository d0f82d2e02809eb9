"""Text of strangers made harmless: on a person's screen or in a log it steers nothing.

Imports nothing, so that the emergency command can use it at once.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text on one line, a blank in the place of each character that steers."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def escaped_line(text: str) -> str:
    """Return text on one line, each character that steers written as its escape."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def escaped(text: str) -> str:
    """Return text in which nothing but line ends and tabs steers a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()
