"""What stops a replay: an unreadable input line (exit 6) or an unusable configuration (exit 3)."""


class Unreadable(Exception):  # noqa: N818 - the name the CLI knows it by
    """An input line that cannot be read; decisions before it stay printed (exit 6)."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file = file
        self.line = line
        self.message = message


class BadConfig(Exception):  # noqa: N818 - the name the CLI knows it by
    """A configuration that cannot be used, or a symbol without digits (exit 3)."""


class Refused(Exception):  # noqa: N818 - a refusal is not yet an error
    """A value in one line that is missing or no number; the reader adds file and line."""
