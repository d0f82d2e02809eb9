"""docs/WIRE.md says what the code sends: its tables are compared with the Structs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgeguard import messages
from tests.golden.tables import ORDER, table

PAGE = Path(__file__).parents[2] / "docs" / "WIRE.md"


@pytest.mark.parametrize("struct", ORDER, ids=lambda struct: struct.__name__)
def test_page_has_the_table_of_every_struct(struct: type[msgspec.Struct]) -> None:
    """A field added to a message without its row in the page fails here."""
    assert table(struct) in PAGE.read_text(encoding="utf-8")


def test_every_message_is_on_the_page() -> None:
    """No Struct of the vocabulary is missing from ORDER."""
    structs = {
        value
        for value in vars(messages).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == messages.__name__
        and not value.__name__.startswith("_")
    }
    assert structs == set(ORDER)
