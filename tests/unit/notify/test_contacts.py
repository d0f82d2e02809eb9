"""The contacts file: plain YAML is read, every trick is refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeguard.errors import ConfigError
from edgeguard.notify.contacts import read_contacts

SHIPPED = Path(__file__).parents[3] / "config" / "emergency_contacts.yaml"


def test_the_shipped_example_is_sound_and_reaches_nobody() -> None:
    contacts = read_contacts(SHIPPED)
    assert [c.escalation_level for c in contacts.at_level(1)] == [1]
    broker = contacts.broker()
    assert broker is not None
    assert broker.hours == "24/7"
    for contact in contacts.contacts.values():
        assert "example" in (contact.email + contact.url + contact.name).lower()


def test_no_file_is_no_contacts(tmp_path: Path) -> None:
    assert read_contacts(tmp_path / "none.yaml").contacts == {}


@pytest.mark.parametrize(
    "text",
    [
        "contacts: [",
        "- a",
        "contacts: {founder: {name: 7}}",
        "contacts: {founder: {name: ''}}",
        "contacts: {founder: {name: a, nickname: b}}",
        "contacts: {founder: {name: a, escalation_level: 99}}",
        "contacts: {founder: {name: a, phone: 49123}}",
        "contacts: {founder: {name: a}, founder: {name: b}}",
        "people: {}",
        "a: &x [1]\ncontacts: {}",
        "a: &x 1\nb: *x",
        "contacts: !!python/object/apply:os.system ['true']",
        "contacts: {founder: {name: !!str a}}",
        "contacts: " + "[" * 5000,
        'contacts: {founder: {name: "a\\nb"}}',
        "contacts: {founder: {name: a}}\n--- {}",
        "\x00",
        "contacts: {founder: {name: a}}\n#" + "x" * 300_000,
    ],
)
def test_what_is_not_plain_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "contacts.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="contacts"):
        read_contacts(file)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "contacts.yaml"
    file.write_bytes(b"contacts: \xff\xfe")
    with pytest.raises(ConfigError):
        read_contacts(file)
