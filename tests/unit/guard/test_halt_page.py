"""The halt page from Python: both readers, one answer, and the manual word."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeguard import halt_page
from edgeguard.clock import SystemClock
from edgeguard.gate import Gate, Permit, Refusal

LEASE_NS = 3_600_000_000_000
"""An hour, which readers cap at a minute: no test here waits for a lease to end."""


class Page:
    """A page of account A that is open, and both readers on it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "halt.A"
        self.writer = halt_page.writer(self.path, "A", LEASE_NS, 1)
        self.seq = 0
        self.state("ACTIVE")
        for _ in range(3):
            self.writer.beat(SystemClock().boot_ns())
        self.readers = {
            "native": halt_page.reader(self.path, "A"),
            "pure": halt_page.PurePageReader(self.path, "A"),
        }

    def state(self, name: str, halt_id: str = "", flags: int = 0) -> None:
        self.seq += 1
        word = (halt_page.STATE_BYTES.index(name), 0, 0, flags, self.seq)
        self.writer.set_state(word, halt_id)

    def poke(self, index: int, value: int) -> None:
        with self.path.open("r+b") as file:
            file.seek(8 * index)
            file.write(value.to_bytes(8, "little"))

    def codes(self, *scopes: str) -> set[str]:
        """Return the codes that the readers give now, one if they agree."""
        words = [halt_page.hash_word(scope) for scope in scopes]
        return {
            halt_page.CODES[reader.check_scopes(words) if words else reader.check()]
            for reader in self.readers.values()
        }


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """Return an open page."""
    opened = Page(tmp_path)
    assert opened.codes() == {"OPEN"}
    return opened


@pytest.mark.parametrize(
    ("name", "flags", "code"),
    [
        ("STARTING", 0, "STARTING"),
        ("UNKNOWN", 0, "STARTING"),
        ("PAUSED", 0, "PAUSED"),
        ("PAUSED", halt_page.FLAG_HOLE, "HOLE"),
        ("ACTIVE", halt_page.FLAG_HOLE, "HOLE"),
        ("ACTIVE", halt_page.FLAG_OVERFLOW, "SCOPE"),
        ("ACTIVE", halt_page.FLAG_NOT_DURABLE, "OPEN"),
        ("HALTED", 0, "HALTED"),
    ],
)
def test_each_state_gives_its_code(page: Page, name: str, flags: int, code: str) -> None:
    """Every state word reads the same through both readers."""
    page.state(name, "H1" if name == "HALTED" else "", flags)
    assert page.codes() == {code}


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (halt_page.W_MAGIC, 0),
        (halt_page.W_LAYOUT, 2),
        (halt_page.W_LEASE, 0),
        (halt_page.W_STREAK, 2),
        (halt_page.W_BEAT, 0),
        (halt_page.W_BEAT, 2**64 - 1),
        (halt_page.W_STATE, 0),
        (halt_page.W_STATE, 2**64 - 1),
        (halt_page.W_MANUAL, 1),
    ],
)
def test_hostile_word_closes(page: Page, index: int, value: int) -> None:
    """H10: a word that no honest guard writes closes both readers, in the same way."""
    page.poke(index, value)
    codes = page.codes()
    assert "OPEN" not in codes
    assert len(codes) == 1


def test_wrong_boot_account_and_absence_close(page: Page, tmp_path: Path) -> None:
    """A reader that attaches to another account's or boot's page, or to none, is closed."""
    for reader in (
        halt_page.reader(page.path, "B"),
        halt_page.PurePageReader(page.path, "B"),
    ):
        assert halt_page.CODES[reader.check()] == "WRONG_ACCOUNT"
        assert "account" in reader.why()
    page.poke(halt_page.W_BOOT, 1)
    for reader in (halt_page.reader(page.path, "A"), halt_page.PurePageReader(page.path, "A")):
        assert halt_page.CODES[reader.check()] == "MISSING"
    for reader in (halt_page.reader(tmp_path / "x", "A"), halt_page.PurePageReader(page.path, "")):
        assert halt_page.CODES[reader.check()] != "OPEN"


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _short(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"EDGEGRD1")
    path.chmod(0o600)


def _public(path: Path) -> None:
    path.chmod(0o640)


@pytest.mark.parametrize("spoil", [_link, _fifo, _short, Path.unlink, _public])
def test_only_a_private_regular_file_is_a_page(page: Page, spoil: Callable[[Path], None]) -> None:
    """A link, a pipe, a short or public file, or none: MISSING for whoever attaches now."""
    spoil(page.path)
    for reader in (halt_page.reader(page.path, "A"), halt_page.PurePageReader(page.path, "A")):
        assert halt_page.CODES[reader.check()] == "MISSING"
        assert reader.why()


def test_halt_latches_until_its_own_resume(page: Page) -> None:
    """P1 in both readers: neither ACTIVE nor another halt's resume opens."""
    page.state("HALTED", "H1")
    assert page.codes() == {"HALTED"}
    page.state("ACTIVE")
    page.writer.push_resumed("H2")
    assert page.codes() == {"HALTED"}
    page.writer.push_resumed("H1")
    assert page.codes() == {"OPEN"}


def test_manual_word_needs_nothing_but_the_file(page: Page) -> None:
    """P6: anybody with the right closes every gate, until its own resume."""
    halt_page.set_manual(page.path, 77)
    assert page.writer.manual() == 77
    assert page.codes() == {"HALTED"}
    assert page.writer.clear_manual(77)
    assert page.codes() == {"HALTED"}
    page.writer.push_resumed_manual(77)
    assert page.codes() == {"OPEN"}


def test_manual_word_replaces_the_one_before_it(page: Page) -> None:
    """P6, P7: the resume of the first clears no second; two of one instant are told apart."""
    halt_page.set_manual(page.path, 77)
    assert page.codes() == {"HALTED"}
    halt_page.set_manual(page.path, 77)
    assert page.writer.manual() == 78
    assert page.codes() == {"HALTED"}
    assert not page.writer.clear_manual(77)
    page.writer.push_resumed_manual(77)
    assert page.codes() == {"HALTED"}
    assert page.writer.clear_manual(78)
    page.writer.push_resumed_manual(78)
    assert page.codes() == {"OPEN"}, "the gates saw the second after the first"
    halt_page.set_manual(page.path, -1)
    assert page.writer.manual() == 2**64 - 1
    halt_page.set_manual(page.path, -1)
    assert page.writer.manual() == 1


def test_manual_word_is_not_written_into_other_files(tmp_path: Path) -> None:
    """A file that is no page is left as it is, and the caller is told."""
    other = tmp_path / "halt.A"
    other.write_bytes(bytes(halt_page.PAGE_BYTES))
    other.chmod(0o600)
    with pytest.raises(ValueError, match="EDGEGRD1"):
        halt_page.set_manual(other, 1)
    assert other.read_bytes() == bytes(halt_page.PAGE_BYTES)
    with pytest.raises(OSError, match="No such file"):
        halt_page.set_manual(tmp_path / "none", 1)


def test_scope_closes_alone(page: Page) -> None:
    """A paused symbol refuses with SCOPE while the account and other symbols are open."""
    page.writer.set_scope("symbol:XAUUSD", (3, 0, 0, 0, 1))
    assert page.codes("symbol:XAUUSD") == {"SCOPE"}
    assert page.codes("symbol:EURUSD") == {"OPEN"}
    assert page.codes() == {"OPEN"}


def test_gate_answers_and_never_raises(page: Page, tmp_path: Path) -> None:
    """A permit is truthy, a refusal falsy with a pinned code; a gate itself is neither."""
    gate = Gate(page.path, "A")
    assert isinstance(gate.check("EURUSD", "X"), Permit)
    assert gate.check()
    page.state("PAUSED")
    answer = gate.check()
    assert isinstance(answer, Refusal)
    assert not answer
    assert answer.code == "PAUSED"
    assert "paused" in str(answer)
    with pytest.raises(TypeError, match="check"):
        bool(gate)
    for where in (tmp_path / "none", "tcp://0.0.0.0:1", "nonsense://", "\0"):
        broken = Gate(where, "A").check()
        assert isinstance(broken, Refusal)
        assert broken.code == "MISSING"
    gate.close()
    assert not gate.check()
